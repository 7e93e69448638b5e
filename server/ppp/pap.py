"""The server's side of PAP (RFC 1334 2), for access profiles that take it.

It is weaker than the others: the password itself is shown to the server, and there is no key of the
login, so that the crypto binding proves the certificate alone ([MS-SSTP] 3.3.5.2.2).
"""

import enum

from ..contracts import Account, LoginMethod
from . import frames, verdict
from .effects import Admit, Authenticated, Handshaken, LookUp, SendFrame
from .frames import Packet, Protocol
from .judging import Changed, Judgement
from .login import FAREWELL, Output
from .negotiation import GiveUp
from .patience import ANSWER_LIMIT, Patience
from .proofs import PapProof
from .spelling import decode_name, shown_name
from .verdict import NO_KEY


@enum.unique
class PapCode(enum.IntEnum):
    """RFC 1334 2.2."""

    REQUEST = 1
    ACK = 2
    NAK = 3


@enum.unique
class PapState(enum.Enum):
    """Where the login is."""

    IDLE = "not begun"
    WAITING = "waiting for the client's request"
    LOOKING = "waiting for the account"
    ADMITTED = "waiting for the lease"
    REFUSING = "waiting for the time of the Nak"
    SUCCEEDED = "Ack sent"
    REFUSED = "Nak sent"


class Pap:
    """A login by PAP; see :class:`.login.Login`. It is the client that asks, and asks again."""

    protocol = Protocol.PAP
    method = LoginMethod.PAP

    def __init__(self) -> None:
        self.deadline: float | None = None
        self.failure = ""
        self._state = PapState.IDLE
        self._name = b""
        self._asked = 0.0
        self._reply = Packet(PapCode.NAK, 0)
        self._hlak = b""

    @property
    def user(self) -> str:
        """The name the client logs in with, fit for a log."""
        return shown_name(self._name)

    @property
    def untouched(self) -> bool:
        """Whether there is no request yet."""
        return self._state is PapState.WAITING

    @property
    def admitted(self) -> bool:
        """Whether the password is right, and Ack not sent yet."""
        return self._state is PapState.ADMITTED

    def begin(self, mru: int, patience: Patience, now: float) -> list[Output]:
        """Wait for the client, in front of which a person may type: LCP is open."""
        self._state, self.deadline = PapState.WAITING, now + ANSWER_LIMIT
        return []

    def stop(self) -> None:
        """Forget the login: LCP is no longer open."""
        self._state = PapState.IDLE
        self.deadline = None

    def receive(self, packet: Packet, now: float) -> list[Output]:
        """Take a PAP packet of the client."""
        if packet.code != PapCode.REQUEST:
            return []
        if self._state in (PapState.SUCCEEDED, PapState.REFUSED):
            # RFC 1334 2.2.1: the same answer to whatever it asks now, under the identifier of that
            return [_frame(Packet(self._reply.code, packet.id, self._reply.data))]
        request = decode_request(packet.data)
        if self._state is not PapState.WAITING or request is None:
            return []
        self._name, password = request
        self._reply = Packet(PapCode.NAK, packet.id)
        self._asked, self._state, self.deadline = now, PapState.LOOKING, None
        return [LookUp(decode_name(self._name), PapProof(password))]

    def judged(self, judgement: Judgement, now: float) -> list[Output]:
        """Take what has come of the request."""
        if self._state is not PapState.LOOKING:
            return []
        account, against = judgement.account, judgement.against
        if against is None:
            assert account is not None
            self._reply = Packet(PapCode.ACK, self._reply.id, _message("Welcome"))
            self._hlak = judgement.keys.hlak
            self._state = PapState.ADMITTED
            return [Admit(account, f"PAP, which is weaker: {NO_KEY}")]
        text = _message(verdict.TEXTS[against.error])
        self._reply = Packet(PapCode.NAK, self._reply.id, text)
        self.failure = f"login failed for '{self.user}'"
        self._state = PapState.REFUSING
        self.deadline = verdict.when(self._asked, now, judgement.delay)
        return [verdict.refused(self.user, against)]

    def changed(self, account: Account, changed: Changed, now: float) -> list[Output]:
        """PAP changes no password."""
        return []

    def handshaken(self, answer: Handshaken, now: float) -> list[Output]:
        """PAP asks for no handshake."""
        return []

    def succeed(self) -> list[Output]:
        """Tell the client that it is in: a lease was asked for."""
        self._state = PapState.SUCCEEDED
        return [_frame(self._reply), Authenticated((self._hlak,))]

    def tick(self, now: float) -> list[Output]:
        """Take the time."""
        if self.deadline is None or now < self.deadline:
            return []
        if self._state is PapState.REFUSING:
            self._state, self.deadline = PapState.REFUSED, now + FAREWELL
            return [_frame(self._reply)]
        self.deadline = None
        return [GiveUp(self.failure or "the client does not say who it is")]


def decode_request(data: bytes) -> tuple[bytes, bytes] | None:
    """Return name and password in the data of an Authenticate-Request (RFC 1334 2.2.1).

    :returns: None if it is none.
    """
    name, rest = data[1 : 1 + data[0]] if data else b"", data[1 + data[0] :] if data else b""
    password = rest[1 : 1 + rest[0]] if rest else b""
    if not rest or len(password) != rest[0]:
        return None
    return name, password


def _message(text: str) -> bytes:
    """Return the data of Ack and Nak (RFC 1334 2.2.2)."""
    return bytes([len(text)]) + text.encode()


def _frame(packet: Packet) -> SendFrame:
    return SendFrame(frames.encode(Protocol.PAP, frames.encode_packet(packet)))
