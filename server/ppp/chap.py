"""The server's side of MS-CHAPv2 (RFC 1994, RFC 2759) as a small machine.

A refusal is sent a fixed time after the client's Response, however long the look-up took, so that
neither its bytes nor its time tell whether the user exists.
"""

import enum
import hashlib
import hmac
import math
from dataclasses import dataclass
from typing import Final

from ..interfaces import Account
from . import frames, mschapv2
from .effects import Admit, Authenticated, LookUp, Note, SendFrame, printable
from .frames import Packet, Protocol
from .negotiation import GiveUp

RETRY: Final = 3.0  # seconds between Challenges
MAX_CHALLENGES: Final = 10
REFUSAL_STEP: Final = 0.5  # seconds from Response to Failure, or the next multiple of them
FAREWELL: Final = 1.0  # seconds to read the Failure: a link cut at once shows 629 instead of 691
MAX_NAME: Final = 256  # RFC 2759 4

# RFC 2759 4: peer challenge, 8 reserved bytes, NT-Response, flags
_VALUE_SIZE: Final = 49

Output = SendFrame | LookUp | Admit | Authenticated | Note | GiveUp


@enum.unique
class ChapCode(enum.IntEnum):
    """RFC 1994 4."""

    CHALLENGE = 1
    RESPONSE = 2
    SUCCESS = 3
    FAILURE = 4


@enum.unique
class ChapError(enum.IntEnum):
    """What a Failure says is wrong; Windows shows the number to the user (RFC 2759 6)."""

    ACCOUNT_DISABLED = 647
    AUTHENTICATION_FAILURE = 691


@enum.unique
class ChapState(enum.Enum):
    """Where the login is."""

    IDLE = "not begun"
    CHALLENGED = "waiting for the client's Response"
    LOOKING = "waiting for the account"
    ADMITTED = "waiting for the lease"
    REFUSING = "waiting for the time of the Failure"
    SUCCEEDED = "Success sent"
    REFUSED = "Failure sent"


@dataclass(frozen=True, slots=True)
class Response:
    """What the client answers to a Challenge (RFC 2759 4).

    :param name: as sent, with its domain.
    """

    peer_challenge: bytes = b""
    nt_response: bytes = b""
    name: bytes = b""


def decode_response(data: bytes) -> Response | None:
    """Return the Response in a CHAP packet's data; None if it is not one of MS-CHAPv2."""
    value, name = data[1 : 1 + _VALUE_SIZE], data[1 + _VALUE_SIZE :]
    if data[:1] != bytes([_VALUE_SIZE]) or len(value) != _VALUE_SIZE or len(name) > MAX_NAME:
        return None
    return Response(value[:16], value[24:48], name)


def decode_name(name: bytes) -> str:
    """Return the user's name without its domain, as text.

    Windows sends it in the client's ANSI code page ([MS-CHAP] 3.1.5.2), other clients in UTF-8.
    """
    user = mschapv2.without_domain(name)
    try:
        return user.decode()
    except UnicodeDecodeError:
        return user.decode("cp1252", "replace")


