"""The IPv6 prefix that goes with an address: of the profile's prefix, or the user's own."""

import os
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest

from sstpca.access.ipv6 import Ipv6Settings
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.server.contracts import Account, Ipv6Lease, Lease, Sessions
from sstpca.serving.backend import StoreBackend
from sstpca.store import Store, profiles, users
from sstpca.store.sessions import REPLACED, list_sessions

PREFIX = IPv6Network("2001:db8:98::/56")
OWN = IPv6Network("2001:db8:98:77::/64")

Add = Callable[..., Account]


@pytest.fixture
def store(home: Home) -> Store:
    store = Store.open(home.database)
    profiles.change(store, "default", ipv6=Ipv6Settings(PREFIX))
    return store


@pytest.fixture
def sessions(home: Home, store: Store) -> Iterator[Sessions]:
    with StoreBackend(home).join(os.getpid()) as (_, sessions):
        yield sessions


@pytest.fixture
def add(home: Home, store: Store) -> Add:
    def add(name: str, static_prefix: IPv6Network | None = None) -> Account:
        sealer = Sealer.load(home)
        user = users.add(store, sealer, name, "correct horse", static_prefix=static_prefix)
        return Account(user.id, user.name, True)

    return add


def promise(sessions: Sessions, account: Account) -> Lease:
    lease = sessions.promise(account, peer="203.0.113.9:1", client="")
    assert lease is not None
    return lease


def begin(sessions: Sessions, account: Account) -> Lease:
    lease = promise(sessions, account)
    assert sessions.bind(lease.session, "sstp1") == ""
    return lease


def prefix_of(lease: Lease) -> IPv6Network:
    assert lease.ipv6 is not None
    return lease.ipv6.prefix


def test_what_goes_with_it(store: Store, sessions: Sessions, add: Add) -> None:
    dns, routes = (IPv6Address("2001:db8::53"),), (IPv6Network("2001:db8:1::/48"),)
    given = Ipv6Settings(PREFIX, dns, routes)
    profiles.change(store, "default", ipv6=given)
    lease = begin(sessions, add("alice"))
    assert lease.ipv6 == Ipv6Lease(prefix_of(lease), PREFIX[1], dns, (IPv6Network("::/0"),))
    assert dns[0] in lease.resolvers
    assert [row.prefix for row in list_sessions(store)] == [str(prefix_of(lease))]
    profiles.change(store, "default", full_tunnel=False)
    split = promise(sessions, add("bob")).ipv6
    # the DNS server is in none of the routes
    assert split is not None
    assert split.routes == (*routes, IPv6Network("2001:db8::53/128"))


def test_without_a_prefix_there_is_none(store: Store, sessions: Sessions, add: Add) -> None:
    profiles.change(store, "default", ipv6=Ipv6Settings())
    assert begin(sessions, add("alice", static_prefix=OWN)).ipv6 is None
    assert [row.prefix for row in list_sessions(store)] == [""]


def test_each_session_has_its_own_and_the_server_the_first(
    store: Store, sessions: Sessions, add: Add
) -> None:
    profiles.change(store, "default", ipv6=Ipv6Settings(IPv6Network("2001:db8:98::/60")))
    leases = [begin(sessions, add(f"user{number}")) for number in range(16)]
    found = {lease.ipv6.prefix for lease in leases if lease.ipv6 is not None}
    assert found == set(IPv6Network("2001:db8:98::/60").subnets(new_prefix=64)) - {
        IPv6Network("2001:db8:98::/64")
    }
    # who comes when all are taken gets an address all the same
    assert leases[-1].ipv6 is None
    sessions.close(leases[0].session, "over", (0, 0))
    assert prefix_of(begin(sessions, add("late"))) == prefix_of(leases[0])


def test_a_login_that_takes_over_the_address_takes_the_prefix(
    store: Store, sessions: Sessions, add: Add
) -> None:
    profiles.change(store, "default", sessions=1)
    alice = add("alice")
    first = begin(sessions, alice)
    waiting = promise(sessions, alice)
    assert (waiting.address, prefix_of(waiting)) == (first.address, prefix_of(first))
    assert prefix_of(begin(sessions, add("bob"))) != prefix_of(first)
    assert sessions.bind(waiting.session, "sstp2") == ""
    assert sessions.beat({first.session: (0, 0)}).ending == {first.session: REPLACED}


def test_the_same_user_tends_to_get_the_same(sessions: Sessions, add: Add) -> None:
    alice = add("alice")
    before = begin(sessions, alice)
    sessions.close(before.session, "over", (0, 0))
    assert prefix_of(begin(sessions, alice)) == prefix_of(before)


def test_a_static_prefix_belongs_to_the_newest_session(
    store: Store, sessions: Sessions, add: Add
) -> None:
    alice = add("alice", static_prefix=OWN)
    first = begin(sessions, alice)
    assert prefix_of(first) == OWN
    second = promise(sessions, alice)
    assert (second.address, prefix_of(second)) == (first.address, OWN)
    assert sessions.beat({first.session: (0, 0)}).ending == {}
    assert sessions.bind(second.session, "sstp2") == ""
    assert sessions.beat({first.session: (0, 0)}).ending == {first.session: REPLACED}


def test_a_session_from_before_the_address_was_static_gives_way(
    store: Store, sessions: Sessions, add: Add
) -> None:
    alice = add("alice", static_prefix=OWN)
    first = begin(sessions, alice)
    users.change(store, "alice", static_address=IPv4Address("10.99.0.200"))
    second = begin(sessions, alice)
    assert (second.address, prefix_of(second)) == (IPv4Address("10.99.0.200"), OWN)
    assert sessions.beat({first.session: (0, 0)}).ending == {first.session: REPLACED}


def test_nobody_gets_the_static_prefix_of_another(
    store: Store, sessions: Sessions, add: Add
) -> None:
    profiles.change(store, "default", ipv6=Ipv6Settings(IPv6Network("2001:db8:98::/62")))
    add("owner", static_prefix=IPv6Network("2001:db8:98:2::/64"))
    found = [begin(sessions, add(name)).ipv6 for name in ("alice", "bob", "carol")]
    assert {one.prefix for one in found if one} == {
        IPv6Network("2001:db8:98:1::/64"),
        IPv6Network("2001:db8:98:3::/64"),
    }


def test_a_prefix_that_became_anothers_is_not_kept(
    store: Store, sessions: Sessions, add: Add
) -> None:
    profiles.change(store, "default", sessions=1)
    alice, bob = add("alice"), add("bob")
    first = begin(sessions, alice)
    users.change(store, "bob", static_prefix=prefix_of(first))
    # it is in use, as a static address that is: bob has to wait for the end of that session
    assert sessions.promise(bob, peer="", client="") is None
    assert prefix_of(begin(sessions, alice)) != prefix_of(first)
    sessions.close(first.session, "over", (0, 0))
    assert prefix_of(begin(sessions, bob)) == prefix_of(first)


def test_a_session_keeps_nothing_of_a_prefix_that_the_profile_had(
    store: Store, sessions: Sessions, add: Add
) -> None:
    profiles.change(store, "default", sessions=1)
    alice = add("alice")
    first = begin(sessions, alice)
    profiles.change(store, "default", ipv6=Ipv6Settings(IPv6Network("fd00::/48")))
    second = promise(sessions, alice)
    assert second.address == first.address
    assert prefix_of(second).subnet_of(IPv6Network("fd00::/48"))
