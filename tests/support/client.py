"""An SSTP client for tests: speaks as Windows 10 or sstpc do, or wrongly where a test says so.

Every step is a method that blocks until it is done, raises what the server did instead (see
:mod:`.faults`), or raises ``TimedOut``; :meth:`Client.login` runs them all. Between calls nothing
is read, and nothing runs in the background: closing ends the client. It shares no code with the
server.
"""

import contextlib
import enum
import hashlib
import os
import socket
import struct
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Self, TypeVar

from tests.support import eap, ipv6, mschap, packets, ppp, sstp
from tests.support.faults import (
    Aborted,
    CallRefused,
    ClientError,
    Closed,
    Disconnected,
    Ended,
    HttpRefused,
    LoginRefused,
    Terminated,
    TimedOut,
    WeaklyRefused,
    WrongProof,
)
from tests.support.manner import (
    ADDRESS,
    AUTH,
    DNS1,
    DNS2,
    EAP,
    MAGIC,
    MRU,
    MSCHAPV2,
    NOWHERE,
    PAP,
    WINDOWS,
    Manner,
)
from tests.support.ppp import Code
from tests.support.waiting import PATIENCE
from tests.support.wire import Wire

PATH = "/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/"
LENGTH = 2**64 - 1
_RESEND = 3.0
_ASK_AGAIN = 0.3
_FOREVER = 2.0**31

T = TypeVar("T")


@enum.unique
class Spoil(enum.Enum):
    """What :meth:`Client.bind` gets wrong."""

    NONCE = "nonce"
    CERTIFICATE = "certificate hash"
    MAC = "compound MAC"


@dataclass(slots=True)
class Heard:
    """What has come so far; steps wait for it."""

    offer: bytes | None = None
    challenge: tuple[int, bytes] | None = None
    verdict: tuple[int, bytes] | None = None
    terminate_acknowledged: bool = False
    disconnect_acknowledged: bool = False
    echoes: int = 0
    link_echoes: int = 0
    arrived: deque[packets.Packet] = field(default_factory=deque)
    arrived_ipv6: deque[ipv6.Packet] = field(default_factory=deque)


