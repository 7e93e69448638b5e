"""IPv6 in the tunnel of a real server: told, forwarded, kept apart; off where the profile has no prefix."""

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path

import pytest

from tests.bench import iperf
from tests.bench.tunnel import Kind, user
from tests.support import ipv6, ppp
from tests.support.client import Client
from tests.support.faults import TimedOut
from tests.support.ipv6 import Packet, advertised, dhcp_answer
from tests.support.manner import WINDOWS
from tests.support.netns import Namespace, Network
from tests.support.requirements import require
from tests.support.server import Home, Vpn
from tests.support.waiting import PATIENCE, how_long, wait_for

pytestmark = pytest.mark.root

PREFIX = IPv6Network("2001:db8:98::/48")
LOCAL = PREFIX[1]
LAN = IPv6Network("2001:db8:1::/64")
HOST, GATEWAY = LAN[2], LAN[1]
DNS = IPv6Address("2001:db8:1::53")
ELSEWHERE = IPv6Address("2001:db8:ffff::1")
SWITCHES = ("forwarding", "accept_ra", "force_forwarding")


def give_ipv6(home: Home, *more: str) -> None:
    home.run("profile", "set", "default", "--ipv6", str(PREFIX), *more)


@contextlib.contextmanager
def lan(network: Network, *, route: bool = True) -> Iterator[None]:
    """Have IPv6 behind the server, where the host knows the way back to clients unless told not to."""
    network.server.ip("addr", "add", f"{GATEWAY}/64", "dev", "lan", "nodad")
    network.lan.ip("addr", "add", f"{HOST}/64", "dev", "lan", "nodad")
    if route:
        network.lan.ip("route", "add", str(PREFIX), "via", str(GATEWAY))
    try:
        yield
    finally:
        network.lan.ip("addr", "flush", "dev", "lan", "to", str(LAN))
        network.server.ip("addr", "flush", "dev", "lan", "to", str(LAN))
        if route:
            network.lan.ip("-6", "route", "flush", str(PREFIX))


def forwarded(vpn: Vpn) -> None:
    """Wait until the server forwards IPv6: it looks for profiles with a prefix now and then."""
    wait_for(lambda: "forwarding_ipv6" in "".join(vpn.network.server.tables()), "forwarding")


def address_of(client: Client) -> IPv6Address:
    """Return the address that a client makes of what it hears (RFC 4862 5.5.3)."""
    prefix = client.ask_ipv6(ipv6.solicitation(client.link_local), advertised).prefix
    assert prefix is not None
    return IPv6Address(prefix.network_address.packed[:8] + client.link_local.packed[8:])


def pings(
    client: Client, source: IPv6Address, to: IPv6Address, *, patience: float = PATIENCE
) -> bool:
    number = int.from_bytes(os.urandom(2))

    def read(packet: Packet) -> bool | None:
        reply = packet.protocol == ipv6.ICMP and packet.payload[0] == ipv6.ECHO_REPLY
        return True if reply and packet.payload[6:8] == number.to_bytes(2) else None

    before, client.patience = client.patience, patience
    try:
        return client.ask_ipv6(ipv6.echo(source, to, number, b"sstpca"), read)
    except TimedOut:
        return False
    finally:
        client.patience = before


def test_a_client_is_told_what_it_has_and_reaches_what_is_behind_the_server(fresh: Vpn) -> None:
    give_ipv6(fresh.home, "--dns", "10.9.0.53", "--dns", str(DNS), "--dns-suffix", "corp.test")
    with lan(fresh.network), fresh.client().login() as alice:
        forwarded(fresh)
        # without being asked, at once
        told = alice.receive_ipv6(advertised)
        assert (told.source, told.managed, told.other) == (alice.router, False, True)
        assert told.prefix is not None
        assert told.prefix.prefixlen == 64
        assert told.prefix.subnet_of(PREFIX)
        assert LOCAL not in told.prefix
        assert (told.flags, told.mtu, told.dns) == (0xC0, 1400, (DNS,))
        assert told.suffixes == ("corp.test",)
        # a full tunnel: the server is the router for everything
        assert (told.lifetime, told.routes) == (1800, ())
        assert alice.ask_ipv6(ipv6.solicitation(alice.link_local), advertised) == told
        assert alice.ask_ipv6(ipv6.solicitation(ipv6.ANY), advertised) == told

        answer = alice.ask_ipv6(ipv6.dhcp(ipv6.INFORMATION_REQUEST, alice.link_local), dhcp_answer)
        assert (answer.kind, answer.transaction) == (7, ipv6.INFORMATION_REQUEST.transaction)
        assert answer.value(1) == ipv6.WINDOWS_DUID
        assert answer.value(23) == DNS.packed
        assert ipv6.names(answer.value(24) or b"") == ("corp.test",)

        address = address_of(alice)
        assert pings(alice, address, HOST)
        assert pings(alice, address, LOCAL)
        # temporary addresses (RFC 8981) are as good
        assert pings(alice, told.prefix[0xABCDEF], HOST)
        (row,) = fresh.home.sessions()
        assert (row.address, row.prefix) == (str(alice.address), str(told.prefix))
        assert f"{alice.address}  {told.prefix}  " in fresh.home.run("session", "list")
        fresh.server.says(f"address {alice.address}")
        fresh.server.says(f"prefix {told.prefix}")


