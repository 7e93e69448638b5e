"""EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2, [MS-CHAP]): the packets of CHAP within EAP."""

import enum
import struct
from typing import Final

from ..contracts import Account
from .eap_method import Ask, EapType, Fail, MethodOutput
from .effects import Admit, ChangePassword, Handshaken, LookUp
from .judging import Changed, Judgement
from .password import Exchange
from .verdict import Next, Right, Wrong

# OpCode, MS-CHAPv2-ID, MS-Length: of the whole from the OpCode on; draft-kamath 2
_HEADER: Final = struct.Struct("!BBH")


@enum.unique
class OpCode(enum.IntEnum):
    """draft-kamath 2."""

    CHALLENGE = 1
    RESPONSE = 2
    SUCCESS = 3
    FAILURE = 4
    CHANGE_PASSWORD = 7


@enum.unique
class MsChapV2State(enum.Enum):
    """[MS-CHAP] 3.3.1."""

    CHALLENGED = "waiting for the Challenge-Response"
    LOOKING = "waiting for the account"
    CHANGING = "waiting for the new password to be kept"
    RETRYING = "waiting for another Response, or another password"
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
        """Take a Response or Change-Password, or an OpCode and no more, to Success or Failure."""
        match data[:1], self._state:
            case (b"\x02", MsChapV2State.CHALLENGED | MsChapV2State.RETRYING):
                return self._responded(data, now)
            case (b"\x07", MsChapV2State.RETRYING):
                return self._responded(data, now)
            case (b"\x04", MsChapV2State.RETRYING):
                self._state = MsChapV2State.OVER
                return [Fail()]
            case (b"\x03", MsChapV2State.PROVEN) if self._account is not None:
                self._state = MsChapV2State.OVER
                return [Admit(self._account, "EAP-MSCHAPv2")]
            case _:
                return []

    def judged(self, judgement: Judgement, now: float) -> list[MethodOutput]:
        """Take what has come of the Response.

        The lease comes only with the Success-Response: the client has to believe us, too.
        """
        if self._state is not MsChapV2State.LOOKING:
            return []
        return self._judged(self._exchange.judge(judgement, now))

    def changed(self, account: Account, changed: Changed, now: float) -> list[MethodOutput]:
        """Take the answer to :class:`ChangePassword`."""
        if self._state is not MsChapV2State.CHANGING:
            return []
        return self._judged(self._exchange.changed(account, changed, now))

    def handshaken(self, answer: Handshaken) -> list[MethodOutput]:
        """This method asks for no handshake."""
        return []

    def _responded(self, data: bytes, now: float) -> list[MethodOutput]:
        if len(data) < _HEADER.size:
            return []
        code, identifier, length = _HEADER.unpack_from(data)
        if not self._awaited(identifier) or not _HEADER.size <= length <= len(data):
            return []
        if code == OpCode.RESPONSE:
            question = self._exchange.take(identifier, data[_HEADER.size : length], now)
            return self._asked(identifier, question, MsChapV2State.LOOKING)
        change = self._exchange.change(data[_HEADER.size : length], now)
        return self._asked(identifier, change, MsChapV2State.CHANGING)

    def _awaited(self, identifier: int) -> bool:
        """Return whether a Response may have this MS-CHAPv2-ID: to a Failure, RFC 2759 9.1 has the
        next one, but the Request's own is known, too (hostap's eap_mschapv2.c).
        """
        retrying = self._state is MsChapV2State.RETRYING
        return identifier == self._id or (retrying and identifier == (self._id + 1) % 256)

    def _asked(
        self, identifier: int, output: LookUp | ChangePassword | None, state: MsChapV2State
    ) -> list[MethodOutput]:
        if output is None:
            return []
        self._id, self._state = identifier, state
        return [output]

    def _judged(self, verdict: Right | Wrong) -> list[MethodOutput]:
        if isinstance(verdict, Right):
            self._state = MsChapV2State.PROVEN
            self._account, self.hlaks = verdict.account, (verdict.hlak,)
            return [Ask(self._packet(OpCode.SUCCESS, verdict.message))]
        last = verdict.next is Next.NOTHING
        self._state = MsChapV2State.OVER if last else MsChapV2State.RETRYING
        refusal = self._packet(OpCode.FAILURE, verdict.message)
        return [verdict.note, Ask(refusal, at=verdict.at, last=last, typed=not last)]

    def _packet(self, code: OpCode, data: bytes) -> bytes:
        return _HEADER.pack(code, self._id, _HEADER.size + len(data)) + data
