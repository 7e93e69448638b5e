"""What an SSTP server may answer to what comes: [MS-SSTP] 3.1 and 3.3, written apart from ours.

It reads the bytes of both sides and nothing of the server's state.
"""

import enum
import hashlib
import struct
from collections.abc import Iterator

from tests.support import mschap, sstp
from tests.support.sstp import Kind

# Our own limit for a client, below what 2.2.2 would allow. We answer to all of them, and to one that
# is missing.
_ATTRIBUTES_MOST = 8
_NO_ERROR = ((0, 0),)
_LATE = (Kind.ABORT, ((2, 8),))
_GOODBYE = (Kind.DISCONNECT, _NO_ERROR)
_ARE_YOU_THERE = (Kind.ECHO_REQUEST, ())
_BARE = {Kind.DISCONNECT_ACK, Kind.ECHO_REQUEST, Kind.ECHO_RESPONSE}

Attributes = list[tuple[int, bytes]]
Message = tuple[Kind, Attributes]
Said = tuple[Kind, tuple[tuple[int, int], ...]]
"""A control message of the server: of each Status Info in it the attribute and the status."""


class Wrong(AssertionError):
    """The server did what the model does not allow."""


class State(enum.Enum):
    """3.1.1 and 3.3.1, as far as a client can tell them apart."""

    REQUEST = "waiting for Call-Connect-Request"
    PENDING = "waiting for Call-Connected"
    UP = "connected"
    ABORT = "our Call-Abort is out"
    LEFT = "our Call-Disconnect is out"
    LINGER = "all is said"
    CLOSED = "closed"


CARRYING = (State.PENDING, State.UP)
_LIVE = (State.REQUEST, *CARRYING)


class Fault(enum.Enum):
    """What is wrong with a packet; the value is the status that says so."""

    BROKEN = None
    MALFORMED = 7
    NOT_IN_THIS_MESSAGE = 9


def read(packet: bytes, most: int = _ATTRIBUTES_MOST) -> Message | bytes | Fault:
    """Read a packet: a message, a frame, or what is wrong with it."""
    if len(packet) < 4 or packet[0] != 0x10:
        return Fault.BROKEN
    if int.from_bytes(packet[2:4], "big") & 0xFFF != len(packet):
        return Fault.BROKEN
    if not packet[1] & 1:
        return packet[4:]
    if len(packet) < 8:
        return Fault.MALFORMED
    number, count = struct.unpack_from("!HH", packet, 4)
    attributes: Attributes = []
    rest = packet[8:]
    while len(rest) >= 4:
        size = int.from_bytes(rest[2:4], "big") & 0xFFF
        if not 4 <= size <= len(rest):
            return Fault.MALFORMED
        attributes.append((rest[1], rest[4:size]))
        rest = rest[size:]
    if rest or len(attributes) != count or count > most or not 1 <= number <= 9:
        return Fault.MALFORMED
    kind = Kind(number)
    return Fault.NOT_IN_THIS_MESSAGE if kind in _BARE and attributes else (kind, attributes)


