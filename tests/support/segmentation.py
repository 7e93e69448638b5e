"""What Linux makes of one read or write of a TUN with IFF_VNET_HDR, and packets to try it with.

:func:`segments` follows the kernel (net/core/skbuff.c, net/ipv4/af_inet.c: inet_gso_segment,
tcp_offload.c: tcp_gso_segment, udp_offload.c: __udp_gso_segment, include/linux/virtio_net.h):
checksums are not counted anew from the addresses, but from what the header holds before, as there.
Each packet here is of IPv4 or IPv6 by the size of its addresses.
"""

import struct
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Self

from tests.support.packets import TCP, UDP, checksum

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
MORE, DF = 0x2000, 0x4000
NEEDS_CSUM = 1
GSO_NONE, GSO_TCPV4, GSO_UFO, GSO_TCPV6, GSO_UDP_L4, GSO_ECN = 0, 1, 3, 4, 5, 0x80
UDP_MAX_SEGMENTS = 64

_VNET = struct.Struct("=BBHHHH")
# the shortest header, and where its checksum is
_TRANSPORT = {TCP: (20, 16), UDP: (8, 6)}


class Refused(ValueError):
    """What the kernel answers with EINVAL, or drops."""


class Vnet(NamedTuple):
    """``struct virtio_net_hdr``."""

    flags: int = 0
    gso_type: int = GSO_NONE
    hdr_len: int = 0
    gso_size: int = 0
    csum_start: int = 0
    csum_offset: int = 0

    def encode(self) -> bytes:
        return _VNET.pack(*self)

    @classmethod
    def decode(cls, message: bytes) -> Self:
        return cls(*_VNET.unpack_from(message))


@dataclass(frozen=True, slots=True)
class Ip:
    """An IP header.

    :ivar fragment: IPv4's flags and offset, 16 bits.
    :ivar extra: IPv4's options, or IPv6's extension headers, the first of kind ``extension``.
    """

    source: bytes = bytes((10, 99, 0, 10))
    destination: bytes = bytes((198, 18, 1, 2))
    tos: int = 0
    ttl: int = 64
    identification: int = 0
    fragment: int = DF
    flow_label: int = 0
    extra: bytes = b""
    extension: int = 0

    @property
    def size(self) -> int:
        return (20 if len(self.source) == 4 else 40) + len(self.extra)

    def encode(self, protocol: int, payload: bytes) -> bytes:
        if len(self.source) == 4:
            first = 0x40 | self.size // 4
            fields = (first, self.tos, self.size + len(payload), self.identification, self.fragment)
            head = struct.pack("!BBHHHBBH", *fields, self.ttl, protocol, 0)
            return ip_finished(head + self.source + self.destination + self.extra + payload)
        word = 6 << 28 | self.tos << 20 | self.flow_label
        following = self.extension if self.extra else protocol
        size = len(self.extra) + len(payload)
        head = struct.pack("!IHBB", word, size, following, self.ttl)
        return head + self.source + self.destination + self.extra + payload

    def pseudo(self, protocol: int, size: int) -> bytes:
        """The pseudo header of IPv4; in IPv6 the same fields have other places (RFC 8200 8.1)."""
        form = "!xBH" if len(self.source) == 4 else "!xxH3xB"
        numbers = (protocol, size) if len(self.source) == 4 else (size, protocol)
        return self.source + self.destination + struct.pack(form, *numbers)


