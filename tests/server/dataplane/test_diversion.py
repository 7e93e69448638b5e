"""What goes another way than to the TUN: what asks the server itself, and what is for everybody.

For Python's data plane and the compiled one, and for both the same.
"""

from ipaddress import ip_address
from typing import Any

import pytest

from sstpca.server.dataplane.diversion import MOST
from tests.support.engines import BOTH, Engine
from tests.support.flows import OURS, OURS_V6, SERVER, SOURCE
from tests.support.packets import ICMP
from tests.support.segmentation import MORE, Ip, Tcp, Udp
from tests.support.transparency import (
    OPEN,
    VNET,
    Door,
    Written,
    assert_transparent,
    forward,
    framed,
    tunnel,
)

ICMPV6 = 58
DHCP, DHCPV6 = (68, 67), (546, 547)
LINK = ip_address("fe80::10").packed
CLOSED = Door(SERVER)


def ip(target: str, source: bytes = b"", **fields: Any) -> Ip:
    packed = ip_address(target).packed
    return Ip(source or (OURS if len(packed) == 4 else OURS_V6), packed, **fields)


def udp(target: str, ports: tuple[int, int], source: bytes = b"", **fields: Any) -> bytes:
    return Udp(ip(target, source, **fields), ports, b"content").encode()


def icmpv6(target: str, kind: int, source: bytes = OURS_V6) -> bytes:
    return ip(target, source).encode(ICMPV6, bytes((kind,)) + bytes(7))


ASKED = {
    "DHCP to everybody": udp("255.255.255.255", DHCP),
    "DHCP to us": udp("10.99.0.1", DHCP),
    "DHCP behind options": udp("255.255.255.255", DHCP, extra=bytes.fromhex("94040000")),
    "DHCP from another port": udp("255.255.255.255", (1068, 67)),
    "a Router Solicitation": icmpv6("ff02::2", 133, LINK),
    "a Router Solicitation from nowhere": icmpv6("ff02::2", 133, bytes(16)),
    "a Router Solicitation from its prefix": icmpv6("ff02::2", 133),
    "a Neighbor Solicitation": icmpv6("ff02::1:ff00:1", 135, LINK),
    "a Neighbor Solicitation to us": icmpv6("fe80::1", 135, LINK),
    "DHCPv6": udp("ff02::1:2", DHCPV6, LINK),
    "DHCPv6 from its prefix": udp("ff02::1:2", DHCPV6),
}
FOR_ALL = {
    "mDNS": udp("224.0.0.251", (5353, 5353)),
    "SSDP": udp("239.255.255.250", (1900, 1900)),
    "the last group": udp("239.255.255.255", (1900, 1900)),
    "IGMP": ip("224.0.0.22").encode(2, bytes(8)),
    "NetBIOS to everybody": udp("255.255.255.255", (137, 137)),
    "DHCP to a group": udp("224.0.0.1", DHCP),
    "a fragment of DHCP": udp("255.255.255.255", DHCP, fragment=MORE),
    "a later fragment of it": udp("255.255.255.255", DHCP, fragment=5),
    "TCP to everybody": Tcp(ip("255.255.255.255"), DHCP).encode(),
    "half of UDP": ip("255.255.255.255").encode(17, b"\0\x44\0\x43\0\x08\0"),
    "mDNS in IPv6": udp("ff02::fb", (5353, 5353)),
    "a wide group": udp("ff05::2", DHCPV6),
    "a Router Solicitation to a wide group": icmpv6("ff05::2", 133),
    "a Router Advertisement": icmpv6("ff02::1", 134),
    "a listener report": icmpv6("ff02::16", 143),
    "half of ICMPv6": ip("ff02::2").encode(ICMPV6, bytes((133, *bytes(6)))),
    "DHCPv6 behind an extension": udp("ff02::1:2", DHCPV6, extra=bytes(8)),
}
OTHERS = {
    "a ping to us": ip("10.99.0.1").encode(ICMP, bytes(8)),
    "DNS to us": udp("10.99.0.1", (40000, 53)),
    "TCP to us": Tcp(ip("10.99.0.1"), (40000, 67)).encode(),
    "a fragment to us": udp("10.99.0.1", DHCP, fragment=MORE),
    "DHCP to another": udp("10.99.0.2", DHCP),
    "the last before multicast": udp("223.255.255.255", DHCP),
    "the first behind it": udp("240.0.0.0", DHCP),
    "one before everybody": udp("255.255.255.254", DHCP),
    "a broadcast of some network": udp("10.99.0.255", DHCP),
    "DHCPv6 elsewhere": udp("2001:db8::1", DHCPV6),
    "a unique local address": udp("fdff::1", DHCPV6),
    "TCP to our link-local address": Tcp(ip("fe80::1"), DHCPV6).encode(),
    "a site-local address": udp("fec0::1", DHCPV6),
}


