"""The Link Control Protocol (RFC 1661, RFC 1570), and what the server asks for in it."""

import enum
import hashlib
import typing
from typing import Final

from ..contracts import NO_WEAK_SIGN_IN, WeakSignIn
from .automaton import AutomatonEvent, AutomatonState
from .effects import Identified
from .frames import DEFAULT_MRU, PACKET_HEADER_SIZE, Code, Packet, Protocol
from .negotiation import MAX_FAILURE, GiveUp, Negotiator, Output, Policy, Reply, verdict
from .options import Option, Options
from .patience import Patience
from .spelling import printable

# Windows ignores a Configure-Request that follows CONNECT_ACK at once and answers only the one
# sent 3 s later, so ours waits for the client's first packet, or this many seconds.
FIRST_WAIT: Final = 2.0
MIN_MRU: Final = 576  # less than IPv4 hosts must take (RFC 1122 3.3.2) is a mistake
WANTED_MRU: Final = 1400
MAX_MRU: Final = 4087  # what one SSTP data packet carries besides FF 03 and the protocol
MAX_IDENTIFICATIONS: Final = 4  # Windows identifies itself three times

MS_CHAP_V2: Final = b"\xc2\x23\x81"  # CHAP, algorithm 0x81; RFC 2759 3
EAP: Final = b"\xc2\x27"  # RFC 3748 7.1, RFC 2284 2.1
PAP: Final = b"\xc0\x23"  # RFC 1334 2.1
CHAP_MD5: Final = b"\xc2\x23\x05"  # RFC 1994 3
_WEAK_LOGINS: Final = {WeakSignIn.PAP: PAP, WeakSignIn.CHAP_MD5: CHAP_MD5}
_OTHER_LOGINS: Final = {
    PAP: "PAP",
    CHAP_MD5: "CHAP-MD5",
    b"\xc2\x23\x80": "MS-CHAP version 1",
}
_NO_COMMON_LOGIN: Final = "refuses MS-CHAPv2 and EAP"
_CLIENT_REFUSES: Final = f"the client {_NO_COMMON_LOGIN}"
# the data of Windows' Terminate-Request: its magic number, this mark, and its error number
_WINDOWS_MARK: Final = bytes.fromhex("003ccd74")


@enum.unique
class LcpOption(enum.IntEnum):
    """The options that the server talks about; RFC 1661 6. All others are rejected."""

    MRU = 1
    AUTHENTICATION = 3
    MAGIC = 5


