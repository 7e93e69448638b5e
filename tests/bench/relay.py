"""A long way between client and server, in user space: it delays, loses and is as wide as it is told.

Two TUN interfaces, one in the clients' network and one in the server's, and a process that carries
packets from one to the other: for kernels without netem.
"""

import contextlib
import os
import random
import select
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from multiprocessing.connection import Connection
from typing import Final

from tests.bench.processes import Part, hurry
from tests.support.netns import Namespace, Network
from tests.support.tuns import open_tun

CLIENT, SERVER = IPv4Address("198.18.2.2"), IPv4Address("198.18.2.1")
NAME: Final = "far"
_MTU: Final = 1500


@dataclass(frozen=True, slots=True)
class Path:
    """What the way is like, in each direction.

    :ivar delay: seconds.
    :ivar loss: share of packets, by chance.
    :ivar rate: bits a second; 0: as many as come.
    :ivar queue: seconds that a packet waits at most, where there is a rate.
    :ivar seed: of the chance: who is given the same path meets the same losses.
    """

    delay: float = 0.02
    loss: float = 0.0
    rate: float = 0.0
    queue: float = 0.04
    seed: int = 0


class Line:
    """One direction: tells what becomes of a packet. Knows no clock.

    :param chance: where its losses come from.
    """

    def __init__(self, path: Path, chance: random.Random) -> None:
        self._path = path
        self._chance = chance
        self._free = 0.0
        self._waiting: deque[tuple[float, bytes]] = deque()
        self.lost = self.dropped = 0

    @property
    def due(self) -> float | None:
        """When the next packet arrives."""
        return self._waiting[0][0] if self._waiting else None

    def take(self, packet: bytes, now: float) -> None:
        """Take a packet that sets out now."""
        path = self._path
        if path.loss and self._chance.random() < path.loss:
            self.lost += 1
            return
        left = now
        if path.rate:
            left = max(now, self._free) + len(packet) * 8 / path.rate
            if left - now > path.queue:
                self.dropped += 1
                return
            self._free = left
        self._waiting.append((left + path.delay, packet))

    def arrived(self, now: float) -> Iterator[bytes]:
        """Yield the packets that are there."""
        while self._waiting and self._waiting[0][0] <= now:
            yield self._waiting.popleft()[1]


@contextlib.contextmanager
def relay(net: Network, path: Path) -> Iterator[Part]:
    """Have such a way, from :data:`CLIENT` to :data:`SERVER`; it takes another :class:`Path`."""
    with Part(net.client, _relay, net.server, path) as process:
        process.hear()
        for namespace, address in ((net.client, CLIENT), (net.server, SERVER)):
            namespace.ip("addr", "add", f"{address}/24", "dev", NAME)
            namespace.ip("link", "set", NAME, "mtu", str(_MTU), "txqueuelen", "2000", "up")
        yield process


def _relay(pipe: Connection, server: Namespace, path: Path) -> None:
    hurry()
    near, _ = open_tun(NAME)
    with server.entered():
        far, _ = open_tun(NAME)
    pipe.send(None)
    while True:
        there, back = (random.Random(2 * path.seed + way) for way in range(2))
        lines = {near: (Line(path, there), far), far: (Line(path, back), near)}
        while not pipe.poll():
            _turn(lines, pipe)
        path = pipe.recv()


def _turn(lines: dict[int, tuple[Line, int]], pipe: Connection) -> None:
    """Wait for a packet, or until one is due; move all that can be moved."""
    now = time.monotonic()
    dues = [line.due for line, _ in lines.values() if line.due is not None]
    wait = max(0.0, min(dues) - now) if dues else None
    ready, _, _ = select.select([*lines, pipe.fileno()], [], [], wait)
    for descriptor in ready:
        if descriptor in lines:
            line, _ = lines[descriptor]
            now = time.monotonic()
            with contextlib.suppress(BlockingIOError):
                for _ in range(64):
                    line.take(os.read(descriptor, _MTU), now)
    now = time.monotonic()
    for line, other in lines.values():
        for packet in line.arrived(now):
            with contextlib.suppress(OSError):
                os.write(other, packet)
