"""IPv4, ICMP, UDP and TCP packets, built and read by hand, so that a test decides every byte."""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

ICMP = 1
TCP = 6
UDP = 17
_SYN = 0x02
_MSS = 2


class Malformed(ValueError):
    """Bytes that are no such packet, or whose checksum is wrong."""


@dataclass(frozen=True, slots=True)
class Packet:
    """An IPv4 packet without options."""

    source: IPv4Address
    destination: IPv4Address
    protocol: int
    payload: bytes
    ttl: int = 64
    more: bool = False
    offset: int = 0

    def encode(self) -> bytes:
        """Return the bytes; identification 0, Don't Fragment not set."""
        fragment = (0x2000 if self.more else 0) | self.offset // 8
        return self._header(fragment) + self.payload

    def _header(self, fragment: int) -> bytes:
        def pack(check: int) -> bytes:
            return struct.pack(
                "!BBHHHBBH4s4s",
                *(0x45, 0, 20 + len(self.payload), 0, fragment, self.ttl, self.protocol, check),
                *(self.source.packed, self.destination.packed),
            )

        return pack(checksum(pack(0)))


@dataclass(frozen=True, slots=True)
class Datagram:
    """A UDP datagram's ports and content."""

    source: int
    destination: int
    content: bytes


def checksum(content: bytes) -> int:
    """Return the Internet checksum (RFC 1071); over content that holds a right one it is 0."""
    if len(content) % 2:
        content += b"\0"
    total: int = sum(struct.unpack(f"!{len(content) // 2}H", content))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def parse(content: bytes) -> Packet:
    """Read an IPv4 packet.

    :raises Malformed: unless lengths and header checksum are right.
    """
    if len(content) < 20 or content[0] >> 4 != 4:
        raise Malformed(f"no IPv4 packet: {content[:20].hex()}")
    head = (content[0] & 0x0F) * 4
    length, _, fragment, ttl, protocol = struct.unpack_from("!HHHBB", content, 2)
    if head < 20 or length < head or len(content) < length or checksum(content[:head]):
        raise Malformed(f"bad IPv4 header: {content[:head].hex()}")
    return Packet(
        source=IPv4Address(content[12:16]),
        destination=IPv4Address(content[16:20]),
        protocol=protocol,
        payload=content[head:length],
        ttl=ttl,
        more=bool(fragment & 0x2000),
        offset=(fragment & 0x1FFF) * 8,
    )


def _pseudo(source: IPv4Address, destination: IPv4Address, protocol: int, segment: bytes) -> bytes:
    return source.packed + destination.packed + struct.pack("!xBH", protocol, len(segment))


def echo(
    source: IPv4Address, destination: IPv4Address, number: int, content: bytes = b"sstpca"
) -> Packet:
    """Return a ping: ICMP Echo Request with identifier and sequence ``number``."""
    body = struct.pack("!HH", number, number) + content
    check = checksum(struct.pack("!BBH", 8, 0, 0) + body)
    return Packet(source, destination, ICMP, struct.pack("!BBH", 8, 0, check) + body)


def echo_reply(packet: Packet) -> tuple[int, bytes] | None:
    """Return sequence number and content if ``packet`` answers a ping.

    :raises Malformed: if its checksum is wrong.
    """
    if packet.protocol != ICMP or len(packet.payload) < 8 or packet.payload[0] != 0:
        return None
    if checksum(packet.payload):
        raise Malformed("bad ICMP checksum")
    return int.from_bytes(packet.payload[6:8], "big"), packet.payload[8:]


def udp(
    source: tuple[IPv4Address, int], destination: tuple[IPv4Address, int], content: bytes
) -> Packet:
    """Return a packet with one UDP datagram."""
    length = 8 + len(content)
    blank = struct.pack("!HHHH", source[1], destination[1], length, 0) + content
    check = checksum(_pseudo(source[0], destination[0], UDP, blank) + blank) or 0xFFFF
    segment = struct.pack("!HHHH", source[1], destination[1], length, check) + content
    return Packet(source[0], destination[0], UDP, segment)


def datagram(packet: Packet) -> Datagram | None:
    """Return the UDP datagram of ``packet``, None if it has another protocol.

    :raises Malformed: if length or checksum are wrong.
    """
    if packet.protocol != UDP:
        return None
    segment = packet.payload
    if len(segment) < 8 or int.from_bytes(segment[4:6], "big") != len(segment):
        raise Malformed(f"bad UDP length: {segment[:8].hex()}")
    pseudo = _pseudo(packet.source, packet.destination, UDP, segment)
    if segment[6:8] != b"\0\0" and checksum(pseudo + segment):
        raise Malformed("bad UDP checksum")
    source, destination = struct.unpack_from("!HH", segment)
    return Datagram(source, destination, segment[8:])


def syn(source: tuple[IPv4Address, int], destination: tuple[IPv4Address, int], mss: int) -> Packet:
    """Return a TCP SYN that offers segments of ``mss`` bytes (RFC 9293 3.1)."""

    def pack(check: int) -> bytes:
        ports = struct.pack("!HHII", source[1], destination[1], 1, 0)
        rest = struct.pack("!BBHHH", 6 << 4, _SYN, 64240, check, 0)
        return ports + rest + struct.pack("!BBH", _MSS, 4, mss)

    blank = pack(0)
    check = checksum(_pseudo(source[0], destination[0], TCP, blank) + blank)
    return Packet(source[0], destination[0], TCP, pack(check))


def mss_of(packet: Packet) -> int | None:
    """Return the maximum segment size that a SYN or SYN-ACK offers; None for anything else.

    :raises Malformed: if its checksum is wrong.
    """
    segment = packet.payload
    if packet.protocol != TCP or len(segment) < 20 or not segment[13] & _SYN:
        return None
    if checksum(_pseudo(packet.source, packet.destination, TCP, segment) + segment):
        raise Malformed("bad TCP checksum")
    options = segment[20 : (segment[12] >> 4) * 4]
    while len(options) >= 2 and options[0] != 0:
        if options[0] == _MSS:
            return int.from_bytes(options[2:4], "big")
        options = options[1:] if options[0] == 1 else options[max(2, options[1]) :]
    return None
