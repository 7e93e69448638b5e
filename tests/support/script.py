"""Clients by their sources, spelled as data: who sends what, in which order, and what each loses.

No I/O, and no code of the server's: bytes and time go in, writes come out.
"""

import enum
import hashlib
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.support import eap, mschap, ppp, sstp
from tests.support.manner import ADDRESS, AUTH, DNS1, DNS2, EAP, MAGIC, MRU, MSCHAPV2, NOWHERE
from tests.support.ppp import Code

PAP = 0xC023
_PATH = "/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/"


@enum.unique
class Stage(enum.Enum):
    """Where a client is; it hears the protocols of that stage, and LCP."""

    HTTP = "waiting for the HTTP answer"
    CALL = "waiting for Call-Connect-ACK"
    LINK = "LCP"
    LOGIN = "login"
    NETWORK = "IPCP"
    UP = "IP"


_HEARS = {
    Stage.LINK: {ppp.LCP},
    Stage.LOGIN: {ppp.LCP, ppp.CHAP, ppp.EAP},
    Stage.NETWORK: {ppp.LCP, ppp.CHAP, ppp.EAP, ppp.IPCP},
    Stage.UP: {ppp.LCP, ppp.CHAP, ppp.EAP, ppp.IPCP},
}


@enum.unique
class Rejected(enum.Enum):
    """What becomes of an option of IPCP that the server rejects."""

    DROPPED = "is not asked for again"
    IGNORED = "the Reject is ignored, and so is the time"
    AGAIN = "is asked for again at once"
    AFTER_NAK = "is asked for again after the next Nak"


@dataclass(frozen=True, slots=True)
class Habits:
    """One client.

    :param lcp: options of its first LCP request; a magic number is as given, or random if empty.
    :param ipcp: options of its first IPCP request, beside the address.
    :param login: what it wants: ``MSCHAPV2``, ``EAP`` or a PAP option.
    :param refuses_login: how it refuses another one: Nak, or Reject.
    :param binds: when it sends Call-Connected; None for never.
    :param enters: seconds from the end of one stage until it listens to the next.
    :param restart: seconds after which it asks again; None if it never does.
    :param patience: seconds it gives LCP, the login and IPCP each; None for ever.
    :param login_limit: the same for the login alone.
    :param likes: options of LCP, beside the login, that it takes from the server.
    :param one_write: HTTP request, Connect-Request and the first LCP request come together.
    :param bare: whether it sends frames without FF 03.
    :param ccp: whether it asks for compression (CCP) before IPCP.
    :param hashes_domain: whether DOMAIN\\ goes into the hash of MS-CHAPv2.
    :param eager: whether it sends an IP packet as soon as it may.
    :param insists_on_ipv6: whether it asks for IPv6 (IPV6CP) once IPCP is open, and ends without.
    :param repeats: whether it asks again under the same identifier, so that a late answer counts.
    :param quits: what it says when it gives up or is told to end, and then closes TCP.
    """

    lcp: Mapping[int, bytes] = field(default_factory=dict)
    ipcp: tuple[int, ...] = (DNS1, DNS2)
    login: bytes = MSCHAPV2
    refuses_login: Code = Code.NAK
    binds: Stage | None = Stage.LOGIN
    enters: float = 0.0
    restart: float | None = 3.0
    patience: float | None = None
    login_limit: float | None = None
    likes: tuple[int, ...] = (MRU, MAGIC)
    rejected: Rejected = Rejected.DROPPED
    one_write: bool = False
    bare: bool = False
    ccp: bool = False
    hashes_domain: bool = False
    eager: bool = False
    insists_on_ipv6: bool = False
    repeats: bool = False
    correlation: str = "{12345678-1234-1234-1234-123456789ABC}"
    quits: sstp.Kind | None = sstp.Kind.ABORT


