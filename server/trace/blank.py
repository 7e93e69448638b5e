"""What is taken out of a packet before anybody writes it down.

Whatever would help to find a password or to take a session over: what a client proves to know its
password with, and the server; passwords themselves; the MAC of the crypto binding. What is in EAP-TLS is
left out whole. Lengths stay, but that of a PAP password. What cannot be read is left out as well. Of IP
packets there are the headers alone, unless more is asked for.
"""

import struct
from collections.abc import Callable
from typing import Final

from ..ppp.chap import ChapCode
from ..ppp.eap_method import EapType
from ..ppp.frames import Code, FrameError, Protocol
from ..ppp.frames import decode as decode_frame
from ..sstp.wire import HEADER_SIZE, AttributeId, Control, WireError
from ..sstp.wire import decode as decode_packet

#: Protocols of PPP that negotiate a network protocol; below them are network protocols, above what is
#: of the link: RFC 1661 2.
_NETWORK_CONTROL: Final = range(0x8000, 0xC000)

#: RFC 1661 5: a packet of a control protocol begins with code, identifier and length.
_HEAD: Final = 4

# RFC 1334 2.2
_PAP_REQUEST: Final = 1
_PAP_BLANK: Final = b"********"
# RFC 3748 4, 5; draft-kamath-pppext-eap-mschapv2
_EAP_RESPONSE: Final = 2
_EAP_OPEN: Final = (1, 2, 3)  # Identity, Notification, Nak: nothing secret
_TLS_LENGTH: Final = 0x80
#: Bytes of MS-CHAPv2's data in EAP before the value: OpCode, identifier, length (2).
_MS_HEAD: Final = 4

#: Bytes that are kept of the attributes of SSTP, header and all: of a Crypto-Binding ([MS-SSTP] 2.2.7)
#: hash protocol, nonce and hash, behind which the MAC is; of a Status-Info (2.2.8) what and which.
_KEPT: Final[dict[int, int]] = {
    AttributeId.ENCAPSULATED_PROTOCOL_ID: 6,
    AttributeId.STATUS_INFO: 12,
    AttributeId.CRYPTO_BINDING: 4 + 4 + 32 + 32,
    AttributeId.CRYPTO_BINDING_REQ: 4 + 4 + 32,
}

_SIZE: Final = struct.Struct("!H")


def blanked(packet: bytes, *, whole: bool = False) -> tuple[bytes, int]:
    """Return an SSTP packet without its secrets, and the size that it had as it is now.

    :param packet: one whole packet.
    :param whole: whether IP packets are kept with what they carry.
    :returns: bytes, perhaps fewer than the packet has where an IP packet is cut; and its size.
    """
    if packet[1] & 1:
        return _control(packet), len(packet)
    made, size = _frame(packet[HEADER_SIZE:], whole=whole)
    # the version stays, and the length is that of what it is now
    head = packet[:2] + _SIZE.pack(HEADER_SIZE + size)
    return head + made, HEADER_SIZE + size


def _control(packet: bytes) -> bytes:
    try:
        message = decode_packet(packet)
    except WireError:
        return packet[:HEADER_SIZE] + bytes(len(packet) - HEADER_SIZE)
    assert isinstance(message, Control)
    made, at = bytearray(packet), HEADER_SIZE + 4
    for attribute in message.attributes:
        end = at + 4 + len(attribute.value)
        # what is not known may be anything; a Status-Info may have the value of another attribute
        begin = at + _KEPT.get(attribute.id, 4)
        made[begin:end] = bytes(max(0, end - begin))
        at = end
    return bytes(made)


def _frame(frame: bytes, *, whole: bool) -> tuple[bytes, int]:
    """Return a PPP frame without its secrets, and the size that it has then."""
    try:
        protocol, information = decode_frame(frame)
    except FrameError:
        return bytes(len(frame)), len(frame)
    head = frame[: len(frame) - len(information)]
    match protocol:
        case Protocol.IPV4 | Protocol.IPV6:
            end = len(information) if whole else _headers(information)
            return head + information[:end], len(frame)
        case Protocol.PAP:
            made = _pap(information)
        case Protocol.CHAP:
            made = _of_packet(information, _chap)
        case Protocol.EAP:
            made = _of_packet(information, _eap)
        case Protocol.LCP:
            made = _of_packet(information, _lcp)
        case _ if protocol in _NETWORK_CONTROL:
            made = information
        case _:
            made = bytes(len(information))
    return head + made, len(head) + len(made)


