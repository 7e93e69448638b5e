"""Whether workers live, by memory that they share with the supervisor."""

import os
import time

import pytest

from sstpca.server.heartbeat import HANGS_AFTER, Heartbeats


def test_who_beats_lives_and_who_does_not_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    beats = Heartbeats()
    one, other = beats.begin(), beats.begin()
    assert one != other
    later = time.monotonic() + HANGS_AFTER + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert beats.hangs(one)
    beats.beat(one)
    assert not beats.hangs(one)
    assert beats.hangs(other)


def test_a_beat_of_another_process_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    beats = Heartbeats()
    slot = beats.begin()
    later = time.monotonic() + HANGS_AFTER + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert beats.hangs(slot)
    pid = os.fork()
    if pid == 0:
        beats.beat(slot)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert not beats.hangs(slot)


def test_slots_are_used_again() -> None:
    beats = Heartbeats()
    for _ in range(3000):
        beats.end(beats.begin())
    assert not beats.hangs(beats.begin())
