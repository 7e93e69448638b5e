"""Whose folder a home is."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from sstpca.cli import main
from sstpca.disk import guard
from sstpca.errors import SstpcaError
from sstpca.home import Home
from tests.conftest import Run

INIT = ("init", "vpn.example.com", "--no-passphrase")


@pytest.fixture
def run_in() -> Callable[..., object]:
    """Run a command on another home."""

    def command(root: Path, *arguments: str) -> object:
        return CliRunner().invoke(main, ["--home", str(root), *arguments])

    return command


def rights(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.parametrize("given", [0o755, 0o750, 0o711, 0o775, 0o701])
def test_a_home_that_is_open_is_closed(
    home: Home, run: Run, caplog: pytest.LogCaptureFixture, given: int
) -> None:
    home.root.chmod(given)
    for _ in range(2):
        assert run("user", "list").exit_code == 0
        assert rights(home.root) == 0o700
    said = f"{home.root} was open to other users (mode {given:o}): closed it"
    assert caplog.messages == [said]


@pytest.mark.parametrize("given", [0o777, 0o1777, 0o707, 0o702])
def test_a_home_into_which_everybody_can_write_is_refused(home: Home, run: Run, given: int) -> None:
    home.root.chmod(given)
    result = run("user", "list")
    assert (result.exit_code, result.stdout) == (1, "")
    error, hint = result.stderr.splitlines()
    assert "every user of this machine can write into the home" in error
    assert hint.endswith(f"chmod 700 {home.root}")
    home.root.chmod(0o700)
    assert run("user", "list").exit_code == 0


@pytest.mark.parametrize("given", [0o755, 0o775, 0o777])
def test_an_empty_folder_becomes_a_home_that_is_closed(
    home: Home,
    run_in: Callable[..., object],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    given: int,
) -> None:
    new = tmp_path / "new"
    new.mkdir()
    new.chmod(given)
    # what git keeps an empty folder by
    (new / ".gitignore").write_text("*\n")
    run_in(new, *INIT)
    assert rights(new) == 0o700
    assert Home.open(new).exists
    assert caplog.messages == []


@pytest.mark.parametrize("given", [0o755, 0o777, 0o1777])
def test_a_folder_with_other_things_in_it_is_not_closed(
    home: Home, run_in: Callable[..., object], tmp_path: Path, given: int
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(given)
    (shared / "page.html").write_text("mine")
    with pytest.raises(SstpcaError, match="is open to other users"):
        Home(shared).make()
    run_in(shared, *INIT)
    assert rights(shared) == given
    assert [path.name for path in shared.iterdir()] == ["page.html"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root (a folder of somebody else)")
def test_a_home_of_somebody_else(home: Home, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(home.root, 65534, 65534)
    result = run("user", "list")
    assert (result.exit_code, result.stdout) == (1, "")
    error, hint = result.stderr.splitlines()
    assert "belongs to the user 65534" in error
    assert f"chown -R 0 {home.root}" in hint
    # sudo(8) was called by that user
    monkeypatch.setenv("SUDO_UID", "65534")
    assert run("user", "list").exit_code == 0
    monkeypatch.setenv("SUDO_UID", "1000")
    assert run("user", "list").exit_code == 1


def test_a_file_system_without_modes(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.root.chmod(0o770)
    monkeypatch.setattr(Path, "chmod", lambda _path, _mode: None)
    with pytest.raises(SstpcaError, match="cannot be changed from here"):
        guard.keep_to_owner(home.root)
