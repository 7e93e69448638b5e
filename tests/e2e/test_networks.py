"""Networks behind a client: routed to its session, reached from behind the server, not masqueraded."""

import contextlib
import itertools
import json
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Network
from pathlib import Path

import pytest

from tests.e2e import test_connect, test_ipv6
from tests.e2e.test_firewall import PORT, arrives, gets, outside, routers
from tests.support import ipv6
from tests.support.client import Client
from tests.support.netns import Namespace, Network, connect
from tests.support.packets import Packet, udp
from tests.support.requirements import require
from tests.support.server import Failed, Vpn
from tests.support.waiting import how_long, wait_for

pytestmark = pytest.mark.root

HOST, GATEWAY = Network.host, Network.gateway
NETWORK = "192.168.50.0/24"
#: A host in it, behind the client.
BEHIND = IPv4Address("192.168.50.7")
ROUTER = "192.168.50.1"

_numbers = itertools.count()


@contextlib.contextmanager
def way_back(network: Network) -> Iterator[None]:
    """Have the host behind the server know the way to the network behind the client."""
    with network.lan.route(NETWORK, GATEWAY):
        yield


def routes(vpn: Vpn) -> list[str]:
    """The devices of the routes to the network, the best first."""
    listed = json.loads(vpn.network.server.ip("-j", "route", "show", NETWORK) or "[]")
    return [one["dev"] for one in sorted(listed, key=lambda one: one.get("metric", 0))]


def from_behind(client: Client, content: bytes, source: IPv4Address = BEHIND) -> None:
    client.send_packet(udp((source, PORT), (HOST, PORT), content))


def sender_of(
    vpn: Vpn,
    client: Client,
    content: bytes,
    source: IPv4Address = BEHIND,
    *,
    expected: bool = True,
) -> str:
    """From which address the host behind the server gets a datagram; empty if it does not."""
    with vpn.network.lan.udp(HOST, PORT) as host:
        host.settimeout(how_long(expected))
        from_behind(client, content, source)
        try:
            while True:
                found, sender = host.recvfrom(2000)
                if found == content:
                    return str(sender[0])
        except TimeoutError:
            return ""


def test_both_sides_speak_under_their_own_addresses(fresh: Vpn) -> None:
    fresh.home.run("user", "set", "alice", "--network", NETWORK)
    with fresh.client().login() as alice, way_back(fresh.network):
        alice.ping(HOST)
        assert sender_of(fresh, alice, b"from behind") == str(BEHIND)
        # the client itself is masqueraded as ever, and what is nobody's does not pass
        assert sender_of(fresh, alice, b"itself", alice.address) == str(GATEWAY)
        assert sender_of(fresh, alice, b"stray", IPv4Address("192.168.51.7"), expected=False) == ""
        # the host asks first: without --inbound, the network is reached and the client is not
        assert arrives(alice, outside(fresh.network.lan, BEHIND, PORT))
        assert arrives(alice, outside(fresh.network.server, BEHIND, PORT))
        with fresh.network.lan.route("10.99.0.0/24", GATEWAY):
            assert not arrives(
                alice, outside(fresh.network.lan, alice.address, PORT), expected=False
            )
        [session] = fresh.home.sessions()
        assert session.networks == [NETWORK]
        assert routes(fresh) == [session.interface]
        assert "NETWORKS" in fresh.home.run("session", "list")
    wait_for(lambda: routes(fresh) == [], "the end of the route")
    assert elements(fresh) == 0


def elements(vpn: Vpn) -> int:
    tables = [one for one in vpn.network.server.tables() if "forwarding" not in one]
    return sum(vpn.network.server.run("nft", f"list {one}").count(NETWORK) for one in tables)


def test_without_networks_nothing_of_them_passes(fresh: Vpn) -> None:
    with fresh.client().login() as alice, way_back(fresh.network):
        alice.ping(HOST)
        assert sender_of(fresh, alice, b"from behind", expected=False) == ""
        assert routes(fresh) == []