class LcpPolicy:
    """What the server asks for: a Magic-Number, and MS-CHAPv2, or EAP if the client wishes it.

    :param magic: our Magic-Number, 32 random bits, not zero. Others are derived from it.
    :param weak: what else a client may wish for; it is never asked for first.
    """

    __slots__ = ("_own_mru", "_seed", "_weak", "authentication", "difficulty", "magic", "peer_mru")

    name = "LCP"
    protocol = Protocol.LCP.value

    def __init__(self, magic: int, weak: WeakSignIn = NO_WEAK_SIGN_IN) -> None:
        self._weak = weak
        self.magic = magic  # zero once the client has rejected it
        self.peer_mru = DEFAULT_MRU
        self.authentication = MS_CHAP_V2
        self.difficulty = ""
        self._own_mru: bytes | None = None  # asked for only if the client wishes it
        self._seed = magic.to_bytes(4, "big")

    def request(self) -> Options:
        """Return our options."""
        options = [Option(LcpOption.AUTHENTICATION, self.authentication)]
        if self.magic:
            options.insert(0, Option(LcpOption.MAGIC, self.magic.to_bytes(4, "big")))
        if self._own_mru:
            options.insert(0, Option(LcpOption.MRU, self._own_mru))
        return tuple(options)

    def judge(self, asked: Options) -> Reply:
        """Take a sane MRU and an own Magic-Number (RFC 1661 6.1, 6.4), and reject the rest.

        Above all the compressions 7 and 8, multilink 17 and 19, and Windows' callback 13.
        """
        refused = tuple(o for o in asked if o.type not in (LcpOption.MRU, LcpOption.MAGIC))
        return verdict(asked, refused, tuple(filter(None, map(self._better, asked))))

    def granted(self, asked: Options) -> None:
        """Note the client's MRU."""
        self.peer_mru = DEFAULT_MRU
        for option in asked:
            if option.type == LcpOption.MRU:
                self.peer_mru = int.from_bytes(option.value, "big")

    def naked(self, wanted: Options, rounds: int) -> str:
        """Take the client's login if it is one of ours, another Magic-Number, and its MRU."""
        values = {option.type: option.value for option in wanted}
        login = values.get(LcpOption.AUTHENTICATION, b"")
        if login in (MS_CHAP_V2, EAP, *(_WEAK_LOGINS[one] for one in self._weak)):
            self.authentication, self.difficulty = login, ""
        elif LcpOption.AUTHENTICATION in values:
            other = _OTHER_LOGINS.get(login)
            self.difficulty = _CLIENT_REFUSES + (f", and wants {other}" if other else "")
        if LcpOption.MAGIC in values and self.magic:
            self.magic = self._other_magic()
        mru = values.get(LcpOption.MRU, b"")
        if len(mru) == 2 and MIN_MRU <= int.from_bytes(mru, "big") <= MAX_MRU:
            self._own_mru = mru
        if rounds < MAX_FAILURE:
            return ""
        if LcpOption.AUTHENTICATION in values:
            return self.difficulty or _CLIENT_REFUSES
        return "the client does not agree to the options of LCP"

    def rejected(self, refused: Options) -> str:
        """Go on without a Magic-Number or MRU, but not without a login."""
        types = {option.type for option in refused}
        if LcpOption.MAGIC in types:
            self.magic = 0
        if LcpOption.MRU in types:
            self._own_mru = None
        return _CLIENT_REFUSES if LcpOption.AUTHENTICATION in types else ""

    def _better(self, option: Option) -> Option | None:
        """Return the option as we would have it, or None if it is good."""
        value = int.from_bytes(option.value, "big")
        match option.type:
            case LcpOption.MRU if len(option.value) != 2 or value < MIN_MRU:
                return Option(LcpOption.MRU, WANTED_MRU.to_bytes(2, "big"))
            case LcpOption.MAGIC if len(option.value) != 4 or value in (0, self.magic):
                return Option(LcpOption.MAGIC, self._other_magic().to_bytes(4, "big"))
            case _:
                return None

    def _other_magic(self) -> int:
        """Return the next number derived from the one given: neither zero nor that in use."""
        while True:
            self._seed = hashlib.sha256(self._seed).digest()
            other = int.from_bytes(self._seed[:4], "big")
            if other not in (0, self.magic):
                return other


class LinkPolicy(Policy, typing.Protocol):
    """What LCP needs of a policy beside the negotiation: what has come of it.

    :ivar magic: our Magic-Number; zero where there is none.
    :ivar peer_mru: the largest information field the peer says it can receive, in bytes.
    :ivar authentication: how the client is to log in: the value of the option, such as MS_CHAP_V2.
    :ivar difficulty: what there is no agreement about; empty if nothing is known to be in the way.
    """

    magic: int
    peer_mru: int
    authentication: bytes
    difficulty: str


