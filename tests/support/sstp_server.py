"""An SSTP server without a TUN, for clients: the server's machines in a thread, and faults at will."""

import contextlib
import os
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from ipaddress import IPv4Address

from sstpca.server.contracts import NO_WEAK_SIGN_IN, Account, Lease, WeakSignIn
from sstpca.server.effects import Admit, Bind, Close, Deliver, Effect, LookUp, Send, Up
from sstpca.server.ppp.frames import Protocol, encode
from sstpca.server.ppp.link import Link
from sstpca.server.responders import dhcp, udp
from sstpca.server.responders.known import Known
from sstpca.server.session import Session
from sstpca.server.sstp.binding import CertificateHashes
from sstpca.server.sstp.call import Call
from sstpca.server.sstp.preamble import Preamble, accept_response
from sstpca.server.sstp.wire import HEADER_SIZE, Data, packet_size
from sstpca.server.sstp.wire import encode as encode_packet
from tests.support import packets
from tests.support.judging import judge, secrets_of
from tests.support.waiting import PATIENCE

PASSWORD = "s3cret pass"
ALICE = Account(1, "alice", enabled=True)
LEASE = Lease(
    7,
    IPv4Address("10.99.0.17"),
    IPv4Address("10.99.0.1"),
    dns=(IPv4Address("10.99.0.1"),),
)


@dataclass
class Behaviour:
    """What the server does, beside what is right.

    :param answer: the HTTP answer; by default that of SSTP.
    :param silent: whether it takes the request for SSTP, and never answers it.
    :param patience: how many connections it takes; further ones are closed. None: all.
    :param outside: what it says in IPCP that its address is, where it is another; nobody is there.
    :param clock: seconds that its clock is ahead.
    :param largest: of IP packets that pass, in bytes; larger ones vanish.
    :param echoes: whether it answers pings.
    :param names: whether it answers questions for names.
    :param certificate: that the binding is to be for, DER; by default its own.
    :param mask: hash protocols in the Call-Connect-Ack, in place of the right ones.
    """

    account: Account | None = ALICE
    lease: Lease | None = LEASE
    weak: WeakSignIn = NO_WEAK_SIGN_IN
    answer: bytes = b""
    silent: bool = False
    patience: int | None = None
    outside: IPv4Address | None = None
    clock: float = 0.0
    largest: int = 1400
    echoes: bool = True
    names: bool = True
    certificate: bytes = b""
    mask: int | None = None


class SstpServer:
    """A server on a port of its own; end it with :meth:`stop`, or a with statement.

    :param context: the TLS it speaks.
    :param certificate: what it shows, DER.
    """

    def __init__(
        self, context: ssl.SSLContext, certificate: bytes, behaviour: Behaviour | None = None
    ) -> None:
        self._context = context
        self.behaviour = behaviour or Behaviour()
        self._hashes = CertificateHashes.of(self.behaviour.certificate or certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run)]
        self._threads[0].start()

    def __enter__(self) -> "SstpServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, and all its connections."""
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            if self.behaviour.patience is not None and len(self._threads) > self.behaviour.patience:
                plain.close()
                continue
            thread = threading.Thread(target=self._serve, args=(plain,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        with plain, contextlib.suppress(OSError):
            plain.settimeout(PATIENCE)
            with self._context.wrap_socket(plain, server_side=True) as tls:
                _Connection(tls, self.behaviour, self._hashes, self._over).run()


@dataclass
class _Connection:
    tls: ssl.SSLSocket
    behaviour: Behaviour
    hashes: CertificateHashes
    over: threading.Event
    up: Up | None = None
    closed: bool = False
    buffer: bytearray = field(default_factory=bytearray)

    def run(self) -> None:
        preamble = Preamble()
        while (request := preamble.feed(data := self.tls.recv(65536))) is None:
            if not data:
                return
        if self.behaviour.silent:
            self.over.wait()
            return
        date = formatdate(time.time() + self.behaviour.clock, usegmt=True)
        refused = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        usual = accept_response(date) if request.is_sstp else refused
        self.tls.sendall(self.behaviour.answer or usual)
        if not request.is_sstp or self.behaviour.answer:
            return
        link = Link(
            challenge=os.urandom(16), magic=0x4321, server_name="vpn", weak=self.behaviour.weak
        )
        self.session = Session(Call(nonce=os.urandom(32), certificates=(self.hashes,)), link)
        self.buffer += request.rest
        self._perform(self.session.begin(time.monotonic()))
        self.tls.settimeout(0.02)
        while not self.closed and not self.over.is_set():
            self._turn()

    def _turn(self) -> None:
        with contextlib.suppress(TimeoutError):
            data = self.tls.recv(65536)
            if not data:
                self.closed = True
            self.buffer += data
        while len(self.buffer) >= HEADER_SIZE:
            size = packet_size(self.buffer, 0)
            if len(self.buffer) < size:
                break
            packet = bytes(self.buffer[:size])
            del self.buffer[:size]
            self._perform(self.session.receive(packet, time.monotonic()))
        self._perform(self.session.tick(time.monotonic()))

    def _perform(self, effects: list[Effect]) -> None:
        for one in effects:
            match one:
                case Send(packet):
                    self.tls.sendall(self._spoilt(packet))
                case LookUp():
                    judgement = judge(one, self.behaviour.account, secrets_of(PASSWORD))
                    self._perform(self.session.judged(judgement, time.monotonic()))
                case Admit():
                    self._perform(self.session.leased(self._lease(), time.monotonic()))
                case Bind():
                    self._perform(self.session.bound())
                case Up():
                    self.up = one
                case Deliver(packet):
                    self._arrived(packet)
                case Close():
                    self.closed = True
                case _:
                    pass

    def _lease(self) -> Lease | None:
        lease, outside = self.behaviour.lease, self.behaviour.outside
        return lease if lease is None or outside is None else replace(lease, local_address=outside)

    def _spoilt(self, packet: bytes) -> bytes:
        if self.behaviour.mask is None or packet[4:6] != b"\0\2":
            return packet
        return packet[:15] + bytes((self.behaviour.mask,)) + packet[16:]

    def _arrived(self, packet: bytes) -> None:
        if len(packet) > self.behaviour.largest or self.behaviour.lease is None:
            return
        for answer in (*self._echo(packet), *self._named(packet), *self._told(packet)):
            frame = encode(Protocol.IPV4, answer)
            self.tls.sendall(encode_packet(Data(frame)))

    def _echo(self, packet: bytes) -> list[bytes]:
        came = packets.parse(packet)
        if not self.behaviour.echoes or came.protocol != packets.ICMP:
            return []
        if came.destination == self.behaviour.outside:
            return []
        body = came.payload[4:]
        check = packets.checksum(bytes(4) + body)
        payload = bytes(2) + check.to_bytes(2, "big") + body
        return [packets.Packet(came.destination, came.source, packets.ICMP, payload).encode()]

    def _named(self, packet: bytes) -> list[bytes]:
        asked = udp.decode(packet)
        if asked is None or asked.destination[1] != 53 or not self.behaviour.names:
            return []
        refused = asked.content[:2] + b"\x81\x85" + asked.content[4:]
        answer = udp.Datagram(asked.destination, asked.source, refused)
        return [udp.encode(answer)]

    def _told(self, packet: bytes) -> list[bytes]:
        assert self.behaviour.lease is not None
        return dhcp.respond(packet, Known(self.behaviour.lease, mtu=1400))
