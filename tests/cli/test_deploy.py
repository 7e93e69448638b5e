"""``sstpca deploy``."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from sstpca.bundle.content.sums import SUMS, with_sums
from sstpca.cli import ask
from sstpca.cli import signing as options
from sstpca.home import Home
from tests.bundle import authenticode
from tests.conftest import Run
from tests.support.publisher import NAME, PASSWORD, key_file, require_osslsigncode

Refused = Callable[[Result, int], str]

SCRIPTS = ("phonebook.ps1", "profile.ps1", "trust.ps1")


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(options.PASSWORD_VARIABLE, raising=False)


@pytest.fixture
def password_file(tmp_path: Path) -> str:
    path = tmp_path / "password"
    path.write_text(f"{PASSWORD}\n")
    return str(path)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_zip_is_the_result_and_the_rest_is_talk(run: Run, home: Home) -> None:
    result = run("deploy")
    folder = home.root / "deploy" / "deploy-default"
    assert result.exit_code == 0
    assert result.stdout == f"{folder}.zip\n"
    assert "README.txt" in result.stderr
    found = content(folder)
    assert found == with_sums(found)
    assert {*SCRIPTS, "README.txt", "rasphone.pbk"} < set(found)
    with zipfile.ZipFile(f"{folder}.zip") as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == found
    assert json.loads(found["intune-windows11.json"])["omaSettings"]
    assert b"PRIVATE KEY" not in b"".join(found.values())


def test_another_profile_and_another_folder(run: Run, home: Home, tmp_path: Path) -> None:
    arguments = ("--local", "10.98.0.1", "--pool", "10.98.0.10-10.98.0.99")
    assert run("profile", "add", "sales", *arguments).exit_code == 0
    result = run("deploy", "--profile", "sales", "--output", str(tmp_path / "there"))
    assert result.stdout == f"{tmp_path / 'there' / 'deploy-sales.zip'}\n"
    assert b"access profile sales" in (tmp_path / "there/deploy-sales/README.txt").read_bytes()
    assert not (home.root / "deploy").exists()


def test_a_second_run_replaces_the_first(run: Run, home: Home) -> None:
    run("deploy")
    folder = home.root / "deploy" / "deploy-default"
    before = content(folder)
    assert run("profile", "set", "default", "--dns-suffix", "corp.example.com").exit_code == 0
    assert run("deploy").exit_code == 0
    assert content(folder)[SUMS] != before[SUMS]
    assert b"corp.example.com" in (folder / "profile-windows11.xml").read_bytes()


def test_what_is_refused(run: Run, home: Home, refused: Refused, password_file: str) -> None:
    assert "no access profile 'none'" in refused(run("deploy", "--profile", "none"), 1)
    line = refused(run("deploy", "--sign-password-file", password_file), 2)
    assert line == "--sign-password-file without --sign-with means nothing"
    line = refused(run("deploy", "--sign-with", "/nowhere.p12"), 1)
    assert line.startswith("cannot read the code-signing key /nowhere.p12")
    assert not (home.root / "deploy").exists()


def test_signed(run: Run, home: Home, tmp_path: Path, password_file: str) -> None:
    require_osslsigncode()
    key = str(key_file(tmp_path))
    result = run("deploy", "--sign-with", key, "--sign-password-file", password_file)
    assert result.exit_code == 0
    found = content(home.root / "deploy" / "deploy-default")
    publishers = {authenticode.check(found[name]) for name in SCRIPTS}
    assert len(publishers) == 1
    assert found == with_sums(found)
    readme = found["README.txt"].decode("utf-8-sig")
    assert f"CN={NAME}" in readme
    assert "not signed" not in readme
    assert PASSWORD not in result.output
    assert PASSWORD.encode() not in b"".join(found.values())


def test_where_the_password_comes_from(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    require_osslsigncode()
    arguments = ("deploy", "--sign-with", str(key_file(tmp_path)))
    assert "there is no terminal to ask for it" in refused(run(*arguments), 2)
    monkeypatch.setattr(ask, "interactive", lambda: True)
    monkeypatch.setattr(ask, "hidden", ask.visible)
    result = run(*arguments, stdin=f"{PASSWORD}\n")
    assert result.exit_code == 0
    assert PASSWORD not in result.output
    monkeypatch.setenv(options.PASSWORD_VARIABLE, PASSWORD)
    assert run(*arguments).exit_code == 0
    monkeypatch.setenv(options.PASSWORD_VARIABLE, "wrong")
    assert "the password does not open" in refused(run(*arguments), 1)
