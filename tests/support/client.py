"""An SSTP client for tests: speaks as Windows 10 or sstpc do, or wrongly where a test says so.

Every step is a method that blocks until it is done, raises what the server did instead, or raises
:class:`TimedOut`; :meth:`Client.login` runs them all. Between calls nothing is read. Nothing runs
in the background: closing the socket ends the client. It shares no code with the server.
"""

import enum
import hashlib
import os
import socket
import ssl
import struct
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from types import TracebackType
from typing import Self

from . import mschap, packets, ppp, sstp
from .ppp import Code

PATH = "/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/"
LENGTH = 2**64 - 1
MSCHAPV2 = b"\xc2\x23\x81"
RESEND = 3.0

_MRU, _ASYNCMAP, _AUTH, _MAGIC, _PCOMP, _ACCOMP, _CALLBACK = 1, 2, 3, 5, 7, 8, 13
_VJ, _ADDRESS, _DNS1, _WINS1, _DNS2, _WINS2 = 2, 3, 129, 130, 131, 132
_NOWHERE = bytes(4)


class ClientError(Exception):
    """Base of all that this client raises on purpose."""


class TimedOut(ClientError):
    """The server did not do what was waited for."""


class HttpRefused(ClientError):
    """The server answered the HTTP request with another status than 200.

    :param status: that status; 0 if the answer was no HTTP.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class CallRefused(ClientError):
    """The server answered with Call-Connect-NAK."""


class LoginRefused(ClientError):
    """The server sent a CHAP Failure.

    :param code: the number after ``E=``, as Windows shows it; 691 is a wrong name or password.
    :param retry: whether ``R=1`` invites another try.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        words = dict(word.partition("=")[::2] for word in text.split())
        self.code = int(words["E"])
        self.retry = words["R"] == "1"


class WrongProof(ClientError):
    """The server's ``S=`` is wrong: it does not know the password."""


class Ended(ClientError):
    """The server ends the session, in one of the ways below."""


class Terminated(Ended):
    """An LCP Terminate-Request came (and was acknowledged)."""


class Disconnected(Ended):
    """A Call-Disconnect came (and was acknowledged)."""


class Aborted(Ended):
    """A Call-Abort came.

    :param attribute: what it complains about; 2 Status Info, 3 Crypto Binding.
    :param status: [MS-SSTP] 2.2.8; 4 value not supported, 5 wrong state, 8 time-out.
    """

    def __init__(self, attribute: int, status: int) -> None:
        super().__init__(f"attribute {attribute}, status {status}")
        self.attribute = attribute
        self.status = status


class Closed(Ended):
    """The connection is closed."""


@enum.unique
class Spoil(enum.Enum):
    """What :meth:`Client.bind` gets wrong."""

    NONCE = "nonce"
    CERTIFICATE = "certificate hash"
    MAC = "compound MAC"


@dataclass(frozen=True, slots=True)
class Manner:
    """How one kind of client behaves.

    :param correlation: its SSTPCORRELATIONID header; ``%s`` is the GUID.
    :param lcp: options of its first LCP request; the magic number is filled in.
    :param ipcp: options of its first IPCP request, all asking to be told.
    :param others: requests of further network protocols, by protocol number.
    :param identifications: LCP Identifications sent once LCP is open.
    :param tls: the newest TLS version it speaks.
    """

    correlation: str
    lcp: Mapping[int, bytes]
    ipcp: Mapping[int, bytes]
    others: Mapping[int, Mapping[int, bytes]]
    identifications: tuple[bytes, ...] = ()
    tls: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED


WINDOWS = Manner(
    correlation="{%s}",
    lcp={
        _MRU: struct.pack("!H", 4091),
        _MAGIC: b"",
        _PCOMP: b"",
        _ACCOMP: b"",
        _CALLBACK: b"\x06",
    },
    ipcp=dict.fromkeys((_ADDRESS, _DNS1, _WINS1, _DNS2, _WINS2), _NOWHERE),
    others={ppp.CCP: {18: b"\x01\x00\x00\x01"}, ppp.IPV6CP: {1: bytes.fromhex("0123456789abcdef")}},
    identifications=(b"MSRASV5.20", b"MSRAS-0-TEST", os.urandom(16)),
    tls=ssl.TLSVersion.TLSv1_2,
)
"""Windows 10: MRU 4091, options every server rejects, CCP and IPV6CP beside IPCP, TLS 1.2."""

SSTPC = Manner(
    correlation="%s",
    lcp={_ASYNCMAP: bytes(4), _MAGIC: b"", _PCOMP: b"", _ACCOMP: b""},
    ipcp={_VJ: b"\x00\x2d\x0f\x01", **dict.fromkeys((_ADDRESS, _DNS1, _DNS2), _NOWHERE)},
    others={ppp.IPV6CP: {1: bytes.fromhex("fedcba9876543210")}},
)
"""sstpc 1.0.18 with pppd: no braces, asyncmap, VJ compression, TLS 1.3."""