@dataclass(frozen=True, slots=True)
class Tcp:
    """A TCP segment."""

    ip: Ip = field(default_factory=Ip)
    ports: tuple[int, int] = (40000, 443)
    sequence: int = 1
    acknowledgment: int = 1
    flags: int = ACK
    window: int = 500
    urgent: int = 0
    reserved: int = 0
    options: bytes = b""
    content: bytes = b""

    protocol: ClassVar = TCP
    kind: ClassVar = {4: GSO_TCPV4, 16: GSO_TCPV6}

    @property
    def header(self) -> bytes:
        """The header, without a checksum."""
        offset = (5 + len(self.options) // 4) << 4 | self.reserved
        numbers = (*self.ports, self.sequence, self.acknowledgment, offset, self.flags)
        return struct.pack("!HHIIBBHHH", *numbers, self.window, 0, self.urgent) + self.options

    def encode(self) -> bytes:
        return _encode(self)


@dataclass(frozen=True, slots=True)
class Udp:
    """A UDP datagram; ``unsummed`` ones have no checksum."""

    ip: Ip = field(default_factory=Ip)
    ports: tuple[int, int] = (40000, 53)
    content: bytes = b""
    unsummed: bool = False

    protocol: ClassVar = UDP
    kind: ClassVar = {4: GSO_UDP_L4, 16: GSO_UDP_L4}

    @property
    def header(self) -> bytes:
        return struct.pack("!HHHH", *self.ports, 8 + len(self.content), 0)

    def encode(self) -> bytes:
        if self.unsummed:
            return self.ip.encode(UDP, self.header + self.content)
        return _encode(self)


def _encode(packet: Tcp | Udp) -> bytes:
    segment = packet.header + packet.content
    check = checksum(packet.ip.pseudo(packet.protocol, len(segment)) + segment)
    at = _TRANSPORT[packet.protocol][1]
    if packet.protocol == UDP:
        check = check or 0xFFFF
    return packet.ip.encode(packet.protocol, _put16(segment, at, check))


def offloaded(packet: Tcp | Udp, size: int, *, headroom: int = 0, ecn: bool = False) -> bytes:
    """Return what the kernel gives for ``packet``: segments of ``size`` bytes, the checksum begun.

    :param headroom: ``hdr_len`` is a hint, and more than the headers: whatever is contiguous.
    """
    segment = packet.header + packet.content
    begun = 0xFFFF - checksum(packet.ip.pseudo(packet.protocol, len(segment)))
    at = _TRANSPORT[packet.protocol][1]
    whole = packet.ip.encode(packet.protocol, _put16(segment, at, begun))
    kind = packet.kind[len(packet.ip.source)] | (GSO_ECN if ecn else 0)
    headers = packet.ip.size + len(packet.header) + headroom
    return Vnet(NEEDS_CSUM, kind, headers, size, packet.ip.size, at).encode() + whole


def unfinished(packet: Tcp | Udp) -> bytes:
    """Return what the kernel gives for one packet whose checksum it has only begun."""
    message = offloaded(packet, 0)
    vnet = Vnet.decode(message)._replace(gso_type=GSO_NONE, hdr_len=0)
    return vnet.encode() + message[_VNET.size :]


def segments(message: bytes) -> list[bytes]:
    """Return the IP packets that a card would send for ``message``.

    :raises Refused: if the kernel would not have it.
    """
    if len(message) < _VNET.size + 20:
        raise Refused("too short")
    vnet, packet = Vnet.decode(message), message[_VNET.size :]
    if vnet.gso_type == GSO_NONE:
        return [_completed(packet, vnet) if vnet.flags & NEEDS_CSUM else packet]
    kind = vnet.gso_type & ~GSO_ECN
    version = packet[0] >> 4
    if kind not in (GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4):
        raise Refused(f"GSO type {kind}")
    if {GSO_TCPV4: 4, GSO_TCPV6: 6}.get(kind, version) != version:
        raise Refused(f"GSO type {kind} of IP version {version}")
    protocol = UDP if kind == GSO_UDP_L4 else TCP
    start, (least, at) = vnet.csum_start, _TRANSPORT[protocol]
    if not vnet.flags & NEEDS_CSUM or vnet.csum_offset != at:
        raise Refused("a checksum that is not this protocol's")
    if start < (20 if version == 4 else 40) or start + least > len(packet):
        raise Refused("headers that are not there")
    end = start + (8 if protocol == UDP else (packet[start + 12] >> 4) * 4)
    content = packet[end:]
    if end < start + least or not content or vnet.gso_size in (0, 0xFFFF):
        raise Refused("nothing to cut, or into nothing")
    if protocol == UDP and len(content) > vnet.gso_size * UDP_MAX_SEGMENTS:
        raise Refused("more than UDP_MAX_SEGMENTS")
    parts = [content[i : i + vnet.gso_size] for i in range(0, len(content), vnet.gso_size)]
    cut = _tcp if protocol == TCP else _udp
    made = cut(packet[start:end], parts, len(packet) - start)
    return [_ip(packet[:start], number, segment) for number, segment in enumerate(made)]


def _completed(packet: bytes, vnet: Vnet) -> bytes:
    """skb_checksum_help: what is at the checksum's place counts."""
    at = vnet.csum_start + vnet.csum_offset
    if at + 2 > len(packet):
        raise Refused("a checksum that is not there")
    return _put16(packet, at, checksum(packet[vnet.csum_start :]) or 0xFFFF)


def _tcp(header: bytes, parts: list[bytes], before: int) -> list[bytes]:
    made = []
    sequence = int.from_bytes(header[4:8])
    for number, part in enumerate(parts):
        flags = header[13]
        if number < len(parts) - 1:
            flags &= ~(FIN | PSH)
        if number:
            flags &= ~CWR
        there = (sequence + sum(map(len, parts[:number]))) % 2**32
        own = header[:4] + there.to_bytes(4) + header[8:13] + bytes((flags,)) + header[14:]
        check = _less(int.from_bytes(header[16:18]), before, len(own) + len(part))
        own = _put16(own, 16, check)
        made.append(_put16(own + part, 16, checksum(own + part)))
    return made


def _udp(header: bytes, parts: list[bytes], _: int) -> list[bytes]:
    made = []
    before = int.from_bytes(header[4:6])
    for part in parts:
        check = _less(int.from_bytes(header[6:8]), before, 8 + len(part))
        own = _put16(_put16(header, 4, 8 + len(part)), 6, check)
        made.append(_put16(own + part, 6, checksum(own + part) or 0xFFFF))
    return made


def _less(check: int, before: int, now: int) -> int:
    """Return a sum in which a length has become another."""
    return 0xFFFF - checksum(struct.pack("!HHH", check, 0xFFFF - before, now))


def _ip(head: bytes, number: int, segment: bytes) -> bytes:
    if head[0] >> 4 == 6:
        return _put16(head, 4, len(head) - 40 + len(segment)) + segment
    identification = int.from_bytes(head[4:6]) + number
    head = _put16(_put16(head, 2, len(head) + len(segment)), 4, identification % 2**16)
    return ip_finished(head + segment)


def ip_finished(packet: bytes) -> bytes:
    """Return an IPv4 packet with its header's checksum right."""
    head = (packet[0] & 0x0F) * 4
    return _put16(packet, 10, checksum(_put16(packet, 10, 0)[:head]))


def _put16(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + value.to_bytes(2) + data[at + 2 :]


def transport_sum(packet: bytes) -> int | None:
    """Return 0 if TCP's or UDP's checksum in a whole packet is right, as a receiver counts it.

    None if there is none: UDP without, fragments, other protocols, headers that are not whole.
    """
    if packet[0] >> 4 == 6:
        addresses, protocol, start, size = packet[8:40], packet[6], 40, len(packet)
    else:
        addresses, protocol, start = packet[12:20], packet[9], (packet[0] & 0x0F) * 4
        size = int.from_bytes(packet[2:4])
        if start < 20 or int.from_bytes(packet[6:8]) & 0x3FFF or size != len(packet):
            return None
    segment = packet[start:size]
    least, at = _TRANSPORT.get(protocol, (len(segment) + 1, 0))
    if len(segment) < least or (protocol == UDP and not any(segment[at : at + 2])):
        return None
    return checksum(addresses + struct.pack("!HH", protocol, len(segment)) + segment)