def sent(
    engine: Engine, *packets: bytes, door: Door = CLOSED, source: bytes | None = SOURCE
) -> Written:
    stream = b"".join(map(framed, packets))
    assert_transparent(engine, stream, source, door=door)
    return forward(engine, stream, source, door=door)


def passed(written: Written) -> list[bytes]:
    return [message[VNET:] for message in written.messages]


@pytest.mark.parametrize("what", ASKED)
def test_what_asks_us_is_diverted(engine: Engine, what: str) -> None:
    packet = ASKED[what]
    for multicast in (False, True):
        written = sent(engine, packet, door=Door(SERVER, multicast=multicast))
        assert (passed(written), written.size, written.diverted) == ([], 0, [packet])


@pytest.mark.parametrize("what", FOR_ALL)
def test_what_is_for_everybody_passes_where_it_may(engine: Engine, what: str) -> None:
    packet = FOR_ALL[what]
    written = sent(engine, packet)
    assert (passed(written), written.diverted) == ([], [])
    for door in (OPEN, Door(SERVER, multicast=True)):
        written = sent(engine, packet, door=door)
        assert (passed(written), written.diverted) == ([packet], [])


@pytest.mark.parametrize("what", OTHERS)
def test_all_else_passes(engine: Engine, what: str) -> None:
    packet = OTHERS[what]
    written = sent(engine, packet)
    assert (passed(written), written.diverted) == ([packet], [])


@pytest.mark.parametrize("packets", [ASKED, FOR_ALL])
def test_without_a_server_nothing_goes_another_way(
    engine: Engine, packets: dict[str, bytes]
) -> None:
    for packet in packets.values():
        from_us = packet[12:16] == OURS or packet[8:24] == OURS_V6
        written = sent(engine, packet, door=OPEN)
        assert (passed(written), written.diverted) == ([packet] if from_us else [], [])


def test_another_may_not_ask_in_ipv4(engine: Engine) -> None:
    theirs = bytes((10, 99, 0, 11))
    written = sent(engine, udp("255.255.255.255", DHCP, theirs), udp("10.99.0.1", DHCP, bytes(4)))
    assert (passed(written), written.diverted) == ([], [])


def test_without_a_prefix_ipv6_goes_no_way_of_ours(engine: Engine) -> None:
    written = sent(engine, ASKED["a Router Solicitation"], source=OURS)
    assert (written.stopped, written.diverted) == (0, [])


def test_only_so_many_in_one_turn(engine: Engine) -> None:
    other = OTHERS["TCP to us"]
    packets = [udp("255.255.255.255", DHCP, identification=number) for number in range(3 * MOST)]
    written = sent(engine, *packets, other)
    assert written.diverted == packets[:MOST]
    assert passed(written) == [other]


def test_a_run_goes_on_around_it(engine: Engine) -> None:
    run = [Tcp(sequence=1 + 100 * number, content=bytes(100)).encode() for number in range(4)]
    asking, noise = ASKED["DHCP to everybody"], FOR_ALL["mDNS"]
    written = sent(engine, run[0], asking, run[1], noise, *run[2:])
    assert len(written.messages) == 1
    assert written.diverted == [asking]


def test_what_was_diverted_is_a_copy(engine: Engine) -> None:
    stream = bytearray(framed(ASKED["DHCP to us"]))
    with tunnel() as (tun, _), memoryview(stream) as view:
        *_, diverted = engine.forward(view, 0, len(stream), OURS, tun, BOTH, SERVER)
    stream[:] = bytes(len(stream))
    assert diverted == [ASKED["DHCP to us"]]


@pytest.mark.parametrize("server", [b"", SERVER[:3], SERVER + b"\0"])
def test_a_server_that_is_none_lets_nothing_through(engine: Engine, server: bytes) -> None:
    stream = framed(Tcp(content=b"x").encode())
    with tunnel() as (tun, _), pytest.raises(ValueError, match="server"):
        engine.forward(memoryview(stream), 0, len(stream), SOURCE, tun, BOTH, server)
