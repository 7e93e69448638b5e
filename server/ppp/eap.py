"""The authenticator's side of EAP (RFC 3748): who are you, which method, and the method's words.

Only one Request is open at a time, and nothing but its Response is heard (RFC 3748 4.1, 4.2).
"""

import enum
from typing import Final

from ..contracts import Account, Cause, LoginMethod
from . import frames
from .eap_method import Ask, EapType, Fail, Method, MethodOutput
from .eap_mschapv2 import MsChapV2
from .eap_tls import Tls
from .effects import (
    Admit,
    Authenticated,
    ChangePassword,
    Handshake,
    Handshaken,
    LookUp,
    Note,
    SendFrame,
    login_failed,
)
from .frames import Packet, Protocol
from .judging import Changed, Judgement
from .login import FAREWELL, FIRST_RETRY, LOGIN_DELAY, RETRY, Output
from .negotiation import GiveUp
from .password import Exchange
from .patience import Patience, Question
from .spelling import shown_name

MAX_IDENTITY: Final = 256  # bytes; a network access identifier has at most 253 (RFC 7542 2.2)
MAX_REQUESTS: Final = 100  # a handshake takes ten of them, and forty for the largest message

# Packets are at most so large, whatever the peer says it takes: peers count differently what else
# has to fit into their MRU.
_PACKET_MAX: Final = 1200
# code, identifier, length, type; EAP-TLS' flags and length
_OVERHEAD: Final = frames.PACKET_HEADER_SIZE + 1 + 1 + 4


def room_for_tls(mru: int) -> int:
    """Return how many bytes of TLS go into one packet of EAP-TLS to a peer with this MRU."""
    return min(mru, _PACKET_MAX) - _OVERHEAD


@enum.unique
class EapCode(enum.IntEnum):
    """RFC 3748 4."""

    REQUEST = 1
    RESPONSE = 2
    SUCCESS = 3
    FAILURE = 4


@enum.unique
class EapState(enum.Enum):
    """Where the login is."""

    IDLE = "not begun"
    IDENTITY = "waiting for the Identity"
    METHOD = "waiting for a Response of the method"
    LOOKING = "waiting for the account, or TLS"
    HOLDING = "waiting for the time of the Request"
    ADMITTED = "waiting for the lease"
    SUCCEEDED = "Success sent"
    REFUSED = "Failure sent"


# The first is proposed first. Windows knows one of them and asks for that. pppd without a password
# asks for SRP, which nobody has; proposed EAP-TLS while it has no certificate, 2.5 crashes.
_METHODS: Final = (EapType.MS_CHAP_V2, EapType.TLS)
# What clients ask for beside them (IANA, EAP Method Types)
METHOD_NAMES: Final = {
    0: "none of these",
    4: "EAP-MD5",
    6: "EAP-GTC",
    13: "EAP-TLS",
    19: "SRP",
    21: "EAP-TTLS",
    25: "PEAP",
    26: "EAP-MSCHAPv2",
    43: "EAP-FAST",
    55: "TEAP",
}

_COUNTED: Final = {
    EapType.TLS: LoginMethod.EAP_TLS,
    EapType.MS_CHAP_V2: LoginMethod.EAP_MS_CHAP_V2,
}


