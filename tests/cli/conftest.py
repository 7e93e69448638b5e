"""What tests of commands share."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from sstpca.cli import ask
from sstpca.home import Home

NOBODY = 65534


def complaint(result: Result, code: int) -> str:
    """Return the one line of what went wrong, once the result looks as a failure should."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    first, *hint = result.stderr.splitlines()
    assert first.startswith("error: ")
    assert len(hint) <= 1
    return first.removeprefix("error: ")


@pytest.fixture
def refused() -> Callable[[Result, int], str]:
    """See :func:`complaint`."""
    return complaint


@pytest.fixture
def rows(home: Home) -> Callable[[], list[object]]:
    """Return all that the database says of users and access profiles."""

    def read() -> list[object]:
        connection = sqlite3.connect(home.database)
        try:
            tables = ("users", "profiles", "pools", "sessions")
            return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]
        finally:
            connection.close()

    return read


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands think that somebody is there to answer."""
    monkeypatch.setattr(ask, "interactive", lambda: True)
    monkeypatch.setattr(ask, "hidden", ask.visible)


@pytest.fixture
def open_home(home: Home) -> Iterator[Home]:
    """A copy of ``home`` that every user of this machine could read, but not write."""
    root = Path(tempfile.mkdtemp())
    shutil.copytree(home.root, root, dirs_exist_ok=True)
    for path in root.iterdir():
        path.chmod(0o444)
    root.chmod(0o555)
    yield Home(root)
    root.chmod(0o755)
    shutil.rmtree(root)


@pytest.fixture
def as_nobody() -> Iterator[Callable[[], None]]:
    """Give up root's rights until the end of the test; without them, nothing is to be done."""
    is_root = os.geteuid() == 0

    def drop() -> None:
        if is_root:
            os.setresuid(NOBODY, NOBODY, 0)

    yield drop
    if is_root:
        os.setresuid(0, 0, 0)
