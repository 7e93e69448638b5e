"""What was, as an administrator asks for it."""

import csv
import io
import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from click.testing import Result

from sstpca.cli import session_past
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.server.contracts import Account, FailedLogin, Sessions
from sstpca.serving.backend import StoreBackend
from sstpca.store import Store, users
from sstpca.vpn.sessions import PastSession
from tests.conftest import Run

Refused = Callable[[Result, int], str]
HOUR = 3600.0


@pytest.fixture
def past(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sessions]:
    """alice from 8 hours ago on for an hour, and Bob, whose session goes on since two hours."""
    store, sealer, now = Store.open(home.database), Sealer.load(home), time.time()
    with StoreBackend(home).join(os.getpid()) as (_, sessions):
        for name, began, ended in (("alice", 8, 7), ("Bob", 2, None)):
            monkeypatch.setattr(time, "time", lambda ago=began: now - ago * HOUR)
            user = users.add(store, sealer, name, "correct horse")
            account = Account(user.id, user.name, True)
            lease = sessions.promise(account, peer="203.0.113.9:5000", client="=cmd|' /C calc'!A1")
            assert lease is not None
            assert sessions.bind(lease.session, "sstp1") == ""
            if ended is not None:
                monkeypatch.setattr(time, "time", lambda ago=ended: now - ago * HOUR)
                sessions.close(lease.session, "the client fell silent", (1_500, 2_000_000))
        monkeypatch.setattr(time, "time", lambda: now)
        sessions.beat({2: (7, 8)})
        at = now - HOUR
        sessions.failed(
            [
                FailedLogin(at, "x\\' or", "198.51.100.7:1", "", "there is no such user"),
                FailedLogin(at + 60, "", "198.51.100.7", "", "12 more from there", 12),
            ]
        )
        yield sessions


def test_the_table(run: Run, past: Sessions) -> None:
    head, bob, alice = run("session", "history").stdout.splitlines()
    assert head.split()[:5] == ["NUMBER", "USER", "ADDRESS", "FROM", "BEGAN"]
    assert bob.split()[:2] == ["2", "Bob"]
    assert "goes on" in bob
    assert alice.split()[:2] == ["1", "alice"]
    assert "1.5 kB" in alice
    assert alice.endswith("the client fell silent")


def test_a_narrow_terminal(run: Run, past: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each session is one line, and from where and why another below it, not cut into pieces."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("session", "history").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    head, bob, _, alice, why = lines
    assert head.split() == ["NUMBER", "USER", "ADDRESS", "BEGAN", "ENDED", "RECEIVED", "SENT"]
    assert bob.split()[:2] == ["2", "Bob"]
    assert "1.5 kB" in alice
    assert why.startswith("        203.0.113.9:")
    assert why.endswith(": the client fell silent")
    monkeypatch.setenv("COLUMNS", "70")
    lines = run("session", "failures").stdout.splitlines()
    assert lines[0].split() == ["TIME", "USER", "FROM"]
    assert "        12 more from there" in lines
    monkeypatch.setenv("COLUMNS", "200")
    assert len(run("session", "history").stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("day", "end"), [(24, "11:30"), (25, "2026-11-25 11:30")], ids=["the same day", "another"]
)
def test_an_end_is_a_time_of_the_same_day(day: int, end: str) -> None:
    began, ended = datetime(2026, 11, 24, 10), datetime(2026, 11, day, 11, 30)
    times = (began.timestamp(), ended.timestamp())
    row = PastSession(1, "alice", "", "", "", "", *times, 0, 0, "left")
    assert session_past._past_cells(row)[4:6] == ("2026-11-24 10:00", end)


def test_who_had_an_address_at_a_time(run: Run, past: Sessions) -> None:
    """The question that is asked of whoever runs a VPN."""
    [alice] = json.loads(run("session", "history", "--user", "alice", "--json").stdout)
    then = datetime.fromtimestamp(time.time() - 7.5 * HOUR).strftime("%Y-%m-%d %H:%M")
    where = ("--address", alice["address"])
    assert alice["address"] == "10.99.0.17"
    [found] = json.loads(run("session", "history", *where, "--at", then, "--json").stdout)
    assert found == alice
    assert run("session", "history", *where, "--at", "2h").stdout == "there was no such session\n"


def test_the_json(run: Run, past: Sessions) -> None:
    bob, alice = json.loads(run("session", "history", "--json").stdout)
    assert (alice["id"], alice["received"], alice["sent"]) == (1, 1_500, 2_000_000)
    assert (alice["reason"], bob["ended"], bob["received"]) == ("the client fell silent", None, 7)
    assert alice["started"].endswith("Z")


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (("--user", "BOB"), [2]),
        (("--since", "3h"), [2]),
        (("--until", "3h"), [1]),
        (("--since", "9h", "--until", "now"), [2, 1]),
        (("--at", "90m"), [2]),
        (("--limit", "1"), [2]),
        (("--user", "carol"), []),
    ],
)
def test_what_is_asked_for(
    run: Run, past: Sessions, options: tuple[str, ...], numbers: list[int]
) -> None:
    found = json.loads(run("session", "history", *options, "--json").stdout)
    assert [one["id"] for one in found] == numbers


def test_more_than_is_shown_is_said(run: Run, past: Sessions) -> None:
    result = run("session", "history", "--limit", "1")
    assert "these are the newest 1" in result.stderr
    assert run("session", "history", "--limit", "2").stderr == ""


def test_a_spreadsheet_takes_nothing_for_a_formula(run: Run, past: Sessions) -> None:
    """What clients call themselves is anybody's words (OWASP, CSV Injection)."""
    rows = list(csv.DictReader(io.StringIO(run("session", "history", "--csv").stdout)))
    assert [row["client"] for row in rows] == ["'=cmd|' /C calc'!A1"] * 2
    assert (rows[0]["ended"], rows[1]["received"], rows[1]["user"]) == ("", "1500", "alice")
    empty = run("session", "history", "--user", "carol", "--csv").stdout
    assert empty == ",".join(rows[0]) + "\n"


def test_failed_logins(run: Run, past: Sessions) -> None:
    head, many, one = run("session", "failures").stdout.splitlines()
    assert head.split() == ["TIME", "USER", "FROM", "CLIENT", "WHY"]
    assert "(12 logins)" in many
    assert "'x\\' or'" in one
    assert one.endswith("there is no such user")
    found = json.loads(run("session", "failures", "--since", "2h", "--json").stdout)
    assert [row["count"] for row in found] == [12, 1]
    assert run("session", "failures", "--user", "alice").stdout == "no login failed\n"


@pytest.mark.parametrize("command", ["history", "failures"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--since", "soon"), "'soon' is not a time"),
        (("--since", "1h", "--until", "2h"), "--since is later than --until"),
        (("--json", "--csv"), "--json and --csv exclude each other"),
        (("--limit", "0"), "--limit has to be a whole number of at least 1"),
    ],
)
def test_wrong_input(
    run: Run, refused: Refused, command: str, options: tuple[str, ...], message: str
) -> None:
    assert refused(run("session", command, *options), 2) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--at", "10:00", "--since", "2h"), "--at excludes --since and --until"),
        (("--address", "10.99.0"), "'10.99.0' is not an IP address"),
    ],
)
def test_wrong_input_of_the_history(
    run: Run, refused: Refused, options: tuple[str, ...], message: str
) -> None:
    assert refused(run("session", "history", *options), 2) == message


def test_a_machine_gets_more(run: Run, past: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_past, "_MOST", 1)
    assert len(run("session", "history").stdout.splitlines()) == 2
    assert len(json.loads(run("session", "history", "--json").stdout)) == 2
