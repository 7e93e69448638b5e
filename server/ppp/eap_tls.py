"""EAP-TLS (RFC 5216): TLS in pieces. The handshake itself is an effect, and made elsewhere."""

import enum
import struct
from dataclasses import dataclass
from typing import Final

from ..contracts import Account, Cause
from .eap_method import Ask, EapType, Fail, MethodOutput
from .effects import Admit, Handshake, Handshaken, Note, login_failed
from .judging import Changed, Judgement

#: Bytes that one message of a client's TLS may have, however many pieces it comes in. A chain of
#: certificates takes a few thousand. What is kept of a stranger, and given to TLS, is no more.
MESSAGE_MAX: Final = 32 * 1024

_LENGTH: Final = struct.Struct("!I")  # RFC 5216 3.1: TLS Message Length
_FINGERPRINT: Final = 16  # hexadecimal digits of a certificate's that the log shows


@enum.unique
class Flag(enum.IntFlag):
    """RFC 5216 3.1."""

    LENGTH_INCLUDED = 0x80
    MORE_FRAGMENTS = 0x40
    START = 0x20


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a message.

    :param total: the size of the whole message, if it says so.
    :param more: whether the message goes on in another piece.
    """

    data: bytes
    total: int | None
    more: bool


def decode_piece(data: bytes) -> Piece | None:
    """Return what a Response carries; None if it is not well-formed."""
    if not data:
        return None
    at, total = 1, None
    if data[0] & Flag.LENGTH_INCLUDED:
        if len(data) < 1 + _LENGTH.size:
            return None
        at, (total,) = 1 + _LENGTH.size, _LENGTH.unpack_from(data, 1)
    return Piece(data[at:], total, bool(data[0] & Flag.MORE_FRAGMENTS))


def _hlaks(key: bytes) -> tuple[bytes, ...]:
    """Return what clients take for the key of the binding, from the Master Session Key.

    The first is right: its first 32 bytes, the client's send key ([MS-SSTP] 3.2.5.2.4). The second
    is what sstpc makes of it where pppd is older than 2.5, as in Debian 12 and Ubuntu 24.04: 16
    bytes are kept there of each of the two keys, and put behind each other as for MS-CHAPv2.
    """
    return key[:32], key[:16] + key[32:48]


def encode_pieces(message: bytes, room: int) -> list[bytes]:
    """Return ``message`` as the data of Requests, in pieces of at most ``room`` bytes.

    The length comes with the first of several, and only then (RFC 9190 2.1.2).
    """
    if len(message) <= room:
        return [b"\0" + message] if message else []
    pieces = [message[at : at + room] for at in range(0, len(message), room)]
    first, *middle, end = pieces
    head = bytes([Flag.LENGTH_INCLUDED | Flag.MORE_FRAGMENTS]) + _LENGTH.pack(len(message))
    return [head + first, *(bytes([Flag.MORE_FRAGMENTS]) + one for one in middle), b"\0" + end]


class Tls:
    """The method; see :class:`.eap_method.Method`.

    :param claimed: the Identity of the client, fit for a log. It decides nothing.
    :param room: bytes of TLS that fit into one Request.
    """

    type = EapType.TLS

    def __init__(self, claimed: str, room: int) -> None:
        self.hlaks: tuple[bytes, ...] = ()
        self._claimed = claimed
        self._room = room
        self._received = bytearray()
        self._total: int | None = None
        self._unsent: list[bytes] = []
        self._account: Account | None = None

    @property
    def user(self) -> str:
        """Whose certificate it is."""
        return self._account.name if self._account else ""

    def begin(self, identifier: int) -> bytes:
        """Return EAP-TLS/Start."""
        return bytes([Flag.START])

    def receive(self, data: bytes, now: float) -> list[MethodOutput]:
        """Take a piece of TLS, or an empty one, which asks for our next."""
        piece = decode_piece(data)
        if piece is None:
            return []
        if self._unsent:
            # RFC 5216 2.1.5: nothing but the acknowledgement is due now
            return [] if piece.data else [Ask(self._unsent.pop(0))]
        if self._account is not None:
            return self._end(piece, self._account)
        return self._collect(piece)

    def judged(self, judgement: Judgement, now: float) -> list[MethodOutput]:
        """This method looks nobody up by name."""
        return []

    def changed(self, account: Account, changed: Changed, now: float) -> list[MethodOutput]:
        """This method changes no password."""
        return []

    def handshaken(self, answer: Handshaken) -> list[MethodOutput]:
        """Send what TLS has to say, be it an alert."""
        pieces = encode_pieces(answer.data, self._room)
        if answer.refusal:
            # RFC 5216 2.1.3: an alert, the client's answer to it, then Failure
            alert = Ask(pieces[0], last=True) if len(pieces) == 1 else Fail()
            return [self._note(answer.refusal, Cause.CERTIFICATE), alert]
        if not pieces:
            return self._fail("the client's TLS breaks off")
        self._account = answer.account
        if answer.account is not None:
            self.hlaks = _hlaks(answer.key)
        first, *self._unsent = pieces
        return [Ask(first)]

    def _collect(self, piece: Piece) -> list[MethodOutput]:
        """Put the client's message together and give it to TLS."""
        if not piece.data:
            return self._fail("the client's TLS is empty")
        if not self._received:
            self._total = piece.total
        self._received += piece.data
        if max(len(self._received), self._total or 0) > MESSAGE_MAX:
            return self._fail(f"the client's TLS has more than {MESSAGE_MAX} bytes")
        if piece.more:
            return [Ask(b"\0")]
        message = bytes(self._received)
        self._received.clear()
        if self._total not in (None, len(message)):
            return self._fail(f"the client's TLS has not the {self._total} bytes it claims")
        return [Handshake(message)]

    def _end(self, piece: Piece, account: Account) -> list[MethodOutput]:
        """RFC 5216 2.1.1: an empty answer to our last message says that the client is content."""
        if piece.data:
            why = "the client does not trust this server's certificate"
            return self._fail(why, Cause.CERTIFICATE)
        return [Admit(account, f"EAP-TLS, certificate {account.certificate[:_FINGERPRINT]}")]

    def _fail(self, why: str, cause: Cause = Cause.PROTOCOL) -> list[MethodOutput]:
        return [self._note(why, cause), Fail()]

    def _note(self, why: str, cause: Cause) -> Note:
        return login_failed(self._claimed, why, cause)
