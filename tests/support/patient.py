"""A client as the RFCs have it, with timers of its own, for lines on which they run out.

Its automaton is the table that RFC 1661 4.1 prints. No I/O, and no code of the server's: bytes and
time go in, writes come out.
"""

import enum
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.fuzz.layer_model import (
    ACK_RCVD,
    ACK_SENT,
    CLOSED,
    OPENED,
    REQ_SENT,
    STARTING,
    TABLE,
)
from tests.support import eap, mschap, ppp, sstp
from tests.support.manner import ADDRESS, AUTH, DNS1, DNS2, MAGIC, NOWHERE
from tests.support.ppp import Code, Judge, pack_options, unpack_options

_MAX_CONFIGURE = 10
_REQUEST = (
    b"SSTP_DUPLEX_POST /sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/ HTTP/1.1\r\n"
    b"Host: vpn.example.com\r\nContent-Length: 18446744073709551615\r\n"
    b"SSTPCORRELATIONID: {12345678-1234-1234-1234-123456789ABC}\r\n\r\n"
)


@enum.unique
class Asked(enum.Enum):
    """By what a person is asked to type."""

    NOBODY = "nothing"
    CHALLENGE = "the Challenge"
    IDENTITY = "the Identity-Request"
    METHOD = "the first Request of the method"


@enum.unique
class Meanwhile(enum.Enum):
    """What becomes of Challenges that come while a person types (RFC 1994 has no word on it)."""

    ANSWERED = "they are answered then, too, in their order"
    DROPPED = "only the first is answered"
    LAST = "only the last is answered"


@dataclass(frozen=True, slots=True)
class Pace:
    """What one client does by the clock.

    :param restart: seconds until it repeats a Configure-Request.
    :param keeps: whether that keeps its identifier (RFC 1661 5.1 leaves it open).
    :param deaf: seconds after LCP, and after the login, until it listens to the next protocol.
    :param types: seconds that a person needs.
    :param asked: by what a person is asked.
    :param meanwhile: what becomes of other Challenges then.
    :param remembers: whether it knows all its Responses, and the last alone otherwise.
    :param again: seconds after which it repeats its Response; None if it never does.
    :param twice: whether it says everything twice, as if a timer had run out that moment.
    :param binds_late: whether Call-Connected comes once IPCP is open.
    """

    restart: float = 3.0
    keeps: bool = True
    deaf: float = 0.0
    types: float = 0.0
    asked: Asked = Asked.NOBODY
    meanwhile: Meanwhile = Meanwhile.ANSWERED
    remembers: bool = False
    again: float | None = None
    twice: bool = False
    binds_late: bool = False