def test_the_rules_find_them_again_after_a_flush(fresh: Vpn) -> None:
    fresh.home.run("user", "set", "alice", "--network", NETWORK)
    with fresh.client().login() as alice, way_back(fresh.network):
        alice.ping(HOST)
        fresh.network.server.run("nft", "flush", "ruleset")
        wait_for(lambda: fresh.server.said("in place again") > 0, "the log's line")
        wait_for(lambda: elements(fresh) == 1, "the network in the rules")
        assert arrives(alice, outside(fresh.network.lan, BEHIND, PORT))
        assert sender_of(fresh, alice, b"from behind") == str(BEHIND)


def test_of_several_sessions_the_newest_has_it_and_then_the_one_before(fresh: Vpn) -> None:
    fresh.home.run("user", "set", "alice", "--network", NETWORK)
    with way_back(fresh.network), fresh.client().login() as old:
        old.ping(HOST)
        with fresh.client().login() as new:
            new.ping(HOST)
            assert len(routes(fresh)) == 2
            assert arrives(new, outside(fresh.network.lan, BEHIND, PORT))
            assert not arrives(old, outside(fresh.network.lan, BEHIND, PORT), expected=False)
        wait_for(lambda: len(routes(fresh)) == 1, "the end of the newer one")
        assert arrives(old, outside(fresh.network.lan, BEHIND, PORT))
        assert sender_of(fresh, old, b"again") == str(BEHIND)


def test_other_clients_reach_it_if_they_reach_clients(fresh: Vpn) -> None:
    fresh.home.run("user", "set", "alice", "--network", NETWORK)
    content = b"from bob, to behind alice"
    for reach in ("", "clients"):
        fresh.home.run("profile", "set", "default", "--reach", reach)
        with fresh.client("alice").login() as alice, fresh.client("bob").login() as bob:
            alice.ping(HOST)
            bob.ping(HOST)
            bob.send_packet(udp((bob.address, PORT), (BEHIND, PORT), content))

            def wanted(packet: Packet) -> bool:
                return packet.destination == BEHIND and packet.payload[8:] == content

            if reach:
                assert alice.receive_packet(wanted).source == bob.address
            else:
                assert not arrives(alice, content, expected=False)


def test_nobody_else_sends_under_its_addresses(fresh: Vpn) -> None:
    fresh.home.run("user", "set", "alice", "--network", NETWORK)
    with fresh.client("alice").login() as alice, fresh.client("bob").login() as bob:
        alice.ping(HOST)
        bob.ping(HOST)
        with way_back(fresh.network):
            assert sender_of(fresh, bob, b"forged", expected=False) == ""
        packet = udp((BEHIND, PORT), (GATEWAY, PORT), b"forged outside").encode()
        with fresh.network.server.udp(GATEWAY, PORT) as service:
            fresh.network.lan.send_raw(packet)
            assert not gets(service, b"forged outside", expected=False)


def test_the_network_of_the_machine_itself_stays_where_it_is(fresh: Vpn) -> None:
    fresh.home.run("user", "set", "alice", "--network", "198.18.1.0/24")
    with fresh.client().login() as alice, routers(fresh.network):
        alice.ping(HOST)
        with fresh.network.lan.udp(HOST, PORT) as host:
            assert gets(host, outside(fresh.network.server, HOST, PORT))


