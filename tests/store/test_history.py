"""Sessions that there were, and logins that were none."""

import os
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

import pytest
import sqlalchemy as sa

from sstpca.access.ipv6 import Ipv6Settings, parse_prefix
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.server.contracts import Account, FailedLogin, Lease, Sessions
from sstpca.serving.backend import StoreBackend
from sstpca.settings import HistorySettings, LockoutSettings
from sstpca.store import Store, failures, history, profiles, sessions, users
from sstpca.store.history import UNEXPECTED, PastSession, Wanted

ALL = Wanted()


class Clock:
    """The time, as the store and the server's end have it."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    return clock


@pytest.fixture
def worker(home: Home, clock: Clock) -> Iterator[Sessions]:
    with StoreBackend(home).join(os.getpid()) as (_, found):
        yield found


def account(home: Home, store: Store, name: str) -> Account:
    user = users.add(store, Sealer.load(home), name, "correct horse")
    return Account(user.id, user.name, True)


def begin(worker: Sessions, who: Account) -> Lease:
    lease = worker.promise(who, peer="203.0.113.9:1", client="MSRASV5.20")
    assert lease is not None
    assert worker.bind(lease.session, "sstp1") == ""
    return lease


def past(store: Store, wanted: Wanted = ALL, *, alive: float = 0.0) -> list[PastSession]:
    return history.find(store, wanted, alive=alive)


def test_a_session_from_its_binding_to_its_end(
    home: Home, store: Store, worker: Sessions, clock: Clock
) -> None:
    alice = account(home, store, "Alice")
    lease = worker.promise(alice, peer="203.0.113.9:1", client="MSRASV5.20")
    assert lease is not None
    assert past(store) == [], "what is only promised is no session"
    clock.now += 2
    assert worker.bind(lease.session, "sstp1") == ""
    worker.beat({lease.session: (10, 20)})
    [running] = past(store)
    assert (running.ended, running.received, running.sent, running.reason) == (None, 10, 20, "")
    clock.now += 60
    worker.close(lease.session, "the client fell silent", (11, 22))
    assert past(store) == [
        PastSession(
            id=lease.session,
            user="Alice",
            address=str(lease.address),
            prefix="",
            peer="203.0.113.9:1",
            client="MSRASV5.20",
            started=1_000_000.0,
            ended=1_000_062.0,
            received=11,
            sent=22,
            reason="the client fell silent",
        )
    ]


def test_a_login_that_comes_to_nothing_is_no_session(
    home: Home, store: Store, worker: Sessions
) -> None:
    lease = worker.promise(account(home, store, "alice"), peer="x", client="")
    assert lease is not None
    worker.close(lease.session, "the binding does not hold", (0, 0))
    assert past(store) == []


def test_an_end_that_could_not_be_written_is_written_later_with_its_time(
    home: Home, store: Store, worker: Sessions, clock: Clock
) -> None:
    lease = begin(worker, account(home, store, "alice"))
    trigger = "CREATE TRIGGER no BEFORE DELETE ON sessions BEGIN SELECT RAISE(FAIL, 'no'); END"
    with store.writing() as connection:
        connection.execute(sa.text(trigger))
    with pytest.raises(Exception, match="no"):
        worker.close(lease.session, "enough", (1, 2))
    assert past(store)[0].ended is None, "all or nothing"
    with store.writing() as connection:
        connection.execute(sa.text("DROP TRIGGER no"))
    closed = clock.now
    clock.now += 30
    worker.beat({})
    assert (past(store)[0].ended, past(store)[0].reason) == (closed, "enough")


@pytest.mark.parametrize("how", ["the worker", "the machine"])
def test_who_dies_leaves_an_end(home: Home, store: Store, clock: Clock, how: str) -> None:
    backend = StoreBackend(home)
    with backend.join(4_000_001) as (_, worker):
        lease = begin(worker, account(home, store, "alice"))
        clock.now += 100
        worker.beat({lease.session: (5, 6)})
        seen = clock.now
    clock.now += 3600
    # before the next start, it is said as that will write it
    assert past(store, alive=clock.now - 30)[0].ended == seen
    assert past(store, alive=seen)[0].ended is None
    if how == "the worker":
        backend.forget(4_000_001)
    else:
        backend.reset()
    [ended] = past(store, alive=clock.now - 30)
    assert (ended.ended, ended.reason) == (seen, UNEXPECTED)
    assert (ended.received, ended.sent) == (5, 6)


def test_who_had_an_address_when(home: Home, store: Store, worker: Sessions, clock: Clock) -> None:
    profiles.change(store, "default", ipv6=Ipv6Settings(parse_prefix("2001:db8:98::/48")))
    alice, bob = (account(home, store, name) for name in ("alice", "bob"))
    first = begin(worker, alice)
    address, ipv6 = first.address, first.ipv6
    assert ipv6 is not None
    clock.now += 100
    worker.close(first.session, "left", (0, 0))
    clock.now += 100
    second = begin(worker, bob)
    clock.now += 100

    def found(at: float, where: IPv4Address | IPv6Address | None = None) -> list[str]:
        wanted = Wanted(since=at, until=at, address=where)
        return [one.user for one in past(store, wanted)]

    assert found(1_000_050, address) == found(1_000_050, ipv6.prefix[7]) == ["alice"]
    assert found(1_000_150, address) == found(1_000_150) == []
    assert found(1_000_250, second.address) == found(1_000_250) == ["bob"]
    assert found(1_000_250, IPv4Address("10.1.2.3")) == []
    assert [one.user for one in past(store)] == ["bob", "alice"]
    assert [one.user for one in past(store, Wanted(most=1))] == ["bob"]
    assert [one.user for one in past(store, Wanted(user="ALICE"))] == ["alice"]
    assert history.count_begun(store, 1_000_100) == 1


def test_a_user_who_is_gone_stays_in_the_history(
    home: Home, store: Store, worker: Sessions
) -> None:
    begin(worker, account(home, store, "alice"))
    users.remove(store, ["alice"])
    assert [one.user for one in past(store, Wanted(user="alice"))] == ["alice"]


def failed(user: str, at: float = 1_000_000.0, count: int = 1) -> FailedLogin:
    return FailedLogin(at, user, "203.0.113.9:1", "MSRASV5.20", "the password is wrong", count)


def test_failed_logins(store: Store, worker: Sessions) -> None:
    worker.failed([failed("OFFICE\\\\alice"), failed("Alice@corp.example", 1_000_001), failed("x")])
    worker.failed([failed("y" * 500, 1_000_002, 7)])
    assert [one.user for one in failures.find(store, user="ALICE")] == [
        "Alice@corp.example",
        "OFFICE\\\\alice",
    ]
    assert failures.count(store, 1_000_001) == 8
    [newest] = failures.find(store, most=1)
    assert (len(newest.user), newest.count) == (64, 7)
    assert len(failures.find(store, since=1_000_001, until=1_000_001)) == 1


def test_a_worker_that_is_taken_over_writes_rows_and_nothing_else(
    home: Home, store: Store, worker: Sessions
) -> None:
    hostile = "x\n\x1b[2J" + "y" * 500
    lease = worker.promise(account(home, store, "alice"), peer=hostile, client=hostile)
    assert lease is not None
    assert worker.bind(lease.session, "sstp1") == ""
    worker.close(lease.session, hostile, (1, 2))
    worker.failed([FailedLogin(1.0, hostile, hostile, hostile, hostile, 10**30)] * 2000)
    found = failures.find(store)
    assert len(found) == 1000
    [ended] = past(store)
    for text in (
        ended.peer,
        ended.client,
        ended.reason,
        found[0].user,
        found[0].peer,
        found[0].client,
        found[0].reason,
    ):
        assert text.isprintable()
        assert text.startswith("x\\n\\x1b[2Jy")
        assert len(text) <= 128
    assert found[0].count == 10**9


def test_what_is_old_goes_in_small_steps(
    home: Home, store: Store, worker: Sessions, clock: Clock
) -> None:
    alice = account(home, store, "alice")
    old = [begin(worker, alice) for _ in range(3)]
    for one in old[:2]:
        worker.close(one.session, "left", (0, 0))
    worker.failed([failed("alice"), failed("alice", 1_000_000 + 86_400)])
    clock.now += 365 * 86_400 + 1
    assert history.sweep(store, clock.now - 365 * 86_400, 1) == 1
    assert len(past(store)) == 2
    worker.beat({})
    # one of a year and more that still goes on is kept
    assert [one.id for one in past(store)] == [old[2].session]
    assert [one.at for one in failures.find(store)] == [1_000_000 + 86_400]


def test_a_flood_of_failed_logins_has_an_end(
    store: Store, worker: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "KEPT", 10)
    worker.failed([failed(f"u{number}") for number in range(25)])
    assert failures.sweep(store, 0.0, 10) == 10
    assert failures.sweep(store, 0.0, 10) == 5
    assert failures.sweep(store, 0.0, 10) == 0
    assert [one.user for one in failures.find(store)][::9] == ["u24", "u15"]


def test_nothing_is_kept_where_nothing_is_to_be(home: Home, store: Store, clock: Clock) -> None:
    backend = StoreBackend(home, LockoutSettings(), HistorySettings(days=0))
    with backend.join(os.getpid()) as (_, worker):
        lease = begin(worker, account(home, store, "alice"))
        worker.failed([failed("alice")])
        assert past(store) == []
        assert len(sessions.list_sessions(store)) == 1
        worker.close(lease.session, "left", (0, 0))
    assert (past(store), failures.find(store)) == ([], [])
