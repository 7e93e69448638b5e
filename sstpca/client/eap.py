"""EAP as the peer (RFC 3748): says who we are, takes the one method that we have, and hears the end of it.

EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2) is here; EAP-TLS in :mod:`.eap_tls`.
"""

import struct
import typing
from dataclasses import dataclass, field
from typing import Final

from sstpca.server.ppp import frames, mschapv2
from sstpca.server.ppp.eap import METHOD_NAMES, EapCode
from sstpca.server.ppp.eap_method import EapType
from sstpca.server.ppp.eap_mschapv2 import OpCode
from sstpca.server.ppp.effects import SendFrame
from sstpca.server.ppp.frames import Packet, Protocol

from .sign_in import MsChapV2, Output, Refused, SignedIn, refused

_NOTIFICATION: Final = 2  # RFC 3748 5.2
# OpCode, MS-CHAPv2-ID, MS-Length
_HEADER: Final = struct.Struct("!BBH")


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the Request of the method.

    :param data: what comes behind the type.
    """

    data: bytes = field(repr=False)


MethodOutput = Answer | Refused


class PeerMethod(typing.Protocol):
    """One method of EAP; its outputs are none for a Request that is to be dropped.

    :ivar identity: who we are, as it is sent.
    """

    type: EapType
    identity: bytes

    def receive(self, data: bytes) -> list[MethodOutput]:
        """Take what comes behind the type in a Request."""

    def succeeded(self) -> SignedIn | None:
        """Judge the server's Success; None where it has not proved itself yet (RFC 3748 4.2)."""

    def failed(self) -> Refused:
        """Return what the server's Failure means."""


class EapSignIn:
    """A login by EAP. A Request that comes again gets the same answer (RFC 3748 4.1)."""

    protocol = Protocol.EAP

    def __init__(self, method: PeerMethod) -> None:
        self.deadline: float | None = None
        self._method = method
        self._answered: tuple[Packet, SendFrame] | None = None
        self._unwanted = 0  # the method that was asked for last, if it was another
        self._over = False

    def begin(self, now: float) -> list[Output]:
        """Wait for the server's Request."""
        return []

    def receive(self, packet: Packet, now: float) -> list[Output]:
        """Take an EAP packet of the server."""
        if self._over:
            return []
        match packet.code:
            case EapCode.REQUEST if packet.data:
                if self._answered is not None and self._answered[0] == packet:
                    return [self._answered[1]]
                return self._asked(packet)
            case EapCode.SUCCESS if (signed_in := self._method.succeeded()) is not None:
                self._over = True
                return [signed_in]
            case EapCode.FAILURE:
                self._over = True
                return [self._failure()]
            case _:
                return []

    def tick(self, now: float) -> list[Output]:
        """The server asks, and repeats."""
        return []

    def _asked(self, packet: Packet) -> list[Output]:
        kind, data = packet.data[0], packet.data[1:]
        match kind:
            case EapType.IDENTITY:
                return [self._answer(packet, self._method.identity)]
            case _ if kind == _NOTIFICATION:
                return [self._answer(packet, b"")]
            case self._method.type:
                self._unwanted = 0
                return [self._told(packet, one) for one in self._method.receive(data)]
            case _:
                self._unwanted = kind
                # RFC 3748 5.3.1
                return [self._answer(packet, bytes((self._method.type,)), EapType.NAK)]

    def _told(self, packet: Packet, output: MethodOutput) -> Output:
        return self._answer(packet, output.data) if isinstance(output, Answer) else output

    def _failure(self) -> Refused:
        if not self._unwanted:
            return self._method.failed()
        ours = METHOD_NAMES[self._method.type]
        asked = METHOD_NAMES.get(self._unwanted, f"EAP type {self._unwanted}")
        return Refused(0, why=f"the server asks for {asked}, and does not take {ours}")

    def _answer(self, packet: Packet, data: bytes, type_: int = 0) -> SendFrame:
        body = bytes((type_ or packet.data[0],)) + data
        response = frames.encode_packet(Packet(EapCode.RESPONSE, packet.id, body))
        frame = SendFrame(frames.encode(Protocol.EAP, response))
        self._answered = packet, frame
        return frame


class EapMsChapV2:
    """EAP-MSCHAPv2; see :class:`PeerMethod`."""

    type = EapType.MS_CHAP_V2

    def __init__(self, exchange: MsChapV2) -> None:
        self.identity = exchange.name
        self._exchange = exchange
        self._proven: SignedIn | None = None
        self._refused = Refused(691)

    def receive(self, data: bytes) -> list[MethodOutput]:
        """Take a Challenge, Success or Failure Request."""
        if len(data) < _HEADER.size:
            return []
        code, identifier, _ = _HEADER.unpack_from(data)
        body = data[_HEADER.size :]
        match code:
            case OpCode.CHALLENGE if body[:1] == bytes((mschapv2.CHALLENGE_SIZE,)):
                challenge = body[1 : 1 + mschapv2.CHALLENGE_SIZE]
                if len(challenge) != mschapv2.CHALLENGE_SIZE:
                    return []
                value = self._exchange.respond(challenge)
                said = bytes((len(value),)) + value + self.identity
                header = _HEADER.pack(OpCode.RESPONSE, identifier, _HEADER.size + len(said))
                return [Answer(header + said)]
            case OpCode.SUCCESS:
                judged = self._exchange.succeeded(body)
                if isinstance(judged, Refused):
                    return [judged]
                self._proven = judged
                return [Answer(bytes((OpCode.SUCCESS,)))]
            case OpCode.FAILURE:
                self._refused = refused(body)
                return [Answer(bytes((OpCode.FAILURE,)))]
            case _:
                return []

    def succeeded(self) -> SignedIn | None:
        """The server has proved to know the password, or not yet."""
        return self._proven

    def failed(self) -> Refused:
        """Return what the Failure Request said."""
        return self._refused
