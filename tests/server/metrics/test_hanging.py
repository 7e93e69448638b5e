"""Whether a worker hangs, as the supervisor sees it: what the watchdog of a service manager is for."""

import os
import time

import pytest

from sstpca.server.metrics.board import HANGS_AFTER, Board
from sstpca.server.metrics.tally import Tally


def test_a_worker_that_says_nothing_for_long_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board()
    assert not board.hangs()
    one, other = board.take(), board.take()
    assert not board.hangs()
    later = time.monotonic() + HANGS_AFTER + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert board.hangs()
    Tally(board.slot(one)).turned(strangers=0, dropped=0)
    assert board.hangs()
    Tally(board.slot(other)).turned(strangers=0, dropped=0)
    assert not board.hangs()


def test_one_that_has_ended_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board()
    number = board.take()
    later = time.monotonic() + HANGS_AFTER + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert board.hangs()
    board.leave(number)
    assert not board.hangs()
    board.take()
    assert not board.hangs()


def test_another_process_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board()
    number = board.take()
    later = time.monotonic() + HANGS_AFTER + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    pid = os.fork()
    if pid == 0:
        Tally(board.slot(number)).turned(strangers=0, dropped=0)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert not board.hangs()
