"""SSTP packets as bytes and as values: [MS-SSTP] 2.2.

The codec knows what is well formed, not what is allowed when: that is the matter of
:mod:`.call`. Reserved bits are sent as 0 and ignored on receipt.
"""

import enum
import struct
from dataclasses import dataclass
from typing import Final

#: Major version 1, minor version 0: [MS-SSTP] 2.2.1.
VERSION: Final = 0x10
#: The 12 bits of a length field that count; the 4 above are reserved: [MS-SSTP] 2.2.1.
LENGTH_MASK: Final = 0x0FFF
#: The largest packet, in bytes, its header included: [MS-SSTP] 2.2.1, 3.1.5.2.
MAX_PACKET: Final = 4095
#: The header of every packet, in bytes.
HEADER_SIZE: Final = 4
#: The protocol id of PPP, the only one there is: [MS-SSTP] 2.2.5.
PROTOCOL_PPP: Final = b"\x00\x01"

#: Our own limit: no message has more than one attribute that means something; a hostile one
#: could have a thousand.
MAX_ATTRIBUTES: Final = 8
#: How much of a refused attribute is sent back, in bytes: [MS-SSTP] 2.2.8.
MAX_ECHOED_VALUE: Final = 64

_CONTROL_BIT: Final = 0x01
_HEADER: Final = struct.Struct("!BBH")  # version, reserved and C, length; [MS-SSTP] 2.2.1
_CONTROL: Final = struct.Struct("!HH")  # message type, number of attributes; 2.2.2
_ATTRIBUTE: Final = struct.Struct("!BBH")  # reserved, id, length; 2.2.4
_STATUS_INFO: Final = struct.Struct("!3xBL")  # reserved, attribute, status; 2.2.8


@enum.unique
class MessageType(enum.IntEnum):
    """[MS-SSTP] 2.2.2."""

    CALL_CONNECT_REQUEST = 0x0001
    CALL_CONNECT_ACK = 0x0002
    CALL_CONNECT_NAK = 0x0003
    CALL_CONNECTED = 0x0004
    CALL_ABORT = 0x0005
    CALL_DISCONNECT = 0x0006
    CALL_DISCONNECT_ACK = 0x0007
    ECHO_REQUEST = 0x0008
    ECHO_RESPONSE = 0x0009


@enum.unique
class AttributeId(enum.IntEnum):
    """[MS-SSTP] 2.2.4; NO_ERROR stands only inside a Status Info attribute, 2.2.8."""

    NO_ERROR = 0x00
    ENCAPSULATED_PROTOCOL_ID = 0x01
    STATUS_INFO = 0x02
    CRYPTO_BINDING = 0x03
    CRYPTO_BINDING_REQ = 0x04


@enum.unique
class Status(enum.IntEnum):
    """[MS-SSTP] 2.2.8."""

    NO_ERROR = 0x00
    DUPLICATE_ATTRIBUTE = 0x01
    UNRECOGNIZED_ATTRIBUTE = 0x02
    INVALID_ATTRIB_VALUE_LENGTH = 0x03
    VALUE_NOT_SUPPORTED = 0x04
    UNACCEPTED_FRAME_RECEIVED = 0x05
    RETRY_COUNT_EXCEEDED = 0x06
    INVALID_FRAME_RECEIVED = 0x07
    NEGOTIATION_TIMEOUT = 0x08
    ATTRIB_NOT_SUPPORTED_IN_MSG = 0x09
    REQUIRED_ATTRIBUTE_MISSING = 0x0A
    STATUS_INFO_NOT_SUPPORTED_IN_MSG = 0x0B


