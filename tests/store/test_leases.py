"""What a login is promised before its crypto binding holds, and what it takes over then."""

import os
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.server.contracts import Account, Lease, Sessions
from sstpca.serving.backend import StoreBackend
from sstpca.store import Store, profiles, users
from sstpca.store.leases import spans
from sstpca.store.sessions import REPLACED, list_sessions

STATIC = IPv4Address("10.99.0.200")

Add = Callable[..., Account]


@pytest.fixture
def store(home: Home) -> Store:
    return Store.open(home.database)


@pytest.fixture
def sessions(home: Home) -> Iterator[Sessions]:
    with StoreBackend(home).join(os.getpid()) as (_, sessions):
        yield sessions


@pytest.fixture
def add(home: Home, store: Store) -> Add:
    def add(name: str, static_address: IPv4Address | None = None) -> Account:
        sealer = Sealer.load(home)
        user = users.add(store, sealer, name, "correct horse", static_address=static_address)
        return Account(user.id, user.name, True)

    return add


def pool(store: Store, size: int, sessions: int = 10) -> None:
    """Give the profile a pool of that size, and each user so many sessions."""
    first = IPv4Address("10.99.0.10")
    profiles.change(store, "default", pools=((first, first + size - 1),), sessions=sessions)


def promise(sessions: Sessions, account: Account) -> Lease:
    lease = sessions.promise(account, peer="203.0.113.9:1", client="")
    assert lease is not None
    return lease


def begin(sessions: Sessions, account: Account) -> Lease:
    lease = promise(sessions, account)
    assert sessions.bind(lease.session, "sstp1") == ""
    return lease


def ending(sessions: Sessions, *leases: Lease) -> dict[int, str]:
    return sessions.beat({lease.session: (0, 0) for lease in leases}).ending


def test_a_promise_is_no_session(store: Store, sessions: Sessions, add: Add) -> None:
    lease = promise(sessions, add("alice"))
    assert list_sessions(store) == []
    assert sessions.bind(lease.session, "sstp1") == ""
    assert [seen.address for seen in list_sessions(store)] == [str(lease.address)]


