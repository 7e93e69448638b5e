"""IPv6 packets and what a client asks the router of its link, built and read by hand (RFC 4861, RFC 8415)."""

import struct
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network
from typing import Any

from tests.support.packets import Malformed, checksum

ICMP, UDP, TCP = 58, 17, 6
ANY = IPv6Address("::")
ALL_NODES, ALL_ROUTERS = IPv6Address("ff02::1"), IPv6Address("ff02::2")
ALL_DHCP = IPv6Address("ff02::1:2")
SOLICITATION, ADVERTISEMENT, NEIGHBOUR_SOLICITATION, NEIGHBOUR = 133, 134, 135, 136
ECHO, ECHO_REPLY, TOO_BIG, UNREACHABLE = 128, 129, 2, 1


@dataclass(frozen=True, slots=True)
class Packet:
    """An IPv6 packet without extension headers."""

    source: IPv6Address
    destination: IPv6Address
    protocol: int
    payload: bytes
    hops: int = 64

    def encode(self) -> bytes:
        """Return the bytes."""
        head = struct.pack("!IHBB", 6 << 28, len(self.payload), self.protocol, self.hops)
        return head + self.source.packed + self.destination.packed + self.payload


def parse(content: bytes) -> Packet:
    """Read an IPv6 packet; of ICMP and UDP the checksum has to be right.

    :raises Malformed: if something is wrong.
    """
    if len(content) < 40 or content[0] >> 4 != 6:
        raise Malformed(f"no IPv6 packet: {content[:40].hex()}")
    length, protocol, hops = struct.unpack_from("!HBB", content, 4)
    if len(content) != 40 + length:
        raise Malformed(f"bad length: {content[:8].hex()}")
    ends = IPv6Address(content[8:24]), IPv6Address(content[24:40])
    packet = Packet(*ends, protocol, content[40:], hops)
    if protocol in (ICMP, UDP) and checksum(_pseudo(packet) + packet.payload):
        raise Malformed("bad checksum")
    return packet


def _pseudo(packet: Packet) -> bytes:
    ends = packet.source.packed + packet.destination.packed
    return ends + struct.pack("!I3xB", len(packet.payload), packet.protocol)


def _checked(packet: Packet, at: int) -> Packet:
    """Return ``packet`` with its checksum, which is zero yet, at that place of its payload."""
    check = checksum(_pseudo(packet) + packet.payload) or 0xFFFF
    payload = packet.payload[:at] + check.to_bytes(2) + packet.payload[at + 2 :]
    return Packet(packet.source, packet.destination, packet.protocol, payload, packet.hops)


def icmp(
    source: IPv6Address, destination: IPv6Address, kind: int, body: bytes, *, hops: int = 255
) -> Packet:
    """Return a message of ICMPv6."""
    payload = bytes((kind, 0, 0, 0)) + body
    return _checked(Packet(source, destination, ICMP, payload, hops), 2)


def echo(source: IPv6Address, destination: IPv6Address, number: int, content: bytes) -> Packet:
    """Return a ping."""
    return icmp(source, destination, ECHO, struct.pack("!HH", number, number) + content, hops=64)


def udp(source: tuple[IPv6Address, int], to: tuple[IPv6Address, int], content: bytes) -> Packet:
    """Return a packet with one UDP datagram."""
    head = struct.pack("!HHHH", source[1], to[1], 8 + len(content), 0)
    return _checked(Packet(source[0], to[0], UDP, head + content), 6)


def syn(source: tuple[IPv6Address, int], to: tuple[IPv6Address, int], mss: int) -> Packet:
    """Return a TCP SYN that offers segments of ``mss`` bytes."""
    head = struct.pack("!HHIIBBHHH", source[1], to[1], 1, 0, 6 << 4, 2, 64240, 0, 0)
    payload = head + struct.pack("!BBH", 2, 4, mss)
    return _checked(Packet(source[0], to[0], TCP, payload), 16)


def mss_of(packet: Packet) -> int | None:
    """Return what a TCP segment offers as its first option; None if it offers nothing."""
    if packet.protocol != TCP or packet.payload[20:22] != b"\x02\x04":
        return None
    return int.from_bytes(packet.payload[22:24])


def solicitation(source: IPv6Address, to: IPv6Address = ALL_ROUTERS, *, hops: int = 255) -> Packet:
    """Return a Router Solicitation."""
    return icmp(source, to, SOLICITATION, bytes(4), hops=hops)


