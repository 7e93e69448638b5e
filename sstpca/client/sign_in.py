"""How the client logs in: its side of MS-CHAPv2, in CHAP or in EAP, and of PAP. Small machines."""

import hmac
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sstpca.server.ppp import frames, mschapv2
from sstpca.server.ppp.chap import ChapCode
from sstpca.server.ppp.effects import SendFrame
from sstpca.server.ppp.frames import Packet, Protocol
from sstpca.server.ppp.negotiation import GiveUp
from sstpca.server.ppp.pap import PapCode
from sstpca.server.ppp.spelling import printable

#: Seconds until a question of PAP is repeated, and how often it is.
RETRY: Final = 3.0
TRIES: Final = 5

# RFC 2759 4: the client's challenge, 8 reserved bytes, the NT-Response, a byte of flags
_RESERVED: Final = bytes(8)
_FLAGS: Final = b"\0"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who logs in by a password.

    :param user: the name, as it is sent.
    :param password: it is never shown.
    """

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Who logs in by a certificate.

    :param user: the name, as it is sent; it is the certificate that counts.
    :param pem: its key, the certificate, and those between it and its root.
    """

    user: str
    pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The server has let us in, and has proved to know the password where that is possible.

    :param hlak: the higher-layer authentication key, 32 bytes ([MS-SSTP] 3.2.5.2.2).
    """

    hlak: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """The server does not let us in, or we do not believe it: trying again is of no use.

    :param error: the number of Windows' RAS error (RFC 2759 6), 691 where a refused password has
        none; zero where it is no refusal of a name or password.
    :param text: what the server says, fit for a log.
    :param why: what it is, in words.
    """

    error: int
    text: str = ""
    why: str = "the server refuses name or password"

    @property
    def reason(self) -> str:
        """What it is, in one line."""
        return f"{self.why} ({self.error})" if self.error else self.why


Output = SendFrame | SignedIn | Refused | GiveUp


class SignIn(typing.Protocol):
    """One way to log in; its methods return outputs.

    :ivar protocol: what its packets come in.
    :ivar deadline: when to call :meth:`tick`.
    """

    protocol: Protocol
    deadline: float | None

    def begin(self, now: float) -> list[Output]:
        """LCP is open."""

    def receive(self, packet: Packet, now: float) -> list[Output]:
        """Take a packet of the server."""

    def tick(self, now: float) -> list[Output]:
        """Take the time."""


class MsChapV2:
    """The client's arithmetic of one login by MS-CHAPv2 (RFC 2759)."""

    def __init__(self, credentials: Credentials, random: Callable[[int], bytes]) -> None:
        self._name = credentials.user.encode()
        self._hash = mschapv2.nt_hash(credentials.password)
        self._random = random
        self._proof = ""
        self._hlak = b""

    @property
    def name(self) -> bytes:
        """The name as it is sent."""
        return self._name

    def respond(self, challenge: bytes) -> bytes:
        """Return the value of a Response, 49 bytes, to the server's challenge of 16."""
        own = self._random(mschapv2.CHALLENGE_SIZE)
        hashed = mschapv2.challenge_hash(own, challenge, mschapv2.without_domain(self._name))
        response = mschapv2.nt_response(hashed, self._hash)
        self._proof = mschapv2.authenticator_response(self._hash, response, hashed)
        self._hlak = mschapv2.hlak(self._hash, response)
        return own + _RESERVED + response + _FLAGS

    def succeeded(self, message: bytes) -> SignedIn | Refused:
        """Judge the message of a Success: whoever knows the password is the server (RFC 2759 5)."""
        said = message.decode("latin-1").partition(" ")[0].upper()
        if self._proof and hmac.compare_digest(said.encode(), f"S={self._proof}".encode()):
            return SignedIn(self._hlak)
        return Refused(0, why="the server does not prove that it knows the password")


def refused(message: bytes) -> Refused:
    """Return what the message of a Failure says: ``E=691 R=1 C=... V=3 M=text`` (RFC 2759 6)."""
    text = message.decode("utf-8", "replace")
    fields, _, words = text.partition("M=")
    numbers = [one[2:] for one in fields.split() if one.startswith("E=")]
    error = int(numbers[0]) if numbers and numbers[0].isascii() and numbers[0].isdigit() else 691
    return Refused(error, printable(words))


class ChapSignIn:
    """MS-CHAPv2 in CHAP (RFC 1994). A Challenge that comes again gets an answer of its own."""

    protocol = Protocol.CHAP

    def __init__(self, exchange: MsChapV2) -> None:
        self.deadline: float | None = None
        self._exchange = exchange
        self._over = False

    def begin(self, now: float) -> list[Output]:
        """Wait for the server's Challenge."""
        return []

    def receive(self, packet: Packet, now: float) -> list[Output]:
        """Take a CHAP packet of the server."""
        if self._over:
            return []
        match packet.code:
            case ChapCode.CHALLENGE:
                return self._challenged(packet)
            case ChapCode.SUCCESS:
                self._over = True
                return [self._exchange.succeeded(packet.data)]
            case ChapCode.FAILURE:
                self._over = True
                return [refused(packet.data)]
            case _:
                return []

    def _challenged(self, packet: Packet) -> list[Output]:
        size = packet.data[0] if packet.data else 0
        challenge = packet.data[1 : 1 + size]
        if size != mschapv2.CHALLENGE_SIZE or len(challenge) != size:
            return []
        value = self._exchange.respond(challenge)
        data = bytes((len(value),)) + value + self._exchange.name
        return [_frame(Protocol.CHAP, Packet(ChapCode.RESPONSE, packet.id, data))]

    def tick(self, now: float) -> list[Output]:
        """The server asks, and repeats."""
        return []


class PapSignIn:
    """PAP (RFC 1334 2): the server is shown the password, and proves nothing."""

    protocol = Protocol.PAP

    def __init__(self, credentials: Credentials) -> None:
        self.deadline: float | None = None
        user, password = credentials.user.encode(), credentials.password.encode()
        self._data = bytes((len(user),)) + user + bytes((len(password),)) + password
        self._id = 0

    def begin(self, now: float) -> list[Output]:
        """Ask to be let in."""
        return self._ask(now)

    def receive(self, packet: Packet, now: float) -> list[Output]:
        """Take a PAP packet of the server: Authenticate-Ack or Authenticate-Nak."""
        if (
            packet.id != self._id
            or packet.code not in (PapCode.ACK, PapCode.NAK)
            or self.deadline is None
        ):
            return []
        self.deadline = None
        if packet.code == PapCode.ACK:
            return [SignedIn(bytes(32))]
        return [Refused(691, printable(packet.data[1:].decode("utf-8", "replace")))]

    def tick(self, now: float) -> list[Output]:
        """Ask again."""
        if self.deadline is None or now < self.deadline:
            return []
        return self._ask(now) if self._id < TRIES else [GiveUp("the server does not answer PAP")]

    def _ask(self, now: float) -> list[Output]:
        self._id += 1
        self.deadline = now + RETRY
        return [_frame(Protocol.PAP, Packet(PapCode.REQUEST, self._id, self._data))]


def _frame(protocol: Protocol, packet: Packet) -> SendFrame:
    return SendFrame(frames.encode(protocol, frames.encode_packet(packet)))
