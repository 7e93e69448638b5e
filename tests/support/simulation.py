"""A server's session and a scripted client, on one clock and a line with a round trip time.

The session is the real one, driven as its connection does, without sockets. Time is simulated:
what is measured are round trips and timers, not the machine.
"""

import heapq
import itertools
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address

from sstpca.server import effects
from sstpca.server.contracts import Account, Lease
from sstpca.server.dataplane.inbound import SCRATCH, Inbound
from sstpca.server.ppp.effects import Handshaken
from sstpca.server.ppp.link import Link
from sstpca.server.session import Session
from sstpca.server.sstp.binding import CertificateHashes
from sstpca.server.sstp.call import Call
from sstpca.server.sstp.preamble import Preamble, accept_response
from tests.support.judging import judge, secrets_of

CERTIFICATE = b"the server's certificate"
PASSWORD = "Wonderland-1865"
SECRETS = secrets_of(PASSWORD)
ALICE = Account(7, "alice", enabled=True)
LEASE = Lease(
    1,
    IPv4Address("10.99.0.10"),
    IPv4Address("10.99.0.1"),
    (IPv4Address("198.18.1.53"), IPv4Address("198.18.1.54")),
)


class Peer(typing.Protocol):
    """A client. Its methods return what it writes, each write by itself."""

    deadline: float | None
    closed: bool  # it has closed the connection
    up: float | None  # since when packets can flow, as far as it knows

    def start(self, now: float) -> list[bytes]:
        """TLS is there."""

    def receive(self, data: bytes, now: float) -> list[bytes]:
        """Take what one write of the server brought."""

    def tick(self, now: float) -> list[bytes]:
        """Take the time."""


@dataclass
class Simulation:
    """One connection. :meth:`run` it, and look what came of it.

    :param round_trip: seconds.
    :param delay: instead of half of it: seconds of one way, by the time. TCP keeps the order.
    :param store: seconds until the store has answered.
    :param lease: what the client is promised; None if no address is free.
    :param interface: seconds that it takes to make the interface.
    :param shake: answers TLS inside of EAP.
    """

    client: Peer
    round_trip: float = 0.02
    account: Account | None = ALICE
    lease: Lease | None = LEASE
    interface: float = 0.0
    shake: Callable[[bytes], Handshaken] | None = None
    certificate: bytes = CERTIFICATE
    delay: Callable[[float], float] | None = None
    store: float = 0.0
    now: float = 0.0
    up: float | None = None  # since when the server lets packets through
    ended: str = ""  # why the server says the session ended
    ended_at: float = 0.0
    notes: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # names that were looked up
    delivered: int = 0
    sent: list[bytes] = field(default_factory=list)  # all packets of the server

    def __post_init__(self) -> None:
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._arrivals = [0.0, 0.0]  # the last one at the server, and at the client
        self._preamble: Preamble | None = Preamble()
        self._inbound = Inbound(memoryview(bytearray(SCRATCH)))
        self._held: list[bytes] | None = None
        self.session = Session(
            Call(nonce=bytes(range(32)), certificates=(CertificateHashes.of(self.certificate),)),
            Link(challenge=bytes(range(16)), magic=0x5EED5EED, server_name="vpn.example.com"),
        )

    @property
    def connected(self) -> bool:
        """Whether both sides let packets through."""
        return self.up is not None and self.client.up is not None

    def run(self, seconds: float = 100.0) -> "Simulation":
        """Let time pass, until nothing more happens."""
        self._write_from_client(self.client.start(self.now))
        end = self.now + seconds
        while (next_ := self._next()) is not None and next_ <= end:
            self.now = max(self.now, next_)
            if self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()
            elif self._due(self.client.deadline) and not self.client.closed:
                self._write_from_client(self.client.tick(self.now))
            else:
                self._perform(self.session.tick(self.now))
        return self

    def order(self, reason: str, at: float) -> None:
        """Have the session ended politely, by an administrator or at the server's end."""
        self._at(at, lambda: self._perform(self.session.terminate(reason, self.now)))

    def _next(self) -> float | None:
        times = [self._events[0][0]] if self._events else []
        if self.client.deadline is not None and not self.client.closed:
            times.append(self.client.deadline)
        if self.session.deadline is not None and not self.ended:
            times.append(self.session.deadline)
        return min(times, default=None)

    def _due(self, deadline: float | None) -> bool:
        return deadline is not None and deadline <= self.now

    def _at(self, time: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._numbers), action))

    def _arrival(self, end: int) -> float:
        """Return when what is sent now arrives: not before what was sent before."""
        takes = self.round_trip / 2 if self.delay is None else self.delay(self.now)
        self._arrivals[end] = max(self._arrivals[end], self.now + takes)
        return self._arrivals[end]

    def _later(self, action: Callable[[], None]) -> None:
        """Do it once the store has answered."""
        if self.store:
            self._at(self.now + self.store, action)
        else:
            action()

    # From the client

    def _write_from_client(self, writes: list[bytes]) -> None:
        arrives = self._arrival(0)
        for data in writes:
            self._at(arrives, lambda data=data: self._arrive(data))  # type: ignore[misc]
        if self.client.closed:
            self._at(arrives, self._lost)

    def _lost(self) -> None:
        self.ended = self.ended or self.session.explain(
            "the client closed the connection", self.now
        )

    def _arrive(self, data: bytes) -> None:
        if self.ended:
            return
        if self._preamble is not None:
            request = self._preamble.feed(data)
            if request is None:
                return
            assert request.is_sstp
            self._preamble = None
            self._write(accept_response("Thu, 09 Nov 2006 00:51:09 GMT"))
            self._perform(self.session.begin(self.now))
            data = request.rest
        self.session.heard(self.now)
        self._take(self._inbound.push(data))

    def _take(self, packets: list[bytes]) -> None:
        for packet in packets:
            if self._held is not None:
                self._held.append(packet)
            elif not self.ended:
                self._perform(self.session.receive(packet, self.now))

    # From the server

    def _write(self, data: bytes) -> None:
        def arrive() -> None:
            if not self.client.closed:
                self._write_from_client(self.client.receive(data, self.now))

        self.sent.append(data)
        self._at(self._arrival(1), arrive)

    def _perform(self, wanted: list[effects.Effect]) -> None:
        for effect in wanted:
            match effect:
                case effects.Send(packet):
                    self._write(packet)
                case effects.LookUp() as question:
                    self.asked.append(question.name)
                    self._later(partial(self._answer, question))
                case effects.Handshake(data):
                    assert self.shake is not None
                    self._perform(self.session.handshaken(self.shake(data), self.now))
                case effects.Admit():
                    self._later(self._grant)
                case effects.Bind():
                    self._held = []
                    self._at(self.now + self.interface, self._give)
                case effects.Up():
                    self.up = self.now
                case effects.Down():
                    self.up = None
                case effects.Deliver():
                    self.delivered += 1
                case effects.Note(text):
                    self.notes.append(text)
                case effects.Close(reason):
                    self.ended, self.ended_at = reason, self.now
                case effects.Identified():
                    pass

    def _answer(self, question: effects.LookUp) -> None:
        self._perform(self.session.judged(judge(question, self.account, SECRETS), self.now))

    def _grant(self) -> None:
        self._perform(self.session.leased(self.lease, self.now))

    def _give(self) -> None:
        self._perform(self.session.bound())
        held, self._held = self._held or [], None
        self._take(held)