class Client:
    """A connection to a server.

    :param plain: a connected TCP socket; the client closes it.
    :param ca: PEM of the authority to trust, or None to accept any certificate.
    :param method: how to log in by EAP; by default it is MS-CHAPv2 in CHAP.
    :param weak: how else it logs in: PAP, or MD5 in CHAP, as the option of LCP has it.
    :param name: what the certificate must be for.
    :param patience: seconds each step may take.
    """

    def __init__(
        self,
        plain: socket.socket,
        user: str,
        password: str,
        *,
        ca: str | None = None,
        name: str = "vpn.example.com",
        manner: Manner = WINDOWS,
        method: eap.Method | None = None,
        weak: bytes = b"",
        patience: float = PATIENCE,
    ) -> None:
        self.user = user.encode()
        self.password = password
        self.manner = manner
        self.method = method
        self.weak = weak
        self.patience = patience
        self.heard = Heard()
        self.key = bytes(32)
        self.verdict_after = 0.0
        self._hears_from = 0.0
        self._magic = os.urandom(4)
        wanted = {**manner.lcp, MAGIC: self._magic}
        self.lcp = ppp.Negotiation(ppp.LCP, wanted, self._judge_link)
        self.ipcp = ppp.Negotiation(ppp.IPCP, manner.ipcp, _judge_address)
        self.others = {
            protocol: ppp.Negotiation(protocol, options, lambda _kind, value: value)
            for protocol, options in manner.others.items()
        }
        self.wire = Wire(
            plain,
            ca=ca,
            name=name,
            newest=manner.tls,
            patience=patience,
            suites=manner.suites,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection without a word, as a machine does that loses its network."""
        self.wire.close()

    # The steps, in order

    def login(self) -> Self:
        """Run every step, until packets can flow."""
        self.open()
        self.authenticate()
        self.bind()
        self.configure()
        return self

    def open(self) -> None:
        """HTTP request, then Call-Connect-Request.

        :raises HttpRefused: unless the answer is 200.
        :raises CallRefused: if the server sends a NAK.
        """
        self.request()
        self._hears_from = _FOREVER
        protocol: dict[int, bytes] = {sstp.Attribute.PROTOCOL: sstp.PPP}
        self.send(sstp.Control(sstp.Kind.CONNECT_REQUEST, protocol))
        self._until(lambda: self.heard.offer is not None, "Call-Connect-ACK")
        self._hears_from = time.monotonic() + self.manner.deaf
        self.listen(self.manner.deaf)

    def request(self) -> None:
        """Send the HTTP request of SSTP and read the answer ([MS-SSTP] 3.2.4.1, 4.1)."""
        correlation = self.manner.correlation % str(uuid.uuid4()).upper()
        self.wire.send(
            f"SSTP_DUPLEX_POST {PATH} HTTP/1.1\r\n"
            f"SSTPCORRELATIONID: {correlation}\r\n"
            f"Content-Length: {LENGTH}\r\n"
            "Host: vpn.example.com\r\n\r\n".encode()
        )
        head = self.answer()
        if not head.startswith("HTTP/1.1 200") or f"content-length: {LENGTH}" not in head.lower():
            raise HttpRefused(int(head.split(maxsplit=2)[1]), head)

    def answer(self) -> str:
        """Read the head of an HTTP answer; :meth:`.wire.Wire.rest` has what follows."""
        head = self.wire.head(time.monotonic() + self.patience)
        if head is None:
            raise TimedOut("HTTP answer")
        return head

    def authenticate(self, *, binding_at_once: bool = False) -> None:
        """Negotiate LCP and log in.

        :param binding_at_once: send Call-Connected right behind the CHAP Response, before the
            server has said that the password is right.
        :raises LoginRefused: on a CHAP Failure, or one of EAP-MSCHAPv2.
        :raises CertificateRejected: on a Failure of EAP-TLS.
        :raises WrongProof: if the server does not know the password.
        """
        self._negotiate(self.lcp)
        for text in self.manner.identifications:
            self._send_link(Code.IDENTIFICATION, self._magic + text)
        if self.method is not None:
            return self._authenticate_by(self.method)
        if self.weak:
            return self._authenticate_weakly()
        self._until(lambda: self.heard.challenge is not None, "CHAP Challenge")
        began = time.monotonic()
        login = self._respond()
        if binding_at_once:
            self.bind()
        self._until(lambda: self.heard.verdict is not None, "CHAP Success or Failure")
        self.verdict_after = time.monotonic() - began
        return self._judge_verdict(login.proof)

    def retry(self, password: str) -> None:
        """Try another password after a Failure with R=1 (RFC 2759 9.1.4).

        :raises LoginRefused: on another Failure.
        """
        self.password = password
        login = self._respond()
        self._until(lambda: self.heard.verdict is not None, "CHAP Success or Failure")
        self._judge_verdict(login.proof)

    def change_password(self, new: str) -> None:
        """Take another password after a Failure with E=648 (RFC 2759 7).

        :raises LoginRefused: if the server does not take it.
        """
        assert self.heard.challenge is not None
        identifier, challenge = self.heard.challenge
        login = mschap.Login(self.user, new, challenge, os.urandom(16))
        change = mschap.Change(self.password, new, login)
        self.password, self.key = new, login.key
        self._send(ppp.CHAP, ppp.packet(7, identifier, change.data))
        self._until(lambda: self.heard.verdict is not None, "CHAP Success or Failure")
        self._judge_verdict(login.proof)

    def _authenticate_by(self, method: eap.Method) -> None:
        """Wait for EAP's Success: Requests are answered as they come."""
        self._until(lambda: self.heard.verdict is not None, "EAP Success or Failure")
        assert self.heard.verdict is not None
        method.finished(success=self.heard.verdict[0] == eap.SUCCESS)
        self.key = method.key

    def _authenticate_weakly(self) -> None:
        """Show the password (RFC 1334), or an MD5 of it (RFC 1994); there is no key."""
        password = self.password.encode()
        if self.weak == PAP:
            data = bytes([len(self.user)]) + self.user + bytes([len(password)]) + password
            self._send(ppp.PAP, ppp.packet(1, 1, data))
        else:
            self._until(lambda: self.heard.challenge is not None, "CHAP Challenge")
            assert self.heard.challenge is not None
            identifier, challenge = self.heard.challenge
            digest = hashlib.md5(bytes([identifier]) + password + challenge).digest()
            body = b"\x10" + digest + self.user
            self._send(ppp.CHAP, ppp.packet(2, identifier, body))
        self._until(lambda: self.heard.verdict is not None, "an answer to the login")
        assert self.heard.verdict is not None
        code, text = self.heard.verdict
        if code != (2 if self.weak == PAP else 3):
            raise WeaklyRefused(text.decode())

    def _respond(self) -> mschap.Login:
        assert self.heard.challenge is not None
        identifier, challenge = self.heard.challenge
        login = mschap.Login(self.user, self.password, challenge, os.urandom(16))
        self.key = login.key
        body = bytes((len(login.response),)) + login.response + self.user
        self._send(ppp.CHAP, ppp.packet(2, identifier, body))
        return login

    def _judge_verdict(self, proof: bytes) -> None:
        assert self.heard.verdict is not None
        code, text = self.heard.verdict
        if code != 3:
            refused = LoginRefused(text.decode())
            if refused.retry and self.heard.challenge is not None:
                self.heard.challenge = self.heard.challenge[0] + 1, refused.challenge
                self.heard.verdict = None
            raise refused
        if text.split()[0] != proof:
            raise WrongProof(text.decode())

    def bind(self, *, digest: str = "sha256", spoil: Spoil | None = None) -> None:
        """Send Call-Connected ([MS-SSTP] 3.2.5.2); the server says nothing to a right one."""
        assert self.heard.offer is not None
        nonce = os.urandom(32) if spoil is Spoil.NONCE else self.heard.offer[4:]
        fingerprint = self.wire.fingerprint(digest)
        if spoil is Spoil.CERTIFICATE:
            fingerprint = fingerprint[1:2] + fingerprint[:1] + fingerprint[2:]
        head = bytes((0, 0, 0, 1 if digest == "sha1" else 2)) + nonce + fingerprint
        blank = _connected(head + bytes(32)).encode()
        mac = mschap.compound_mac(self.key, blank, digest).ljust(32, b"\0")
        if spoil is Spoil.MAC:
            mac = bytes((mac[0] ^ 1,)) + mac[1:]
        self.send(_connected(head + mac))

    def configure(self) -> None:
        """Ask for an address as Windows does: IPCP, with CCP and IPV6CP beside it."""
        for negotiation in self.others.values():
            self.send_frame(negotiation.request())
        self._negotiate(self.ipcp)
        self._until(lambda: all(n.settled for n in self.others.values()), "CCP and IPV6CP")

    # What came of it

    @property
    def address(self) -> IPv4Address:
        """The address this client was given."""
        return IPv4Address(self.ipcp.options[ADDRESS])

    @property
    def server_address(self) -> IPv4Address:
        """The server's address in the tunnel."""
        assert self.ipcp.peer is not None
        return IPv4Address(self.ipcp.peer[ADDRESS])

    @property
    def dns(self) -> list[IPv4Address]:
        """The DNS servers this client was given."""
        given = (self.ipcp.options.get(kind, NOWHERE) for kind in (DNS1, DNS2))
        return [IPv4Address(value) for value in given if value != NOWHERE]

    @property
    def link_local(self) -> IPv6Address:
        """The link-local address of this client (RFC 5072 5)."""
        return _link_local(self.others[ppp.IPV6CP].options[1])

    @property
    def router(self) -> IPv6Address:
        """That of the server."""
        peer = self.others[ppp.IPV6CP].peer
        assert peer is not None
        return _link_local(peer[1])

    # Traffic

    def send_packet(self, packet: packets.Packet) -> None:
        """Send an IPv4 packet through the tunnel."""
        self._send(ppp.IPV4, packet.encode())

    def receive_packet(
        self, wanted: Callable[[packets.Packet], bool], *, patience: float | None = None
    ) -> packets.Packet:
        """Wait for a packet for which ``wanted`` is true; others are dropped."""
        found: list[packets.Packet] = []

        def look() -> bool:
            while self.heard.arrived and not found:
                packet = self.heard.arrived.popleft()
                if wanted(packet):
                    found.append(packet)
            return bool(found)

        self._until(look, "IPv4 packet", patience=patience)
        return found[0]

    def send_ipv6(self, packet: ipv6.Packet) -> None:
        """Send an IPv6 packet through the tunnel."""
        self._send(ppp.IPV6, packet.encode())

    def receive_ipv6(
        self, read: Callable[[ipv6.Packet], T | None], *, patience: float | None = None
    ) -> T:
        """Wait for an IPv6 packet of which ``read`` makes something; return that."""
        found: list[T] = []

        def look() -> bool:
            while self.heard.arrived_ipv6 and not found:
                made = read(self.heard.arrived_ipv6.popleft())
                found.extend([] if made is None else [made])
            return bool(found)

        self._until(look, "IPv6 packet", patience=patience)
        return found[0]

    def ask_ipv6(self, packet: ipv6.Packet, read: Callable[[ipv6.Packet], T | None]) -> T:
        """Send ``packet`` again and again until one comes back of which ``read`` makes something."""
        deadline = time.monotonic() + self.patience
        while time.monotonic() < deadline:
            self.send_ipv6(packet)
            with contextlib.suppress(TimedOut):
                return self.receive_ipv6(read, patience=_ASK_AGAIN)
        raise TimedOut(f"an answer to {packet}")

    def ask(
        self, packet: packets.Packet, wanted: Callable[[packets.Packet], bool]
    ) -> packets.Packet:
        """Send ``packet`` again and again until one comes back for which ``wanted`` is true."""
        deadline = time.monotonic() + self.patience
        while time.monotonic() < deadline:
            self.send_packet(packet)
            with contextlib.suppress(TimedOut):
                return self.receive_packet(wanted, patience=_ASK_AGAIN)
        raise TimedOut(f"an answer to {packet}")

    def ping(self, destination: IPv4Address, *, number: int = 1, size: int = 56) -> None:
        """Ping ``destination`` through the tunnel until it replies."""
        content = os.urandom(size)
        self.ask(
            packets.echo(self.address, destination, number, content),
            lambda packet: (
                (packet.source, packet.destination) == (destination, self.address)
                and packets.echo_reply(packet) == (number, content)
            ),
        )

    def echo(self) -> None:
        """Send an SSTP Echo-Request and wait for the Response."""
        before = self.heard.echoes
        self.send(sstp.Control(sstp.Kind.ECHO_REQUEST))
        self._until(lambda: self.heard.echoes > before, "Echo-Response")

    def link_echo(self) -> None:
        """Send an LCP Echo-Request and wait for the reply."""
        before = self.heard.link_echoes
        self._send_link(Code.ECHO, self._magic)
        self._until(lambda: self.heard.link_echoes > before, "LCP Echo-Reply")

    def listen(self, seconds: float) -> None:
        """Read what comes for that long, as a client does that has nothing to say."""
        try:
            self._until(lambda: False, "nothing", patience=seconds)
        except TimedOut:
            return

    # The end

    def hang_up(self) -> None:
        """End the session in order: LCP Terminate, Call-Disconnect, and wait for both answers."""
        self._send_link(Code.TERMINATE, b"")
        try:
            self._until(lambda: self.heard.terminate_acknowledged, "LCP Terminate-Ack")
            self.send(sstp.Control(sstp.Kind.DISCONNECT, sstp.status(sstp.Attribute.STATUS, 0)))
            self._until(lambda: self.heard.disconnect_acknowledged, "Call-Disconnect-ACK")
        except (Disconnected, Closed):
            if not self.heard.terminate_acknowledged:
                raise
        self.close()

    def endings(self) -> list[type[Ended]]:
        """Wait until the server has closed the connection; return how it ended, in order."""
        seen: list[type[Ended]] = []
        while Closed not in seen:
            try:
                self._until(lambda: False, "end of the connection")
            except Ended as ended:
                seen.append(type(ended))
        return seen

    # Sending

    def send(self, packet: sstp.Control | sstp.Data) -> None:
        """Send one SSTP packet.

        :raises Closed: if the server has closed the connection.
        """
        self.wire.send(packet.encode())

    def send_frame(self, frame: bytes) -> None:
        """Send one PPP frame."""
        self.send(sstp.Data(frame))

    def _send(self, protocol: int, payload: bytes) -> None:
        self.send_frame(ppp.frame(protocol, payload))

    def _send_link(self, code: Code, body: bytes) -> None:
        self._send(ppp.LCP, ppp.packet(code, 100, body))

    def _judge_link(self, kind: int, value: bytes) -> bytes | None:
        if kind == AUTH:
            return self.weak or (MSCHAPV2 if self.method is None else EAP)
        return value if kind in (MRU, MAGIC) else None

    def _reply(self, packet: sstp.Control | sstp.Data) -> None:
        """Answer what ends the call; the server may be gone already."""
        try:
            self.send(packet)
        except Closed:
            return

    # Receiving

    def _negotiate(self, negotiation: ppp.Negotiation) -> None:
        """Ask, and ask again every three seconds (RFC 1661 4.6) while nothing is agreed."""
        name = f"protocol {negotiation.protocol:04x} to open"
        for _ in range(int(self.patience / _RESEND) + 1):
            if not negotiation.acknowledged:
                self.send_frame(negotiation.request())
            try:
                self._until(lambda: negotiation.opened, name, patience=_RESEND)
            except TimedOut:
                continue
            return
        raise TimedOut(name)

    def _until(self, done: Callable[[], bool], what: str, *, patience: float | None = None) -> None:
        deadline = time.monotonic() + (self.patience if patience is None else patience)
        while not done():
            packet = self.wire.packet(deadline)
            if packet is None:
                raise TimedOut(what)
            match sstp.decode(packet):
                case sstp.Data(frame) if time.monotonic() >= self._hears_from:
                    self._take_frame(frame)
                case sstp.Control() as message:
                    self._take_control(message)

    def _take_control(self, message: sstp.Control) -> None:
        match message.kind:
            case sstp.Kind.CONNECT_ACK:
                self.heard.offer = message.attributes[sstp.Attribute.BINDING_REQUEST]
            case sstp.Kind.CONNECT_NAK:
                raise CallRefused(repr(message.attributes))
            case sstp.Kind.ECHO_REQUEST:
                self.send(sstp.Control(sstp.Kind.ECHO_RESPONSE))
            case sstp.Kind.ECHO_RESPONSE:
                self.heard.echoes += 1
            case sstp.Kind.DISCONNECT:
                self._reply(sstp.Control(sstp.Kind.DISCONNECT_ACK))
                raise Disconnected
            case sstp.Kind.DISCONNECT_ACK:
                self.heard.disconnect_acknowledged = True
            case sstp.Kind.ABORT:
                self._reply(message)
                raise Aborted(*struct.unpack("!3xBI", message.attributes[sstp.Attribute.STATUS]))
            case kind:
                raise ClientError(f"a server sends no {kind.name}")

    def _take_frame(self, frame: bytes) -> None:
        protocol, payload = ppp.unframe(frame)
        if protocol == ppp.IPV4:
            self.heard.arrived.append(packets.parse(payload))
            return
        if protocol == ppp.IPV6 and self.others[ppp.IPV6CP].opened:
            self.heard.arrived_ipv6.append(ipv6.parse(payload))
            return
        code, identifier, body = ppp.unpack(payload)
        if protocol == ppp.CHAP:
            self._take_chap(code, identifier, body)
        elif protocol == ppp.PAP:
            self.heard.verdict = code, body[1:]
        elif protocol == ppp.EAP and self.method is not None:
            self._take_eap(self.method, code, identifier, body)
        elif protocol == ppp.LCP and code > Code.REJECT:
            self._take_link(Code(code), identifier, body)
        else:
            self._take_configure(protocol, code, identifier, body)

    def _take_chap(self, code: int, identifier: int, body: bytes) -> None:
        if code != 1:
            self.heard.verdict = code, body
        elif body[:1] == b"\x10":
            self.heard.challenge = identifier, body[1:17]
        else:
            raise ClientError(f"a challenge is 16 bytes, not {body[:1].hex()}")

    def _take_eap(self, method: eap.Method, code: int, identifier: int, body: bytes) -> None:
        if code != eap.REQUEST:
            self.heard.verdict = code, body
            return
        type_, data = body[0], body[1:]
        if type_ == eap.IDENTITY:
            answer = bytes([type_]) + method.identity
        elif type_ == method.type:
            answer = bytes([type_]) + method.respond(data)
        else:
            answer = bytes([eap.NAK, method.type])
        self._send(ppp.EAP, ppp.packet(eap.RESPONSE, identifier, answer))

    def _take_link(self, code: Code, identifier: int, body: bytes) -> None:
        match code:
            case Code.TERMINATE:
                answer = ppp.packet(Code.TERMINATE_ACK, identifier)
                self._reply(sstp.Data(ppp.frame(ppp.LCP, answer)))
                raise Terminated
            case Code.TERMINATE_ACK:
                self.heard.terminate_acknowledged = True
            case Code.ECHO:
                self._send(ppp.LCP, ppp.packet(Code.ECHO_REPLY, identifier, self._magic))
            case Code.ECHO_REPLY:
                self.heard.link_echoes += 1
            case Code.PROTOCOL_REJECT:
                self.others[int.from_bytes(body[:2], "big")].refused = True
            case _:
                raise ClientError(f"the server sent LCP {code.name}")

    def _take_configure(self, protocol: int, code: int, identifier: int, body: bytes) -> None:
        known = {ppp.LCP: self.lcp, ppp.IPCP: self.ipcp, **self.others}
        if protocol not in known:
            raise ClientError(f"the server speaks {protocol:04x}")
        for frame in known[protocol].receive(code, identifier, body):
            self.send_frame(frame)


def _connected(value: bytes) -> sstp.Control:
    return sstp.Control(sstp.Kind.CONNECTED, {sstp.Attribute.BINDING: value})


def _link_local(identifier: bytes) -> IPv6Address:
    return IPv6Address(bytes.fromhex("fe80000000000000") + identifier)


def _judge_address(kind: int, value: bytes) -> bytes | None:
    return value if kind == ADDRESS and value != NOWHERE else None
