"""The server's side of CHAP (RFC 1994) with MS-CHAPv2 in it (RFC 2759), as a small machine."""

import enum
import typing
from dataclasses import dataclass
from typing import Final

from ..contracts import Account, LoginMethod
from . import frames
from .effects import Admit, Authenticated, ChangePassword, Handshaken, LookUp, SendFrame
from .frames import Packet, Protocol
from .judging import Changed, Judgement
from .login import FAREWELL, FIRST_RETRY, LOGIN_DELAY, RETRY, Output
from .negotiation import GiveUp
from .patience import Patience, Question
from .verdict import Next, Right, Wrong

#: Seconds that a Response to an earlier Challenge waits for the one to the last, at most.
HELD: Final = 5.0


@enum.unique
class ChapCode(enum.IntEnum):
    """RFC 1994 4, RFC 2759 7."""

    CHALLENGE = 1
    RESPONSE = 2
    SUCCESS = 3
    FAILURE = 4
    CHANGE_PASSWORD = 7


@enum.unique
class ChapState(enum.Enum):
    """Where the login is."""

    IDLE = "not begun"
    CHALLENGED = "waiting for the client's Response"
    LOOKING = "waiting for the account"
    CHANGING = "waiting for the new password to be kept"
    ADMITTED = "waiting for the lease"
    REFUSING = "waiting for the time of the Failure"
    RETRYING = "Failure sent, and waiting for another try"
    SUCCEEDED = "Success sent"
    REFUSED = "Failure sent"


class Proof(typing.Protocol):
    """What goes to and fro in CHAP: MS-CHAPv2 (:mod:`.password`), or MD5 (:mod:`.chap_md5`).

    :ivar how: what the log says of a login by it; ``method`` is the same, as it is counted.
    """

    how: str
    method: LoginMethod

    @property
    def user(self) -> str:
        """The name the client logs in with, fit for a log."""

    def grace(self, patience: Patience) -> float:
        """Return how long another try may take, in seconds."""

    def challenge(self) -> bytes:
        """Return the data of a Challenge never sent before."""

    def take(
        self, identifier: int, data: bytes, now: float, challenge: bytes = b""
    ) -> LookUp | None:
        """Take the data of a Response; return what to ask, None if it is none.

        :param challenge: what :meth:`challenge` gave for what is answered; if empty, the last.
        """

    def judge(self, judgement: Judgement, now: float) -> Right | Wrong:
        """Say what has come of the Response."""

    def change(self, data: bytes, now: float) -> ChangePassword | None:
        """Take the data of a Change-Password packet; None if it is none, or not its time."""

    def changed(self, account: Account, changed: Changed, now: float) -> Right | Wrong:
        """Go on once another password was to be kept."""


@dataclass(frozen=True, slots=True)
class _Challenge:
    """A Challenge that may be answered.

    :ivar data: Value-Size, Value, Name.
    :ivar at: when it was sent.
    """

    data: bytes
    at: float


