"""sstpca ca export, backup and restore."""

import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509

from sstpca.authority import sealed
from sstpca.authority.authority import load_ca_certificate
from sstpca.authority.identity import load_identity
from sstpca.cli import ask, ca_files, main
from sstpca.home import Home
from tests.support.steps import tree

Run = Callable[..., Result]
Refused = Callable[[Result, int], str]


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "SCRYPT_N", 1 << 4)
    monkeypatch.delenv(ca_files.PASSPHRASE_VARIABLE, raising=False)


@pytest.fixture
def passphrase(tmp_path: Path) -> str:
    path = tmp_path / "passphrase"
    path.write_text("correct horse\n")
    return str(path)


def run_in(root: Path, *arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["--home", str(root), *arguments], input=stdin)


def test_export(home: Home, run: Run, tmp_path: Path, refused: Refused) -> None:
    result = run("ca", "export")
    assert result.stdout_bytes == home.ca_certificate.read_bytes()
    assert "SHA-256 fingerprint: " in result.stderr
    path = tmp_path / "ca.cer"
    arguments = ("ca", "export", "--format", "der", "--output", str(path))
    assert run(*arguments).stdout == f"{path}\n"
    assert x509.load_der_x509_certificate(path.read_bytes()) == load_ca_certificate(home)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert "exists already" in refused(run(*arguments), 1)
    assert run(*arguments, "--force").exit_code == 0


def test_der_is_nothing_for_a_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    class Terminal:
        @staticmethod
        def isatty() -> bool:
            return True

    monkeypatch.setattr("sstpca.cli.ca_files.sys", type("Sys", (), {"stdout": Terminal}))
    assert refused(run("ca", "export", "--format", "der"), 2) == "this is no text for a terminal"


def test_backup_and_restore(home: Home, run: Run, tmp_path: Path, passphrase: str) -> None:
    path, new = tmp_path / "vpn.backup", tmp_path / "new"
    result = run("ca", "backup", str(path), "--passphrase-file", passphrase)
    assert (result.exit_code, result.stdout) == (0, f"{path}\n")
    assert re.match(r"6 files, 0\.[12] MiB\. ", result.stderr)
    result = run_in(new, "ca", "restore", str(path), "--passphrase-file", passphrase)
    assert (result.exit_code, result.stdout) == (0, f"{new}\n")
    assert load_identity(Home.open(new)).own
    assert run_in(new, "user", "list").exit_code == 0


def test_out_of_a_fresh_clone_is_empty(
    home: Home, run: Run, tmp_path: Path, passphrase: str, refused: Refused
) -> None:
    path, new = tmp_path / "vpn.backup", tmp_path / "clone" / "out"
    run("ca", "backup", str(path), "--passphrase-file", passphrase)
    new.mkdir(parents=True)
    kept = Path(__file__).parents[2] / "out" / ".gitignore"
    shutil.copy(kept, new)
    new.chmod(0o755)
    before = tree(home.root)
    # what stops it in the middle leaves the folder as it was
    damaged = tmp_path / "damaged"
    damaged.write_bytes(path.read_bytes()[:-1])
    given = ("--passphrase-file", passphrase)
    refused(run_in(new, "ca", "restore", str(damaged), *given), 1)
    assert [one.name for one in new.iterdir()] == [".gitignore"]
    assert run_in(new, "ca", "restore", str(path), *given).exit_code == 0
    assert new.stat().st_mode & 0o777 == 0o700
    assert (new / ".gitignore").read_bytes() == kept.read_bytes()
    assert before.keys() - tree(new).keys() <= {
        "sstpca.db-shm",
        "sstpca.db-wal",
        "last-backup.json",
    }
    assert run_in(new, "user", "list").exit_code == 0