class _Ipcp(ppp.Negotiation):
    """IPCP of a client with its own ideas about Rejects."""

    def __init__(self, wanted: Mapping[int, bytes], rejected: Rejected) -> None:
        super().__init__(ppp.IPCP, wanted, lambda kind, value: value if kind == ADDRESS else None)
        self._asked = dict(wanted)
        self._habit = rejected

    def receive(self, code: int, identifier: int, body: bytes) -> list[bytes]:
        """Take a Configure packet."""
        if code == Code.REJECT and self._habit is Rejected.IGNORED:
            return []
        frames = super().receive(code, identifier, body)
        if code == Code.REJECT and self._habit is Rejected.AGAIN:
            self.options |= {kind: self._asked[kind] for kind in self.rejected}
            return [self.request()]
        if code == Code.NAK and self._habit is Rejected.AFTER_NAK and self.rejected:
            self.options |= {kind: self._asked[kind] for kind in self.rejected}
            return [self.request()]
        return frames


class Script:
    """A client with ``habits``, as :class:`.simulation.Peer` wants it.

    :param certificate: DER of what it has seen in TLS.
    :param method: how it logs in by EAP.
    """

    def __init__(
        self,
        habits: Habits,
        *,
        user: str = "alice",
        password: str = "Wonderland-1865",
        certificate: bytes,
        method: eap.Method | None = None,
    ) -> None:
        self.deadline: float | None = None
        self.closed = False
        self.up: float | None = None
        self.stage = Stage.HTTP
        self.gave_up = ""
        self.lost: list[int] = []  # protocols of frames that came too early
        self.requests = 0  # Configure-Requests sent
        self.challenges = 0
        self.sent_packets = 0
        self._habits = habits
        self._user, self._password = user.encode(), password
        self._certificate, self._method = certificate, method
        self._key = bytes(32)
        self._nonce = b""
        self._entered = True
        self._limit: float | None = None
        self._timers: dict[str, float] = {}
        wanted = dict(habits.lcp)
        if wanted.get(MAGIC) == b"":
            wanted[MAGIC] = os.urandom(4)
        self.lcp = ppp.Negotiation(ppp.LCP, wanted, self._judge_link)
        self.ipcp = _Ipcp(
            {ADDRESS: NOWHERE, **dict.fromkeys(habits.ipcp, NOWHERE)}, habits.rejected
        )
        self._login: mschap.Login | None = None
        self._writes: list[bytes] = []

    # What the simulation calls

    def start(self, now: float) -> list[bytes]:
        """Send the HTTP request."""
        head = (
            f"SSTP_DUPLEX_POST {_PATH} HTTP/1.1\r\nHost: vpn.example.com\r\n"
            f"SSTPCORRELATIONID: {self._habits.correlation}\r\n"
            f"Content-Length: {2**64 - 1}\r\n\r\n"
        ).encode()
        if self._habits.one_write:
            self._call()
            self._send_frame(self.lcp.request())
            self._writes = [head + b"".join(self._writes)]
        else:
            self._writes.append(head)
        return self._done()

    def receive(self, data: bytes, now: float) -> list[bytes]:
        """Take one write of the server."""
        if self.stage is Stage.HTTP:
            assert data.startswith(b"HTTP/1.1 200 "), data
            self.stage = Stage.CALL
            if not self._habits.one_write:
                self._call()
            return self._done()
        buffer = bytearray(data)
        while (packet := sstp.cut(buffer)) is not None and not self.closed:
            self._take(sstp.decode(packet), now)
        return self._done()

    def tick(self, now: float) -> list[bytes]:
        """Let the timers that are due run out."""
        for name, at in sorted(self._timers.items(), key=lambda item: item[1]):
            if at <= now and not self.closed:
                del self._timers[name]
                self._expired(name, now)
        return self._done()

    def _expired(self, name: str, now: float) -> None:
        match name:
            case "enter":
                self._entered = True
                if self.stage is Stage.NETWORK:
                    self._begin_ipcp(now)
            case "lcp" if not self.lcp.opened:
                self._ask(self.lcp, "lcp", now, again=self._habits.repeats)
            case "ipcp" if not self.ipcp.opened:
                self._ask(self.ipcp, "ipcp", now, again=self._habits.repeats)
            case "limit":
                self._quit(f"{self.stage.value} took too long")
            case _:
                pass

    def _done(self) -> list[bytes]:
        writes, self._writes = self._writes, []
        self.deadline = min(self._timers.values(), default=None)
        return writes

    # Sending

    def _send(self, packet: sstp.Control | sstp.Data) -> None:
        self._writes.append(packet.encode())

    def _send_frame(self, frame: bytes) -> None:
        self._send(sstp.Data(frame[2:] if self._habits.bare else frame))

    def _call(self) -> None:
        self._send(sstp.Control(sstp.Kind.CONNECT_REQUEST, {sstp.Attribute.PROTOCOL: sstp.PPP}))

    def _ask(
        self, negotiation: ppp.Negotiation, timer: str, now: float, *, again: bool = False
    ) -> None:
        self.requests += 1
        self._send_frame(negotiation.repeat() if again else negotiation.request())
        if self._habits.restart is not None:
            self._timers[timer] = now + self._habits.restart

    def _quit(self, why: str) -> None:
        """Give up: one last word, and TCP is closed at once."""
        self.gave_up = why
        if self._habits.quits is not None:
            self._send(sstp.Control(self._habits.quits))
        self.closed, self._timers = True, {}

    # The stages

    def _enter(self, stage: Stage, now: float) -> None:
        self.stage = stage
        self._entered = self._habits.enters == 0
        self._timers.pop("limit", None)
        limit = self._habits.patience
        if stage is Stage.LOGIN and self._habits.login_limit is not None:
            limit = self._habits.login_limit
        if limit is not None and stage is not Stage.UP:
            self._timers["limit"] = now + limit
        if not self._entered:
            self._timers["enter"] = now + self._habits.enters
        elif stage is Stage.NETWORK:
            self._begin_ipcp(now)

    def _begin_ipcp(self, now: float) -> None:
        if self._habits.ccp:
            self._send_frame(ppp.frame(ppp.CCP, ppp.packet(1, 1, b"\x12\x06\x01\x00\x00\x40")))
        self._ask(self.ipcp, "ipcp", now)

    def _accepted(self, now: float) -> None:
        """The server has said that the password is right."""
        if self._habits.binds is Stage.LOGIN:
            self._bind()
        self._enter(Stage.NETWORK, now)

    def _bind(self) -> None:
        digest = hashlib.sha256(self._certificate).digest()
        head = bytes((0, 0, 0, 2)) + self._nonce + digest
        blank = sstp.Control(sstp.Kind.CONNECTED, {sstp.Attribute.BINDING: head + bytes(32)})
        mac = mschap.compound_mac(self._key, blank.encode(), "sha256")
        self._send(sstp.Control(sstp.Kind.CONNECTED, {sstp.Attribute.BINDING: head + mac}))

    # Receiving

    def _take(self, packet: sstp.Control | sstp.Data, now: float) -> None:
        if isinstance(packet, sstp.Control):
            return self._take_control(packet, now)
        protocol, payload = ppp.unframe(packet.frame)
        entered = self._entered or protocol == ppp.LCP
        if protocol not in _HEARS.get(self.stage, set()) or not entered:
            self.lost.append(protocol)
            return None
        code, identifier, body = ppp.unpack(payload)
        match protocol:
            case ppp.LCP:
                return self._take_link(code, identifier, body, now)
            case ppp.CHAP:
                return self._take_chap(code, identifier, body, now)
            case ppp.EAP:
                return self._take_eap(code, identifier, body, now)
            case _:
                return self._take_ipcp(code, identifier, body, now)

    def _take_control(self, packet: sstp.Control, now: float) -> None:
        match packet.kind:
            case sstp.Kind.CONNECT_ACK:
                self._nonce = packet.attributes[sstp.Attribute.BINDING_REQUEST][4:]
                self._enter(Stage.LINK, now)
                self._entered = True
                if not self._habits.one_write:
                    self._ask(self.lcp, "lcp", now)
            case sstp.Kind.DISCONNECT:
                self._send(sstp.Control(sstp.Kind.DISCONNECT_ACK))
                self.closed, self._timers = True, {}
            case sstp.Kind.ECHO_REQUEST:
                self._send(sstp.Control(sstp.Kind.ECHO_RESPONSE))
            case kind:
                self._quit(f"the server sent {kind.name}")

    def _take_link(self, code: int, identifier: int, body: bytes, now: float) -> None:
        if code == Code.TERMINATE:
            return self._quit("the server ended PPP")
        if code == Code.PROTOCOL_REJECT and not self._habits.insists_on_ipv6:
            return None
        if code > Code.REJECT:
            return self._quit(f"the server sent LCP {code}")
        was_open = self.lcp.opened
        for frame in self.lcp.receive(code, identifier, body):
            self._send_frame(frame)
        if self.lcp.opened and not was_open:
            self._enter(Stage.LOGIN, now)
        return None

    def _take_ipcp(self, code: int, identifier: int, body: bytes, now: float) -> None:
        was_open = self.ipcp.opened
        for frame in self.ipcp.receive(code, identifier, body):
            self.requests += frame[4] == Code.REQUEST
            self._send_frame(frame)
        if self.ipcp.opened and not was_open:
            self.up = now
            if self._habits.binds is Stage.NETWORK:
                self._bind()
            self._enter(Stage.UP, now)
            self._first_packets()

    def _first_packets(self) -> None:
        if self._habits.insists_on_ipv6:
            interface = b"\x01\x0a\x02\x11\x22\xff\xfe\x33\x44\x55"
            self._send_frame(ppp.frame(ppp.IPV6CP, ppp.packet(1, 1, interface)))
        if self._habits.eager:
            self.sent_packets += 1
            self._send_frame(ppp.frame(ppp.IPV4, b"\x45" + bytes(19)))

    def _take_chap(self, code: int, identifier: int, body: bytes, now: float) -> None:
        match code:
            case 1:
                self.challenges += 1
                self._respond(identifier, body[1:17])
            case 3 if self.stage is Stage.LOGIN and self._login is not None:
                # of the last Response: who answers a repeated Challenge anew would not know the other
                assert body.split()[0] == self._login.proof
                self._key = self._login.key
                self._accepted(now)
            case 4:
                self._quit(body.decode())

    def _respond(self, identifier: int, challenge: bytes) -> None:
        self._login = mschap.Login(
            self._user,
            self._password,
            challenge,
            os.urandom(16),
            hashes_domain=self._habits.hashes_domain,
        )
        value = bytes((len(self._login.response),)) + self._login.response + self._user
        self._send_frame(ppp.frame(ppp.CHAP, ppp.packet(2, identifier, value)))

    def _take_eap(self, code: int, identifier: int, body: bytes, now: float) -> None:
        assert self._method is not None
        if code != eap.REQUEST:
            self._method.finished(success=code == eap.SUCCESS)
            self._key = self._method.key
            return self._accepted(now)
        type_, data = body[0], body[1:]
        if type_ == eap.IDENTITY:
            answer = bytes([type_]) + self._method.identity
        elif type_ == self._method.type:
            answer = bytes([type_]) + self._method.respond(data)
        else:
            answer = bytes([eap.NAK, self._method.type])
        return self._send_frame(ppp.frame(ppp.EAP, ppp.packet(eap.RESPONSE, identifier, answer)))

    def _judge_link(self, kind: int, value: bytes) -> bytes | None:
        if kind != AUTH:
            return value if kind in self._habits.likes else None
        if value != self._habits.login and self._habits.refuses_login is Code.REJECT:
            return None
        return self._habits.login


EAP_LOGIN = EAP
PAP_LOGIN = struct.pack("!H", PAP)
