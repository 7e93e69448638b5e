"""What sessions are held to while they run, and what logins are: by the clock that the test moves."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from ipaddress import IPv4Address
from typing import Any

import pytest

from sstpca.access.hours import parse_hours
from sstpca.access.limits import Limits, OwnLimits, WhenFull, number_of, parse_end
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.server.contracts import UNSHAPED, Account, CertificateRefused, Lease, Orders, Rates
from sstpca.serving.backend import StoreBackend, StoreSessions
from sstpca.serving.directory import StoreDirectory
from sstpca.store import Store, profiles, schema, sessions, users
from tests.serving.test_directory import issue

MINUTE, HOUR, DAY = 60, 3600, 86_400


class Clock:
    """The time, as everybody has it: a Monday at noon, in the server's time zone."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 30, 12).timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    clock.now = datetime(2026, 11, 30, 12).timestamp()
    yield clock
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def store(home: Home) -> Store:
    return Store.open(home.database)


class Site:
    """A home with Alice, and a worker of its server."""

    def __init__(
        self, home: Home, store: Store, directory: StoreDirectory, worker: StoreSessions
    ) -> None:
        self.home, self.store = home, store
        self.directory, self.worker = directory, worker

    def login(self) -> Lease:
        account = self.account()
        lease = self.worker.promise(account, peer="203.0.113.9:1", client="")
        assert lease is not None
        assert self.worker.bind(lease.session, "sstp1") == ""
        return lease

    def account(self) -> Account:
        found = self.directory.account("alice")
        assert found is not None
        return found[0]

    def limit(self, **fields: Any) -> None:
        """Give the access profile limits."""
        profiles.change(self.store, "default", limits=Limits(**fields))

    def own(self, **fields: Any) -> None:
        """Give Alice limits of her own."""
        users.change(self.store, "alice", limits=OwnLimits.of(fields))

    def usage(self) -> dict[date, tuple[int, int, float, int]]:
        with self.store.reading() as transaction:
            rows = transaction.execute(schema.usage.select()).all()
        return {
            date.fromordinal(row.day + date(1970, 1, 1).toordinal()): (
                row.received,
                row.sent,
                round(row.seconds, 3),
                row.sessions,
            )
            for row in rows
        }


@pytest.fixture
def site(home: Home, store: Store, clock: Clock) -> Iterator[Site]:
    users.add(store, Sealer.load(home), "alice", "correct horse")
    with StoreBackend(home).join(4_000_001) as (directory, worker):
        assert isinstance(directory, StoreDirectory)
        assert isinstance(worker, StoreSessions)
        yield Site(home, store, directory, worker)


def test_a_session_begins_with_its_rates(site: Site) -> None:
    assert site.login().rates == UNSHAPED
    site.limit(rate_down=10_000_000, rate_up=2_000_000)
    assert site.login().rates == Rates(10_000_000, 2_000_000)
    site.own(rate_down=None)
    assert site.login().rates == Rates(0, 2_000_000)


def test_rates_follow_with_the_next_beat_and_are_told_once(site: Site) -> None:
    lease = site.login()
    assert site.worker.beat({}).rates == {}
    site.limit(rate_down=10_000_000)
    assert site.worker.beat({}).rates == {lease.session: Rates(10_000_000, 0)}
    assert site.worker.beat({}).rates == {}
    profiles.change(site.store, "default", limits=Limits())
    assert site.worker.beat({}).rates == {lease.session: UNSHAPED}


def test_another_profile_counts_at_once(site: Site) -> None:
    lease = site.login()
    before = profiles.get(site.store, "default")
    local, first, last = map(IPv4Address, ("10.98.0.1", "10.98.0.10", "10.98.0.20"))
    held = Limits(rate_up=8000)
    slow = replace(before, name="slow", local_address=local, pools=((first, last),), limits=held)
    profiles.add(site.store, slow)
    users.change(site.store, "alice", profile="slow")
    assert site.worker.beat({}).rates == {lease.session: Rates(0, 8000)}


def test_a_session_that_has_lasted_long_enough_ends(site: Site, clock: Clock) -> None:
    site.limit(session_timeout=HOUR)
    lease = site.login()
    clock.now += HOUR - 1
    assert site.worker.beat({lease.session: (5, 5)}).ending == {}
    clock.now += 1
    assert site.worker.beat({}).ending == {lease.session: "session timeout: it has lasted for 1h"}


