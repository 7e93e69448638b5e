"""Packets that are sent at a steady pace and timed: pings, a call, and users who carry little else.

The processes that send and time them come before all others on a processor, so that what they show
is not their own wait for one.
"""

import os
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from multiprocessing.connection import Connection
from typing import Final

from tests.bench import pings
from tests.bench.figures import percentile
from tests.bench.processes import Part, hurry
from tests.bench.tunnel import USER, Kind
from tests.support import sstp
from tests.support.client import Client
from tests.support.netns import Namespace, Network
from tests.support.server import NAME, PASSWORDS, PORT, Vpn

#: What a call sends in a second.
CALL: Final = 50.0
_CALL_PORT: Final = 5004
# after the last was sent, what is still under way
_GRACE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Times:
    """How long packets took, in seconds, by number; and how many were sent."""

    took: dict[int, float]
    sent: int

    @property
    def lost(self) -> float:
        """The share that did not arrive."""
        return 1 - len(self.took) / self.sent if self.sent else 0.0

    def milliseconds(self, share: float) -> float | None:
        """Return the time within which ``share`` of those that arrived did, in ms."""
        found = percentile([*self.took.values()], share)
        return None if found is None else 1000 * found

    def without(self, waits: dict[int, float]) -> "Times":
        """Return the same without what each waited somewhere, as far as that is known."""
        left = {number: took - waits.get(number, 0.0) for number, took in self.took.items()}
        return Times(left, self.sent)


class Probe:
    """One kind of packet at a steady pace, until it is told to end.

    :param process: says, once told, a :class:`Times`, or a list of them.
    """

    def __init__(self, process: Part) -> None:
        self._process = process
        process.hear()

    def begin(self) -> None:
        """Let it send."""
        self._process.tell(None)

    def end(self) -> list[Times]:
        """Have it end; return what it found."""
        self._process.tell(None)
        found: list[Times] = self._process.hear()
        self._process.stop()
        return found


def ping(namespace: Namespace, target: IPv4Address, rate: float) -> Probe:
    """Return a probe: ICMP echo from ``namespace``, so many a second, there and back."""
    return Probe(Part(namespace, _ping, target, rate))


def call(net: Network, user: Namespace) -> Probe:
    """Return a probe: one side of a call, UDP from the host behind the server to a user."""
    with net.lan.udp(net.host, _CALL_PORT) as out:
        return Probe(Part(user, _call, out))


def lights(vpn: Vpn, count: int, kind: Kind) -> Probe:
    """Return a probe: so many users, each of whom sends as much as a call, as echo."""
    return Probe(Part(vpn.network.client, _lights, vpn.home.authority(USER), count, kind))


def _pace(
    pipe: Connection,
    rate: float,
    send: Callable[[int], None],
    sources: Sequence[socket.socket],
    receive: Callable[[socket.socket], None],
) -> int:
    """Send until told to end, receive what comes, a moment longer; return how many were sent."""
    hurry()
    pipe.send(None)
    pipe.recv()
    number, next_, until = 0, time.monotonic(), float("inf")
    while (now := time.monotonic()) < until:
        if until == float("inf"):
            if pipe.poll():
                pipe.recv()
                until = now + _GRACE
            elif now >= next_:
                send(number)
                number, next_ = number + 1, max(next_ + 1 / rate, now)
        wait = max(0.0, min(next_, until) - time.monotonic()) if until == float("inf") else 0.05
        for source in select.select(sources, [], [], wait)[0]:
            receive(source)
    return number


def _ping(pipe: Connection, target: IPv4Address, rate: float) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        began: dict[int, float] = {}
        took: dict[int, float] = {}

        def send(number: int) -> None:
            began[number] = time.monotonic()
            raw.sendto(pings.request(target, number).payload, (str(target), 0))

        def receive(_: socket.socket) -> None:
            number = pings.number_of(raw.recv(2048))
            if number in began and number not in took:
                took[number] = time.monotonic() - began[number]

        sent = _pace(pipe, rate, send, [raw], receive)
    pipe.send([Times(took, sent)])


def _call(pipe: Connection, out: socket.socket) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        # the server lets in who was called
        ear.sendto(b"hello", (str(Network.host), _CALL_PORT))
        _, caller = out.recvfrom(64)
        took: dict[int, float] = {}

        def send(number: int) -> None:
            out.sendto(pings.content(pings.CALL, number), caller)

        def receive(_: socket.socket) -> None:
            number, began = pings.STAMP.unpack_from(ear.recv(2048))
            took[number] = time.monotonic() - began

        sent = _pace(pipe, CALL, send, [ear], receive)
    pipe.send([Times(took, sent)])


class _Light:
    """One of the users who carry little."""

    def __init__(self, client: Client) -> None:
        self.tls = client.wire.tls
        self.tls.setblocking(False)
        self._address = client.address
        self._buffer = bytearray()
        self._began: dict[int, float] = {}
        self.took: dict[int, float] = {}

    def send(self, number: int) -> None:
        """Send a ping."""
        self._began[number] = time.monotonic()
        packet = pings.request(Network.host, number, self._address).encode()
        self.tls.send(sstp.Data(b"\xff\x03\x00\x21" + packet).encode())

    def receive(self) -> None:
        """Read what is there."""
        for packet in self._packets():
            number = pings.number_of(packet[8:])
            if number in self._began and number not in self.took:
                self.took[number] = time.monotonic() - self._began[number]

    def _packets(self) -> Iterator[bytes]:
        try:
            while content := self.tls.recv(16384):
                self._buffer += content
        except ssl.SSLWantReadError:
            pass
        while (packet := sstp.cut(self._buffer)) is not None:
            yield packet


def _lights(pipe: Connection, authority: str, count: int, kind: Kind) -> None:
    users = []
    for _ in range(count):
        plain = socket.create_connection((str(Network.server_address), PORT), 10.0)
        client = Client(
            plain, USER, PASSWORDS[USER], ca=authority, name=NAME, manner=kind.manner
        ).login()
        users.append(_Light(client))
    by_socket: dict[socket.socket, _Light] = {user.tls: user for user in users}

    def send(number: int) -> None:
        users[number % count].send(number // count)

    sent = _pace(pipe, CALL * count, send, [*by_socket], lambda one: by_socket[one].receive())
    pipe.send([Times(user.took, (sent - at + count - 1) // count) for at, user in enumerate(users)])
    os._exit(0)
