"""PPP as a client speaks it: frames, and one side of an option negotiation. No I/O."""

import enum
import struct
from collections.abc import Callable, Mapping

LCP = 0xC021
PAP = 0xC023
CHAP = 0xC223
EAP = 0xC227
IPCP = 0x8021
CCP = 0x80FD
IPV6CP = 0x8057
IPV4 = 0x0021
IPV6 = 0x0057

Judge = Callable[[int, bytes], bytes | None]
"""What this side would have for an option the peer asks for: the same value accepts it, another
one is sent as Nak, None rejects it."""


@enum.unique
class Code(enum.IntEnum):
    """Packet codes of LCP and its relatives (RFC 1661 5, RFC 1570 2.1)."""

    REQUEST = 1
    ACK = 2
    NAK = 3
    REJECT = 4
    TERMINATE = 5
    TERMINATE_ACK = 6
    CODE_REJECT = 7
    PROTOCOL_REJECT = 8
    ECHO = 9
    ECHO_REPLY = 10
    IDENTIFICATION = 12


class Malformed(ValueError):
    """The server sent bytes that are no PPP frame, or no packet in one."""


def frame(protocol: int, payload: bytes) -> bytes:
    """Return the frame for one data packet: address, control, protocol, payload."""
    return struct.pack("!BBH", 0xFF, 0x03, protocol) + payload


def unframe(content: bytes) -> tuple[int, bytes]:
    """Return protocol and payload.

    :raises Malformed: unless it starts FF 03, which one real client insists on.
    """
    if len(content) < 4 or content[:2] != b"\xff\x03":
        raise Malformed(f"no PPP frame: {content[:8].hex()}")
    return int.from_bytes(content[2:4], "big"), content[4:]


def packet(code: int, identifier: int, body: bytes = b"") -> bytes:
    """Return a packet of LCP, CHAP or a network control protocol."""
    return struct.pack("!BBH", code, identifier & 0xFF, 4 + len(body)) + body


def unpack(payload: bytes) -> tuple[int, int, bytes]:
    """Return code, identifier and body.

    :raises Malformed: unless the length fits exactly.
    """
    if len(payload) < 4 or int.from_bytes(payload[2:4], "big") != len(payload):
        raise Malformed(f"bad length: {payload.hex()}")
    return payload[0], payload[1], payload[4:]


def pack_options(options: Mapping[int, bytes]) -> bytes:
    """Return the options as they stand in a Configure packet."""
    return b"".join(bytes((kind, 2 + len(value))) + value for kind, value in options.items())


def unpack_options(body: bytes) -> dict[int, bytes]:
    """Read the options of a Configure packet.

    :raises Malformed: unless their lengths fit.
    """
    options: dict[int, bytes] = {}
    while body:
        if len(body) < 2 or not 2 <= body[1] <= len(body):
            raise Malformed(f"bad option: {body.hex()}")
        options[body[0]], body = body[2 : body[1]], body[body[1] :]
    return options


class Negotiation:
    """This side of the option negotiation of one protocol.

    :param wanted: what to ask for at first; a Nak changes it, a Reject shrinks it.
    """

    def __init__(self, protocol: int, wanted: Mapping[int, bytes], judge: Judge) -> None:
        self.protocol = protocol
        self.options = dict(wanted)
        self.rejected: set[int] = set()
        self.peer: dict[int, bytes] | None = None
        self.refused = False
        self._judge = judge
        self._identifier = -1
        self.acknowledged = False

    @property
    def opened(self) -> bool:
        """Whether both sides have agreed."""
        return self.acknowledged and self.peer is not None

    @property
    def settled(self) -> bool:
        """Whether there is nothing to wait for: agreed, or the server does not speak it."""
        return self.opened or self.refused

    def request(self) -> bytes:
        """Return a new Configure-Request as a frame."""
        self._identifier += 1
        return self._frame(Code.REQUEST, self._identifier, pack_options(self.options))

    def repeat(self) -> bytes:
        """Return the last Configure-Request once more."""
        return self._frame(Code.REQUEST, self._identifier, pack_options(self.options))

    def receive(self, code: int, identifier: int, body: bytes) -> list[bytes]:
        """Take a Configure packet; return the frames to send.

        :raises Malformed: if the server answers with options that were not asked for.
        """
        if code == Code.REQUEST:
            return [self._answer(identifier, unpack_options(body))]
        if identifier != self._identifier & 0xFF or self.acknowledged:
            return []
        if code == Code.ACK:
            if body != pack_options(self.options):
                raise Malformed(f"Ack of something else: {body.hex()}")
            self.acknowledged = True
            return []
        self._learn(code, unpack_options(body))
        return [self.request()]

    def _learn(self, code: int, options: Mapping[int, bytes]) -> None:
        if code == Code.NAK:
            self.options.update(options)
            return
        for kind, value in options.items():
            if self.options.get(kind) != value:
                raise Malformed(f"Reject of an option not asked for: {kind}")
            del self.options[kind]
            self.rejected.add(kind)

    def _answer(self, identifier: int, asked: Mapping[int, bytes]) -> bytes:
        better = {kind: self._judge(kind, value) for kind, value in asked.items()}
        rejected = {kind: asked[kind] for kind, value in better.items() if value is None}
        others = {k: v for k, v in better.items() if v is not None and v != asked[k]}
        if rejected:
            return self._frame(Code.REJECT, identifier, pack_options(rejected))
        if others:
            return self._frame(Code.NAK, identifier, pack_options(others))
        self.peer = dict(asked)
        return self._frame(Code.ACK, identifier, pack_options(asked))

    def _frame(self, code: int, identifier: int, body: bytes) -> bytes:
        return frame(self.protocol, packet(code, identifier, body))
