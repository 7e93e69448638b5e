"""EAP as the peer (RFC 3748) with EAP-MSCHAPv2 in it (draft-kamath-pppext-eap-mschapv2)."""

import struct
from typing import Final

from sstpca.server.ppp import frames, mschapv2
from sstpca.server.ppp.eap import EapCode
from sstpca.server.ppp.eap_method import EapType
from sstpca.server.ppp.eap_mschapv2 import OpCode
from sstpca.server.ppp.effects import SendFrame
from sstpca.server.ppp.frames import Packet, Protocol
from sstpca.server.ppp.negotiation import GiveUp

from .sign_in import MsChapV2, Output, Refused, SignedIn, refused

_NOTIFICATION: Final = 2  # RFC 3748 5.2
# OpCode, MS-CHAPv2-ID, MS-Length
_HEADER: Final = struct.Struct("!BBH")


class EapSignIn:
    """EAP-MSCHAPv2. A Request that comes again gets the same answer (RFC 3748 4.1)."""

    protocol = Protocol.EAP

    def __init__(self, exchange: MsChapV2) -> None:
        self.deadline: float | None = None
        self._exchange = exchange
        self._answered: tuple[Packet, SendFrame] | None = None
        self._proven: SignedIn | None = None
        self._refused: Refused | None = None

    def begin(self, now: float) -> list[Output]:
        """Wait for the server's Request."""
        return []

    def receive(self, packet: Packet, now: float) -> list[Output]:
        """Take an EAP packet of the server."""
        match packet.code:
            case EapCode.REQUEST if packet.data:
                if self._answered is not None and self._answered[0] == packet:
                    return [self._answered[1]]
                return self._asked(packet)
            case EapCode.SUCCESS:
                # one that comes unproven is nobody's (RFC 3748 4.2)
                return [] if self._proven is None else [self._proven]
            case EapCode.FAILURE:
                return [self._refused or Refused(691)]
            case _:
                return []

    def tick(self, now: float) -> list[Output]:
        """The server asks, and repeats."""
        return []

    def _asked(self, packet: Packet) -> list[Output]:
        kind, data = packet.data[0], packet.data[1:]
        match kind:
            case EapType.IDENTITY:
                return self._answer(packet, bytes((kind,)) + self._exchange.name)
            case _ if kind == _NOTIFICATION:
                return self._answer(packet, bytes((kind,)))
            case EapType.MS_CHAP_V2:
                return self._method(packet, data)
            case _:
                # RFC 3748 5.3.1
                return self._answer(packet, bytes((EapType.NAK, EapType.MS_CHAP_V2)))

    def _method(self, packet: Packet, data: bytes) -> list[Output]:
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
                said = bytes((len(value),)) + value + self._exchange.name
                header = _HEADER.pack(OpCode.RESPONSE, identifier, _HEADER.size + len(said))
                return self._answer(packet, bytes((EapType.MS_CHAP_V2,)) + header + said)
            case OpCode.SUCCESS:
                judged = self._exchange.succeeded(body)
                if isinstance(judged, GiveUp):
                    return [judged]
                assert isinstance(judged, SignedIn)
                self._proven = judged
                return self._answer(packet, bytes((EapType.MS_CHAP_V2, OpCode.SUCCESS)))
            case OpCode.FAILURE:
                self._refused = refused(body)
                return self._answer(packet, bytes((EapType.MS_CHAP_V2, OpCode.FAILURE)))
            case _:
                return []

    def _answer(self, packet: Packet, data: bytes) -> list[Output]:
        response = frames.encode_packet(Packet(EapCode.RESPONSE, packet.id, data))
        frame = SendFrame(frames.encode(Protocol.EAP, response))
        self._answered = packet, frame
        return [frame]
