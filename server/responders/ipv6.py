"""ICMPv6 messages and UDP datagrams in IPv6 packets (RFC 4443 2.1, RFC 768, RFC 8200), as values."""

import struct
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final

from ..dataplane.segments import UDP, checksum

# version, traffic class and flow label; length; next header; hop limit; source; destination
_IPV6: Final = struct.Struct("!IHBB16s16s")
# ports, length, checksum
_UDP: Final = struct.Struct("!HHHH")
_VERSION: Final = 6 << 28
_ICMPV6: Final = 58
#: What nobody but a neighbour can send (RFC 4861 3.1).
_NEIGHBOUR: Final = 255
_HOPS: Final = 64

#: Bytes of the headers of a datagram, without extension headers.
UDP_HEADERS: Final = _IPV6.size + _UDP.size

UNSPECIFIED: Final = IPv6Address("::")
#: RFC 4291 2.7.1
ALL_NODES: Final = IPv6Address("ff02::1")
_LINK_LOCAL: Final = bytes.fromhex("fe80000000000000")


def link_local(identifier: bytes) -> IPv6Address:
    """Return the link-local address of an interface identifier of 8 bytes (RFC 5072 5)."""
    return IPv6Address(_LINK_LOCAL + identifier)


@dataclass(frozen=True, slots=True)
class Message:
    """A message of Neighbor Discovery: ICMPv6 from and to a neighbour (RFC 4861 4).

    :param body: what comes behind type, code and checksum.
    """

    source: IPv6Address
    destination: IPv6Address
    type: int
    body: bytes


@dataclass(frozen=True, slots=True)
class DatagramV6:
    """A UDP datagram, and the addresses that it goes from and to."""

    source: tuple[IPv6Address, int]
    destination: tuple[IPv6Address, int]
    content: bytes


def decode_message(packet: bytes) -> Message | None:
    """Return the message in a whole IPv6 packet; None if it is not one, or is to be ignored.

    RFC 4861 6.1.1, 7.1.1: whatever comes from farther away, has another code or is damaged.
    """
    found = _payload(packet, _ICMPV6)
    if found is None or packet[7] != _NEIGHBOUR:
        return None
    source, destination, payload = found
    if len(payload) < 4 or payload[1] != 0:
        return None
    return Message(source, destination, payload[0], payload[4:])


def encode_message(message: Message) -> bytes:
    """Return the IPv6 packet that carries ``message``."""
    payload = bytes((message.type, 0, 0, 0)) + message.body
    check = _check(message.source, message.destination, _ICMPV6, payload)
    whole = payload[:2] + check.to_bytes(2) + payload[4:]
    return _packet(message.source, message.destination, _ICMPV6, _NEIGHBOUR, whole)


def decode_datagram(packet: bytes) -> DatagramV6 | None:
    """Return the datagram in a whole IPv6 packet; None if it is not one, or is damaged."""
    found = _payload(packet, UDP)
    if found is None:
        return None
    source, destination, payload = found
    if len(payload) < _UDP.size:
        return None
    sender, receiver, size, check = _UDP.unpack_from(payload)
    # RFC 8200 8.1: here a checksum is no choice
    if size != len(payload) or not check:
        return None
    return DatagramV6((source, sender), (destination, receiver), payload[_UDP.size :])


def encode_datagram(datagram: DatagramV6) -> bytes:
    """Return the IPv6 packet that carries ``datagram``."""
    (source, sender), (destination, receiver) = datagram.source, datagram.destination
    size = _UDP.size + len(datagram.content)
    head = _UDP.pack(sender, receiver, size, 0)
    check = _check(source, destination, UDP, head + datagram.content) or 0xFFFF
    payload = _UDP.pack(sender, receiver, size, check) + datagram.content
    return _packet(source, destination, UDP, _HOPS, payload)


def _payload(packet: bytes, protocol: int) -> tuple[IPv6Address, IPv6Address, bytes] | None:
    """Return addresses and payload of a packet of ``protocol``, if its checksum is right."""
    if len(packet) < _IPV6.size:
        return None
    head, length, following, _, source, destination = _IPV6.unpack_from(packet)
    if head >> 28 != 6 or following != protocol or length > len(packet) - _IPV6.size:
        return None
    payload = packet[_IPV6.size : _IPV6.size + length]
    ends = IPv6Address(source), IPv6Address(destination)
    return None if _check(*ends, protocol, payload) else (*ends, payload)


def _check(source: IPv6Address, destination: IPv6Address, protocol: int, payload: bytes) -> int:
    """Return the checksum over the pseudo-header and the payload (RFC 8200 8.1)."""
    return checksum(source.packed, destination.packed, protocol + len(payload), payload)


def _packet(
    source: IPv6Address, destination: IPv6Address, protocol: int, hops: int, payload: bytes
) -> bytes:
    ends = source.packed, destination.packed
    return _IPV6.pack(_VERSION, len(payload), protocol, hops, *ends) + payload
