"""DHCP messages, built and read by hand (RFC 2131, RFC 2132, RFC 3442), so that a test decides every byte."""

import struct
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from tests.support.packets import Malformed, Packet, datagram, udp

EVERYBODY = IPv4Address("255.255.255.255")
NOBODY = IPv4Address("0.0.0.0")
COOKIE = bytes.fromhex("63825363")
INFORM, ACK = 8, 5
#: What Windows 10 asks for on a VPN interface, and the user class it does that with.
WINDOWS_ASKS = bytes((1, 15, 3, 6, 44, 46, 47, 31, 33, 121, 249, 252, 43, 119))
RRAS = b"RRAS.Microsoft"


@dataclass(frozen=True, slots=True)
class Message:
    """A DHCP message.

    :ivar options: code and value, in their order.
    """

    options: tuple[tuple[int, bytes], ...]
    op: int = 1
    htype: int = 8
    hops: int = 0
    xid: int = 0x12345678
    secs: int = 0
    flags: int = 0
    ciaddr: IPv4Address = NOBODY
    yiaddr: IPv4Address = NOBODY
    siaddr: IPv4Address = NOBODY
    giaddr: IPv4Address = NOBODY
    chaddr: bytes = bytes.fromhex("005345000000")
    cookie: bytes = COOKIE
    end: bytes = b"\xff"
    hlen: int | None = None
    names: bytes = field(default=bytes(192))

    def encode(self) -> bytes:
        """Return the bytes, without padding."""
        hlen = len(self.chaddr) if self.hlen is None else self.hlen
        head = struct.pack(
            "!BBBBIHH", self.op, self.htype, hlen, self.hops, self.xid, self.secs, self.flags
        )
        addresses = (self.ciaddr, self.yiaddr, self.siaddr, self.giaddr)
        head += b"".join(one.packed for one in addresses) + self.chaddr.ljust(16, b"\0")
        options = b"".join(bytes((code, len(value))) + value for code, value in self.options)
        return head + self.names + self.cookie + options + self.end

    def value(self, code: int) -> bytes | None:
        """Return the value of an option, put together (RFC 3396); None if it is not there."""
        found = [value for one, value in self.options if one == code]
        return b"".join(found) if found else None

    def addresses(self, code: int) -> list[IPv4Address]:
        """Return the addresses in an option."""
        value = self.value(code) or b""
        return [IPv4Address(value[at : at + 4]) for at in range(0, len(value), 4)]

    def routes(self, code: int) -> list[tuple[IPv4Network, IPv4Address]]:
        """Return the routes in an option (RFC 3442)."""
        value, found = self.value(code) or b"", []
        while value:
            length = value[0]
            size = (length + 7) // 8
            if length > 32 or len(value) < 1 + size + 4:
                raise Malformed(f"no route: {value.hex()}")
            network = IPv4Network((value[1 : 1 + size].ljust(4, b"\0"), length))
            found.append((network, IPv4Address(value[1 + size : 5 + size])))
            value = value[5 + size :]
        return found


def decode(content: bytes) -> Message:
    """Read a message.

    :raises Malformed: unless it is one, with an end and nothing but zeros behind it.
    """
    if len(content) < 240 or content[236:240] != COOKIE:
        raise Malformed("no DHCP message")
    op, htype, hlen, hops, xid, secs, flags = struct.unpack_from("!BBBBIHH", content)
    addresses = [IPv4Address(content[at : at + 4]) for at in range(12, 28, 4)]
    options, rest = [], content[240:]
    while rest[:1] != b"\xff":
        if len(rest) < 2 or len(rest) < 2 + rest[1]:
            raise Malformed(f"an option that is cut off: {rest.hex()}")
        if rest[0]:
            options.append((rest[0], rest[2 : 2 + rest[1]]))
            rest = rest[2 + rest[1] :]
        else:
            rest = rest[1:]
    if any(rest[1:]):
        raise Malformed(f"something behind the end: {rest.hex()}")
    return Message(
        options=tuple(options),
        op=op,
        htype=htype,
        hlen=hlen,
        hops=hops,
        xid=xid,
        secs=secs,
        flags=flags,
        ciaddr=addresses[0],
        yiaddr=addresses[1],
        siaddr=addresses[2],
        giaddr=addresses[3],
        chaddr=content[28 : 28 + hlen],
        names=content[44:236],
    )


def inform(address: IPv4Address, asked: bytes = WINDOWS_ASKS, **fields: Any) -> Message:
    """Return what Windows asks after it has connected."""
    options = (
        (53, bytes((INFORM,))),
        (61, b"\x08\x00\x53\x45\x00\x00\x00"),
        (12, b"PC"),
        (60, b"MSFT 5.0"),
        (77, RRAS),
        (55, asked),
    )
    return replace(Message(options, ciaddr=address), **fields)


def packet(
    message: Message | bytes, source: IPv4Address, target: IPv4Address = EVERYBODY
) -> Packet:
    """Return the packet that takes a message from a client to the server."""
    content = message if isinstance(message, bytes) else message.encode()
    return udp((source, 68), (target, 67), content)


def answer(packet: Packet) -> Message | None:
    """Return the message that a server sends a client in ``packet``, None if it is none."""
    found = datagram(packet)
    if found is None or (found.source, found.destination) != (67, 68):
        return None
    return decode(found.content)
