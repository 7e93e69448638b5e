"""Wrong passwords: who is locked for them, who is not, and how they are forgotten."""

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.serving.directory import StoreDirectory
from sstpca.settings import LockoutSettings
from sstpca.store import Store, attempts, schema
from sstpca.store.attempts import Lockout

NOW = 2e9
HERE, THERE, OFFICE = "192.0.2.1", "2001:db8:0:1::/64", "198.51.100.7"
LIMITS = LockoutSettings()


class Door:
    """Attempts, at a time that stands still unless a test moves it."""

    def __init__(self, store: Store, limits: LockoutSettings = LIMITS) -> None:
        self.store, self.limits, self.now = store, limits, NOW

    def wrong(self, user: str, source: str = HERE, count: int = 1) -> int:
        """Give that many wrong passwords; return how many of them were judged."""
        return sum(not self._try(user, source, right=False) for _ in range(count))

    def right(self, user: str, source: str = HERE) -> bool:
        """Give the right password; return whether it lets the user in."""
        return not self._try(user, source, right=True)

    def _try(self, user: str, source: str, *, right: bool) -> bool:
        return attempts.attempt(
            self.store, self.limits, user, source, right=right, now=self.now
        ).locked

    def fill(self, user: str, source: str = HERE) -> float:
        found = attempts.attempt(self.store, self.limits, user, source, right=True, now=self.now)
        return found.fill

    def listed(self) -> list[Lockout]:
        return attempts.list_all(self.store, self.limits, self.now)


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    """The database, with a connection that is kept: there are many attempts."""
    opened = Store.open(home.database, pooled=True)
    yield opened
    opened.close()


@pytest.fixture
def door(store: Store) -> Door:
    return Door(store)


def test_a_user_is_locked_after_ten_wrong_passwords(door: Door) -> None:
    assert door.wrong("alice", count=9) == 9
    assert door.right("alice")
    assert door.wrong("alice", count=100) == 10
    assert not door.right("alice")


def test_however_the_name_is_written(door: Door) -> None:
    door.wrong("Ren\u00e9e", count=5)
    door.wrong("RENE\u0301E", count=5)
    assert not door.right("rene\u0301e")


def test_but_not_who_comes_from_elsewhere(door: Door) -> None:
    door.wrong("alice", HERE, 100)
    assert door.right("alice", THERE)
    assert door.wrong("alice", OFFICE, 100) == 10


def test_nor_a_colleague_behind_the_same_address(door: Door) -> None:
    door.wrong("alice", OFFICE, 100)
    assert door.right("bob", OFFICE)
    assert door.wrong("carol", OFFICE) == 1


def test_the_right_password_begins_anew(door: Door) -> None:
    for _ in range(5):
        assert door.wrong("alice", count=9) == 9
        assert door.right("alice")


def test_one_is_forgotten_after_the_other(door: Door) -> None:
    """Ten in 15 minutes: one after 90 seconds, all of them after 15 minutes."""
    door.wrong("alice", count=10)
    door.now += 89
    assert door.wrong("alice") == 0
    door.now += 2
    assert door.wrong("alice", count=5) == 1
    door.now += 15 * 60 + 1
    assert door.wrong("alice", count=100) == 10


def test_what_is_not_judged_does_not_count(door: Door) -> None:
    """A machine that goes on with an old password keeps nobody locked for longer."""
    door.wrong("alice", count=10)
    for _ in range(100):
        door.now += 0.8
        assert door.wrong("alice") == 0
    door.now += 11
    assert door.right("alice")


def test_who_sprays_is_locked_but_not_who_comes_from_there(door: Door) -> None:
    """Insiders, or one PC behind the address of an office."""
    assert door.right("bob", OFFICE)
    door.now += 10 * 86400
    names = (f"user{number}" for number in itertools.count())
    assert sum(door.wrong(name, OFFICE) for name in itertools.islice(names, 200)) == 50
    assert not door.right("newcomer", OFFICE)
    assert door.right("bob", OFFICE)
    assert door.right("newcomer", THERE)


def test_mistakes_of_those_who_come_from_there_lock_nobody_else(door: Door) -> None:
    """300 people on the morning after everybody got a new password."""
    people = [f"user{number}" for number in range(300)]
    assert all(door.right(one, OFFICE) for one in people)
    assert all(door.wrong(one, OFFICE, 3) == 3 for one in people)
    assert door.right("newcomer", OFFICE)


def test_who_has_not_come_for_a_month_is_nobody_known(door: Door) -> None:
    assert door.right("bob", OFFICE)
    door.now += 31 * 86400
    for number in range(60):
        door.wrong(f"user{number}", OFFICE)
    assert not door.right("bob", OFFICE)


def test_many_addresses_on_one_user_have_fewer_each(door: Door) -> None:
    """And whoever the user is, wherever from, is let in all the same."""
    assert door.right("alice", OFFICE)
    judged = [door.wrong("alice", f"203.0.113.{number}", 100) for number in range(20)]
    assert judged == [10] * 5 + [3] * 15
    assert door.right("alice", "192.0.2.77"), "from a hotel"
    assert door.wrong("alice", OFFICE, 9) == 9
    assert door.right("alice", OFFICE)


def test_how_full_it_is(door: Door) -> None:
    fills = []
    for _ in range(11):
        found = attempts.attempt(door.store, LIMITS, "alice", HERE, right=False, now=NOW)
        fills.append(found.fill)
    assert fills == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])


