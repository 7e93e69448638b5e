"""Neighbor Discovery inside the tunnel: bytes in, bytes out, and when nobody asks."""

import itertools
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.contracts import Ipv6Lease, Lease
from sstpca.server.responders import dhcpv6, routers
from sstpca.server.responders.known import Known
from sstpca.server.responders.routers import (
    INITIAL_INTERVAL,
    LIFETIME,
    MAX_INTERVAL,
    MIN_INTERVAL,
    Advertiser,
)
from tests.support import ipv6
from tests.support.ipv6 import ALL_NODES, ANY, Dhcp, Packet, advertised, dhcp_answer, names

PREFIX = IPv6Network("2001:db8:98:7::/64")
DNS = (IPv6Address("2001:db8:1::53"), IPv6Address("2001:db8:2::53"))
EVERYWHERE = IPv6Network("::/0")
LEASE = Lease(
    7,
    IPv4Address("10.99.0.10"),
    IPv4Address("10.99.0.1"),
    dns_suffix="corp.example",
    ipv6=Ipv6Lease(PREFIX, IPv6Address("2001:db8:98::1"), DNS, (EVERYWHERE,)),
)
OURS, THEIRS = IPv6Address("fe80::1"), IPv6Address("fe80::0211:2233:4455:6677")
KNOWN = Known(LEASE, 1400, OURS.packed[8:])
OTHERS = IPv6Address("2001:db8:98:8::9")


def knowing(routes: tuple[IPv6Network, ...]) -> Known:
    assert LEASE.ipv6 is not None
    return replace(KNOWN, lease=replace(LEASE, ipv6=replace(LEASE.ipv6, routes=routes)))


def asked(packet: Packet, known: Known = KNOWN) -> list[Packet]:
    found = [*routers.respond(packet.encode(), known), *dhcpv6.respond(packet.encode(), known)]
    return [ipv6.parse(one) for one in found]


def test_what_is_advertised() -> None:
    (answer,) = asked(ipv6.solicitation(THEIRS))
    assert (answer.source, answer.destination, answer.hops) == (OURS, THEIRS, 255)
    told = advertised(answer)
    assert told is not None
    assert (told.hop_limit, told.managed, told.other) == (64, False, True)
    assert (told.lifetime, told.routes) == (LIFETIME, ())
    assert (told.prefix, told.flags, told.valid, told.preferred) == (PREFIX, 0xC0, 86400, 14400)
    assert (told.mtu, told.dns, told.suffixes) == (1400, DNS, ("corp.example",))


def test_a_split_tunnel_is_no_default_route() -> None:
    routes = tuple(
        map(IPv6Network, ("fd00::/8", "2001:db8:1::/48", "2001:db8:2::/64", f"{DNS[1]}"))
    )
    told = advertised(asked(ipv6.solicitation(THEIRS), knowing(routes))[0])
    assert told is not None
    assert (told.lifetime, told.routes) == (0, routes)


def test_the_longest_advertisement_fits_the_smallest_link() -> None:
    routes = tuple(IPv6Network(f"2001:db8::{number:x}/128") for number in range(32))
    lease = replace(knowing(routes).lease, dns_suffix=".".join(["a" * 62] * 4))
    (answer,) = routers.respond(
        ipv6.solicitation(THEIRS).encode(), Known(lease, 1280, KNOWN.identifier)
    )
    assert len(answer) <= 1280


def test_who_has_no_address_yet_is_answered_among_all() -> None:
    (answer,) = asked(ipv6.solicitation(ANY))
    assert answer.destination == ALL_NODES


@pytest.mark.parametrize(
    "packet",
    [
        ipv6.solicitation(THEIRS, hops=254),
        ipv6.solicitation(OTHERS),
        ipv6.icmp(THEIRS, ipv6.ALL_ROUTERS, ipv6.SOLICITATION, b"\0\0\0"),
        Packet(THEIRS, ipv6.ALL_ROUTERS, ipv6.ICMP, bytes((133, 0, 0, 0)) + bytes(4), 255),
        ipv6.icmp(THEIRS, ipv6.ALL_ROUTERS, ipv6.ECHO, bytes(4)),
        ipv6.neighbour_solicitation(THEIRS, OURS, OTHERS),
    ],
)
def test_what_is_not_answered(packet: Packet) -> None:
    assert asked(packet) == []


def test_nobody_is_answered_while_there_is_no_ipv6() -> None:
    for known in (replace(KNOWN, identifier=b""), replace(KNOWN, lease=replace(LEASE, ipv6=None))):
        request = ipv6.dhcp(ipv6.INFORMATION_REQUEST, THEIRS)
        assert dhcpv6.respond(request.encode(), known) == []
    assert routers.respond(ipv6.solicitation(THEIRS).encode(), replace(KNOWN, identifier=b"")) == []


