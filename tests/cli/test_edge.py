"""What the operator sees when something is wrong: one line, never a traceback."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import sstpca
from sstpca.cli import main
from sstpca.home import Home
from sstpca.store import users
from tests.support.waiting import PATIENCE

Run = Callable[..., Result]
Refused = Callable[[Result, int], str]


def run_in(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(root), *arguments])


def test_version() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.stdout == f"sstpca, version {sstpca.__version__}\n"


def test_what_to_do_next_is_about_the_same_home(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_in(home.root, "user", "show", "bob").stderr.splitlines()[1] == (
        f"see 'sstpca --home {home.root} user list'"
    )
    result = run_in(home.root / "none", "user", "list")
    assert result.stderr.splitlines() == [
        f"error: there is no sstpca home in {home.root / 'none'}",
        f"make one with 'sstpca --home {home.root / 'none'} init HOST', or name another with "
        "--home or SSTPCA_HOME",
    ]
    monkeypatch.setenv("SSTPCA_HOME", str(home.root))
    result = CliRunner().invoke(main, ["user", "show", "bob"])
    assert result.stderr.splitlines()[1] == "see 'sstpca user list'"


READERS = [["user", "list"], ["profile", "list"], ["cert", "show"], ["user", "add", "a"]]


@pytest.mark.parametrize("arguments", READERS)
def test_no_home(tmp_path: Path, refused: Refused, arguments: list[str]) -> None:
    line = refused(run_in(tmp_path / "none", *arguments), 1)
    assert line == f"there is no sstpca home in {tmp_path / 'none'}"
    assert not (tmp_path / "none").exists()


def test_another_folder_is_no_home(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / ".hidden").touch()
    result = run_in(tmp_path, "user", "list")
    assert refused(result, 1) == f"there is no sstpca home in {tmp_path}"
    assert " init HOST'" in result.stderr
    for name in ("a", "b"):
        (tmp_path / name).touch()
    result = run_in(tmp_path, "user", "list")
    assert refused(result, 1) == f"there is no sstpca home in {tmp_path}, but other files: 'a', 'b'"
    assert "init" not in result.stderr


@pytest.mark.parametrize(
    ("name", "arguments", "hint"),
    [
        ("server.pem", ["cert", "show"], "make another: sstpca --home {home} cert rekey server"),
        ("ca.crt", ["ca", "show"], "restore it from a backup of the home; bundles have it"),
        ("ca.key", ["cert", "renew", "server"], "restore it from a backup of the home"),
        ("database.key", ["user", "passwd", "alice", "--generate"], "openssl rand -base64 32"),
        ("sstpca.db", ["user", "list"], "restore it from a backup of the home"),
        ("settings.toml", ["user", "list"], "restore it from a backup, or name another"),
    ],
)
def test_a_file_of_the_home_that_is_gone(
    home: Home, run: Run, refused: Refused, name: str, arguments: list[str], hint: str
) -> None:
    run("user", "add", "alice", "--generate")
    (home.root / name).unlink()
    result = run(*arguments)
    assert f"{name} is missing" in refused(result, 1)
    assert hint.format(home=home.root) in result.stderr


def test_a_new_server_pair_where_the_old_one_is_gone(home: Home, run: Run) -> None:
    home.server_identity.unlink()
    assert run("cert", "rekey", "server").exit_code == 0
    assert run("cert", "show").exit_code == 0


@pytest.mark.parametrize("option", ["--local", "--pool", "--dns", "--route"])
def test_an_empty_address(run: Run, refused: Refused, option: str) -> None:
    assert refused(run("profile", "set", "default", option, ""), 2) == f"{option} is empty"


@pytest.mark.parametrize("arguments", [*READERS, ["init", "vpn.example.com", "--no-passphrase"]])
def test_a_home_that_is_a_file(tmp_path: Path, refused: Refused, arguments: list[str]) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    for root in (path, path / "below"):
        assert refused(run_in(root, *arguments), 1) == f"the home {root} is not a folder"
    assert path.read_text() == "mine"


@pytest.mark.parametrize("arguments", [*READERS, ["init", "vpn.example.com", "--no-passphrase"]])
def test_an_unreadable_home(
    home: Home, refused: Refused, as_nobody: Callable[[], None], arguments: list[str]
) -> None:
    home.root.chmod(0)
    as_nobody()
    line = refused(run_in(home.root, *arguments), 1)
    assert line in (
        f"the home {home.root} cannot be read",
        f"cannot look into {home.root}: Permission denied",
    )


def test_a_read_only_home(open_home: Home, refused: Refused, as_nobody: Callable[[], None]) -> None:
    as_nobody()
    line = refused(run_in(open_home.root, "user", "add", "alice", "--generate"), 1)
    why = "it is not yours to write"
    assert line == f"the database {open_home.database} cannot be used: {why}"
    line = refused(run_in(open_home.root / "new", "init", "a.example", "--no-passphrase"), 1)
    assert line == f"cannot make the home {open_home.root / 'new'}: Permission denied"


def test_a_folder_that_cannot_be_written_into(
    open_home: Home, refused: Refused, as_nobody: Callable[[], None]
) -> None:
    open_home.root.chmod(0o755)
    for path in open_home.root.iterdir():
        path.unlink()
    open_home.root.chmod(0o555)
    as_nobody()
    line = refused(run_in(open_home.root, "init", "a.example", "--no-passphrase"), 1)
    assert line == f"cannot write into {open_home.root}: Permission denied"
    assert list(open_home.root.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"garbage" * 1000, "it is not a database"), (b"", "is not a database of sstpca")],
)
def test_a_database_that_is_none(
    home: Home, run: Run, refused: Refused, content: bytes, why: str
) -> None:
    home.database.write_bytes(content)
    assert why in refused(run("user", "list"), 1)
    assert why in refused(run("profile", "list"), 1)
    home.database.unlink()
    assert "is missing" in refused(run("user", "list"), 1)


@pytest.mark.parametrize("arguments", [["user", "list"], ["user", "add", "a", "--generate"]])
def test_broken_settings_stop_no_command_that_does_not_need_them(
    home: Home, run: Run, arguments: list[str]
) -> None:
    home.settings.write_text("broken = [")
    assert run(*arguments).exit_code == 0


def test_ctrl_c(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_store: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(users, "list_all", interrupt)
    result = run("user", "list")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "interrupted\n")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.EIO, "Input/output error", "/some/file"), "/some/file: Input/output error"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (TimeoutError("timed out"), "timed out"),
    ],
)
def test_errors_of_the_system(
    run: Run, refused: Refused, monkeypatch: pytest.MonkeyPatch, error: OSError, line: str
) -> None:
    def fail(_store: object) -> None:
        raise error

    monkeypatch.setattr(users, "list_all", fail)
    assert refused(run("user", "list"), 1) == line


def test_a_reader_that_goes_away_is_no_error(home: Home) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = subprocess.run(
            [sys.executable, "-P", "-m", "sstpca", "--home", home.root, "user", "list"],
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writer)
    assert result.stderr == b""
    assert result.returncode == 1


def test_a_terminal_that_cannot_show_a_name_is_no_error(home: Home, run: Run) -> None:
    assert run("user", "add", "名前", "--generate").exit_code == 0
    result = subprocess.run(
        [sys.executable, "-P", "-m", "sstpca", "user", "list"],
        env={**os.environ, "PYTHONIOENCODING": "latin-1", "SSTPCA_HOME": str(home.root)},
        capture_output=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"\\u540d\\u524d" in result.stdout


def commands(group: click.Group, path: tuple[str, ...]) -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = [(" ".join(path), group)]
    with click.Context(group) as ctx:
        names = group.list_commands(ctx)
        named = {name: group.get_command(ctx, name) for name in names}
    for name, command in named.items():
        assert command is not None
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
        else:
            found.append((" ".join((*path, name)), command))
    return found


def test_the_help_of_a_group_loads_none_of_its_commands() -> None:
    """And says of each what its own help says."""
    for path, group in commands(main, ("sstpca",)):
        for name, later in getattr(group, "_later", {}).items():
            assert isinstance(group, click.Group)
            with click.Context(group) as ctx:
                command = group.get_command(ctx, name)
            assert command is not None, path
            assert command.get_short_help_str(1000) == later.help, path
    code = (
        "import sys; from sstpca.cli import main; main(['--help'], standalone_mode=False);"
        "print([m for m in sys.modules if m in ('sqlalchemy', 'cryptography', 'jinja2')])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("\n[]\n")


@pytest.mark.parametrize(("path", "command"), commands(main, ("sstpca",)))
def test_every_command_has_help_with_an_example(path: str, command: click.Command) -> None:
    assert command.help is not None
    text, mark, example = command.help.partition("\b")
    assert text.strip()
    assert mark
    assert path.split()[-1] in example
    assert "sstpca " in example


@pytest.mark.parametrize(("path", "command"), commands(main, ("sstpca",)))
def test_every_option_says_what_it_does(path: str, command: click.Command) -> None:
    silent = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
    assert silent == []


@pytest.mark.parametrize("loaded", ["click", "cryptography", "sqlalchemy"])
def test_an_interrupt_while_it_starts_is_no_traceback(home: Home, loaded: str) -> None:
    # Python says on standard error what it has loaded; before that the start is its own
    command = [sys.executable, "-X", "importtime", "-m", "sstpca", "--home", str(home.root)]
    with subprocess.Popen(
        [*command, "cert", "list"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert any(line.split("|")[-1].strip() == loaded for line in process.stderr)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in said
    assert process.returncode in (-signal.SIGINT, 128 + signal.SIGINT)
