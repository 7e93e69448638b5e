"""sstpca session, as an administrator types it."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from click.testing import Result

from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.server.contracts import Account, Sessions
from sstpca.serving.backend import StoreBackend
from sstpca.store import Store, users
from tests.conftest import Run

Refused = Callable[[Result, int], str]


@pytest.fixture
def sessions(home: Home) -> Iterator[Sessions]:
    """The sessions of a worker: one of alice and one of Bob."""
    store, sealer = Store.open(home.database), Sealer.load(home)
    with StoreBackend(home).join(os.getpid()) as (_, sessions):
        for name in ("alice", "Bob"):
            user = users.add(store, sealer, name, "correct horse")
            lease = sessions.promise(
                Account(user.id, user.name, True), peer="203.0.113.9:5000", client="x"
            )
            assert lease is not None
            assert sessions.bind(lease.session, "sstp1") == ""
            sessions.started(lease.session, f"sstp{lease.session}")
            sessions.beat({lease.session: (1_500, 2_000_000)})
        yield sessions


def test_nobody_is_connected(run: Run) -> None:
    assert run("session", "list").stdout == "nobody is connected\n"
    assert json.loads(run("session", "list", "--json").stdout) == []


def test_the_table(run: Run, sessions: Sessions) -> None:
    head, alice, bob = run("session", "list").stdout.splitlines()
    assert head.split()[:5] == ["NUMBER", "USER", "ADDRESS", "IPV6", "FROM"]
    assert alice.split()[:5] == ["1", "alice", "10.99.0.17", "none", "203.0.113.9:5000"]
    assert "1.5 kB" in alice
    assert "2.0 MB" in alice
    assert bob.endswith("sstp2")


def test_the_json(run: Run, sessions: Sessions) -> None:
    alice, bob = json.loads(run("session", "list", "--json").stdout)
    assert (alice["user"], alice["received"], alice["sent"]) == ("alice", 1500, 2_000_000)
    assert (bob["id"], bob["interface"], bob["worker"]) == (2, "sstp2", os.getpid())


@pytest.mark.parametrize(
    ("arguments", "ended"),
    [(("1",), {1}), (("--user", "BOB"), {2}), (("--all",), {1, 2}), (("2", "1"), {1, 2})],
)
def test_kill(run: Run, sessions: Sessions, arguments: tuple[str, ...], ended: set[int]) -> None:
    seen: dict[int, str] = {}

    def work() -> None:
        """Do as a worker does, until all that is to end has ended."""
        while set(seen) < ended:
            for number, reason in sessions.beat({1: (0, 0), 2: (0, 0)}).ending.items():
                seen[number] = reason
                sessions.close(number, "over", (0, 0))

    worker = threading.Thread(target=work)
    worker.start()
    result = run("session", "kill", *arguments)
    worker.join(10.0)
    assert (result.exit_code, result.stdout) == (0, f"{len(ended)} ended\n")
    assert set(seen) == ended
    assert seen[max(ended)] == "ended by the administrator"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "say which sessions"),
        (("1", "--all"), 2, "say which sessions"),
        (("7", "1"), 1, "there is no session of number 7"),
        (("--user", "carol"), 1, "there is no session of the user 'carol'"),
    ],
)
def test_wrong_input_ends_nothing(
    run: Run,
    sessions: Sessions,
    refused: Refused,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    assert refused(run("session", "kill", *arguments), code).startswith(message)
    assert sessions.beat({1: (0, 0), 2: (0, 0)}).ending == {}


def test_a_worker_that_does_not_obey(
    run: Run, sessions: Sessions, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["sstpca.vpn.sessions"], "PATIENCE", 0.2)
    assert refused(run("session", "kill", "2"), 1) == "still there after 0 s: session 2"