@pytest.mark.parametrize("way", [(1, 0), (0, 1)])
def test_an_idle_session_ends(site: Site, clock: Clock, way: tuple[int, int]) -> None:
    site.limit(idle_timeout=MINUTE)
    lease, carried = site.login(), (0, 0)
    for number in (1, 2, 3):
        clock.now += MINUTE - 1
        carried = (way[0] * number * 100, way[1] * number * 100)
        assert site.worker.beat({lease.session: carried}).ending == {}
    clock.now += MINUTE
    # counters that have not moved are no packet
    assert site.worker.beat({lease.session: carried}).ending == {
        lease.session: "idle timeout: no packet for 1m"
    }


def test_an_idle_timeout_that_comes_later_counts_from_then(site: Site, clock: Clock) -> None:
    lease = site.login()
    clock.now += DAY
    site.limit(idle_timeout=MINUTE)
    assert site.worker.beat({}).ending == {}
    clock.now += MINUTE
    assert list(site.worker.beat({}).ending) == [lease.session]


def test_sessions_end_with_the_hours(site: Site, clock: Clock) -> None:
    site.limit(hours=parse_hours("mon-fri 07:00-19:00"))
    lease = site.login()
    clock.now = datetime(2026, 11, 30, 18, 59, 59).timestamp()
    assert site.worker.beat({}).ending == {}
    assert site.account().in_hours
    clock.now += 1
    assert site.worker.beat({}).ending == {lease.session: "the hours of the account are over"}
    assert not site.account().in_hours


def test_an_account_ends_at_the_end_of_its_last_day(site: Site, clock: Clock) -> None:
    users.change(site.store, "alice", ends=parse_end("2026-12-01"))
    lease = site.login()
    clock.now = datetime(2026, 12, 1, 23, 59, 59).timestamp()
    assert site.worker.beat({}).ending == {}
    assert not site.account().ended
    clock.now += 1
    assert site.worker.beat({}).ending == {lease.session: "the account has expired"}
    assert site.account().ended
    users.change(site.store, "alice", no_end=True)
    assert site.worker.beat({}).ending == {}
    assert not site.account().ended


def test_a_volume_of_the_day_ends_sessions_until_the_next(site: Site, clock: Clock) -> None:
    site.limit(volume_day=1000)
    lease = site.login()
    assert site.worker.beat({lease.session: (400, 599)}).ending == {}
    assert site.account().not_now == ""
    clock.now += 1
    why = "its volume of the day, 1 kB, is used up"
    assert site.worker.beat({lease.session: (400, 600)}).ending == {lease.session: why}
    site.worker.close(lease.session, "enough", (400, 600))
    assert site.account().not_now == why
    clock.now += DAY
    assert site.account().not_now == ""


def test_a_volume_of_the_month_slows_until_the_next(site: Site, clock: Clock) -> None:
    site.limit(volume_month=1000, slow_to=64_000, rate_up=32_000)
    lease = site.login()
    assert lease.rates == Rates(0, 32_000)
    clock.now += 1
    slow = Rates(64_000, 32_000)
    assert site.worker.beat({lease.session: (1000, 0)}) == Orders(rates={lease.session: slow})
    assert site.account().not_now == ""
    assert site.login().rates == slow
    # the next month begins for a session that carries nothing as well
    clock.now = datetime(2026, 12, 1, 0, 0, 1).timestamp()
    orders = site.worker.beat({})
    assert orders.ending == {}
    assert orders.rates[lease.session] == Rates(0, 32_000)


def test_a_volume_is_of_all_sessions_of_a_user_in_all_workers(site: Site, clock: Clock) -> None:
    site.limit(volume_day=1000)
    here = site.login()
    with StoreBackend(site.home).join(4_000_002) as (_, other):
        there = other.promise(site.account(), peer="203.0.113.9:2", client="")
        assert there is not None
        assert other.bind(there.session, "sstp2") == ""
        clock.now += 1
        assert other.beat({there.session: (900, 0)}).ending == {}
    assert list(site.worker.beat({here.session: (50, 50)}).ending) == [here.session]


def test_one_session_more_replaces_or_is_refused(site: Site) -> None:
    profiles.change(site.store, "default", sessions=2)
    old = [site.login() for _ in range(2)]
    site.login()
    assert list(site.worker.beat({}).ending) == [old[0].session]
    site.worker.close(old[0].session, "replaced", (0, 0))
    site.limit(when_full=WhenFull.REFUSE)
    account = site.account()
    assert account.not_now == "it has 2 sessions already, and may have no more"
    # one that was asked for before the other was bound
    late = site.worker.promise(account, peer="203.0.113.9:1", client="")
    assert late is not None
    assert site.worker.bind(late.session, "sstp9") == account.not_now
    assert site.worker.beat({}).ending == {}
    site.worker.close(late.session, account.not_now, (0, 0))
    site.worker.close(old[1].session, "over", (0, 0))
    assert site.account().not_now == ""
    site.login()