def neighbour_solicitation(source: IPv6Address, to: IPv6Address, wanted: IPv6Address) -> Packet:
    """Return a Neighbor Solicitation for an address."""
    return icmp(source, to, NEIGHBOUR_SOLICITATION, bytes(4) + wanted.packed)


@dataclass(frozen=True, slots=True)
class Advertised:
    """A Router Advertisement."""

    source: IPv6Address
    hop_limit: int
    managed: bool
    other: bool
    lifetime: int
    prefix: IPv6Network | None = None
    flags: int = 0
    valid: int = 0
    preferred: int = 0
    mtu: int = 0
    dns: tuple[IPv6Address, ...] = ()
    suffixes: tuple[str, ...] = ()
    routes: tuple[IPv6Network, ...] = ()


def advertised(packet: Packet) -> Advertised | None:
    """Return the Router Advertisement that ``packet`` is, None if it is none.

    :raises Malformed: if it is a bad one (RFC 4861 6.1.2).
    """
    if packet.protocol != ICMP or packet.payload[0] != ADVERTISEMENT:
        return None
    if packet.hops != 255 or not packet.source.is_link_local or packet.payload[1]:
        raise Malformed("an advertisement that hosts ignore")
    hop_limit, flags, lifetime, _, _ = struct.unpack_from("!BBHII", packet.payload, 4)
    fields = _options(packet.payload[16:])
    managed, other = bool(flags & 0x80), bool(flags & 0x40)
    return Advertised(packet.source, hop_limit, managed, other, lifetime, **fields)


def _options(data: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    routes: list[IPv6Network] = []
    while data:
        size = data[1] * 8
        if not 8 <= size <= len(data):
            raise Malformed(f"bad option: {data.hex()}")
        option, data = data[:size], data[size:]
        match option[0]:
            case 3:
                fields["prefix"] = IPv6Network((option[16:32], option[2]))
                fields["flags"] = option[3]
                fields["valid"], fields["preferred"] = struct.unpack_from("!II", option, 4)
            case 5:
                fields["mtu"] = int.from_bytes(option[4:8])
            case 24:
                address = option[8:].ljust(16, b"\0")
                routes.append(IPv6Network((address, option[2])))
            case 25:
                servers = (option[n : n + 16] for n in range(8, size, 16))
                fields["dns"] = tuple(map(IPv6Address, servers))
            case 31:
                fields["suffixes"] = names(option[8:])
            case kind:
                raise Malformed(f"option {kind}")
    return fields | {"routes": tuple(routes)}


def names(data: bytes) -> tuple[str, ...]:
    """Return the domain names in ``data``, one behind the other, zeros at the end."""
    found: list[str] = []
    labels: list[str] = []
    while data:
        size = data[0]
        label, data = data[1 : 1 + size], data[1 + size :]
        if size:
            labels.append(label.decode())
        elif labels:
            found.append(".".join(labels))
            labels = []
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Dhcp:
    """A message of DHCPv6."""

    kind: int
    transaction: bytes = b"\x12\x34\x56"
    options: tuple[tuple[int, bytes], ...] = field(default=())

    def encode(self) -> bytes:
        """Return the bytes."""
        options = b"".join(struct.pack("!HH", c, len(v)) + v for c, v in self.options)
        return bytes((self.kind,)) + self.transaction + options

    def value(self, code: int) -> bytes | None:
        """Return the value of an option; None if it is not there."""
        return dict(self.options).get(code)


#: What Windows has in an Information-Request: Elapsed Time, its DUID, and what it asks for.
WINDOWS_DUID = bytes.fromhex("000100012a2b2c2d001122334455")
INFORMATION_REQUEST = Dhcp(
    11,
    options=((8, b"\0\0"), (1, WINDOWS_DUID), (6, struct.pack("!HHHH", 17, 23, 24, 32))),
)


def dhcp(message: Dhcp, source: IPv6Address, to: IPv6Address = ALL_DHCP) -> Packet:
    """Return the packet that carries ``message`` from a client."""
    return udp((source, 546), (to, 547), message.encode())


def dhcp_answer(packet: Packet) -> Dhcp | None:
    """Return the message of a DHCPv6 server, None if ``packet`` is none."""
    if packet.protocol != UDP or struct.unpack_from("!HH", packet.payload) != (547, 546):
        return None
    content = packet.payload[8:]
    options, data = [], content[4:]
    while data:
        code, size = struct.unpack_from("!HH", data)
        options.append((code, data[4 : 4 + size]))
        data = data[4 + size :]
    return Dhcp(content[0], content[1:4], tuple(options))