def test_no_source_but_its_own(fresh: Vpn) -> None:
    give_ipv6(fresh.home)
    with (
        lan(fresh.network),
        fresh.client().login() as alice,
        fresh.client("bob").login() as bob,
        fresh.network.lan.sniffer("lan", ipv6=True) as sniffer,
    ):
        forwarded(fresh)
        own, others = address_of(alice), address_of(bob)
        for source in (others, LOCAL, HOST, ELSEWHERE, alice.link_local, ipv6.ANY):
            alice.send_ipv6(ipv6.udp((source, 7), (HOST, 7), b"forged"))
        alice.send_ipv6(ipv6.udp((own, 7), (HOST, 7), b"true"))
        wait_for(lambda: any(b"true" in one for one in sniffer.packets()), "the true one")
        # what came before it counts as well
        assert not any(b"forged" in one for one in sniffer.packets())


def test_clients_do_not_reach_each_other_nor_anybody_them(fresh: Vpn) -> None:
    give_ipv6(fresh.home)
    with lan(fresh.network), fresh.client().login() as alice, fresh.client("bob").login() as bob:
        forwarded(fresh)
        own, others = address_of(alice), address_of(bob)
        alice.send_ipv6(ipv6.udp((own, 7), (others, 7), b"from alice"))
        send(fresh.network.lan, own, b"from outside")
        assert not hears(bob, b"from alice", expected=False)
        assert not hears(alice, b"from outside", expected=False)
        fresh.home.run("profile", "set", "default", "--inbound", "--reach", "clients")
        with fresh.client().login() as open_one:
            address = address_of(open_one)

            def heard() -> bool:
                send(fresh.network.lan, address, b"from outside")
                return hears(open_one, b"from outside", expected=False)

            # the client is told of its prefix while the kernel is told of the route to it
            wait_for(heard, "what comes from outside")


def test_segments_fit_the_tunnel(fresh: Vpn) -> None:
    give_ipv6(fresh.home)
    with (
        lan(fresh.network),
        fresh.client().login() as alice,
        fresh.network.lan.sniffer("lan", ipv6=True) as sniffer,
    ):
        forwarded(fresh)
        own = address_of(alice)
        alice.send_ipv6(ipv6.syn((own, 5000), (HOST, 80), 1440))

        def offered() -> list[int]:
            found = (ipv6.mss_of(ipv6.parse(one)) for one in sniffer.packets())
            return [mss for mss in found if mss is not None]

        wait_for(offered, "the segment")
        # an IPv6 and a TCP header less than the MTU of the tunnel
        assert offered() == [1340]


def test_a_split_tunnel_tells_its_routes(fresh: Vpn) -> None:
    give_ipv6(fresh.home, "--split-tunnel", "--route", "10.1.0.0/16", "--route", str(LAN))
    with fresh.client().login() as alice:
        told = alice.receive_ipv6(advertised)
        assert (told.lifetime, told.routes) == (0, (LAN,))


def test_a_static_prefix_follows_its_user(fresh: Vpn) -> None:
    give_ipv6(fresh.home)
    own = IPv6Network("2001:db8:98:a11c::/64")
    fresh.home.run("user", "set", "alice", "--prefix", str(own))
    with lan(fresh.network), fresh.client().login() as first:
        forwarded(fresh)
        assert first.receive_ipv6(advertised).prefix == own
        with fresh.client().login() as second:
            assert second.receive_ipv6(advertised).prefix == own
            assert pings(second, address_of(second), HOST)


