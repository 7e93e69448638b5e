"""Locks of files and folders."""

import errno
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sstpca.disk import locks
from sstpca.errors import SstpcaError
from sstpca.home import Home
from tests.conftest import Run
from tests.support.requirements import require

HOLD = """
import fcntl, os, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""

NO_OVERLAY = 7
# of two file systems, as a container's often is
OVERLAY = f"""
mount -t tmpfs tmpfs other
mkdir other/upper other/work
mount -t overlay overlay -o lowerdir=lower,upperdir=other/upper,workdir=other/work merged \
    || exit {NO_OVERLAY}
exec "$1" -c "$2" merged/lock
"""
HELD = """
import os, sys
from sstpca.disk import locks
first, second = (os.open(sys.argv[1], os.O_RDWR | os.O_CREAT) for _ in range(2))
before = locks.holding(second)
locks.take(first, "the things")
print(before, locks.holding(second) == str(os.getpid()))
"""


@pytest.fixture
def foreign(home: Home) -> Iterator[subprocess.Popen[str]]:
    """Another process that keeps the lock of the home."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.communicate("")


def test_a_lock_that_is_free(tmp_path: Path) -> None:
    first, second = (os.open(tmp_path, os.O_RDONLY) for _ in range(2))
    locks.take(first, "the things")
    assert not locks.try_take(second)
    fcntl.flock(first, fcntl.LOCK_UN)
    assert locks.try_take(second)
    os.close(first)
    os.close(second)


def test_who_waits_is_told_by_whom_and_gives_up(
    home: Home,
    run: Run,
    foreign: subprocess.Popen[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(locks, "SAY_AFTER", 0.05)
    monkeypatch.setattr(locks, "GIVE_UP_AFTER", 0.3)
    result = run("cert", "renew", "server")
    assert (result.exit_code, result.stdout) == (1, "")
    [waiting], [error, hint] = caplog.messages, result.stderr.splitlines()
    assert waiting.startswith(f"waiting: the certificates of {home.root} are locked by ")
    assert f"process {foreign.pid} (" in waiting
    assert error.startswith("error: the certificates of ")
    assert f"process {foreign.pid} (" in error
    assert "try again" in hint


def test_who_waits_goes_on(
    home: Home, foreign: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    released: list[float] = []

    def release(_seconds: float) -> None:
        foreign.communicate("")
        released.append(1)

    monkeypatch.setattr(time, "sleep", release)
    with home.changing_certificates() as held:
        assert held
    assert len(released) == 1


def test_a_holder_nobody_knows(home: Home) -> None:
    descriptor = os.open(home.root, os.O_RDONLY)
    assert locks.holder(descriptor) == "another process"
    os.close(descriptor)


@pytest.mark.root
def test_the_holder_of_a_lock_on_an_overlay(tmp_path: Path) -> None:
    """In a container: of such a file fstat(2) and /proc/locks do not have the same device."""
    require("unshare", "mount")
    for folder in ("lower", "other", "merged"):
        (tmp_path / folder).mkdir()
    words = ("unshare", "--mount", "sh", "-euc", OVERLAY, "sh", sys.executable, HELD)
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    if done.returncode == NO_OVERLAY:
        pytest.skip(f"no overlay can be mounted here: {done.stderr.strip()}")
    assert done.stdout == "None True\n", done.stderr


def test_a_lock_says_so_without_any_logging_set_up(
    home: Home, foreign: subprocess.Popen[str]
) -> None:
    """As a user sees it, after a second."""
    command = [sys.executable, "-m", "sstpca", "--home", str(home.root), "cert", "renew", "server"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stderr is not None
        line = waiting.stderr.readline()
        foreign.communicate("")
        rest = waiting.stderr.read()
    assert line.startswith("waiting: the certificates of ")
    assert waiting.returncode == 0, rest


def test_a_file_system_without_locks_is_said(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(SstpcaError, match=r"cannot lock .*serve\.lock: No locks"), home.serving():
        pass
    with pytest.raises(SstpcaError, match="cannot lock"), home.changing_certificates():
        pass