def test_without_a_limit_nobody_is_locked(store: Store) -> None:
    door = Door(store, LockoutSettings(user=0, source=0))
    assert door.wrong("alice", count=200) == 200
    assert door.right("alice")
    assert door.listed() == []


def test_other_limits(store: Store) -> None:
    door = Door(store, LockoutSettings(user=2, source=3, minutes=1))
    assert door.wrong("alice", count=5) == 2
    assert door.wrong("bob", count=5) == 1
    door.now += 61
    assert door.right("alice") and door.right("carol")


def test_a_clock_that_goes_back_locks_nobody_for_ever(door: Door) -> None:
    door.wrong("alice", count=10)
    door.now -= 86400
    assert not door.right("alice")
    door.now += 86400 + 91
    assert door.right("alice")


def test_the_list(door: Door) -> None:
    door.right("bob")
    assert door.listed() == []
    door.wrong("Alice", HERE, 10)
    door.now += 10
    door.wrong("bob", THERE, 2)
    assert door.listed() == [
        Lockout("Alice", HERE, 10, pytest.approx(NOW + 90)),  # type: ignore[arg-type]
        Lockout("", HERE, 10, None),
        Lockout("", THERE, 2, None),
        Lockout("bob", THERE, 2, None),
    ]
    door.now += 3600
    assert door.listed() == []


def test_the_list_names_who_is_guessed_at_from_many_places(door: Door) -> None:
    for number in range(6):
        door.wrong("alice", f"203.0.113.{number}", 10)
    [everywhere] = [one for one in door.listed() if not one.source]
    assert (everywhere.user, everywhere.until) == ("alice", None)
    assert everywhere.wrong >= 50


def test_what_is_cleared_is_forgotten(door: Door) -> None:
    for source in (HERE, THERE):
        door.wrong("alice", source, 10)
        door.wrong("bob", source, 10)
    assert attempts.clear(door.store, names=["ALICE"]) == 3
    assert door.right("alice", HERE) and door.right("alice", THERE)
    assert attempts.clear(door.store, sources=[HERE]) == 2
    assert door.right("bob", HERE) and not door.right("bob", THERE)
    assert attempts.clear(door.store) > 0
    assert door.right("bob", THERE)
    assert attempts.clear(door.store) == 0


def test_to_clear_does_not_make_a_stranger_of_who_comes_from_there(door: Door) -> None:
    door.right("bob", OFFICE)
    door.wrong("bob", OFFICE)
    attempts.clear(door.store)
    for number in range(60):
        door.wrong(f"user{number}", OFFICE)
    assert door.right("bob", OFFICE)


def rows(store: Store) -> int:
    with store.reading() as transaction:
        return len(transaction.execute(schema.attempts.select()).all())


def test_what_says_nothing_any_more_goes(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    door.right("bob", OFFICE)
    for number in range(40):
        door.wrong(f"user{number}", f"203.0.113.{number}")
    before = rows(door.store)
    attempts.sweep(door.store, LIMITS, door.now)
    assert rows(door.store) == before
    monkeypatch.setattr(attempts, "KEPT", 10)
    attempts.sweep(door.store, LIMITS, door.now)
    assert rows(door.store) == 11
    attempts.sweep(door.store, LIMITS, door.now + 16 * 60)
    assert rows(door.store) == 1
    attempts.sweep(door.store, LIMITS, door.now + 31 * 86400)
    assert rows(door.store) == 0


def test_workers_that_are_asked_at_once_allow_no_more(home: Home) -> None:
    """Each with a connection of its own to the database."""
    stores = [Store.open(home.database, pooled=True) for _ in range(4)]

    def guess(number: int) -> bool:
        return not attempts.attempt(
            stores[number % 4], LIMITS, "alice", HERE, right=False, now=NOW
        ).locked

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(guess, range(200))) == 10
    for store in stores:
        store.close()


def test_a_name_of_any_length_and_letters(door: Door) -> None:
    for name in ("", "x" * 256, "\u1e9e" * 256, "' OR 1=1 --", "\0"):
        assert door.wrong(name, count=12) == 10
        door.now += 3600


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["alice", "bob"]),
            st.sampled_from([HERE, THERE]),
            st.booleans(),
            st.floats(0, 200),
        ),
        max_size=60,
    )
)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_one_user_at_one_source_never_gets_more_than_the_limit_says(
    store: Store, steps: list[tuple[str, str, bool, float]]
) -> None:
    """In any time t: the limit, and what leaks away in t; since the right password came."""
    attempts.clear(store)
    door = Door(store, LockoutSettings(user=4, source=0, minutes=10))
    door.now = time.time()
    judged: dict[tuple[str, str], list[float]] = {}
    for user, source, right, wait in steps:
        door.now += wait
        times = judged.setdefault((user, source), [])
        if right:
            if door.right(user, source):
                times.clear()
        elif door.wrong(user, source):
            times.append(door.now)
            for number, since in enumerate(times):
                assert len(times) - number <= 4 + (door.now - since) * 4 / 600 + 1e-6


def test_the_directory_says_how_long_a_refusal_takes(
    home: Home, store: Store, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
    directory = StoreDirectory(home, store, sealer, LIMITS)
    seen = [directory.attempt("alice", HERE, right=False) for _ in range(12)]
    assert [one.delay for one in seen] == [0, 0, 0, 0.5, 0.5, 1.5, 1.5, 1.5, 3.5, 3.5, 7.5, 7.5]
    assert [one.barred for one in seen] == [""] * 10 + ["too many wrong passwords"] * 2
    assert directory.attempt("alice", HERE, right=True) == seen[-1]
    assert directory.attempt("alice", THERE, right=True).barred == ""