class Layer:
    """The client's end of LCP or an NCP: the table of RFC 1661 4.1, and the options.

    :param judge: what it has to say to each option of the server's.
    """

    def __init__(
        self, protocol: int, wanted: Mapping[int, bytes], judge: Judge, pace: Pace
    ) -> None:
        self.state = STARTING
        self.options = dict(wanted)
        self.deadline: float | None = None
        self.restarts = 0  # how often it has left Opened
        self._protocol, self._judge, self._pace = protocol, judge, pace
        self._identifier = 0
        self._count = 0
        self._answered = False

    def up(self, now: float) -> list[bytes]:
        """The layer below is there."""
        return self._happen("Up", now)

    def renew(self, now: float) -> list[bytes]:
        """Negotiate anew: the layer below goes down and comes up again (RFC 1661 4.1)."""
        self._happen("Down", now)
        return self._happen("Up", now)

    def receive(self, code: int, identifier: int, body: bytes, now: float) -> list[bytes]:
        """Take a packet; return the frames to send, in the order of the table."""
        if self.state < CLOSED:
            return []
        match code:
            case Code.REQUEST:
                reply, value = self._reply(unpack_options(body))
                event = "RCR+" if reply == Code.ACK else "RCR-"
                return self._happen(event, now, ppp.packet(reply, identifier, value))
            case Code.ACK | Code.NAK | Code.REJECT if self._answered or identifier != self._id:
                return []  # RFC 1661 5.2
            case Code.ACK:
                assert body == pack_options(self.options)
                self._answered = True
                return self._happen("RCA", now)
            case Code.NAK | Code.REJECT:
                self._learn(code, unpack_options(body))
                self._answered = True
                return self._happen("RCN", now)
            case _:
                return []

    def tick(self, now: float) -> list[bytes]:
        """Let the Restart timer run out, if it is due."""
        if self.deadline is None or now < self.deadline:
            return []
        return self._happen("TO+" if self._count > 0 else "TO-", now)

    @property
    def _id(self) -> int:
        return self._identifier & 0xFF

    def _happen(self, event: str, now: float, answer: bytes = b"") -> list[bytes]:
        actions, _, state = TABLE[self.state, event].rstrip("prx").rpartition("/")
        sent: list[bytes] = []
        for action in filter(None, actions.split(",")):
            match action:
                case "irc":
                    self._count = _MAX_CONFIGURE
                case "scr":
                    sent.append(self._request(now, again=event == "TO+" and not self._answered))
                case "sca" | "scn":
                    sent.append(answer)
                case "tld":
                    self.restarts += 1
                case _:
                    pass
        self.state = int(state)
        if self.state not in (REQ_SENT, ACK_RCVD, ACK_SENT):
            self.deadline = None
        return [ppp.frame(self._protocol, one) for one in sent]

    def _request(self, now: float, *, again: bool) -> bytes:
        if not (again and self._pace.keeps):
            self._identifier += 1
        self._answered = False
        self._count -= 1
        self.deadline = now + self._pace.restart
        return ppp.packet(Code.REQUEST, self._id, pack_options(self.options))

    def _learn(self, code: int, options: Mapping[int, bytes]) -> None:
        for kind, value in options.items():
            if code == Code.NAK:
                self.options[kind] = value
            else:
                del self.options[kind]

    def _reply(self, asked: Mapping[int, bytes]) -> tuple[int, bytes]:
        better = {kind: self._judge(kind, value) for kind, value in asked.items()}
        rejected = {kind: asked[kind] for kind, value in better.items() if value is None}
        naked = {k: v for k, v in better.items() if v is not None and v != asked[k]}
        if rejected:
            return Code.REJECT, pack_options(rejected)
        return (Code.NAK, pack_options(naked)) if naked else (Code.ACK, pack_options(asked))


@dataclass
class _Response:
    frame: bytes
    login: mschap.Login