class Chap:
    """A login by CHAP; see :class:`.login.Login`.

    Each Challenge has its own identifier and value, also one that is sent because the last was not
    answered (RFC 1994 4.1). Any of them may be answered. But a client that answers several knows in
    the end only what it said to the last, and makes its key of that: so this is what is judged, if it
    comes in time.

    :param exchange: the link's, so that no Challenge comes twice on it.
    """

    protocol = Protocol.CHAP

    __slots__ = (
        "_challenges",
        "_exchange",
        "_held",
        "_hlak",
        "_id",
        "_next",
        "_patience",
        "_question",
        "_reply",
        "_state",
        "_unusable",
        "deadline",
        "failure",
        "method",
    )

    def __init__(self, exchange: Proof) -> None:
        self.method = exchange.method
        self.deadline: float | None = None
        self.failure = ""
        self._state = ChapState.IDLE
        self._exchange = exchange
        self._id = 0  # of the last Challenge; once there is a Response, of what it answers
        self._challenges: dict[int, _Challenge] = {}
        self._patience = Patience()
        self._question = Question(self._patience, FIRST_RETRY, RETRY)
        self._held: Packet | None = None  # a Response to an earlier Challenge than the last
        self._unusable = False  # something came in answer to it that is no Response
        self._reply = Packet(ChapCode.FAILURE, 0)
        self._next = Next.NOTHING  # what it may do after that
        self._hlak = b""

    @property
    def user(self) -> str:
        """The name the client logs in with, fit for a log."""
        return self._exchange.user

    @property
    def untouched(self) -> bool:
        """Whether there is no Response yet."""
        return self._state is ChapState.CHALLENGED

    @property
    def admitted(self) -> bool:
        """Whether the password is right, and Success not sent yet."""
        return self._state is ChapState.ADMITTED

    def begin(self, mru: int, patience: Patience, now: float) -> list[Output]:
        """Have a new Challenge sent: LCP is open."""
        self._patience = patience
        self._question = Question(patience, FIRST_RETRY, RETRY)
        self._challenges, self._held = {}, None
        self._state, self.deadline = ChapState.CHALLENGED, now + LOGIN_DELAY
        return []

    def stop(self) -> None:
        """Forget the login: LCP is no longer open."""
        self._state = ChapState.IDLE
        self.deadline = None

    def receive(self, packet: Packet, now: float) -> list[Output]:
        """Take a CHAP packet of the client."""
        if packet.code not in (ChapCode.RESPONSE, ChapCode.CHANGE_PASSWORD):
            return []
        match self._state:
            case ChapState.SUCCEEDED | ChapState.REFUSED | ChapState.RETRYING if (
                packet.id == self._id
            ):
                # RFC 1994 4.1: whatever it says now, it gets the same answer
                return [_frame(self._reply)]
            case ChapState.CHALLENGED if packet.id in self._challenges:
                return self._responded(packet, now)
            # RFC 2759 9.1: "++ID"
            case ChapState.RETRYING if packet.id == (self._id + 1) % 256:
                return self._answered(packet, now)
            case _:
                return []

    def judged(self, judgement: Judgement, now: float) -> list[Output]:
        """Take what has come of the Response."""
        if self._state is not ChapState.LOOKING:
            return []
        return self._judged(self._exchange.judge(judgement, now))

    def changed(self, account: Account, changed: Changed, now: float) -> list[Output]:
        """Take the answer to :class:`ChangePassword`."""
        if self._state is not ChapState.CHANGING:
            return []
        return self._judged(self._exchange.changed(account, changed, now))

    def handshaken(self, answer: Handshaken, now: float) -> list[Output]:
        """CHAP asks for no handshake."""
        return []

    def succeed(self) -> list[Output]:
        """Tell the client that it is in: a lease was asked for."""
        self._state = ChapState.SUCCEEDED
        hlak, self._hlak = self._hlak, b""
        return [_frame(self._reply), Authenticated((hlak,))]

    def tick(self, now: float) -> list[Output]:
        """Take the time."""
        if self.deadline is None or now < self.deadline:
            return []
        match self._state:
            case ChapState.CHALLENGED if self._held is not None:
                held, self._held = self._held, None
                return self._answered(held, now) or self._ask(now)
            case ChapState.CHALLENGED if not self._question.over(now):
                return self._ask(now)
            case ChapState.REFUSING if self._next is Next.NOTHING:
                self._state, self.deadline = ChapState.REFUSED, now + FAREWELL
                return [_frame(self._reply)]
            case ChapState.REFUSING:
                self._state = ChapState.RETRYING
                self.deadline = now + self._exchange.grace(self._patience)
                return [_frame(self._reply)]
            case _:
                self.deadline = None
                return [GiveUp(self.failure or self._silence)]

    @property
    def _silence(self) -> str:
        if self._unusable:
            return f"the client's answer to the Challenge is not one of {self._exchange.how}"
        return "the client does not answer the Challenge"

    def _responded(self, packet: Packet, now: float) -> list[Output]:
        """Take the answer to a Challenge: now, or if none comes to the last."""
        if packet.id == self._id:
            return self._answered(packet, now)
        at = self._challenges[packet.id].at
        if self._held is None or at > self._challenges[self._held.id].at:
            # that to the last takes as long
            due = self._challenges[self._id].at + (now - at)
            self._held, self.deadline = packet, min(due, now + HELD)
        return []

    def _answered(self, packet: Packet, now: float) -> list[Output]:
        """Take a Response, or a Change-Password packet where one may come."""
        answer: LookUp | ChangePassword | None
        asked = self._challenges.get(packet.id)
        if packet.code == ChapCode.RESPONSE:
            data = asked.data if asked else b""
            answer = self._exchange.take(packet.id, packet.data, now, data)
            state = ChapState.LOOKING
        else:
            answer, state = self._exchange.change(packet.data, now), ChapState.CHANGING
        if answer is None:
            self._unusable = True
            return []
        if asked:
            self._question.answered(now)
        self._id, self.failure = packet.id, ""
        self._held, self._challenges = None, {}
        self._state, self.deadline = state, None
        return [answer]

    def _judged(self, verdict: Right | Wrong) -> list[Output]:
        if isinstance(verdict, Right):
            self._reply = Packet(ChapCode.SUCCESS, self._id, verdict.message)
            self._hlak = verdict.hlak
            self._state = ChapState.ADMITTED
            return [Admit(verdict.account, self._exchange.how)]
        self._reply = Packet(ChapCode.FAILURE, self._id, verdict.message)
        self._next = verdict.next
        self.failure = f"login failed for '{self.user}'"
        self._state, self.deadline = ChapState.REFUSING, verdict.at
        return [verdict.note]

    def _ask(self, now: float) -> list[Output]:
        """Send a Challenge: RFC 1994 4.1 has identifier and value change each time."""
        self._id = self._id % 255 + 1
        challenge = self._challenges[self._id] = _Challenge(self._exchange.challenge(), now)
        self.deadline = self._question.ask(now)
        return [_frame(Packet(ChapCode.CHALLENGE, self._id, challenge.data))]


def _frame(packet: Packet) -> SendFrame:
    return SendFrame(frames.encode(Protocol.CHAP, frames.encode_packet(packet)))