def test_one_user_cannot_take_the_pool(store: Store, sessions: Sessions, add: Add) -> None:
    alice, bob = add("alice"), add("bob")
    leases = [promise(sessions, alice) for _ in range(300)]
    assert len({lease.address for lease in leases}) == 10
    assert begin(sessions, bob).address not in {lease.address for lease in leases}


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_one_user_cannot_take_a_small_pool(
    store: Store, sessions: Sessions, add: Add, size: int
) -> None:
    pool(store, size)
    alice = add("alice")
    leases = [promise(sessions, alice) for _ in range(20)]
    assert len({lease.address for lease in leases}) == max(1, size // 4)


def test_promises_end_nobody_and_come_free(store: Store, sessions: Sessions, add: Add) -> None:
    pool(store, 3, sessions=1)
    alice, bob = add("alice"), add("bob")
    running = begin(sessions, alice)
    promised = [promise(sessions, alice) for _ in range(5)]
    assert ending(sessions, running, *promised) == {}
    assert {lease.address for lease in promised} == {running.address}
    for lease in promised:
        sessions.close(lease.session, "over", (0, 0))
    assert [seen.id for seen in list_sessions(store)] == [running.session]
    assert begin(sessions, bob).address != running.address


def test_one_session_too_many_ends_the_silent_one(
    store: Store, sessions: Sessions, add: Add
) -> None:
    """The likeliest to be dead, of a machine that slept; not the oldest."""
    pool(store, 100, sessions=3)
    alice = add("alice")
    first, second, third = (begin(sessions, alice) for _ in range(3))
    numbers = [lease.session for lease in (first, second, third)]
    # the second is sent packets, and says nothing
    sessions.beat({numbers[0]: (100, 100), numbers[1]: (0, 900), numbers[2]: (50, 0)})
    newer = promise(sessions, alice)
    assert newer.address == second.address
    assert ending(sessions, first, second, third, newer) == {}
    assert sessions.bind(newer.session, "sstp1") == ""
    assert ending(sessions, first, second, third, newer) == {second.session: REPLACED}


def test_who_promises_gets_no_more_by_binding_late(
    store: Store, sessions: Sessions, add: Add
) -> None:
    pool(store, 100, sessions=2)
    alice = add("alice")
    leases = [promise(sessions, alice) for _ in range(6)]
    for lease in leases:
        assert sessions.bind(lease.session, "sstp1") == ""
    left = [lease for lease in leases if lease.session not in ending(sessions, *leases)]
    assert len(left) == 2
    assert len({lease.address for lease in left}) == 2


def test_the_promises_of_another_keep_nobody_out(
    store: Store, sessions: Sessions, add: Add
) -> None:
    """Who relays the logins of alice, and never binds, does not end her session by her next login."""
    pool(store, 100, sessions=3)
    alice = add("alice")
    running = begin(sessions, alice)
    relayed = [promise(sessions, alice) for _ in range(10)]
    own = begin(sessions, alice)
    assert own.address in {lease.address for lease in relayed}
    assert ending(sessions, running, own, *relayed) == {}


def test_a_full_pool_does_not_keep_out_who_comes_back(
    store: Store, sessions: Sessions, add: Add
) -> None:
    pool(store, 2)
    alice, bob = add("alice"), add("bob")
    old, other = begin(sessions, alice), begin(sessions, bob)
    again = begin(sessions, alice)
    assert again.address == old.address
    assert ending(sessions, old, other, again) == {old.session: REPLACED}
    assert sessions.promise(add("carol"), peer="", client="") is None


def test_a_lower_limit_counts_from_the_next_login(
    store: Store, sessions: Sessions, add: Add
) -> None:
    alice = add("alice")
    old = [begin(sessions, alice) for _ in range(4)]
    profiles.change(store, "default", sessions=2)
    assert ending(sessions, *old) == {}
    newer = begin(sessions, alice)
    assert len(ending(sessions, *old, newer)) == 3
    assert newer.session not in ending(sessions, *old, newer)


def test_a_static_address_changes_hands_with_the_binding(
    store: Store, sessions: Sessions, add: Add
) -> None:
    alice = add("alice", static_address=STATIC)
    old = begin(sessions, alice)
    relayed, own = promise(sessions, alice), promise(sessions, alice)
    assert old.address == relayed.address == own.address == STATIC
    assert ending(sessions, old, relayed, own) == {}
    assert sessions.bind(own.session, "sstp1") == ""
    assert ending(sessions, old, relayed, own) == {old.session: REPLACED}
    assert [seen.id for seen in list_sessions(store) if seen.address] == [own.session]


def test_an_address_that_is_promised_twice_is_nobody_elses(
    store: Store, sessions: Sessions, add: Add
) -> None:
    pool(store, 1)
    alice, bob = add("alice"), add("bob")
    old = begin(sessions, alice)
    again = promise(sessions, alice)
    sessions.close(old.session, "over", (0, 0))
    assert sessions.promise(bob, peer="", client="") is None
    assert sessions.bind(again.session, "sstp1") == ""


def test_a_static_address_that_another_has_meanwhile(
    store: Store, sessions: Sessions, add: Add
) -> None:
    pool(store, 1)
    alice, bob = add("alice"), add("bob")
    running = begin(sessions, alice)
    users.change(store, "bob", static_address=running.address)
    assert sessions.promise(bob, peer="", client="") is None
    sessions.close(running.session, "over", (0, 0))
    assert begin(sessions, bob).address == running.address


def test_what_was_promised_is_refused_to_a_user_who_was_put_out(
    store: Store, sessions: Sessions, add: Add
) -> None:
    lease = promise(sessions, add("alice"))
    users.set_enabled(store, ["alice"], False)
    assert sessions.bind(lease.session, "sstp1") == "the user was disabled"
    sessions.close(lease.session, "over", (0, 0))
    assert sessions.bind(lease.session, "sstp1") == "its lease was taken away"
    assert list_sessions(store) == []


def test_the_first_reason_stays(store: Store, sessions: Sessions, add: Add) -> None:
    alice = add("alice", static_address=STATIC)
    old = begin(sessions, alice)
    users.set_enabled(store, ["alice"], False)
    users.set_enabled(store, ["alice"], True)
    newer = begin(sessions, alice)
    assert ending(sessions, old, newer) == {old.session: "the user was disabled"}


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 30)), max_size=4), st.integers(0, 10**6)
)
def test_every_address_comes_up_once(sizes: list[tuple[int, int]], start: int) -> None:
    ranges = [
        range(i * 100 + first, i * 100 + first + size) for i, (first, size) in enumerate(sizes)
    ]
    everything = [number for numbers in ranges for number in numbers]
    cut = list(spans(ranges, start, size=7))
    assert all(1 <= len(span) <= 7 for span in cut)
    found = [number for span in cut for number in span]
    assert sorted(found) == everything
    if everything:
        assert found[0] == everything[start % len(everything)]