class Eap:
    """A login by EAP; see :class:`.login.Login`.

    :param exchange: the link's, so that no Challenge comes twice on it.
    """

    protocol = Protocol.EAP

    def __init__(self, exchange: Exchange) -> None:
        self.deadline: float | None = None
        self.failure = ""
        self._state = EapState.IDLE
        self._exchange = exchange
        self._room = 0  # bytes of TLS in a Request
        self._id = 0
        self._request = Packet(EapCode.REQUEST, 0)
        self._patience = Patience()
        self._question = Question(self._patience, FIRST_RETRY, RETRY)  # when it is repeated
        self._held = EapState.IDLE  # the state once the Request that waits is sent
        self._unusable = False  # a Response came to it that is none
        self._requests = 0
        self._last = False  # this Request only says that the login has failed
        self._typed = False  # a person has to type what answers it
        self._identity = ""
        self._method: Method | None = None
        self._refused: set[int] = set()  # the methods that the client does not want
        self._chosen = False  # the client has answered the method

    @property
    def user(self) -> str:
        """Who logs in; until the method knows better, who the client says it is."""
        return (self._method.user if self._method else "") or self._identity

    @property
    def method(self) -> LoginMethod:
        """How the client logs in, as far as it has come to that."""
        return LoginMethod.EAP if self._method is None else _COUNTED[self._method.type]

    @property
    def untouched(self) -> bool:
        """Whether the client has not said its Identity yet."""
        waiting = self._held if self._state is EapState.HOLDING else self._state
        return waiting is EapState.IDENTITY

    @property
    def admitted(self) -> bool:
        """Whether the method is content, and Success not sent yet."""
        return self._state is EapState.ADMITTED

    def begin(self, mru: int, patience: Patience, now: float) -> list[Output]:
        """Have the Identity asked for: LCP is open."""
        self._room = room_for_tls(mru)
        self._patience = patience
        self._state = EapState.IDENTITY
        return self._ask(bytes([EapType.IDENTITY]), now, at=now + LOGIN_DELAY)

    def stop(self) -> None:
        """Forget the login: LCP is no longer open."""
        self._state = EapState.IDLE
        self.deadline = None

    def receive(self, packet: Packet, now: float) -> list[Output]:
        """Take an EAP packet of the client."""
        if packet.code != EapCode.RESPONSE or packet.id != self._id or not packet.data:
            return []
        type_, data = packet.data[0], packet.data[1:]
        if self._state in (EapState.IDENTITY, EapState.METHOD):
            self._question.answered(now)
        match self._state:
            case EapState.IDENTITY if type_ == EapType.IDENTITY and len(data) <= MAX_IDENTITY:
                self._identity = shown_name(data)
                return self._start(_METHODS[0], now)
            case EapState.METHOD if self._method is not None:
                outputs = self._responded(self._method, type_, data, now)
                self._unusable = self._unusable or not outputs
                return outputs
            case EapState.IDENTITY:
                self._unusable = True
                return []
            case _:
                return []

    def judged(self, judgement: Judgement, now: float) -> list[Output]:
        """Take the answer to :class:`LookUp`."""
        if self._state is not EapState.LOOKING or self._method is None:
            return []
        return self._obey(self._method.judged(judgement, now), now)

    def changed(self, account: Account, changed: Changed, now: float) -> list[Output]:
        """Take the answer to :class:`ChangePassword`."""
        if self._state is not EapState.LOOKING or self._method is None:
            return []
        return self._obey(self._method.changed(account, changed, now), now)

    def handshaken(self, answer: Handshaken, now: float) -> list[Output]:
        """Take the answer to :class:`Handshake`."""
        if self._state is not EapState.LOOKING or self._method is None:
            return []
        return self._obey(self._method.handshaken(answer), now)

    def succeed(self) -> list[Output]:
        """Tell the client that it is in: a lease was asked for."""
        self._state = EapState.SUCCEEDED
        hlaks = self._method.hlaks if self._method else ()
        return [_frame(Packet(EapCode.SUCCESS, self._id)), Authenticated(hlaks)]

    def tick(self, now: float) -> list[Output]:
        """Take the time."""
        if self.deadline is None or now < self.deadline:
            return []
        match self._state:
            case EapState.HOLDING:
                return self._send(now)
            case EapState.METHOD if self._last or self._typed:
                return self._refuse(now)
            case EapState.IDENTITY | EapState.METHOD if not self._question.over(now):
                return self._send(now)
            case _:
                self.deadline = None
                return [GiveUp(self.failure or self._silence)]

    @property
    def _silence(self) -> str:
        if self._unusable:
            return "the client's answer to EAP cannot be used"
        return "the client does not answer EAP"

    def _start(self, type_: EapType, now: float) -> list[Output]:
        """Propose a method."""
        self._state = EapState.METHOD
        if type_ is EapType.TLS:
            self._method = Tls(self._identity, self._room)
        else:
            self._method = MsChapV2(self._exchange)
        return self._ask(bytes([type_]) + self._method.begin(self._next_id()), now)

    def _responded(self, method: Method, type_: int, data: bytes, now: float) -> list[Output]:
        if type_ == EapType.NAK and not self._chosen:
            self._refused.add(method.type)
            return self._propose(data, now)
        if type_ != method.type:
            return []
        if self._last:
            return self._refuse(now)
        outputs = method.receive(data, now)
        self._chosen = self._chosen or bool(outputs)
        return self._obey(outputs, now)

    def _propose(self, wanted: bytes, now: float) -> list[Output]:
        """Propose what the client asks for, or what is left: each method once (RFC 3748 5.3.1)."""
        left = [type_ for type_ in _METHODS if type_ not in self._refused]
        if left and wanted.strip(b"\0"):  # zero: there is nothing that it would have
            return self._start(next((type_ for type_ in left if type_ in wanted), left[0]), now)
        types = ", ".join(
            METHOD_NAMES.get(type_, f"EAP type {type_}") for type_ in dict.fromkeys(wanted[:8])
        )
        why = f"the client wants {types or 'nothing'}; there are EAP-MSCHAPv2 and EAP-TLS"
        return [login_failed(self.user, why, Cause.METHOD), *self._refuse(now)]

    def _obey(self, outputs: list[MethodOutput], now: float) -> list[Output]:
        effects: list[Output] = []
        for output in outputs:
            match output:
                case Ask():
                    effects += self._ask_of_method(output, now)
                case Fail():
                    effects += self._refuse(now)
                case LookUp() | ChangePassword() | Handshake():
                    self._state, self.deadline = EapState.LOOKING, None
                    effects.append(output)
                case Admit():
                    self._state, self.deadline = EapState.ADMITTED, None
                    effects.append(output)
                case Note():
                    effects.append(output)
        return effects

    def _ask_of_method(self, ask: Ask, now: float) -> list[Output]:
        assert self._method is not None
        self._state = EapState.METHOD
        self._last, self._typed = ask.last, ask.typed
        self.failure = self._failure() if ask.last or ask.typed else ""
        return self._ask(bytes([self._method.type]) + ask.data, now, at=ask.at)

    def _ask(self, data: bytes, now: float, *, at: float | None = None) -> list[Output]:
        """Send a new Request, or have it sent at its time."""
        self._id = self._next_id()
        self._request = Packet(EapCode.REQUEST, self._id, data)
        first = FIRST_RETRY if self._state is EapState.IDENTITY else RETRY
        self._question = Question(self._patience, first, RETRY)
        self._requests += 1
        if self._requests > MAX_REQUESTS:
            failed = login_failed(self.user, "it takes too long", Cause.PROTOCOL)
            return [failed, *self._refuse(now)]
        self._unusable = False
        if at is not None:
            self._held, self._state, self.deadline = self._state, EapState.HOLDING, at
            return []
        return self._send(now)

    def _send(self, now: float) -> list[Output]:
        """Send the Request, or send it again: the same, under the same identifier (RFC 3748 4.1).

        TCP loses nothing, so that RFC 3748 4.3 would have us ask once and wait for a person. But who
        does not listen yet when it comes has lost it.
        """
        if self._state is EapState.HOLDING:
            self._state = self._held
        again = self._question.ask(now)
        if self._last:
            again = now + self._patience.wait(FAREWELL)
        elif self._typed:
            again = now + self._exchange.grace(self._patience)
        self.deadline = again
        return [_frame(self._request)]

    def _refuse(self, now: float) -> list[Output]:
        """Send Failure, and give the client a while to read it."""
        self.failure = self._failure()
        self._state, self.deadline = EapState.REFUSED, now + FAREWELL
        return [_frame(Packet(EapCode.FAILURE, self._id))]

    def _failure(self) -> str:
        return f"login failed for '{self.user}'"

    def _next_id(self) -> int:
        return self._id % 255 + 1


def _frame(packet: Packet) -> SendFrame:
    return SendFrame(frames.encode(Protocol.EAP, frames.encode_packet(packet)))
