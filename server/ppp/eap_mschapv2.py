"""EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2, [MS-CHAP]): the packets of CHAP within EAP."""

import enum
import struct
from typing import Final

from ..contracts import Account
from .eap_method import Ask, EapType, MethodOutput
from .effects import Admit, Handshaken
from .password import Exchange, Right

# OpCode, MS-CHAPv2-ID, MS-Length: of the whole from the OpCode on; draft-kamath 2
_HEADER: Final = struct.Struct("!BBH")


@enum.unique
class OpCode(enum.IntEnum):
    """draft-kamath 2. Changing a password (7) is not offered."""

    CHALLENGE = 1
    RESPONSE = 2
    SUCCESS = 3
    FAILURE = 4


@enum.unique
class MsChapV2State(enum.Enum):
    """[MS-CHAP] 3.3.1."""

    CHALLENGED = "waiting for the Challenge-Response"
    LOOKING = "waiting for the account"
    PROVEN = "waiting for the Success-Response"
    OVER = "nothing more to hear"


class MsChapV2:
    """The method; see :class:`.eap_method.Method`.

    :param exchange: the link's, so that no Challenge comes twice on it.
    """

    type = EapType.MS_CHAP_V2

    def __init__(self, exchange: Exchange) -> None:
        self.hlaks: tuple[bytes, ...] = ()
        self._exchange = exchange
        self._state = MsChapV2State.CHALLENGED
        self._id = 0
        self._account: Account | None = None

    @property
    def user(self) -> str:
        """The name in the Response, which the proof is made with."""
        return self._exchange.user

    def begin(self, identifier: int) -> bytes:
        """Return the Challenge-Request; all that follows has its MS-CHAPv2-ID."""
        self._id = identifier
        return self._packet(OpCode.CHALLENGE, self._exchange.challenge())

    def receive(self, data: bytes, now: float) -> list[MethodOutput]:
        """Take a Challenge-Response, or the Success-Response, which has an OpCode and no more."""
        match data[:1], self._state:
            case (b"\x02", MsChapV2State.CHALLENGED):
                return self._responded(data, now)
            case (b"\x03", MsChapV2State.PROVEN) if self._account is not None:
                self._state = MsChapV2State.OVER
                return [Admit(self._account, "EAP-MSCHAPv2")]
            case _:
                return []

    def account(self, account: Account | None, now: float) -> list[MethodOutput]:
        """Judge the Response by the account that was looked up, None if there is none.

        The lease comes only with the Success-Response: the client has to believe us, too.
        """
        if self._state is not MsChapV2State.LOOKING:
            return []
        verdict = self._exchange.judge(account, now)
        if isinstance(verdict, Right):
            self._state = MsChapV2State.PROVEN
            self._account, self.hlaks = verdict.account, (verdict.hlak,)
            return [Ask(self._packet(OpCode.SUCCESS, verdict.message))]
        self._state = MsChapV2State.OVER
        refusal = self._packet(OpCode.FAILURE, verdict.message)
        return [verdict.note, Ask(refusal, at=verdict.at, last=True)]

    def handshaken(self, answer: Handshaken) -> list[MethodOutput]:
        """This method asks for no handshake."""
        return []

    def _responded(self, data: bytes, now: float) -> list[MethodOutput]:
        if len(data) < _HEADER.size:
            return []
        _, identifier, length = _HEADER.unpack_from(data)
        if identifier != self._id or not _HEADER.size <= length <= len(data):
            return []
        question = self._exchange.take(data[_HEADER.size : length], now)
        if question is None:
            return []
        self._state = MsChapV2State.LOOKING
        return [question]

    def _packet(self, code: OpCode, data: bytes) -> bytes:
        return _HEADER.pack(code, self._id, _HEADER.size + len(data)) + data
