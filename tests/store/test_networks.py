"""Whose the networks behind clients can be: nobody's who is a client, the server, or another user."""

from ipaddress import IPv4Address, IPv6Network, ip_network

import pytest

from sstpca.access.ipv6 import Ipv6Settings
from sstpca.errors import InvalidInput
from sstpca.secrets import Sealer
from sstpca.store import Store, profiles, sessions, users
from sstpca.store.promised import Promised
from sstpca.store.users import User

NETWORKS = (ip_network("192.168.50.0/24"), ip_network("2001:db8:50::/48"))


@pytest.fixture
def alice(store: Store, sealer: Sealer) -> User:
    profiles.change(store, "default", ipv6=Ipv6Settings(IPv6Network("2001:db8:98::/48")))
    users.add(store, sealer, "bob", "Bau-Meister 7")
    return users.add(store, sealer, "alice", "Wonderland-1865")


def test_they_are_kept_and_taken_away(store: Store, alice: User) -> None:
    assert alice.networks == ()
    assert users.change(store, "alice", networks=reversed(NETWORKS)).networks == NETWORKS
    assert users.change(store, "alice", profile="default").networks == NETWORKS
    assert users.get(store, "alice").networks == NETWORKS
    assert users.get(store, "bob").networks == ()
    assert users.change(store, "alice", networks=NETWORKS).networks == NETWORKS
    assert users.change(store, "alice", networks=()).networks == ()


@pytest.mark.parametrize(
    ("network", "what"),
    [
        ("10.99.0.0/16", "10.99.0.1, the server's address in the access profile 'default'"),
        ("10.99.0.128/25", "10.99.0.10-10.99.0.250, a pool of the access profile 'default'"),
        ("2001:db8:98:ff::/64", "2001:db8:98::/48, the IPv6 prefix of the access profile"),
        ("2001:db8::/32", "2001:db8:98::/48, the IPv6 prefix of the access profile"),
        ("10.7.0.0/16", "10.7.0.7, the static address of user 'bob'"),
        ("fd12:0:0:7::/64", "fd12:0:0:7::/64, the static prefix of user 'bob'"),
        ("192.168.50.128/25", "192.168.50.0/24, a network of user 'bob'"),
        ("192.168.0.0/16", "192.168.50.0/24, a network of user 'bob'"),
    ],
)
def test_what_others_have_is_refused(store: Store, alice: User, network: str, what: str) -> None:
    users.change(
        store,
        "bob",
        static_address=IPv4Address("10.7.0.7"),
        static_prefix=IPv6Network("fd12:0:0:7::/64"),
        networks=[NETWORKS[0]],
    )
    with pytest.raises(InvalidInput, match="overlaps with") as raised:
        users.change(store, alice.name, networks=[ip_network(network)])
    assert what in str(raised.value)
    assert users.get(store, "alice").networks == ()


def test_nobody_is_given_what_is_behind_a_client(store: Store, alice: User) -> None:
    users.change(store, alice.name, networks=NETWORKS)
    said = "192.168.50.0/24, a network of user 'alice'"
    first = IPv4Address("192.168.50.1")
    with pytest.raises(InvalidInput, match=said):
        users.change(store, "bob", static_address=first)
    with pytest.raises(InvalidInput, match="a network of user 'alice'"):
        users.change(store, "bob", static_prefix=IPv6Network("2001:db8:50:1::/64"))
    with pytest.raises(InvalidInput, match=said):
        profiles.change(store, "default", local_address=first)
    with pytest.raises(InvalidInput, match=said):
        profiles.change(store, "default", pools=((first, first + 9),))
    with pytest.raises(InvalidInput, match="a network of user 'alice'"):
        profiles.change(store, "default", ipv6=Ipv6Settings(IPv6Network("2001:db8:40::/42")))


def test_a_login_is_told_them(store: Store, alice: User) -> None:
    """Those of IPv6 where it gets IPv6."""
    users.change(store, alice.name, networks=NETWORKS)
    worker = sessions.add_worker(store, "here", 1)

    def promised() -> Promised:
        found = sessions.promise(store, worker, alice.id, peer="203.0.113.9:1", client="")
        assert found is not None
        return found

    one = promised()
    assert one.networks == NETWORKS
    assert one.list == 0
    sessions.bind(store, one.session, "sstp1")
    profiles.change(store, "default", ipv6=Ipv6Settings())
    assert promised().networks == NETWORKS[:1]
    # what a session has, it keeps
    users.change(store, alice.name, networks=())
    assert promised().networks == ()
    [session] = sessions.list_sessions(store)
    assert session.networks == ("192.168.50.0/24", "2001:db8:50::/48")