def test_the_router_is_there() -> None:
    for to in (OURS, IPv6Address("ff02::1:ff00:1")):
        (answer,) = asked(ipv6.neighbour_solicitation(THEIRS, to, OURS))
        assert (answer.source, answer.destination) == (OURS, THEIRS)
        assert answer.payload[0] == ipv6.NEIGHBOUR
        assert answer.payload[4:] == bytes.fromhex("e0000000") + OURS.packed
    # RFC 4862 5.4.3: somebody would have our address
    (answer,) = asked(ipv6.neighbour_solicitation(ANY, IPv6Address("ff02::1:ff00:1"), OURS))
    assert (answer.destination, answer.payload[4]) == (ALL_NODES, 0xA0)


def test_the_first_advertisements_come_fast_and_then_now_and_then() -> None:
    advertiser = Advertiser(KNOWN, 100.0)
    assert advertiser.tick(99.0) == []
    times = []
    for _ in range(6):
        now = advertiser.deadline
        (packet,) = advertiser.tick(now)
        assert advertised(ipv6.parse(packet)) is not None
        assert ipv6.parse(packet).destination == ALL_NODES
        times.append(now)
    waits = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert waits[:2] == [INITIAL_INTERVAL] * 2
    assert all(MIN_INTERVAL <= wait <= MAX_INTERVAL for wait in waits[2:])


def test_dns_by_dhcp() -> None:
    (packet,) = asked(ipv6.dhcp(ipv6.INFORMATION_REQUEST, THEIRS))
    assert (packet.source, packet.destination) == (OURS, THEIRS)
    answer = dhcp_answer(packet)
    assert answer is not None
    assert (answer.kind, answer.transaction) == (7, ipv6.INFORMATION_REQUEST.transaction)
    assert answer.value(1) == ipv6.WINDOWS_DUID
    assert answer.value(23) == DNS[0].packed + DNS[1].packed
    assert names(answer.value(24) or b"") == ("corp.example",)
    assert answer.value(32) == (86400).to_bytes(4)
    # what is addressed to us alone, and to nobody else
    server = answer.value(2)
    assert server is not None
    again = replace(ipv6.INFORMATION_REQUEST, options=((2, server),))
    assert len(asked(ipv6.dhcp(again, THEIRS))) == 1
    assert len(asked(ipv6.dhcp(again, THEIRS, OURS))) == 1


@pytest.mark.parametrize(
    "message",
    [
        Dhcp(1, options=((3, bytes(12)),)),  # Solicit
        Dhcp(11, options=((3, bytes(12)),)),
        Dhcp(11, options=((25, bytes(12)),)),
        Dhcp(11, options=((2, b"somebody else"),)),
        Dhcp(12),  # Relay-forward
    ],
)
def test_what_dhcp_does_not_hear(message: Dhcp) -> None:
    assert asked(ipv6.dhcp(message, THEIRS)) == []


def test_dhcp_hears_nobody_else() -> None:
    assert asked(ipv6.dhcp(ipv6.INFORMATION_REQUEST, OTHERS)) == []
    assert asked(ipv6.dhcp(ipv6.INFORMATION_REQUEST, THEIRS, IPv6Address("ff05::1:3"))) == []
    cut = ipv6.udp((THEIRS, 546), (ipv6.ALL_DHCP, 547), bytes.fromhex("0b1234560001ffff00"))
    assert asked(cut) == []


@given(st.binary(max_size=120), st.sampled_from([58, 17]), st.integers(0, 255))
def test_nothing_upsets_it(content: bytes, protocol: int, hops: int) -> None:
    packet = Packet(THEIRS, ipv6.ALL_ROUTERS, protocol, content, hops).encode()
    for respond in (routers.respond, dhcpv6.respond):
        for whole in (packet, packet[:40], packet[:-1], content):
            respond(whole, KNOWN)


@given(st.binary(max_size=80), st.sampled_from([133, 135, 128]))
def test_nothing_well_formed_upsets_it(body: bytes, kind: int) -> None:
    for answer in asked(ipv6.icmp(THEIRS, OURS, kind, body)):
        assert answer.source == OURS


@given(st.binary(max_size=80))
def test_no_dhcp_upsets_it(content: bytes) -> None:
    for answer in asked(ipv6.udp((THEIRS, 546), (ipv6.ALL_DHCP, 547), b"\x0b" + content)):
        assert answer.source == OURS