@dataclass(slots=True)
class Heard:
    """What has come so far that steps wait for."""

    offer: bytes | None = None
    challenge: tuple[int, bytes] | None = None
    verdict: tuple[int, bytes] | None = None
    terminate_acknowledged: bool = False
    disconnect_acknowledged: bool = False
    echoes: int = 0
    link_echoes: int = 0
    packets: deque[packets.Packet] = field(default_factory=deque)
    most_in_a_record: int = 0


class Client:
    """A connection to a server.

    :param wire: a connected TCP socket; the client closes it.
    :param ca: PEM of the authority to trust, or None to accept any certificate.
    :param name: what the certificate must be for.
    :param patience: seconds each step may take.
    """

    def __init__(
        self,
        wire: socket.socket,
        user: str,
        password: str,
        *,
        ca: str | None = None,
        name: str = "vpn.example.com",
        manner: Manner = WINDOWS,
        patience: float = 10.0,
    ) -> None:
        self.user = user.encode()
        self.password = password
        self.manner = manner
        self.patience = patience
        self.heard = Heard()
        self.key = bytes(32)
        self.verdict_after = 0.0
        self._magic = os.urandom(4)
        self._buffer = bytearray()
        self.lcp = ppp.Negotiation(
            ppp.LCP, dict(manner.lcp) | {_MAGIC: self._magic}, self._judge_link
        )
        self.ipcp = ppp.Negotiation(ppp.IPCP, manner.ipcp, self._judge_address)
        self.others = {
            protocol: ppp.Negotiation(protocol, options, lambda _kind, value: value)
            for protocol, options in manner.others.items()
        }
        try:
            self._tls = _secured(wire, ca, name, manner.tls, patience)
        except BaseException:
            wire.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection without a word, as a machine does that loses its network."""
        self._tls.close()

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
        protocol = {sstp.Attribute.PROTOCOL: sstp.PPP}
        self.send(sstp.Control(sstp.Kind.CONNECT_REQUEST, protocol))
        self._until(lambda: self.heard.offer is not None, "Call-Connect-ACK")

    def request(self) -> None:
        """Send the HTTP request and read the answer to it."""
        correlation = self.manner.correlation % str(uuid.uuid4()).upper()
        self._tls.sendall(
            f"SSTP_DUPLEX_POST {PATH} HTTP/1.1\r\n"
            f"SSTPCORRELATIONID: {correlation}\r\n"
            f"Content-Length: {LENGTH}\r\n"
            "Host: vpn.example.com\r\n\r\n".encode()
        )
        status, head = self.answer()
        if status != 200:
            raise HttpRefused(status, head)
        if not head.startswith("HTTP/1.1 ") or f"content-length: {LENGTH}" not in head.lower():
            raise HttpRefused(status, head)

    def answer(self) -> tuple[int, str]:
        """Read the head of an HTTP answer; return its status and all of it."""
        deadline = time.monotonic() + self.patience
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if not self._read(deadline):
                raise TimedOut("HTTP answer")
        head = self._buffer[: end + 4].decode("latin-1")
        del self._buffer[: end + 4]
        words = head.split(maxsplit=2)
        if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
            raise HttpRefused(0, head)
        return int(words[1]), head

    def authenticate(self, *, binding_at_once: bool = False) -> None:
        """Negotiate LCP and log in.

        :param binding_at_once: send Call-Connected right behind the CHAP Response, before the
            server has said that the password is right.
        :raises LoginRefused: on a CHAP Failure.
        :raises WrongProof: if the server does not know the password.
        """
        self._negotiate(self.lcp)
        for text in self.manner.identifications:
            self._send_link(Code.IDENTIFICATION, self._magic + text)
        self._until(lambda: self.heard.challenge is not None, "CHAP Challenge")
        assert self.heard.challenge is not None
        identifier, challenge = self.heard.challenge
        login = mschap.Login(self.user, self.password, challenge, os.urandom(16))
        self.key = login.key
        body = bytes((len(login.response),)) + login.response + self.user
        self._frame(ppp.CHAP, ppp.packet(2, identifier, body))
        if binding_at_once:
            self.bind()
        began = time.monotonic()
        self._until(lambda: self.heard.verdict is not None, "CHAP Success or Failure")
        self.verdict_after = time.monotonic() - began
        self._judge_verdict(login.proof)

    def _judge_verdict(self, proof: bytes) -> None:
        assert self.heard.verdict is not None
        code, text = self.heard.verdict
        if code != 3:
            raise LoginRefused(text.decode())
        if text.split()[0] != proof:
            raise WrongProof(text.decode())

    def bind(self, *, digest: str = "sha256", spoil: Spoil | None = None) -> None:
        """Send Call-Connected; the server says nothing to a right one."""
        assert self.heard.offer is not None
        certificate = self._tls.getpeercert(binary_form=True)
        assert certificate is not None
        nonce = self.heard.offer[4:]
        fingerprint = hashlib.new(digest, certificate).digest().ljust(32, b"\0")
        if spoil is Spoil.NONCE:
            nonce = os.urandom(32)
        if spoil is Spoil.CERTIFICATE:
            fingerprint = hashlib.new(digest, b"another").digest().ljust(32, b"\0")
        head = bytes((0, 0, 0, 1 if digest == "sha1" else 2)) + nonce + fingerprint
        blank = self._connected(head + bytes(32)).encode()
        mac = mschap.compound_mac(self.key, blank, digest).ljust(32, b"\0")
        if spoil is Spoil.MAC:
            mac = bytes((mac[0] ^ 1,)) + mac[1:]
        self.send(self._connected(head + mac))

    @staticmethod
    def _connected(value: bytes) -> sstp.Control:
        return sstp.Control(sstp.Kind.CONNECTED, {sstp.Attribute.BINDING: value})

    def configure(self) -> None:
        """Ask for an address as Windows does: IPCP, with CCP and IPV6CP beside it."""
        for negotiation in self.others.values():
            self.send_frame(negotiation.request())
        self._negotiate(self.ipcp)
        for negotiation in self.others.values():
            if not negotiation.settled:
                self._until(lambda n=negotiation: n.settled, f"protocol {negotiation.protocol:04x}")

    # What came of it

    @property
    def address(self) -> IPv4Address:
        """The address this client was given."""
        return IPv4Address(self.ipcp.options[_ADDRESS])

    @property
    def server_address(self) -> IPv4Address:
        """The server's address in the tunnel."""
        assert self.ipcp.peer is not None
        return IPv4Address(self.ipcp.peer[_ADDRESS])

    @property
    def dns(self) -> list[IPv4Address]:
        """The DNS servers this client was given."""
        given = (self.ipcp.options.get(kind, _NOWHERE) for kind in (_DNS1, _DNS2))
        return [IPv4Address(value) for value in given if value != _NOWHERE]

    # Traffic

    def send_packet(self, packet: packets.Packet) -> None:
        """Send an IPv4 packet through the tunnel."""
        self._frame(ppp.IPV4, packet.encode())

    def receive_packet(self, wanted: Callable[[packets.Packet], bool]) -> packets.Packet:
        """Wait for a packet for which ``wanted`` is true; others are dropped."""
        found: list[packets.Packet] = []

        def look() -> bool:
            while self.heard.packets and not found:
                packet = self.heard.packets.popleft()
                if wanted(packet):
                    found.append(packet)
            return bool(found)

        self._until(look, "IPv4 packet")
        return found[0]

    def ping(self, destination: IPv4Address, *, number: int = 1, size: int = 56) -> None:
        """Ping ``destination`` through the tunnel and wait for the reply."""
        content = os.urandom(size)
        self.send_packet(packets.echo(self.address, destination, number, content))
        self.receive_packet(
            lambda packet: (
                (packet.source, packet.destination) == (destination, self.address)
                and packets.echo_reply(packet) == (number, content)
            )
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

    # The end

    def hang_up(self) -> None:
        """End the session in order: LCP Terminate, Call-Disconnect, and wait for both answers."""
        self._send_link(Code.TERMINATE, b"")
        try:
            self._until(lambda: self.heard.terminate_acknowledged, "LCP Terminate-Ack")
            self.send(sstp.Control(sstp.Kind.DISCONNECT, sstp.status(2, 0)))
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

    def reset(self) -> None:
        """Break the connection by a TCP reset."""
        self._tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    # Sending

    def send(self, packet: sstp.Control | sstp.Data) -> None:
        """Send one SSTP packet.

        :raises Closed: if the server has closed the connection.
        """
        self.send_bytes(packet.encode())

    def send_bytes(self, content: bytes) -> None:
        """Send any bytes inside TLS."""
        self._tls.settimeout(self.patience)
        try:
            self._tls.sendall(content)
        except (ConnectionError, ssl.SSLError) as error:
            raise Closed(str(error)) from error

    def send_frame(self, frame: bytes) -> None:
        """Send one PPP frame."""
        self.send(sstp.Data(frame))

    def _frame(self, protocol: int, payload: bytes) -> None:
        self.send_frame(ppp.frame(protocol, payload))

    def _send_link(self, code: Code, body: bytes) -> None:
        self._frame(ppp.LCP, ppp.packet(code, 100, body))

    # Receiving

    def listen(self, seconds: float) -> None:
        """Read what comes for that long, as a client does that has nothing to say."""
        try:
            self._until(lambda: False, "nothing", patience=seconds)
        except TimedOut:
            return

    def _negotiate(self, negotiation: ppp.Negotiation) -> None:
        self.send_frame(negotiation.request())
        self._until(lambda: negotiation.opened, f"protocol {negotiation.protocol:04x} to open")

    def _until(
        self, done: Callable[[], bool], what: str, *, patience: float | None = None
    ) -> None:
        deadline = time.monotonic() + (self.patience if patience is None else patience)
        while not done():
            packet = self._packet(deadline)
            if packet is None:
                raise TimedOut(what)
            self._take(sstp.decode(packet))

    def _packet(self, deadline: float) -> bytes | None:
        while (packet := sstp.cut(self._buffer)) is None:
            if not self._read(deadline):
                return None
        return packet

    def _read(self, deadline: float) -> bool:
        """Read one TLS record (a receive never spans two); return False at the deadline."""
        wait = deadline - time.monotonic()
        if wait <= 0:
            return False
        self._tls.settimeout(wait)
        try:
            content = self._tls.recv(0x4000)
        except TimeoutError:
            return False
        except (ConnectionError, ssl.SSLError) as error:
            raise Closed(str(error)) from error
        if not content:
            raise Closed("end of stream")
        self._buffer += content
        self.heard.most_in_a_record = max(self.heard.most_in_a_record, _packets_in(content))
        return True

    def _take(self, packet: sstp.Control | sstp.Data) -> None:
        if isinstance(packet, sstp.Control):
            self._take_control(packet)
            return
        protocol, payload = ppp.unframe(packet.frame)
        if protocol == ppp.IPV4:
            self.heard.packets.append(packets.parse(payload))
            return
        code, identifier, body = ppp.unpack(payload)
        if protocol == ppp.CHAP:
            self._take_chap(code, identifier, body)
        elif protocol == ppp.LCP and code > Code.REJECT:
            self._take_link(Code(code), identifier, body)
        else:
            self._take_configure(protocol, code, identifier, body)

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

    def _reply(self, message: sstp.Control) -> None:
        """Answer a message that ends the call; the server may be gone already."""
        try:
            self.send(message)
        except Closed:
            return

    def _take_chap(self, code: int, identifier: int, body: bytes) -> None:
        if code == 1:
            if body[0] != 16:
                raise ClientError(f"a challenge of {body[0]} bytes")
            self.heard.challenge = identifier, body[1:17]
        else:
            self.heard.verdict = code, body

    def _take_link(self, code: Code, identifier: int, body: bytes) -> None:
        match code:
            case Code.TERMINATE:
                self._reply_link(ppp.packet(Code.TERMINATE_ACK, identifier))
                raise Terminated
            case Code.TERMINATE_ACK:
                self.heard.terminate_acknowledged = True
            case Code.ECHO:
                self._frame(ppp.LCP, ppp.packet(Code.ECHO_REPLY, identifier, self._magic))
            case Code.ECHO_REPLY:
                self.heard.link_echoes += 1
            case Code.PROTOCOL_REJECT:
                self.others[int.from_bytes(body[:2], "big")].refused = True
            case _:
                raise ClientError(f"the server sent LCP {code.name}")

    def _reply_link(self, packet: bytes) -> None:
        self._reply_data(sstp.Data(ppp.frame(ppp.LCP, packet)))

    def _reply_data(self, data: sstp.Data) -> None:
        try:
            self.send(data)
        except Closed:
            return

    def _take_configure(self, protocol: int, code: int, identifier: int, body: bytes) -> None:
        known = {ppp.LCP: self.lcp, ppp.IPCP: self.ipcp, **self.others}
        if protocol not in known:
            raise ClientError(f"the server speaks {protocol:04x}")
        for frame in known[protocol].receive(code, identifier, body):
            self.send_frame(frame)

    @staticmethod
    def _judge_link(kind: int, value: bytes) -> bytes | None:
        if kind == _AUTH:
            return MSCHAPV2
        return value if kind in (_MRU, _MAGIC) else None

    @staticmethod
    def _judge_address(kind: int, value: bytes) -> bytes | None:
        return value if kind == _ADDRESS and value != _NOWHERE else None


def _secured(
    wire: socket.socket, ca: str | None, name: str, newest: ssl.TLSVersion, patience: float
) -> ssl.SSLSocket:
    context = ssl.create_default_context(cadata=ca) if ca else ssl.create_default_context()
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.maximum_version = newest
    wire.settimeout(patience)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(wire, server_hostname=name)


def _packets_in(record: bytes) -> int:
    """How many SSTP packets start in ``record``, if it starts with one."""
    count, at = 0, 0
    while at + sstp.HEADER <= len(record) and record[at] == sstp.VERSION:
        count += 1
        at += max(sstp.HEADER, int.from_bytes(record[at + 2 : at + 4], "big") & 0x0FFF)
    return count