def test_open_sstp_client_asks_for_any_identifier(fresh: Vpn) -> None:
    """It has none of its own, and ends the connection if IPV6CP is refused."""
    give_ipv6(fresh.home)
    manner = replace(WINDOWS, others={ppp.IPV6CP: {1: bytes(8)}})
    with fresh.client(manner=manner).login() as alice:
        assert alice.link_local == IPv6Address("fe80::2")
        assert alice.receive_ipv6(advertised).prefix is not None


def test_without_a_prefix_it_is_refused_and_nothing_is_changed(fresh: Vpn) -> None:
    server = fresh.network.server
    before = {name: switch(fresh, f"all/{name}") for name in SWITCHES}
    with fresh.client().login() as alice:
        assert alice.others[ppp.IPV6CP].refused
        (interface,) = fresh.interfaces()
        assert switch(fresh, f"{interface}/disable_ipv6") == "1"
        assert "forwarding_ipv6" not in "".join(server.tables())
        assert {name: switch(fresh, f"all/{name}") for name in SWITCHES} == before


def test_nat66(fresh: Vpn) -> None:
    """The host behind knows no way to the prefix: it sees the server's own address."""
    settings = fresh.home.path / "settings.toml"
    settings.write_text(settings.read_text().replace("nat66 = false", "nat66 = true"))
    give_ipv6(fresh.home)
    assert fresh.server.stop() == 0
    fresh.server.start()
    with (
        lan(fresh.network, route=False),
        fresh.client().login() as alice,
        fresh.network.lan.sniffer("lan", ipv6=True) as sniffer,
    ):
        forwarded(fresh)
        assert pings(alice, address_of(alice), HOST)
        pinged = (ipv6.parse(one) for one in sniffer.packets())
        sources = {one.source for one in pinged if one.payload[0] == ipv6.ECHO}
        assert sources == {GATEWAY}


def test_the_server_stays_no_router_for_others(fresh: Vpn) -> None:
    """And at the end, all is as it was."""
    network = fresh.network
    before = {name: switch(fresh, f"lan/{name}") for name in SWITCHES}
    give_ipv6(fresh.home)
    with (
        lan(network),
        fresh.client().login() as alice,
        network.lan.sniffer("lan", ipv6=True) as sniffer,
    ):
        forwarded(fresh)
        network.client.ip("-6", "route", "add", str(LAN), "via", Network.server_address_v6)
        try:
            send(network.client, HOST, b"from others")
        finally:
            network.client.ip("-6", "route", "del", str(LAN), "via", Network.server_address_v6)
        alice.send_ipv6(ipv6.udp((address_of(alice), 7), (HOST, 7), b"from alice"))
        wait_for(lambda: any(b"from alice" in one for one in sniffer.packets()), "hers")
        assert not any(b"from others" in one for one in sniffer.packets())
    assert fresh.server.stop() == 0
    assert {name: switch(fresh, f"lan/{name}") for name in SWITCHES} == before
    assert network.server.tables() == []


def send(namespace: Namespace, to: IPv6Address, content: bytes) -> None:
    """Send a datagram from a namespace."""
    with namespace.entered(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        sender.sendto(content, (str(to), 7))


def hears(client: Client, content: bytes, *, expected: bool = True) -> bool:
    def read(packet: Packet) -> bool | None:
        return True if packet.payload.endswith(content) else None

    try:
        return client.receive_ipv6(read, patience=how_long(expected))
    except TimedOut:
        return False


def switch(vpn: Vpn, name: str) -> str:
    return vpn.network.server.run("cat", f"/proc/sys/net/ipv6/conf/{name}").strip()


def test_its_rates_are_those_of_ipv4(fresh: Vpn, tmp_path: Path) -> None:
    require("iperf3")
    give_ipv6(fresh.home, "--rate-down", "20M", "--rate-up", "6M")
    with (
        iperf.servers(fresh.network.lan, tmp_path),
        lan(fresh.network),
        user(fresh, Kind.EACH, with_ipv6=True) as alice,
    ):
        forwarded(fresh)
        for direction, rate in ((iperf.DOWN, 20e6), (iperf.UP, 6e6)):
            iperf.carries(alice.namespace, direction, rate, host=str(HOST))
