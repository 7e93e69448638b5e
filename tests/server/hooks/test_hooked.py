"""Which programs run for which session, in which order, and what they are told."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from pathlib import Path
from typing import cast

import pytest

from sstpca.server.config import Hooks
from sstpca.server.contracts import Account, Ipv6Lease, Lease, Sessions
from sstpca.server.hooks import runner
from sstpca.server.hooks.hooked import check, hooked
from sstpca.server.hooks.runner import AT_ONCE, Run, Runner
from sstpca.server.log import LOGGER

ALICE = Account(1, "alice", enabled=True)


class Stored:
    """A store that has addresses without end."""

    def __init__(self) -> None:
        self.last = 0
        self.told: list[tuple[object, ...]] = []

    def promise(self, account: Account, *, peer: str, client: str) -> Lease | None:
        self.last += 1
        ipv6 = Ipv6Lease(IPv6Network("2001:db8::/64"), IPv6Address("2001:db8:1::1"))
        local = IPv4Address("10.99.0.1")
        address = IPv4Address("10.99.0.10") + self.last
        return Lease(self.last, address, local, ipv6=ipv6, profile_name="office")

    def __getattr__(self, name: str) -> object:
        def note(*arguments: object) -> str:
            self.told.append((name, *arguments))
            return ""

        return note


def say(folder: Path, name: str, line: str = "") -> Path:
    """Return a program that adds all that it is told to a file, and then does ``line``."""
    path = folder / name
    # one write, so that the lines of several do not mix
    text = f'echo "$(/usr/bin/env | grep ^SSTPCA | sort | tr "\\n" "|")" >> {folder}/said\n'
    path.write_text(f"#!/bin/sh\n{line}\n{text}")
    path.chmod(0o700)
    return path


@pytest.fixture
def stored() -> Stored:
    return Stored()


@pytest.fixture
def sessions(tmp_path: Path, stored: Stored) -> Iterator[Sessions]:
    programs = Hooks(say(tmp_path, "up", "sleep 0.3"), say(tmp_path, "down"))
    with hooked(cast("Sessions", stored), programs) as sessions:
        yield sessions


def said(folder: Path) -> list[dict[str, str]]:
    path = folder / "said"
    lines = path.read_text().splitlines() if path.exists() else []
    return [dict(pair.split("=", 1) for pair in line.split("|") if pair) for line in lines]


def begin(sessions: Sessions, client: str = "MSRAS-0-PC") -> int:
    lease = sessions.promise(ALICE, peer="203.0.113.9:50123", client=client)
    assert lease is not None
    sessions.bind(lease.session, f"sstp{lease.session}")
    return lease.session


def wait_for_lines(folder: Path, count: int) -> list[dict[str, str]]:
    end = time.monotonic() + 20
    while len(said(folder)) < count and time.monotonic() < end:
        time.sleep(0.05)
    return said(folder)


def test_what_they_are_told(sessions: Sessions, stored: Stored, tmp_path: Path) -> None:
    session = begin(sessions)
    sessions.started(session, "sstp0")
    sessions.up(session)
    sessions.up(session)
    sessions.close(session, "the client ended the call", (1000, 2000))
    up, down = wait_for_lines(tmp_path, 2)
    assert up == {
        "SSTPCA_EVENT": "up",
        "SSTPCA_SESSION": "1",
        "SSTPCA_USER": "alice",
        "SSTPCA_PROFILE": "office",
        "SSTPCA_INTERFACE": "sstp0",
        "SSTPCA_ADDRESS": "10.99.0.11",
        "SSTPCA_LOCAL_ADDRESS": "10.99.0.1",
        "SSTPCA_PREFIX": "2001:db8::/64",
        "SSTPCA_PEER": "203.0.113.9:50123",
        "SSTPCA_CLIENT": "MSRAS-0-PC",
    }
    assert down == up | {
        "SSTPCA_EVENT": "down",
        "SSTPCA_REASON": "the client ended the call",
        "SSTPCA_SECONDS": "0",
        "SSTPCA_RECEIVED": "1000",
        "SSTPCA_SENT": "2000",
    }
    assert ("close", 1, "the client ended the call", (1000, 2000)) in stored.told


def test_up_comes_before_down_and_nobody_waits(sessions: Sessions, tmp_path: Path) -> None:
    began = time.monotonic()
    numbers = [begin(sessions) for _ in range(10)]
    for number in numbers:
        sessions.up(number)
        sessions.close(number, "", (0, 0))
    assert time.monotonic() - began < 0.3
    lines = wait_for_lines(tmp_path, 20)
    for number in numbers:
        of_it = [one["SSTPCA_EVENT"] for one in lines if one["SSTPCA_SESSION"] == str(number)]
        assert of_it == ["up", "down"]


def test_a_session_that_never_came_up_is_nothing(sessions: Sessions, tmp_path: Path) -> None:
    sessions.close(begin(sessions), "the client ended the call", (0, 0))
    sessions.close(99, "", (0, 0))
    time.sleep(0.5)
    assert said(tmp_path) == []


def test_the_end_of_a_worker_is_the_end_of_its_sessions(tmp_path: Path, stored: Stored) -> None:
    programs = Hooks(None, say(tmp_path, "down"))
    with hooked(cast("Sessions", stored), programs) as sessions:
        sessions.up(begin(sessions))
    (line,) = said(tmp_path)
    assert line["SSTPCA_REASON"] == "the worker ended"


def test_without_programs_there_is_nothing_in_between(stored: Stored) -> None:
    with hooked(cast("Sessions", stored), Hooks()) as sessions:
        assert cast("Stored", sessions) is stored


def test_a_nul_of_a_client_ends_nothing(sessions: Sessions, tmp_path: Path) -> None:
    sessions.up(begin(sessions, "a\0b"))
    (line,) = wait_for_lines(tmp_path, 1)
    assert line["SSTPCA_CLIENT"] == "ab"


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(LOGGER, "propagate", True)
    return caplog.messages


def test_a_failure_is_said(
    tmp_path: Path, stored: Stored, caplog: pytest.LogCaptureFixture, heard: list[str]
) -> None:
    program = say(tmp_path, "up", "echo no such bridge >&2; exit 4")
    with hooked(cast("Sessions", stored), Hooks(program)) as sessions:
        sessions.up(begin(sessions))
    assert f"the program {program} failed with exit code 4: no such bridge" in caplog.messages
    assert caplog.records[-1].__dict__["session"] == 1


def test_what_will_not_be_run_is_said_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, heard: list[str]
) -> None:
    check(Hooks(say(tmp_path, "up"), tmp_path / "none"))
    none = tmp_path / "none"
    assert caplog.messages == [f"[hooks] down: {none} is not run: No such file or directory"]


def test_a_few_run_at_a_time(tmp_path: Path) -> None:
    program = tmp_path / "one"
    program.write_text(
        f"#!/bin/sh\nmkdir {tmp_path}/run$$; ls -d {tmp_path}/run* | wc -l >> {tmp_path}/counts\n"
        f"sleep 0.3; rmdir {tmp_path}/run$$\n"
    )
    program.chmod(0o700)
    running = Runner(10)
    for session in range(12):
        running.add(Run(program, session, {}))
    running.finish(30)
    counts = [int(line) for line in (tmp_path / "counts").read_text().split()]
    assert len(counts) == 12
    assert max(counts) <= AT_ONCE


def test_no_more_than_so_many_wait(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    heard: list[str],
) -> None:
    monkeypatch.setattr(runner, "WAITING", 3)
    program = say(tmp_path, "slow", "sleep 0.5")
    running = Runner(10)
    with ExitStack() as stack:
        stack.callback(running.finish, 20)
        for session in range(5):
            running.add(Run(program, session, {}))
    assert sum("too many wait" in line for line in caplog.messages) == 2
    assert len(said(tmp_path)) == 3