class Chap:
    """Authenticates the client of one link. Its methods return outputs.

    :param seed: 16 random bytes: the first Challenge. Later ones are derived from them.
    :param server_name: shown to the client; at most 64 bytes of it are sent.
    """

    def __init__(self, seed: bytes, server_name: str) -> None:
        self.deadline: float | None = None
        self.state = ChapState.IDLE
        self.failure = ""  # what went wrong, once the client is refused
        self._seed = seed
        self._server_name = server_name.encode()[:64]
        self._id = 0
        self._challenge = seed
        self._sent = 0  # how often this Challenge was
        self._response = Response()
        self._responded = 0.0
        self._reply = Packet(ChapCode.FAILURE, 0)
        self._hlak = b""

    @property
    def user(self) -> str:
        """The name the client logs in with, fit for a log."""
        return printable(decode_name(self._response.name))

    def begin(self, now: float) -> list[Output]:
        """Send a new Challenge: LCP is open."""
        # RFC 1994 4.1: value and identifier change each time
        self._challenge = self._derive(f"challenge {self._id}") if self._id else self._seed
        self._id = self._id % 255 + 1
        self._sent = 0
        self.state = ChapState.CHALLENGED
        return self._ask(now)

    def stop(self) -> None:
        """Forget the login: LCP is no longer open."""
        self.state = ChapState.IDLE
        self.deadline = None

    def receive(self, packet: Packet, now: float) -> list[Output]:
        """Take a CHAP packet of the client."""
        if packet.code != ChapCode.RESPONSE or packet.id != self._id:
            return []
        if self.state in (ChapState.SUCCEEDED, ChapState.REFUSED):
            # RFC 1994 4.1: whatever it says now, it gets the same answer
            return [_frame(self._reply)]
        response = decode_response(packet.data)
        if self.state is not ChapState.CHALLENGED or response is None:
            return []
        self._response, self._responded = response, now
        self.state, self.deadline = ChapState.LOOKING, None
        return [LookUp(decode_name(response.name))]

    def account(self, account: Account | None, now: float) -> list[Output]:
        """Judge the Response by the account that was looked up, None if there is none."""
        if self.state is not ChapState.LOOKING:
            return []
        # for nobody the same is computed as for somebody
        password_hash = account.nt_hash if account else self._derive("nobody")
        challenge = mschapv2.challenge_hash(
            self._response.peer_challenge,
            self._challenge,
            mschapv2.without_domain(self._response.name),
        )
        expected = mschapv2.nt_response(challenge, password_hash)
        right = hmac.compare_digest(expected, self._response.nt_response)
        if account is None:
            return self._refuse(ChapError.AUTHENTICATION_FAILURE, "there is no such user", now)
        if not right:
            return self._refuse(ChapError.AUTHENTICATION_FAILURE, "the password is wrong", now)
        if not account.enabled:
            return self._refuse(ChapError.ACCOUNT_DISABLED, "the account is disabled", now)
        return self._admit(account, challenge)

    def succeed(self) -> list[Output]:
        """Tell the client that it is in: a lease was asked for."""
        self.state = ChapState.SUCCEEDED
        return [_frame(self._reply), Authenticated(self._hlak)]

    def tick(self, now: float) -> list[Output]:
        """Take the time."""
        if self.deadline is None or now < self.deadline:
            return []
        match self.state:
            case ChapState.CHALLENGED if self._sent < MAX_CHALLENGES:
                return self._ask(now)
            case ChapState.REFUSING:
                self.state, self.deadline = ChapState.REFUSED, now + FAREWELL
                return [_frame(self._reply)]
            case _:
                self.deadline = None
                return [GiveUp(self.failure or "the client does not answer the Challenge")]

    def _ask(self, now: float) -> list[Output]:
        self._sent += 1
        self.deadline = now + RETRY
        data = bytes([len(self._challenge)]) + self._challenge + self._server_name
        return [_frame(Packet(ChapCode.CHALLENGE, self._id, data))]

    def _admit(self, account: Account, challenge: bytes) -> list[Output]:
        """RFC 2759 5: prepare the Success, to be sent when there is a lease."""
        response = self._response.nt_response
        proof = mschapv2.authenticator_response(account.nt_hash, response, challenge)
        self._reply = Packet(ChapCode.SUCCESS, self._id, f"S={proof} M=Welcome".encode())
        self._hlak = mschapv2.hlak(account.nt_hash, response)
        self.state = ChapState.ADMITTED
        return [Admit(account)]

    def _refuse(self, error: ChapError, why: str, now: float) -> list[Output]:
        """RFC 2759 6: prepare the Failure, to be sent at its time.

        The log hears of it at once: who hangs up before that time is guessing passwords.
        """
        text = "Account disabled" if error is ChapError.ACCOUNT_DISABLED else "Access denied"
        challenge = self._derive("failure").hex().upper()
        message = f"E={error.value} R=0 C={challenge} V=3 M={text}"
        self._reply = Packet(ChapCode.FAILURE, self._id, message.encode())
        self.failure = f"login failed for '{self.user}'"
        self.state = ChapState.REFUSING
        steps = max(1, math.ceil((now - self._responded) / REFUSAL_STEP))
        self.deadline = self._responded + steps * REFUSAL_STEP
        return [Note(f"{self.failure}: {why}", warning=True)]

    def _derive(self, label: str) -> bytes:
        """Return 16 bytes made from the given randomness."""
        return hmac.digest(self._seed, label.encode(), hashlib.sha256)[: mschapv2.CHALLENGE_SIZE]


def _frame(packet: Packet) -> SendFrame:
    return SendFrame(frames.encode(Protocol.CHAP, frames.encode_packet(packet)))