class WireError(Exception):
    """The peer sent bytes that are not a packet.

    :param status: what Call-Abort says about it. None: the stream itself cannot be cut into
        packets, and the connection ends without a message ([MS-SSTP] 3.1.5.1).
    """

    def __init__(self, message: str, status: Status | None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a control message.

    :param id: an :class:`AttributeId`, or whatever else a client sent (0 to 255).
    """

    id: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Control:
    """A control packet: [MS-SSTP] 2.2.2."""

    type: MessageType
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True)
class Data:
    """A data packet with one PPP frame: [MS-SSTP] 2.2.3."""

    frame: bytes


def encode(packet: Control | Data) -> bytes:
    """Return the bytes of ``packet``.

    :raises ValueError: if it would be larger than :data:`MAX_PACKET`.
    """
    if isinstance(packet, Data):
        control, body = 0, packet.frame
    else:
        control = _CONTROL_BIT
        body = _CONTROL.pack(packet.type, len(packet.attributes))
        body += b"".join(map(_attribute, packet.attributes))
    size = HEADER_SIZE + len(body)
    if size > MAX_PACKET:
        raise ValueError(f"a packet of {size} bytes; SSTP ends at {MAX_PACKET}")
    return _HEADER.pack(VERSION, control, size) + body


def _attribute(attribute: Attribute) -> bytes:
    size = _ATTRIBUTE.size + len(attribute.value)
    return _ATTRIBUTE.pack(0, attribute.id, size) + attribute.value


def decode(packet: bytes) -> Control | Data:
    """Return what one whole packet says.

    :raises WireError: if it is not well formed.
    """
    if len(packet) < HEADER_SIZE or len(packet) != packet_size(packet, 0):
        raise WireError(f"{len(packet)} bytes are not one packet", None)
    if not packet[1] & _CONTROL_BIT:
        return Data(packet[HEADER_SIZE:])
    if len(packet) < HEADER_SIZE + _CONTROL.size:
        raise _malformed("a control packet without a message")
    number, count = _CONTROL.unpack_from(packet, HEADER_SIZE)
    try:
        type_ = MessageType(number)
    except ValueError:
        raise _malformed(f"message type {number:#06x}") from None
    return Control(type_, _attributes(packet, count))


def _attributes(packet: bytes, count: int) -> tuple[Attribute, ...]:
    if count > MAX_ATTRIBUTES:
        raise _malformed(f"{count} attributes")
    attributes = []
    start = HEADER_SIZE + _CONTROL.size
    for _ in range(count):
        if start + _ATTRIBUTE.size > len(packet):
            raise _malformed("an attribute is missing")
        _, id_, size = _ATTRIBUTE.unpack_from(packet, start)
        size &= LENGTH_MASK
        if not _ATTRIBUTE.size <= size <= len(packet) - start:
            raise _malformed(f"an attribute of {size} bytes")
        attributes.append(Attribute(id_, packet[start + _ATTRIBUTE.size : start + size]))
        start += size
    if start != len(packet):
        raise _malformed(f"{len(packet) - start} bytes after the last attribute")
    return tuple(attributes)


def _malformed(what: str) -> WireError:
    return WireError(what, Status.INVALID_FRAME_RECEIVED)


def packet_size(data: bytes | bytearray | memoryview, start: int) -> int:
    """Return the size in bytes of the packet at ``start``, of which 4 bytes must be there.

    :raises WireError: if no packet begins there ([MS-SSTP] 3.1.5.1).
    """
    version, _, size = _HEADER.unpack_from(data, start)
    size &= LENGTH_MASK
    if version != VERSION:
        raise WireError(f"SSTP version {version:#04x}", None)
    if size < HEADER_SIZE:
        raise WireError(f"a packet of {size} bytes", None)
    return int(size)


def status_info(attribute: int, status: Status, value: bytes = b"") -> Attribute:
    """Return a Status Info attribute: [MS-SSTP] 2.2.8.

    :param attribute: the id of the attribute it speaks of.
    :param value: what the client had sent; only in Call-Connect-Nak, and cut to 64 bytes.
    """
    body = _STATUS_INFO.pack(attribute, status) + value[:MAX_ECHOED_VALUE]
    return Attribute(AttributeId.STATUS_INFO, body)


def status_of(value: bytes) -> int | None:
    """Return the status in the value of a Status Info attribute; None if it is too short."""
    if len(value) < _STATUS_INFO.size:
        return None
    _, status = _STATUS_INFO.unpack_from(value)
    return int(status)


def status_in_words(attributes: tuple[Attribute, ...]) -> str:
    """Return the status that the first Status Info attribute gives, in words."""
    for attribute in attributes:
        status = status_of(attribute.value) if attribute.id == AttributeId.STATUS_INFO else None
        if status is not None:
            return Status(status).name if status in tuple(Status) else f"status {status}"
    return "no status given"
