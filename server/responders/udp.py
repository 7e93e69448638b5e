"""UDP datagrams in IPv4 packets (RFC 768, RFC 791), between bytes and values."""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from ..dataplane.segments import UDP, checksum

# version and header length, TOS, length, identification, fragment, TTL, protocol, checksum
_IPV4: Final = struct.Struct("!BBHHHBBH4s4s")
# ports, length, checksum
_UDP: Final = struct.Struct("!HHHH")
_TTL: Final = 64

#: Bytes of both headers, without options.
HEADERS: Final = _IPV4.size + _UDP.size


@dataclass(frozen=True, slots=True)
class Datagram:
    """A UDP datagram, and the addresses that it goes from and to."""

    source: tuple[IPv4Address, int]
    destination: tuple[IPv4Address, int]
    content: bytes


def decode(packet: bytes) -> Datagram | None:
    """Return the datagram in a whole IPv4 packet; None if it is not one, or is damaged.

    What is behind the packet, as its length has it, is padding.
    """
    if len(packet) < HEADERS or packet[0] >> 4 != 4:
        return None
    _, _, length, _, fragment, _, protocol, _, source, destination = _IPV4.unpack_from(packet)
    start = (packet[0] & 0x0F) * 4
    # all but Don't Fragment is of a fragment
    if protocol != UDP or fragment & 0xBFFF or not start + _UDP.size <= length <= len(packet):
        return None
    if start < _IPV4.size or checksum(packet[:start]):
        return None
    sender, receiver, size, check = _UDP.unpack_from(packet, start)
    if not _UDP.size <= size <= length - start:
        return None
    segment = packet[start : start + size]
    # none at all is allowed
    if check and checksum(source, destination, UDP + size, segment):
        return None
    return Datagram(
        (IPv4Address(source), sender), (IPv4Address(destination), receiver), segment[_UDP.size :]
    )


def encode(datagram: Datagram) -> bytes:
    """Return the IPv4 packet, which may be fragmented, that carries ``datagram``."""
    source, destination = datagram.source, datagram.destination
    size = _UDP.size + len(datagram.content)
    ports = source[1], destination[1], size
    addresses = source[0].packed + destination[0].packed
    check = checksum(addresses, UDP + size, _UDP.pack(*ports, 0) + datagram.content)
    # 0 would be none
    segment = _UDP.pack(*ports, check or 0xFFFF) + datagram.content
    fields = (0x45, 0, _IPV4.size + size, 0, 0, _TTL, UDP)
    header = _IPV4.pack(*fields, 0, addresses[:4], addresses[4:])
    return _IPV4.pack(*fields, checksum(header), addresses[:4], addresses[4:]) + segment
