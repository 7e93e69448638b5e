"""SSTP packets as a client sends and reads them ([MS-SSTP] 2.2), written apart from the server.

The server has its own codec; if both had the same one, a mistake in it would cancel out.
"""

import enum
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

VERSION = 0x10
HEADER = 4
PPP = struct.pack("!H", 1)


@enum.unique
class Kind(enum.IntEnum):
    """Message types ([MS-SSTP] 2.2.2)."""

    CONNECT_REQUEST = 1
    CONNECT_ACK = 2
    CONNECT_NAK = 3
    CONNECTED = 4
    ABORT = 5
    DISCONNECT = 6
    DISCONNECT_ACK = 7
    ECHO_REQUEST = 8
    ECHO_RESPONSE = 9


@enum.unique
class Attribute(enum.IntEnum):
    """Attribute identifiers ([MS-SSTP] 2.2.4)."""

    PROTOCOL = 1
    STATUS = 2
    BINDING = 3
    BINDING_REQUEST = 4


class Malformed(ValueError):
    """The server sent bytes that are no SSTP packet."""


@dataclass(frozen=True, slots=True)
class Control:
    """A control message; every attribute comes once."""

    kind: Kind
    attributes: Mapping[int, bytes] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the packet."""
        body = b"".join(
            struct.pack("!BBH", 0, number, HEADER + len(value)) + value
            for number, value in self.attributes.items()
        )
        head = struct.pack("!BBHHH", VERSION, 1, 8 + len(body), self.kind, len(self.attributes))
        return head + body


@dataclass(frozen=True, slots=True)
class Data:
    """A data packet: one PPP frame."""

    frame: bytes

    def encode(self) -> bytes:
        """Return the packet."""
        return struct.pack("!BBH", VERSION, 0, HEADER + len(self.frame)) + self.frame


def status(attribute: int, value: int) -> dict[int, bytes]:
    """Return a Status Info attribute ([MS-SSTP] 2.2.8) for :class:`Control`."""
    return {Attribute.STATUS: struct.pack("!3xBI", attribute, value)}


def cut(buffer: bytearray) -> bytes | None:
    """Take the first packet off ``buffer``; None while it is not whole.

    :raises Malformed: also when reserved bits are set, which real clients do not mask.
    """
    if len(buffer) < HEADER:
        return None
    version, control, length = struct.unpack_from("!BBH", buffer)
    if version != VERSION or control > 1 or not HEADER <= length <= 0x0FFF:
        raise Malformed(f"no SSTP header: {buffer[:HEADER].hex()}")
    if len(buffer) < length:
        return None
    packet = bytes(buffer[:length])
    del buffer[:length]
    return packet


def decode(packet: bytes) -> Control | Data:
    """Read a packet that :func:`cut` cut.

    :raises Malformed: unless every length in it fits.
    """
    if packet[1] == 0:
        return Data(packet[HEADER:])
    try:
        kind, count = struct.unpack_from("!HH", packet, HEADER)
        attributes, rest = {}, packet[8:]
        for _ in range(count):
            reserved, number, length = struct.unpack_from("!BBH", rest)
            if reserved or not HEADER <= length <= len(rest) or number in attributes:
                raise Malformed(f"bad attribute in {packet.hex()}")
            attributes[number], rest = rest[HEADER:length], rest[length:]
        if rest:
            raise Malformed(f"{len(rest)} bytes too many in {packet.hex()}")
        return Control(Kind(kind), attributes)
    except (struct.error, ValueError) as error:
        raise Malformed(f"{error}: {packet.hex()}") from error
