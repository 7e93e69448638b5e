"""The server's side of MS-CHAPv2 (RFC 1994, RFC 2759) as a small machine.

A refusal is sent a fixed time after the client's Response, however long the look-up took, so that
neither its bytes nor its time tell whether the user exists.
"""

import enum
import hmac
import math
from dataclasses import dataclass
from typing import Final

from . import frames, mschapv2
from .effects import Admit, Authenticated, Effect, LookUp, Note, SendFrame, printable
from .frames import Packet, Protocol
from .negotiation import GiveUp

RETRY: Final = 3.0  # seconds between Challenges
MAX_CHALLENGES: Final = 10
REFUSAL_DELAY: Final = 0.5  # seconds from Response to Failure; guessing is slowed by its multiple
FAREWELL: Final = 1.0  # seconds for the client to read the Failure, else Windows shows 629, not 691
MAX_NAME: Final = 256  # RFC 2759 4

# [MS-CHAP]-style error numbers that Windows shows to the user; RFC 2759 6
_DISABLED: Final = 647
_WRONG: Final = 691

# RFC 2759 4: peer challenge, 8 reserved bytes, NT-Response, flags
_VALUE_SIZE: Final = 49


@enum.unique
class ChapCode(enum.IntEnum):
    """RFC 1994 4."""

    CHALLENGE = 1
    RESPONSE = 2
    SUCCESS = 3
    FAILURE = 4


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

    peer_challenge: bytes
    nt_response: bytes
    name: bytes


def decode_response(data: bytes) -> Response | None:
    """Return the Response in a CHAP packet's data, or None if it is not one of MS-CHAPv2."""
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
    """Authenticates one client. The methods return effects, and :class:`GiveUp` at a bad end.

    :param seed: 16 random bytes: the first Challenge; a later one is derived from them.
    :param server_name: shown to the client; at most 64 bytes of it are sent.
    """

    def __init__(self, seed: bytes, server_name: str) -> None:
        self.deadline: float | None = None
        self.failure = ""  # why the client is refused; empty if it is not
        self.state = ChapState.IDLE
        self._seed = seed
        self._name = server_name.encode()[:64]
        self._round = 0
        self._sent = 0
        self._challenge = b""
        self._response = Response(b"", b"", b"")
        self._answered_at = 0.0
        self._answer = b""  # the frame of the Success or Failure
        self._hlak = b""

    def begin(self, now: float) -> list[Effect | GiveUp]:
        """Send a new Challenge: LCP is open."""
        self._round += 1
        # RFC 1994 4.1: it must be another one each time
        self._challenge = self._seed if self._round == 1 else self._derive(b"challenge")
        self._sent = 0
        self.state = ChapState.CHALLENGED
        return self._ask(now)

    def stop(self) -> None:
        """Forget the login that was under way: LCP is no longer open."""
        self.state = ChapState.IDLE
        self.deadline = None

    def receive(self, packet: Packet, now: float) -> list[Effect | GiveUp]:
        """Take a CHAP packet of the client."""
        if packet.code != ChapCode.RESPONSE or packet.id != self._id:
            return []
        match self.state:
            case ChapState.CHALLENGED:
                return self._look_up(packet, now)
            case ChapState.SUCCEEDED | ChapState.REFUSED:
                # RFC 1994 4.1: our answer may have been lost; whatever comes now gets the same
                return [SendFrame(self._answer)]
            case _:
                return []

    def account(self, nt_hash: bytes | None, enabled: bool, now: float) -> bool:
        """Judge the Response by the account that was looked up; True if the client is let in.

        :param nt_hash: of the account; None if there is none, which takes as long.
        """
        challenge = mschapv2.challenge_hash(
            self._response.peer_challenge,
            self._challenge,
            mschapv2.without_domain(self._response.name),
        )
        password_hash = nt_hash or self._derive(b"nobody")
        expected = mschapv2.nt_response(challenge, password_hash)
        right = hmac.compare_digest(expected, self._response.nt_response)
        return right
