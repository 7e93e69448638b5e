"""IP packets to try a tunnel with: ICMP echo (RFC 792), DNS (RFC 1035), DHCPINFORM (RFC 2131)."""

import struct
from ipaddress import IPv4Address
from typing import Final

from sstpca.server.dataplane.segments import checksum
from sstpca.server.responders import udp
from sstpca.server.responders.dhcp import CLIENT_PORT, SERVER_PORT
from sstpca.server.responders.names import labels
from sstpca.server.responders.udp import Datagram

from ..client import dhcp

_IPV4: Final = struct.Struct("!BBHHHBBH4s4s")
_ICMP: Final = struct.Struct("!BBHHH")
_DONT_FRAGMENT: Final = 0x4000
_ICMP_PROTOCOL: Final = 1
_TTL: Final = 64

#: Bytes of an echo request beside its content.
ECHO_HEADERS: Final = _IPV4.size + _ICMP.size

_BROADCAST: Final = IPv4Address("255.255.255.255")

_QUERY: Final = struct.Struct("!HHHHHH")
_RECURSION: Final = 0x0100


def echo(source: IPv4Address, target: IPv4Address, number: int, sequence: int, size: int) -> bytes:
    """Return an echo request in a packet of ``size`` bytes that must not be fragmented."""
    content = bytes(size - ECHO_HEADERS)
    blank = _ICMP.pack(8, 0, 0, number, sequence) + content
    icmp = _ICMP.pack(8, 0, checksum(blank), number, sequence) + content
    fields = (0x45, 0, size, 0, _DONT_FRAGMENT, _TTL, _ICMP_PROTOCOL)
    header = _IPV4.pack(*fields, 0, source.packed, target.packed)
    return _IPV4.pack(*fields, checksum(header), source.packed, target.packed) + icmp


def echoed(packet: bytes, number: int) -> int | None:
    """Return the sequence number of an echo reply to ``number``; None if it is none."""
    if len(packet) < ECHO_HEADERS or packet[0] != 0x45 or packet[9] != _ICMP_PROTOCOL:
        return None
    kind, _, _, its, sequence = _ICMP.unpack_from(packet, _IPV4.size)
    return int(sequence) if kind == 0 and its == number else None


def query(source: IPv4Address, server: IPv4Address, number: int, name: str) -> bytes:
    """Return a question for the IPv4 address of a name."""
    head = _QUERY.pack(number, _RECURSION, 1, 0, 0, 0)
    question = head + labels(name) + struct.pack("!HH", 1, 1)
    return udp.encode(Datagram((source, 40_000 + number % 20_000), (server, 53), question))


def answered(packet: bytes, server: IPv4Address, number: int) -> bool:
    """Whether a packet is that server's answer to a question, whatever it says."""
    datagram = udp.decode(packet)
    return (
        datagram is not None
        and datagram.source == (server, 53)
        and datagram.content[:2] == number.to_bytes(2, "big")
    )


def inform(source: IPv4Address, number: int) -> bytes:
    """Return the packet with the question that Windows asks after a login ([MS-DHCPE])."""
    content = dhcp.inform(source, number)
    return udp.encode(Datagram((source, CLIENT_PORT), (_BROADCAST, SERVER_PORT), content))


def told(packet: bytes, number: int) -> dict[int, bytes] | None:
    """Return the options of the answer to :func:`inform`; None if it is none."""
    datagram = udp.decode(packet)
    if datagram is None or datagram.source[1] != SERVER_PORT:
        return None
    return dhcp.told(datagram.content, number)
