"""Traces as files of Wireshark's: pcapng (draft-ietf-opsawg-pcapng), with what TLS had inside.

There is no link type for SSTP. LINKTYPE_WIRESHARK_UPPER_PDU is for packets of any protocol that Wireshark
knows: tags before each say which, from where and to where (wsutil/exported_pdu_tlvs.h). So it shows SSTP,
PPP in it, and IP in that, without a TCP stream that somebody would have to make up.
"""

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from .records import Direction, Record

_SECTION: Final = 0x0A0D0D0A
_INTERFACE: Final = 1
_PACKET: Final = 6
_BYTE_ORDER: Final = 0x1A2B3C4D
_UPPER_PDU: Final = 252

# options of a packet: a comment, and flags of which the lower two bits are the direction
_COMMENT: Final = 1
_FLAGS: Final = 2
_INBOUND: Final = 1
_OUTBOUND: Final = 2

# tags of exported packets
_DISSECTOR: Final = 12
_SOURCE: Final = {4: 20, 6: 22}
_DESTINATION: Final = {4: 21, 6: 23}
_PORT_TYPE: Final = 24
_SOURCE_PORT: Final = 25
_DESTINATION_PORT: Final = 26
_TCP: Final = 2
_HTTPS: Final = 443


def begin(program: str) -> bytes:
    """Return what a file begins with.

    :param program: that writes it.
    """
    application = _option(4, program.encode())
    name = _option(2, b"sstp") + _option(3, b"SSTP packets, as they were inside of TLS")
    section = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1) + application + _option(0, b"")
    interface = struct.pack("<HHI", _UPPER_PDU, 0, 0) + name + _option(0, b"")
    return _block(_SECTION, section) + _block(_INTERFACE, interface)


def packet(record: Record, peer: str, comment: str = "") -> bytes:
    """Return one packet.

    :param peer: the client's address and port, as the log has them.
    """
    head = _tags(peer, inbound=record.direction is Direction.FROM_CLIENT)
    data = head + record.data
    moment = int(record.time * 1_000_000)
    sizes = (len(data), len(head) + record.size)
    flags = _INBOUND if record.direction is Direction.FROM_CLIENT else _OUTBOUND
    options = _option(_FLAGS, struct.pack("<I", flags))
    if comment:
        options += _option(_COMMENT, comment.encode())
    body = struct.pack("<IIIII", 0, moment >> 32, moment & 0xFFFFFFFF, *sizes) + _padded(data)
    return _block(_PACKET, body + options + _option(0, b""))


def _tags(peer: str, *, inbound: bool) -> bytes:
    client, port = _endpoint(peer)
    server = IPv4Address(0) if client.version == 4 else IPv6Address(0)
    ends = ((client, port), (server, _HTTPS))
    (source, source_port), (destination, destination_port) = ends if inbound else ends[::-1]
    return b"".join(
        (
            _tag(_DISSECTOR, b"sstp"),
            _tag(_SOURCE[source.version], source.packed),
            _tag(_DESTINATION[destination.version], destination.packed),
            _tag(_PORT_TYPE, struct.pack("!I", _TCP)),
            _tag(_SOURCE_PORT, struct.pack("!I", source_port)),
            _tag(_DESTINATION_PORT, struct.pack("!I", destination_port)),
            struct.pack("!HH", 0, 0),
        )
    )


def _endpoint(peer: str) -> tuple[IPv4Address | IPv6Address, int]:
    """Return address and port; zeros, if it is none."""
    host, _, port = peer.rpartition(":")
    try:
        return ip_address(host.strip("[]").partition("%")[0]), int(port[:5])
    except ValueError:
        return IPv4Address(0), 0


def _tag(number: int, value: bytes) -> bytes:
    value = _padded(value)
    return struct.pack("!HH", number, len(value)) + value


def _option(number: int, value: bytes) -> bytes:
    return struct.pack("<HH", number, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _block(kind: int, body: bytes) -> bytes:
    size = len(body) + 12
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)