def test_a_users_own_number_of_sessions(site: Site) -> None:
    site.own(sessions=1)
    old = site.login()
    site.login()
    assert list(site.worker.beat({}).ending) == [old.session]
    site.own(sessions=3)
    site.login()
    site.login()
    assert list(site.worker.beat({}).ending) == [old.session]


@pytest.mark.parametrize(
    ("own", "more", "why"),
    [
        ({}, {"ends": 1.0}, "whose account has expired"),
        ({"hours": parse_hours("sun 01:00-02:00")}, {}, "whose account is not for this hour"),
        ({"sessions": 1, "when_full": WhenFull.REFUSE}, {}, "has 1 session already"),
    ],
)
def test_certificates_are_held_to_the_same(
    site: Site, own: dict[str, Any], more: dict[str, Any], why: str
) -> None:
    der = issue(site.home, site.store, "alice")
    assert site.directory.by_certificate(der).name == "alice"
    site.login()
    users.change(site.store, "alice", limits=OwnLimits.of(own), **more)
    with pytest.raises(CertificateRefused, match=why):
        site.directory.by_certificate(der)


def test_what_is_used_is_counted_day_by_day(site: Site, clock: Clock) -> None:
    clock.now = datetime(2026, 11, 30, 23, 59).timestamp()
    lease = site.login()
    clock.now += 30
    site.worker.beat({lease.session: (10, 20)})
    monday, tuesday = date(2026, 11, 30), date(2026, 12, 1)
    assert site.usage() == {monday: (10, 20, 30.0, 1)}
    clock.now += 45
    site.worker.beat({lease.session: (15, 30)})
    assert site.usage() == {monday: (10, 20, 60.0, 1), tuesday: (5, 10, 15.0, 0)}
    clock.now += 5
    site.worker.close(lease.session, "over", (16, 30))
    assert site.usage() == {monday: (10, 20, 60.0, 1), tuesday: (6, 10, 20.0, 0)}


def test_a_silent_session_is_counted_now_and_then(site: Site, clock: Clock) -> None:
    site.login()
    for _ in range(30):
        clock.now += 5
        site.worker.beat({})
    [(_, _, seconds, count)] = site.usage().values()
    assert (count, seconds >= 150 - MINUTE - 5) == (1, True)


def test_a_promise_uses_nothing(site: Site, clock: Clock) -> None:
    lease = site.worker.promise(site.account(), peer="203.0.113.9:1", client="")
    assert lease is not None
    clock.now += HOUR
    site.worker.beat({})
    site.worker.close(lease.session, "never bound", (0, 0))
    assert [used[2:] for used in site.usage().values()] in ([], [(0.0, 0)])


def test_a_worker_that_dies_costs_no_more_than_a_beat(site: Site, clock: Clock) -> None:
    lease = site.login()
    clock.now += 10
    site.worker.beat({lease.session: (1000, 2000)})
    for _ in range(7):
        clock.now += 5
        site.worker.beat({})
    clock.now += HOUR
    StoreBackend(site.home).forget(4_000_001)
    [(received, sent, seconds, count)] = site.usage().values()
    assert (received, sent, count) == (1000, 2000, 1)
    # it was seen last before the last of those beats, or at it
    assert 35 <= seconds <= 45
    StoreBackend(site.home).forget(4_000_001)
    assert [used[2] for used in site.usage().values()] == [seconds]


def test_counting_is_bounded(site: Site, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A beat asks as much of the database for a thousand silent sessions as for one."""
    profiles.change(site.store, "default", sessions=100)
    for _ in range(50):
        site.login()
    site.limit(idle_timeout=HOUR, hours=parse_hours("mon-sun"))
    site.worker.beat({})
    asked = []
    directly = Store.directly

    def counted(store: Store, *, writing: bool) -> Any:
        asked.append(writing)
        return directly(store, writing=writing)

    monkeypatch.setattr(Store, "directly", counted)
    clock.now += 1
    assert site.worker.beat({}).ending == {}
    assert len(asked) <= 2
    assert number_of(date(1970, 1, 2)) == 1
    assert sessions.limits_changed(site.store, 1) == {}
