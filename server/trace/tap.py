"""A tap at the data plane of one connection: takes copies of its SSTP packets, both ways.

Where there is none, a read and a batch have a branch more, and a packet nothing.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..sstp.wire import HEADER_SIZE, WireError, packet_size
from .blank import blanked
from .records import Direction, Record

#: Bytes of a connection that are kept while it is not known whose it is; a login by EAP-TLS has ten
#: thousand. And of all connections of a worker together.
EARLY: Final = 32 * 1024
EARLY_OF_ALL: Final = 8 << 20

#: Bytes that wait for the next beat, at most.
WAITING: Final = 1 << 20

#: Bytes that are handed over at once: a keeper takes no longer call than twice that. No record is as long.
AT_ONCE: Final = 96 * 1024


@dataclass(slots=True)
class Budget:
    """Bytes that connections nobody knows yet may keep, all together."""

    left: int = EARLY_OF_ALL


class Trace:
    """What comes together of one order until the next beat.

    :param octets: how many there may be in all.
    :ivar over: whether there are as many.
    """

    def __init__(self, order: int, octets: int, *, whole: bool) -> None:
        self.order = order
        self.whole = whole
        self.over = False
        self._left = octets
        self._waiting: list[bytes] = []
        self._size = 0

    def add(self, record: bytes) -> None:
        """Take a record, if there is room; once there was none, no more of them come."""
        if self.over or len(record) > self._left:
            self.over = True
        elif self._size + len(record) <= WAITING:
            self._waiting.append(record)
            self._size += len(record)
            self._left -= len(record)

    def take(self) -> bytes:
        """Return what has come, as much as is handed over at once; empty if there is no more."""
        count, size = 0, 0
        while count < len(self._waiting) and size + len(self._waiting[count]) <= AT_ONCE:
            size += len(self._waiting[count])
            count += 1
        taken = b"".join(self._waiting[:count])
        del self._waiting[:count]
        self._size -= size
        return taken


class Tap:
    """Keeps what comes early, until it is known whose it is; then gives it to a trace.

    :param number: of the connection, in this worker.
    :param peer: the client's address and port.
    :param clock: seconds since 1970.
    """

    def __init__(
        self, number: int, peer: str, budget: Budget, clock: Callable[[], float] = time.time
    ) -> None:
        self._number = number
        self._budget = budget
        self._clock = clock
        self._early: list[bytes] = []
        self._size = 0
        self.trace: Trace | None = None
        self._add(Direction.PEER, len(peer), peer.encode())

    def begin(self, trace: Trace) -> None:
        """It is wanted: what was kept goes there, and all that comes."""
        self.trace = trace
        for record in self._early:
            trace.add(record)
        self.forget()

    def forget(self) -> None:
        """Forget what was kept."""
        self._budget.left += self._size
        self._early, self._size = [], 0

    def read(self, view: memoryview, end: int) -> None:
        """Take what came from the client: packets, the last of which may not be whole yet."""
        at = 0
        try:
            while end - at >= HEADER_SIZE and (following := at + packet_size(view, at)) <= end:
                self._packet(Direction.FROM_CLIENT, bytes(view[at:following]))
                at = following
        except WireError:
            pass  # the connection ends for it

    def wrote(self, packet: bytes) -> None:
        """Take one packet to the client."""
        self._packet(Direction.TO_CLIENT, packet)

    def wrote_each(self, view: memoryview, ends: list[int]) -> None:
        """Take packets to the client, each of which ends at one of ``ends``."""
        start = 0
        for end in ends:
            self._packet(Direction.TO_CLIENT, bytes(view[start:end]))
            start = end

    def _packet(self, direction: Direction, packet: bytes) -> None:
        whole = self.trace is not None and self.trace.whole
        data, size = blanked(packet, whole=whole)
        self._add(direction, size, data)

    def _add(self, direction: Direction, size: int, data: bytes) -> None:
        record = Record(self._clock(), self._number, direction, size, data).encode()
        if self.trace is not None:
            self.trace.add(record)
        elif self._size + len(record) <= EARLY and len(record) <= self._budget.left:
            self._early.append(record)
            self._size += len(record)
            self._budget.left -= len(record)