@dataclass
class Client:
    """One login, as :class:`.simulation.Peer` wants it.

    :param certificate: DER of what it has seen in TLS.
    :param login: the value of LCP's option: MS-CHAPv2 or EAP.
    :param method: how it logs in by EAP.
    :param wanted: options of LCP's first request.
    """

    pace: Pace
    certificate: bytes
    login: bytes
    method: eap.Method | None = None
    wanted: Mapping[int, bytes] = field(default_factory=lambda: {MAGIC: b"\1\2\3\4", 7: b""})
    user: bytes = b"alice"
    password: str = "Wonderland-1865"

    def __post_init__(self) -> None:
        self.deadline: float | None = None
        self.closed = False
        self.up: float | None = None
        self.gave_up = ""
        self.lcp = Layer(ppp.LCP, self.wanted, self._judge_link, self.pace)
        self.ipcp = Layer(
            ppp.IPCP,
            {ADDRESS: NOWHERE, 2: b"\x00\x2d\x0f\x01", DNS1: NOWHERE, DNS2: NOWHERE},
            lambda kind, value: value if kind == ADDRESS else None,
            self.pace,
        )
        self.key = b""  # once the server has shown that it knows the password
        self._nonce = b""
        self._stage = 0  # of HTTP, SSTP, PPP
        self._timers: list[tuple[float, Callable[[float], None]]] = []
        self._listens = 0.0  # from when on to what follows LCP, or the login
        self._typing: float | None = None  # until when somebody does
        self._typed = self.pace.asked is Asked.NOBODY
        self._waiting: list[tuple[int, bytes]] = []  # what has come meanwhile
        self._responses: dict[int, _Response] = {}
        self._answer: tuple[int, bytes] | None = None  # the last Response in EAP, by identifier
        self._writes: list[bytes] = []

    # What the simulation calls

    def start(self, now: float) -> list[bytes]:
        """Send the HTTP request."""
        return [_REQUEST]

    def receive(self, data: bytes, now: float) -> list[bytes]:
        """Take one write of the server."""
        if self._stage == 0:
            assert data.startswith(b"HTTP/1.1 200 ")
            self._stage = 1
            self._send(sstp.Control(sstp.Kind.CONNECT_REQUEST, {sstp.Attribute.PROTOCOL: sstp.PPP}))
            return self._done()
        buffer = bytearray(data)
        while (packet := sstp.cut(buffer)) is not None and not self.closed:
            self._take(sstp.decode(packet), now)
        return self._done()

    def tick(self, now: float) -> list[bytes]:
        """Let the timers that are due run out."""
        for layer in (self.lcp, self.ipcp):
            self._say(layer.tick(now))
        due = [action for at, action in self._timers if at <= now]
        self._timers = [(at, action) for at, action in self._timers if at > now]
        for action in due:
            action(now)
        return self._done()

    def _done(self) -> list[bytes]:
        writes, self._writes = self._writes, []
        times = [at for at, _ in self._timers]
        times += [one.deadline for one in (self.lcp, self.ipcp) if one.deadline is not None]
        self.deadline = min(times, default=None)
        return writes

    def _send(self, packet: sstp.Control | sstp.Data) -> None:
        self._writes.append(packet.encode())

    def _say(self, frames: list[bytes]) -> None:
        for frame in frames:
            for _ in range(1 + self.pace.twice):
                self._send(sstp.Data(frame))

    def _quit(self, why: str) -> None:
        self.gave_up, self.closed, self._timers = why, True, []

    # SSTP

    def _take(self, packet: sstp.Control | sstp.Data, now: float) -> None:
        if isinstance(packet, sstp.Data):
            return self._frame(packet.frame, now)
        match packet.kind:
            case sstp.Kind.CONNECT_ACK:
                self._nonce = packet.attributes[sstp.Attribute.BINDING_REQUEST][4:]
                self._say(self.lcp.up(now))
            case sstp.Kind.ECHO_REQUEST:
                self._send(sstp.Control(sstp.Kind.ECHO_RESPONSE))
            case kind:
                self._quit(f"the server sent {kind.name}")
        return None

    def _bind(self) -> None:
        head = bytes((0, 0, 0, 2)) + self._nonce + hashlib.sha256(self.certificate).digest()
        blank = sstp.Control(sstp.Kind.CONNECTED, {sstp.Attribute.BINDING: head + bytes(32)})
        mac = mschap.compound_mac(self.key, blank.encode(), "sha256")
        self._send(sstp.Control(sstp.Kind.CONNECTED, {sstp.Attribute.BINDING: head + mac}))

    # PPP

    def _frame(self, frame: bytes, now: float) -> None:
        protocol, payload = ppp.unframe(frame)
        code, identifier, body = ppp.unpack(payload)
        if protocol == ppp.LCP:
            return self._link(code, identifier, body, now)
        # RFC 1661 3.4: what belongs to a later phase is dropped
        if self.lcp.state != OPENED or now < self._listens:
            return None
        if protocol == ppp.CHAP:
            return self._chap(code, identifier, body, now)
        if protocol == ppp.EAP:
            return self._eap(code, identifier, body, now)
        if protocol == ppp.IPCP and self.key:
            before = self.ipcp.state
            self._say(self.ipcp.receive(code, identifier, body, now))
            if self.ipcp.state == OPENED != before:
                self._network_up(now)
        return None

    def _link(self, code: int, identifier: int, body: bytes, now: float) -> None:
        if code == Code.TERMINATE:
            return self._quit("the server ended PPP")
        before = self.lcp.state
        self._say(self.lcp.receive(code, identifier, body, now))
        if before == OPENED != self.lcp.state and self.key:
            self._quit("LCP began anew after the login")
        if self.lcp.state == OPENED != before:
            self._listens = now + self.pace.deaf
        return None

    def _network_up(self, now: float) -> None:
        if self.up is None and self.pace.binds_late:
            self._bind()
        self.up = now

    def _judge_link(self, kind: int, value: bytes) -> bytes | None:
        return {MAGIC: value, AUTH: self.login}.get(kind)

    # The login

    def _types(self, by: Asked, identifier: int, body: bytes, now: float) -> bool:
        """Whether a person is typing, or begins to; what came has to wait then."""
        if self._typing is not None and now < self._typing:
            self._waiting.append((identifier, body))
            return True
        if self._typed or by is not self.pace.asked:
            return False
        self._typed, self._typing = True, now + self.pace.types
        self._waiting = [(identifier, body)]
        self._timers.append((self._typing, self._enter))
        return True

    def _enter(self, now: float) -> None:
        """The person has typed: answer what has waited for it."""
        waiting, self._waiting = self._waiting, []
        match self.pace.meanwhile:
            case Meanwhile.DROPPED:
                waiting = waiting[:1]
            case Meanwhile.LAST:
                waiting = waiting[-1:]
        for identifier, body in waiting:
            if self.method is None:
                self._respond(identifier, body, now)
            else:
                self._answer_request(identifier, body)

    def _chap(self, code: int, identifier: int, body: bytes, now: float) -> None:
        match code:
            case 1 if not self.key:
                if not self._types(Asked.CHALLENGE, identifier, body, now):
                    self._respond(identifier, body, now)
            case 3 if not self.key:
                self._succeeded(identifier, body, now)
            case 3:
                pass
            case _:
                self._quit(body.decode())

    def _respond(self, identifier: int, body: bytes, now: float) -> None:
        login = mschap.Login(self.user, self.password, body[1:17], os.urandom(16))
        value = bytes((49,)) + login.response + self.user
        frame = ppp.frame(ppp.CHAP, ppp.packet(2, identifier, value))
        if not self.pace.remembers:
            self._responses = {}
        self._responses[identifier] = _Response(frame, login)
        self._say([frame])
        if self.pace.again is not None:
            self._timers.append((now + self.pace.again, lambda now: self._repeat(identifier, now)))

    def _repeat(self, identifier: int, now: float) -> None:
        """No answer to the Response so far: say it again, as long as LCP is open."""
        kept = self._responses.get(identifier)
        if kept is None or self.key or self.lcp.state != OPENED:
            return
        self._say([kept.frame])
        assert self.pace.again is not None
        self._timers.append((now + self.pace.again, lambda now: self._repeat(identifier, now)))

    def _succeeded(self, identifier: int, body: bytes, now: float) -> None:
        # one that keeps the last alone does not look at the identifier either
        last = [*self._responses.values()][-1:]
        known = self._responses.get(identifier) if self.pace.remembers else last[0]
        if known is None or body.split()[0] != known.login.proof:
            return self._quit("Success without the proof")
        return self._logged_in(known.login.key, now)

    def _eap(self, code: int, identifier: int, body: bytes, now: float) -> None:
        assert self.method is not None
        if code != eap.REQUEST:
            self.method.finished(success=code == eap.SUCCESS)
            return self._logged_in(self.method.key, now)
        if self._answer is not None and self._answer[0] == identifier:
            return self._say([self._answer[1]])  # RFC 3748 4.1: no second time
        by = Asked.IDENTITY if body[0] == eap.IDENTITY else Asked.METHOD
        if body[0] not in (eap.IDENTITY, self.method.type):
            by = Asked.NOBODY
        if [identifier] == [one for one, _ in self._waiting[:1]]:
            return None  # the Request that somebody types for, once more
        if not self._types(by, identifier, body, now):
            self._answer_request(identifier, body)
        return None

    def _answer_request(self, identifier: int, body: bytes) -> None:
        assert self.method is not None
        match body[0]:
            case eap.IDENTITY:
                data = bytes([eap.IDENTITY]) + self.method.identity
            case self.method.type:
                data = body[:1] + self.method.respond(body[1:])
            case _:
                data = bytes([eap.NAK, self.method.type])
        frame = ppp.frame(ppp.EAP, ppp.packet(eap.RESPONSE, identifier, data))
        self._answer = identifier, frame
        self._say([frame])

    def _logged_in(self, key: bytes, now: float) -> None:
        self.key = key
        if not self.pace.binds_late:
            self._bind()
        self._listens = now + self.pace.deaf
        self._timers.append((self._listens, self._begin_network))

    def _begin_network(self, now: float) -> None:
        self._say(self.ipcp.up(now))