class Lcp:
    """LCP of one link: negotiation, and the packets of its own. Its methods return outputs.

    :param peer: what reasons call the other end.
    :param first_wait: seconds that we wait for its first packet, before we send ours.
    """

    __slots__ = ("_first_wait", "_identifications", "_negotiator", "_peer", "_policy", "_wait")

    def __init__(
        self,
        policy: LinkPolicy,
        patience: Patience,
        *,
        peer: str = "client",
        first_wait: float = FIRST_WAIT,
    ) -> None:
        self._policy = policy
        self._peer = peer
        self._wait = first_wait
        self._negotiator = Negotiator(self._policy, patience=patience, peer=peer)
        self._first_wait: float | None = None
        self._identifications = 0

    @property
    def state(self) -> AutomatonState:
        """The state of the automaton."""
        return self._negotiator.state

    @property
    def difficulty(self) -> str:
        """What there is no agreement about; empty if nothing is known to be in the way."""
        return self._policy.difficulty

    @property
    def login(self) -> bytes:
        """How the client is to log in, as agreed: the value of the option, such as MS_CHAP_V2."""
        return self._policy.authentication

    @property
    def peer_mru(self) -> int:
        """The largest information field the client says it can receive, in bytes."""
        return self._policy.peer_mru

    @property
    def control_mru(self) -> int:
        """The same for control packets: Windows asks for 4091, but takes at most 1614 bytes."""
        return min(self.peer_mru, DEFAULT_MRU)

    @property
    def deadline(self) -> float | None:
        """When to call :meth:`tick`."""
        return self._negotiator.deadline if self._first_wait is None else self._first_wait

    def start(self, now: float) -> list[Output]:
        """The layer below is there; wait for the peer's first packet, if we are to."""
        self._first_wait = now + self._wait
        opened = self._negotiator.feed(AutomatonEvent.OPEN, now)
        return opened if self._wait else opened + self._begin(now)

    def close(self, now: float) -> list[Output]:
        """End the link politely."""
        self._first_wait = None
        return self._negotiator.feed(AutomatonEvent.CLOSE, now)

    def tick(self, now: float) -> list[Output]:
        """Take the time."""
        if self._first_wait is None:
            return self._negotiator.tick(now)
        return self._begin(now) if now >= self._first_wait else []

    def receive(self, packet: Packet, now: float) -> list[Output]:
        """Take an LCP packet of the peer."""
        outputs: list[Output] = []
        if self._first_wait is not None:
            outputs = self._begin(now)
        elif packet.code == Code.CONFIGURE_REQUEST:
            outputs = self._negotiator.repeat_request()
        return outputs + self._dispatch(packet, now)

    def protocol_reject(self, protocol: int, information: bytes) -> list[Output]:
        """Tell the peer that we do not speak ``protocol`` (RFC 1661 5.7)."""
        rejected = protocol.to_bytes(2, "big") + information
        return [self._negotiator.originate(Code.PROTOCOL_REJECT, rejected)]

    def _begin(self, now: float) -> list[Output]:
        self._first_wait = None
        return self._negotiator.feed(AutomatonEvent.UP, now)

    def _dispatch(self, packet: Packet, now: float) -> list[Output]:
        match packet.code:
            case Code.PROTOCOL_REJECT:
                return self._protocol_rejected(packet, now)
            case Code.ECHO_REQUEST | Code.ECHO_REPLY | Code.DISCARD_REQUEST:
                return self._echo(packet, now)
            case Code.IDENTIFICATION:
                return self._identified(packet)
            case Code.TIME_REMAINING:
                return []
            case _:
                outputs = self._negotiator.receive(packet, now)
                self._negotiator.mru = self.control_mru
                return outputs

    def _protocol_rejected(self, packet: Packet, now: float) -> list[Output]:
        """RFC 1661 5.7: only in Opened; of what the link cannot do without, it is the end."""
        if self.state is not AutomatonState.OPENED or len(packet.data) < 2:
            return []
        match int.from_bytes(packet.data[:2], "big"):
            case Protocol.LCP:
                return self._negotiator.rejected(now)
            case Protocol.CHAP | Protocol.EAP | Protocol.PAP:
                return [GiveUp(f"the {self._peer} {_NO_COMMON_LOGIN}")]
            case Protocol.IPCP:
                return [GiveUp(f"the {self._peer} refuses IPv4 (IPCP)")]
            case _:
                return []

    def _echo(self, packet: Packet, now: float) -> list[Output]:
        """RFC 1661 5.8: an Echo-Reply carries our Magic-Number, zero if there is none.

        It is no longer than the client takes, however long its request is.
        """
        due = self._negotiator.echo_replies(now)
        if not due or packet.code != Code.ECHO_REQUEST or len(packet.data) < 4:
            return []
        data = self._policy.magic.to_bytes(4, "big") + packet.data[4:]
        room = self.control_mru - PACKET_HEADER_SIZE
        return [self._negotiator.respond(packet, Code.ECHO_REPLY, data[:room])]

    def _identified(self, packet: Packet) -> list[Output]:
        """RFC 1570 2.1: a Magic-Number and text. Of Windows' three the last one is binary."""
        text = packet.data[4:].decode("ascii", "replace").replace("\ufffd", "\0").strip("\0")
        if not text.isprintable() or not text or self._identifications == MAX_IDENTIFICATIONS:
            return []
        self._identifications += 1
        return [Identified(printable(text))]


def farewell(packet: Packet) -> str:
    """Return what the client's Terminate-Request says of its reason."""
    mark, error = packet.data[4:8], int.from_bytes(packet.data[8:12], "big")
    if mark == _WINDOWS_MARK and error:
        return f"the client ended the connection (Windows error {error})"
    return "the client ended the connection"
