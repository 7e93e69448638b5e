"""PPP frames and the packets of control protocols, between bytes and values.

A frame is what one SSTP data packet carries: no flags, no escapes, no checksum ([MS-SSTP] 2.2.3).
"""

import enum
import struct
from dataclasses import dataclass
from typing import Final

# RFC 1662 3.1: All-Stations address and Unnumbered Information
ADDRESS_CONTROL: Final = b"\xff\x03"
# RFC 1661 6.1: what a side must be able to receive when nothing else is agreed. We never ask for
# another value, so by RFC 1661 5 no control packet to us may be longer.
DEFAULT_MRU: Final = 1500

_HEADER: Final = struct.Struct("!BBH")  # code, identifier, length; RFC 1661 5
PACKET_HEADER_SIZE: Final = _HEADER.size


@enum.unique
class Protocol(enum.IntEnum):
    """The protocol numbers that mean something here (IANA, PPP DLL Protocol Numbers)."""

    IPV4 = 0x0021
    IPV6 = 0x0057  # RFC 5072 2
    IPCP = 0x8021  # RFC 1332
    IPV6CP = 0x8057  # RFC 5072
    LCP = 0xC021  # RFC 1661
    PAP = 0xC023  # RFC 1334
    CHAP = 0xC223  # RFC 1994
    EAP = 0xC227  # RFC 3748


@enum.unique
class Code(enum.IntEnum):
    """Codes of LCP, the first seven also of every NCP (RFC 1661 5, RFC 1570 2)."""

    CONFIGURE_REQUEST = 1
    CONFIGURE_ACK = 2
    CONFIGURE_NAK = 3
    CONFIGURE_REJECT = 4
    TERMINATE_REQUEST = 5
    TERMINATE_ACK = 6
    CODE_REJECT = 7
    PROTOCOL_REJECT = 8
    ECHO_REQUEST = 9
    ECHO_REPLY = 10
    DISCARD_REQUEST = 11
    IDENTIFICATION = 12
    TIME_REMAINING = 13


class FrameError(Exception):
    """The peer sent bytes that are not a frame or not a control packet: drop them."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet of LCP, CHAP, EAP or an NCP (RFC 1661 5, RFC 3748 4)."""

    code: int
    id: int
    data: bytes = b""


def encode(protocol: int, information: bytes) -> bytes:
    """Return the frame, with FF 03 and a protocol field of two bytes: every client takes those."""
    return ADDRESS_CONTROL + protocol.to_bytes(2, "big") + information


def decode(frame: bytes) -> tuple[int, bytes]:
    """Return protocol and information of a frame.

    FF 03 may be missing, and a protocol below 256 may take one byte, as if the compressions of
    RFC 1661 6.5 and 6.6 had been agreed: 6.6 leaves it open, and clients exist that send such. A
    protocol that cannot be one is for the link to reject, as RFC 1661 2 wants it.

    :raises FrameError: the frame ends within its header, or has another address or control field.
    """
    body = frame.removeprefix(ADDRESS_CONTROL)
    # RFC 1661 6.6: no protocol begins so, and 00FF is none; RFC 1662 3.1 drops the frame
    if body[:1] == ADDRESS_CONTROL[:1]:
        raise FrameError("the frame has another address or control field")
    # RFC 1661 2: the last byte of the protocol, and only the last, is odd
    size = 1 if body[:1] and body[0] & 1 else 2
    if len(body) < size:
        raise FrameError("the frame ends within its header")
    return int.from_bytes(body[:size], "big"), body[size:]


def encode_packet(packet: Packet) -> bytes:
    """Return the information field that carries ``packet``."""
    return _HEADER.pack(packet.code, packet.id, _HEADER.size + len(packet.data)) + packet.data


def decode_packet(information: bytes) -> Packet:
    """Return the control packet in an information field; padding after it is ignored.

    :raises FrameError: its length is impossible, or more than :data:`DEFAULT_MRU`.
    """
    if len(information) < _HEADER.size:
        raise FrameError("the packet ends within its header")
    code, identifier, length = _HEADER.unpack_from(information)
    if not _HEADER.size <= length <= min(len(information), DEFAULT_MRU):
        raise FrameError(f"a packet of {len(information)} bytes claims {length}")
    return Packet(code, identifier, information[_HEADER.size : length])