def test_ipv6_as_well(fresh: Vpn) -> None:
    """Not masqueraded either, where the server masquerades IPv6."""
    behind = IPv6Network("2001:db8:50::/48")
    settings = fresh.home.path / "settings.toml"
    settings.write_text(settings.read_text().replace("nat66 = false", "nat66 = true"))
    test_ipv6.give_ipv6(fresh.home)
    fresh.home.run("user", "set", "alice", "--network", NETWORK, "--network", str(behind))
    assert fresh.server.stop() == 0
    fresh.server.start()
    with test_ipv6.lan(fresh.network), fresh.client().login() as alice:
        fresh.network.lan.ip("route", "add", str(behind), "via", str(test_ipv6.GATEWAY))
        try:
            test_ipv6.forwarded(fresh)
            test_ipv6.address_of(alice)
            with fresh.network.lan.sniffer("lan", ipv6=True) as sniffer:
                assert test_ipv6.pings(alice, behind[7], test_ipv6.HOST)
                pinged = [ipv6.parse(one) for one in sniffer.packets()]
            echos = [one for one in pinged if one.payload[0] == ipv6.ECHO]
            assert {one.source for one in echos} == {behind[7]}
            # the host asks first
            test_ipv6.send(fresh.network.lan, behind[7], b"from the host")
            assert test_ipv6.hears(alice, b"from the host")
            assert not test_ipv6.pings(alice, behind[-1] + 1, test_ipv6.HOST, patience=1.0)
        finally:
            fresh.network.lan.ip("route", "del", str(behind), "via", str(test_ipv6.GATEWAY))
    wait_for(lambda: fresh.home.sessions() == [], "the end of the session")


def test_a_network_that_overlaps_is_refused(fresh: Vpn) -> None:
    fresh.home.run("user", "set", "alice", "--network", NETWORK)
    for network in (NETWORK, "192.168.0.0/16", "10.99.0.0/24", "10.99.0.1/32", "0.0.0.0/0"):
        with pytest.raises(Failed) as failed:
            fresh.home.run("user", "set", "bob", "--network", network)
        assert network.split("/")[0] in failed.value.stderr
    fresh.home.run("user", "set", "alice", "--no-networks")
    fresh.home.run("user", "set", "bob", "--network", NETWORK)


def test_two_hosts_speak_through_a_router_that_is_the_client(fresh: Vpn, tmp_path: Path) -> None:
    """A branch office: a machine behind the client and one behind the server, with real TCP.

    As docs/site-to-site.md has it; either end is started again.
    """
    require("iperf3")
    network = fresh.network
    fresh.home.run("user", "set", "alice", "--network", NETWORK)
    with Namespace("office") as office, way_back(network):
        inner, outer = (
            (office, "lan", (f"{BEHIND}/24",)),
            (network.client, "office", (f"{ROUTER}/24",)),
        )
        connect(outer, inner)
        office.ip("route", "add", "default", "via", ROUTER)
        network.client.set_switch("ip_forward", 1)
        try:
            with (
                test_connect.connected(fresh, tmp_path, "--route", "198.18.1.0/24") as router,
                network.lan.sniffer("lan") as sniffer,
            ):
                transfer(office, network.lan, HOST, tmp_path)
                transfer(network.lan, office, BEHIND, tmp_path)
                assert {one[12:16] for one in sniffer.packets()} == {BEHIND.packed}
                assert fresh.server.stop() == 0
                fresh.server.start()
                router.wait("connected as", 2)
                transfer(network.lan, office, BEHIND, tmp_path)
                router.kill()
            with test_connect.connected(fresh, tmp_path, "--route", "198.18.1.0/24"):
                transfer(office, network.lan, HOST, tmp_path)
                transfer(network.lan, office, BEHIND, tmp_path)
        finally:
            network.client.set_switch("ip_forward", 0)
            network.client.ip("link", "del", "office")


def transfer(sender: Namespace, receiver: Namespace, to: IPv4Address, folder: Path) -> None:
    """Send two megabytes by TCP, from one to the other."""
    log = folder / f"iperf-{next(_numbers)}"
    serving = receiver.start("iperf3", "--server", "--one-off", "--forceflush", log=log)
    wait_for(lambda: "listening" in serving.output, "iperf3")
    sender.run("iperf3", "--client", str(to), "--bytes", "2M")
    serving.wait()