def _of_packet(information: bytes, blank: Callable[[int, bytes], bytes]) -> bytes:
    """Return a packet of a control protocol; what stands behind its end is left out."""
    if len(information) < _HEAD:
        return bytes(len(information))
    (length,) = _SIZE.unpack_from(information, 2)
    if not _HEAD <= length <= len(information):
        return information[:_HEAD] + bytes(len(information) - _HEAD)
    data = blank(information[0], information[_HEAD:length])
    return information[:_HEAD] + data + bytes(len(information) - length)


def _lcp(code: int, data: bytes) -> bytes:
    """What is rejected comes back as it was sent, also a login."""
    if code == Code.CODE_REJECT:
        return bytes(len(data))
    if code == Code.PROTOCOL_REJECT and int.from_bytes(data[:2]) not in _NETWORK_CONTROL:
        return data[:2] + bytes(len(data[2:]))
    return data


def _chap(code: int, data: bytes) -> bytes:
    match code:
        case ChapCode.CHALLENGE | ChapCode.FAILURE:  # which has the next one
            return data
        case ChapCode.RESPONSE:
            return _value(data)
        case ChapCode.SUCCESS:
            return _proof(data)
        case _:
            return bytes(len(data))


def _value(data: bytes) -> bytes:
    """Blank the value of a Response: its size comes first, a name stands behind it."""
    end = 1 + data[0] if data else 0
    return data[:1] + bytes(len(data[1:end])) + data[end:]


def _proof(data: bytes) -> bytes:
    """Blank the server's proof in a Success, ``S=`` and 40 digits (RFC 2759 5); all, if it is none."""
    begin, digits, rest = data[:2], data[2:42], data[42:]
    if begin == b"S=" and len(digits) == 40:
        return begin + b"0" * 40 + rest
    return data if b"=" not in data else bytes(len(data))


def _pap(information: bytes) -> bytes:
    """Return a request with the name, and a password that nobody has, of no length to be seen."""
    if len(information) < _HEAD or information[0] != _PAP_REQUEST:
        return information[:_HEAD] + bytes(len(information[_HEAD:]))
    data = information[_HEAD:]
    name = data[: 1 + data[0]] if data else b""
    if len(name) < 1 + (data[0] if data else 0) or not name:
        return information[:2] + _SIZE.pack(_HEAD)
    made = name + bytes([len(_PAP_BLANK)]) + _PAP_BLANK
    return information[:2] + _SIZE.pack(_HEAD + len(made)) + made


def _eap(code: int, data: bytes) -> bytes:
    if not data or code not in (1, _EAP_RESPONSE):
        return bytes(len(data))
    match data[0]:
        case kind if kind in _EAP_OPEN:
            return data
        case EapType.TLS:
            kept = 6 if len(data) > 1 and data[1] & _TLS_LENGTH else 2
            return data[:kept] + bytes(len(data[kept:]))
        case EapType.MS_CHAP_V2:
            return data[:1] + _ms_chap_v2(data[1:])
        case _:
            return data[:1] + bytes(len(data[1:]))


def _ms_chap_v2(data: bytes) -> bytes:
    """Blank what is in EAP-MSCHAPv2 as it is in CHAP; a Response of success has one byte, no more."""
    if len(data) < _MS_HEAD:
        return data[:1] + bytes(len(data[1:]))
    return data[:_MS_HEAD] + _chap(data[0], data[_MS_HEAD:])


def _headers(packet: bytes) -> int:
    """Return how many bytes of an IP packet are its header, and that of TCP, UDP or ICMP in it."""
    if not packet:
        return 0
    version = packet[0] >> 4
    if version == 4:
        end, inside = (packet[0] & 15) * 4, packet[9:10]
        if int.from_bytes(packet[6:8]) & 0x1FFF:  # a later fragment
            inside = b""
    else:
        end, inside = 40, packet[6:7]
    end = max(end, 20)
    match inside:
        case b"\x06":
            words = packet[end + 12 : end + 13]
            end += max(20, (words[0] >> 4) * 4) if words else 0
        case b"\x11" | b"\x01" | b"\x3a":
            end += 8
    return min(end, len(packet))