class CallModel:
    """One call. Give it what happens and what the server said to it, in the same order.

    :param certificate: DER.
    """

    def __init__(self, certificate: bytes) -> None:
        self.state = State.REQUEST
        self.nonce = b""
        self._certificate = certificate
        self._naks = 0
        self._keys: tuple[bytes, ...] = ()
        self._held: bytes | None = None

    def packet(self, packet: bytes, said: list[Message]) -> None:
        """A packet came.

        :raises Wrong: if that is not the answer to it.
        """
        found = read(packet)
        before = self.state
        due = self._due(packet, found)
        if self.state is State.PENDING and before is State.REQUEST:
            self.nonce = _nonce(said[0]) if said else b""
        self._compare(due, said, found)

    def keyed(self, keys: tuple[bytes, ...], said: list[Message]) -> None:
        """The client was told that its login is good."""
        self._keys = keys
        self._compare(self._judge() if self.state is State.PENDING else [], said, "the key")

    def other(self, said: list[Message], what: str) -> None:
        """Time passed, or the link did something."""
        allowed = {
            State.REQUEST: (_LATE, _GOODBYE),
            State.PENDING: (_LATE, _GOODBYE),
            State.UP: (_ARE_YOU_THERE, _GOODBYE),
        }
        for one in map(_said, said):
            if one not in allowed.get(self.state, ()):
                raise Wrong(f"{one} by itself, {self.state.value}: {what}")
            self._follow(one)

    def closed(self, *, by_itself: bool) -> None:
        """The server closed the connection.

        :param by_itself: because of the time.
        """
        early = (State.REQUEST, State.PENDING) if by_itself else set(State) - {State.CLOSED}
        if self.state in early:
            raise Wrong(f"closed: {self.state.value}")
        self.state = State.CLOSED

    def _compare(self, due: list[Said], said: list[Message], found: object) -> None:
        """What was due has to come first; PPP's own end may follow it."""
        got = [_said(one) for one in said]
        if got[: len(due)] != due:
            raise Wrong(f"{got} where {due} is due, {self.state.value}: {found}")
        for one in said[len(due) :]:
            self.other([one], f"behind the answer to {found}")

    def _follow(self, one: Said) -> None:
        if one == _LATE:
            self.state = State.ABORT
        elif one == _GOODBYE:
            self.state = State.LEFT

    def _due(self, packet: bytes, found: Message | bytes | Fault) -> list[Said]:
        """Return what has to be said to a packet, and go on to the state behind it."""
        if found is Fault.BROKEN:
            # 3.1.5.1: the stream is over, whatever was going on
            self.state = State.CLOSED
            return []
        if self.state not in _LIVE:
            return self._ending(found)
        if isinstance(found, bytes):
            return []
        if isinstance(found, Fault):
            return self._abort(found.value or 0)
        kind, attributes = found
        match kind, self.state:
            case Kind.ABORT, _:
                self.state = State.LINGER
                return [(Kind.ABORT, _NO_ERROR)]
            case Kind.DISCONNECT, _:
                self.state = State.LINGER
                return [(Kind.DISCONNECT_ACK, ())]
            case Kind.CONNECT_REQUEST, State.REQUEST:
                return self._requested(attributes)
            case Kind.CONNECTED, State.PENDING if self._held is None:
                self._held = packet
                return self._judge()
            case Kind.ECHO_REQUEST, State.PENDING | State.UP:
                return [(Kind.ECHO_RESPONSE, ())]
            case Kind.ECHO_RESPONSE, State.UP:
                return []
            case _:
                return self._abort(5)

    def _ending(self, found: object) -> list[Said]:
        """3.1.5.2 and 3.3.5.2.4 to 3.3.5.2.6, once we have begun to end."""
        kind = found[0] if isinstance(found, tuple) else None
        match self.state, kind:
            case State.ABORT, Kind.ABORT:
                self.state = State.LINGER
            case State.LEFT, Kind.ABORT:
                self.state = State.LINGER
                return [(Kind.ABORT, _NO_ERROR)]
            case State.LEFT, Kind.DISCONNECT:
                self.state = State.LINGER
                return [(Kind.DISCONNECT_ACK, ())]
            case State.LEFT, Kind.DISCONNECT_ACK:
                self.state = State.CLOSED
            case _:
                pass
        return []

    def _abort(self, status: int, about: int = sstp.Attribute.STATUS) -> list[Said]:
        self.state = State.ABORT
        return [(Kind.ABORT, ((about, status),))]

    def _requested(self, attributes: Attributes) -> list[Said]:
        """3.3.5.2.2."""
        complaints = tuple(_complaints(attributes))
        if not complaints:
            self.state = State.PENDING
            return [(Kind.CONNECT_ACK, ())]
        self._naks += 1
        if self._naks > 3:
            return self._abort(6)
        return [(Kind.CONNECT_NAK, complaints)]

    def _judge(self) -> list[Said]:
        """3.3.5.2.3, once there is both Call-Connected and the key."""
        if self._held is None or not self._keys:
            return []
        held = self._held
        if len(held) != 112 or held[4:8] != b"\0\4\0\1" or held[9] != 3 or _size(held) != 104:
            return self._abort(9)
        if not self._is_bound(held):
            return self._abort(4, sstp.Attribute.BINDING)
        self.state = State.UP
        return []

    def _is_bound(self, held: bytes) -> bool:
        digest = {1: "sha1", 2: "sha256"}.get(held[15])
        if digest is None or held[16:48] != self.nonce:
            return False
        fingerprint = hashlib.new(digest, self._certificate).digest()
        size = len(fingerprint)
        # 3.2.5.2.1: what fills the fields of SHA-1 up means nothing
        covered = held[: 48 + size] + bytes(64 - size)
        macs = [mschap.compound_mac(key, covered, digest) for key in self._keys]
        return held[48 : 48 + size] == fingerprint and held[80 : 80 + size] in macs


def _size(packet: bytes) -> int:
    return int.from_bytes(packet[10:12], "big") & 0xFFF


def _nonce(ack: Message) -> bytes:
    """Return what a Call-Connect-Ack asks to be bound to; it offers both hashes: 2.2.6."""
    request = dict(ack[1]).get(sstp.Attribute.BINDING_REQUEST, b"")
    if len(request) != 36 or request[:4] != b"\0\0\0\3":
        raise Wrong(f"a Call-Connect-Ack without a request for the binding: {ack}")
    return request[4:]


def _said(message: Message) -> Said:
    kind, attributes = message
    infos = [value for number, value in attributes if number == sstp.Attribute.STATUS]
    return kind, tuple((value[3], int.from_bytes(value[4:8], "big")) for value in infos)


def _complaints(attributes: Attributes) -> Iterator[tuple[int, int]]:
    """Yield for each attribute that is not as 3.3.5.2.2 wants it which it is, and the status."""
    seen: set[int] = set()
    for number, value in attributes:
        if number not in (1, 2):
            yield number, 2
        elif number in seen:
            yield number, 1
        elif len(value) != 2 if number == 1 else len(value) < 8:
            yield number, 3
        elif number == 1 and value != b"\0\1":
            yield number, 4
        elif number == 2 and any(value[4:8]):
            yield number, 0x0B
        seen.add(number)
    if 1 not in seen:
        yield 2, 0x0A
