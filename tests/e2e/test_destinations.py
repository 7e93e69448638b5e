"""Where the users of an access profile may go: ``profile set --allow``, on the real server."""

from ipaddress import IPv4Address

import pytest

from tests.e2e import test_ipv6
from tests.e2e.test_firewall import PORT, arrives, gets, rejected, send
from tests.support import packets
from tests.support.client import Client
from tests.support.netns import Network
from tests.support.server import LOCAL, Vpn
from tests.support.waiting import wait_for

pytestmark = pytest.mark.root

HOST, GATEWAY = Network.host, Network.gateway
OTHER_PORT = 4600


def reaches(vpn: Vpn, client: Client, port: int, *, expected: bool = True) -> bool:
    """Whether a datagram gets to that port of the host behind the server."""
    with vpn.network.lan.udp(HOST, port) as host:
        return gets(host, send(client, HOST, port), expected=expected)


def allow(vpn: Vpn, *destinations: str) -> None:
    options = [part for one in destinations for part in ("--allow", one)]
    vpn.home.run("profile", "set", "default", *options)


def test_only_what_is_on_the_list(fresh: Vpn) -> None:
    allow(fresh, f"{HOST}:{PORT}/udp", "10.0.0.0/8")
    with fresh.client("alice").login() as alice, fresh.client("bob").login() as bob:
        alice.ping(LOCAL)
        assert reaches(fresh, alice, PORT)
        assert not reaches(fresh, alice, OTHER_PORT, expected=False)
        assert rejected(alice)
        with fresh.network.lan.listen(HOST, PORT):
            alice.send_packet(packets.syn((alice.address, 5000), (HOST, PORT), 1360))
            assert rejected(alice)
        # 10.0.0.0/8 has the other clients in it: they stay closed, without --reach clients
        assert not arrives(bob, send(alice, bob.address), expected=False)
        # its DNS server is open, for names
        machine = fresh.network.lan
        machine.ip("addr", "add", "198.18.1.53/24", "dev", "lan")
        try:
            with machine.udp(IPv4Address("198.18.1.53"), 53) as resolver:
                assert gets(resolver, send(alice, IPv4Address("198.18.1.53"), 53))
        finally:
            machine.ip("addr", "del", "198.18.1.53/24", "dev", "lan")


def test_a_list_counts_for_sessions_that_are_there(fresh: Vpn) -> None:
    """And what was taken away counts no more."""
    with fresh.client().login() as alice:
        alice.ping(HOST)
        assert reaches(fresh, alice, PORT)
        with fresh.network.lan.udp(HOST, PORT) as host:
            send(alice, HOST)
            _, sender = host.recvfrom(100)
            allow(fresh, "10.0.0.0/8")
            wait_for(lambda: not reaches(fresh, alice, OTHER_PORT, expected=False), "the list")
            # what was begun before goes on
            host.sendto(b"answer", sender)
            assert arrives(alice, b"answer")
        allow(fresh, f"198.18.1.0/24:{OTHER_PORT - 10}-{OTHER_PORT}")
        wait_for(lambda: reaches(fresh, alice, OTHER_PORT, expected=False), "the other list")
        assert not reaches(fresh, alice, PORT + 1, expected=False)
        allow(fresh, "")
        wait_for(lambda: reaches(fresh, alice, PORT + 2, expected=False), "the end of the list")


def test_one_profile_and_not_another(fresh: Vpn) -> None:
    """A new profile with a list: nothing passes that it does not say, from the first packet on."""
    pool = ("--local", "10.98.0.1", "--pool", "10.98.0.10-10.98.0.99")
    fresh.home.run("profile", "add", "narrow", *pool, "--allow", f"{HOST}:{PORT}")
    fresh.home.run("user", "set", "bob", "--profile", "narrow")
    with fresh.client("bob").login() as bob, fresh.client("alice").login() as alice:
        assert not reaches(fresh, bob, OTHER_PORT, expected=False)
        assert reaches(fresh, alice, OTHER_PORT)
        wait_for(lambda: reaches(fresh, bob, PORT, expected=False), "the list")
        assert not reaches(fresh, bob, OTHER_PORT, expected=False)
        # who reaches clients reaches them beside the list
        fresh.home.run("profile", "set", "narrow", "--reach", "clients")
        with fresh.client("bob").login() as other:
            other.ping(LOCAL)
            content = send(other, alice.address)
            assert arrives(alice, content)
            assert not reaches(fresh, other, OTHER_PORT, expected=False)


def test_of_ipv6_as_well(fresh: Vpn) -> None:
    test_ipv6.give_ipv6(fresh.home, "--allow", f"[{test_ipv6.HOST}]:7/udp")
    with test_ipv6.lan(fresh.network), fresh.client().login() as alice:
        test_ipv6.forwarded(fresh)
        own = test_ipv6.address_of(alice)
        assert not test_ipv6.pings(alice, own, test_ipv6.HOST, patience=1.0)
        allow(fresh, f"{test_ipv6.LAN}")
        wait_for(lambda: test_ipv6.pings(alice, own, test_ipv6.HOST, patience=1.0), "a reply")


def test_a_login_changes_no_rule(fresh: Vpn) -> None:
    allow(fresh, f"{HOST}:{PORT}/udp")
    machine = fresh.network.server
    wait_for(lambda: "list_1" in machine.run("nft", "list", "ruleset"), "the list")
    before = machine.run("nft", "list", "ruleset")
    with fresh.client().login() as alice:
        alice.ping(LOCAL)
        assert machine.run("nft", "list", "ruleset") == before
