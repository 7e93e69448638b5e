"""EAP-TLS as the peer (RFC 5216, RFC 9190): TLS in pieces. The handshake itself is made elsewhere."""

import typing
from collections.abc import Callable
from dataclasses import dataclass, field

from sstpca.server.ppp.eap_method import EapType
from sstpca.server.ppp.eap_tls import MESSAGE_MAX, Flag, decode_piece, encode_pieces

from .eap import Answer, MethodOutput
from .sign_in import Refused, SignedIn

# an acknowledgement, and the answer to what needs none: no flags, no data
_EMPTY = b"\0"


@dataclass(frozen=True, slots=True)
class Step:
    """What TLS makes of a message of the server.

    :param data: what it has to say, be it an alert.
    :param hlak: once the server has proved itself and nothing is left to say: the key for the
        binding, 32 bytes of the Master Session Key ([MS-SSTP] 3.2.5.2.4).
    :param distrusted: why the server is not to be believed, in one line.
    :param refusal: why the server does not take our certificate, if it says so by an alert.
    """

    data: bytes = b""
    hlak: bytes = field(default=b"", repr=False)
    distrusted: str = ""
    refusal: str = ""


class PeerTls(typing.Protocol):
    """TLS as the client, in memory."""

    def begin(self) -> Step:
        """Begin the handshake."""

    def receive(self, message: bytes) -> Step:
        """Take a message of the server."""


@dataclass(frozen=True, slots=True)
class ByCertificate:
    """Who logs in by a certificate.

    :param identity: what we call ourselves in EAP; it decides nothing where the server is ours.
    :param tls: begins with our certificate, and judges the server's.
    """

    identity: str
    tls: Callable[[], PeerTls] = field(repr=False)


class EapTls:
    """The method; see :class:`.eap.PeerMethod`.

    :param room: bytes of TLS that fit into one Response.
    """

    type = EapType.TLS

    def __init__(self, who: ByCertificate, room: int) -> None:
        self.identity = who.identity.encode()
        self._make = who.tls
        self._room = room
        self._tls: PeerTls | None = None
        self._received = bytearray()
        self._total: int | None = None
        self._unsent: list[bytes] = []
        self._hlak = b""
        self._refusal = ""

    def receive(self, data: bytes) -> list[MethodOutput]:
        """Take EAP-TLS/Start, a piece of TLS, or an empty one, which asks for our next."""
        piece = decode_piece(data)
        if piece is None:
            return []
        if data[0] & Flag.START:
            if self._tls is not None:
                return [_broken("begins TLS anew")]
            self._tls = self._make()
            return self._say(self._tls.begin())
        if self._tls is None:
            return []
        if self._unsent:
            # RFC 5216 2.1.5: nothing but the acknowledgement is due now
            return [] if piece.data else [Answer(self._unsent.pop(0))]
        if not self._received:
            self._total = piece.total
        self._received += piece.data
        if max(len(self._received), self._total or 0) > MESSAGE_MAX:
            return [_broken(f"has more than {MESSAGE_MAX} bytes")]
        if piece.more:
            return [Answer(_EMPTY)]
        message = bytes(self._received)
        self._received.clear()
        if self._total not in (None, len(message)):
            return [_broken(f"has not the {self._total} bytes it claims")]
        return self._say(self._tls.receive(message)) if message else [Answer(_EMPTY)]

    def succeeded(self) -> SignedIn | None:
        """The handshake is over, or the server may not say Success yet."""
        return SignedIn(self._hlak) if self._hlak else None

    def failed(self) -> Refused:
        """EAP's Failure gives no reason; an alert of TLS before it may have."""
        if self._refusal:
            return Refused(0, why=f"the server refuses the certificate: {self._refusal}")
        # of a server that says no more, a certificate that it has revoked or not issued, and a user
        # who is disabled look alike
        return Refused(0, why="the server refuses the certificate or its user; its log says why")

    def _say(self, step: Step) -> list[MethodOutput]:
        self._hlak, self._refusal = step.hlak, step.refusal or self._refusal
        first, *self._unsent = encode_pieces(step.data, self._room) or [_EMPTY]
        answer: list[MethodOutput] = [Answer(first)]
        if step.distrusted:
            answer.append(Refused(0, why=step.distrusted))
        return answer


def _broken(how: str) -> Refused:
    return Refused(0, why=f"the server's TLS in EAP-TLS {how}")