def test_the_passphrase_from_the_environment(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vpn.backup"
    monkeypatch.setenv(ca_files.PASSPHRASE_VARIABLE, "correct horse")
    assert run("ca", "backup", str(path)).exit_code == 0
    assert run_in(tmp_path / "new", "ca", "restore", str(path)).exit_code == 0


def test_the_passphrase_is_asked_for_twice_and_once(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vpn.backup"
    monkeypatch.setattr(ask, "interactive", lambda: True)
    monkeypatch.setattr(ask, "hidden", ask.visible)
    result = run("ca", "backup", str(path), stdin="correct horse\ncorrect horse\n")
    assert result.exit_code == 0
    assert "correct horse" not in result.output
    result = run_in(tmp_path / "new", "ca", "restore", str(path), stdin="correct horse\n")
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "passphrase for the backup is empty"),
        ("seven77", "less than 8 characters"),
        ("a\nb", "control character"),
    ],
)
def test_passphrases_that_do_not_do(
    run: Run, tmp_path: Path, refused: Refused, content: str, complaint: str
) -> None:
    (tmp_path / "bad").write_text(content)
    arguments = ("ca", "backup", str(tmp_path / "x"), "--passphrase-file", str(tmp_path / "bad"))
    assert complaint in refused(run(*arguments), 2)
    assert not (tmp_path / "x").exists()


def test_nobody_to_ask(run: Run, tmp_path: Path, refused: Refused) -> None:
    line = refused(run("ca", "backup", str(tmp_path / "x")), 2)
    assert line == "there is no passphrase for the backup"


def test_what_restore_refuses(
    home: Home, run: Run, tmp_path: Path, passphrase: str, refused: Refused
) -> None:
    path, new = tmp_path / "vpn.backup", tmp_path / "new"
    run("ca", "backup", str(path), "--passphrase-file", passphrase)
    (tmp_path / "wrong").write_text("wrong horse")
    before = tree(home.root)
    given = ("--passphrase-file", passphrase)

    def restored(root: Path, source: Path, *options: str) -> str:
        return refused(run_in(root, "ca", "restore", str(source), *options), 1)

    # before anybody is asked for a passphrase
    assert restored(home.root, path).endswith("in it; nothing was restored")
    assert restored(new, tmp_path / "none").endswith("none: No such file or directory")
    assert restored(new, home.ca_certificate).endswith("is no backup made by 'sstpca ca backup'")
    wrong = ("--passphrase-file", str(tmp_path / "wrong"))
    assert restored(new, path, *wrong) == f"the passphrase does not open {path}"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    assert restored(new, path, *given) == (f"the backup {path} is damaged; nothing was restored")
    assert tree(home.root) == before
    assert not new.exists()


def test_where_nothing_can_be_written(
    home: Home,
    run: Run,
    open_home: Home,
    tmp_path: Path,
    passphrase: str,
    refused: Refused,
    as_nobody: Callable[[], None],
) -> None:
    path = tmp_path / "vpn.backup"
    run("ca", "backup", str(path), "--passphrase-file", passphrase)
    # the user nobody has to reach the file, however deep xdist puts it
    for one in (tmp_path, *tmp_path.parents):
        if not one.stat().st_mode & 0o001:
            one.chmod(0o755)
    path.chmod(0o644)
    as_nobody()
    given = ("--passphrase-file", passphrase)
    new = open_home.root / "new"
    line = refused(run_in(new, "ca", "restore", str(path), *given), 1)
    assert line == f"cannot restore into {new}: Permission denied"
    assert not new.exists()
    line = refused(run_in(open_home.root, "ca", "backup", str(tmp_path / "x"), *given), 1)
    assert line.startswith(f"the database {open_home.database} cannot be used: it is not yours")
    assert not (tmp_path / "x").exists()


def test_a_target_that_cannot_be_written(run: Run, passphrase: str, refused: Refused) -> None:
    # there, not even root can make a file
    given = ("--passphrase-file", passphrase)
    line = refused(run("ca", "backup", "/proc/x", *given), 1)
    assert line.startswith("cannot write /proc/x: ")
    line = refused(run("ca", "export", "--output", "/proc/x"), 1)
    assert line.startswith("cannot write /proc/x: ")
