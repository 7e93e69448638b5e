"""To the client: IP packets from the TUN, large ones cut, and the control packets.

What the socket does not take waits, and not much of it in the kernel: there it could no longer be put
into another order (TCP_NOTSENT_LOWAT). Control packets go before all IP packets that wait.
"""

from typing import Final

from ..trace.tap import Tap
from .engine import cut, pull
from .queue import FairQueue, Room
from .segments import ONLY_IPV4, OVERHEAD, framed
from .stream import TlsStream

#: Bytes of SSTP packets on their way to the socket in one turn: as many as it has taken lately.
_LEAST, _MOST = 4 * 1024, 64 * 1024

#: Packets read from the TUN in one turn, at most, and the bytes at which there are enough.
READS: Final = 64
_ENOUGH: Final = 512 * 1024

#: Seconds from one look at what the kernel knows of the path to the next, while something goes there:
#: several round trips.
_LOOK: Final = 0.5


class Outbound:
    """One client's stream.

    :param scratch: the worker's working memory, at least one turn.
    :param room: what all queues of the worker may take.
    :param coalesce: whether the client takes several SSTP packets in one TLS record.
    :ivar sent: bytes of IP packets.
    :ivar tap: takes copies, if somebody wants to see what goes.
    :ivar versions: of IP that the client has opened; see segments.ONLY_IPV4.
    """

    __slots__ = (
        "_batch",
        "_coalesce",
        "_look",
        "_queue",
        "_scratch",
        "_stream",
        "sent",
        "tap",
        "versions",
    )

    def __init__(
        self, stream: TlsStream, scratch: memoryview, room: Room, *, coalesce: bool
    ) -> None:
        self._stream = stream
        self._scratch = scratch
        self._queue = FairQueue(room)
        self._coalesce = coalesce
        self._batch = _MOST
        self._look = 0.0
        self.tap: Tap | None = None
        self.sent = 0
        self.versions = ONLY_IPV4

    @property
    def queued(self) -> bool:
        """Whether IP packets wait for their turn."""
        return bool(self._queue)

    def send(self, packet: bytes) -> None:
        """Encrypt a control packet, in a record of its own; it goes out with :meth:`let_out`.

        :raises OSError: if the connection is gone.
        """
        if self.tap is not None:
            self.tap.wrote(packet)
        self._stream.write(packet)

    def let_out(self) -> None:
        """Give the socket the control packets of a turn, all at once.

        :raises OSError: if the connection is gone.
        """
        self._stream.flush()

    def answer(self, packet: bytes) -> None:
        """Send an IP packet of our own like a control packet.

        :raises OSError: if the connection is gone.
        """
        self.send(framed(packet))
        self.let_out()

    def pump(self, tun: int, now: float) -> None:
        """Take what the TUN has, as much as fits into one turn, and send on.

        :param now: the time, in seconds of a monotonic clock.
        :raises OSError: if the connection or the interface is gone.
        """
        if now >= self._look:
            self._look = now + _LOOK
            self._queue.target = self._stream.adapt().target
        if not self._queue and not self._stream.waiting:
            ends, packet, first = pull(tun, self._scratch, self._batch, self.versions)
            self._write(ends)
            if packet is None:
                self._go_out()
                return
            self._queue.add(packet, now, first)
        self._fill(tun, now)
        self.flush(now)

    def _fill(self, tun: int, now: float) -> None:
        """Let what the TUN has take its place in the queue."""
        size = 0
        for _ in range(READS):
            # no room for a packet: it comes as it is
            _, packet, _ = pull(tun, self._scratch, 0, self.versions)
            if packet is None:
                break
            self._queue.add(packet, now)
            size += len(packet)
            if size > _ENOUGH:
                break

    def flush(self, now: float) -> None:
        """Send what waits, as much as the socket takes and one turn allows.

        :raises OSError: if the connection is gone.
        """
        if not self._stream.flush():
            return
        left = self._batch
        while left > 0 and (waiting := self._queue.next(now)):
            share = min(left, self._queue.share)
            ends, following = cut(waiting.packet, waiting.first, self._scratch, share)
            size = self._write(ends)
            self._queue.took(size, following)
            left -= size
        self._go_out()

    def _go_out(self) -> None:
        if self._stream.flush():
            self._batch = min(2 * self._batch, _MOST)
        else:
            self._batch = max(self._batch // 2, _LEAST)

    def shut(self) -> None:
        """Forget what waits, but for control packets and what is encrypted already."""
        self._queue.clear()

    def _write(self, ends: list[int]) -> int:
        """Encrypt the SSTP packets that end there in the working memory; return their size in bytes."""
        if not ends:
            return 0
        if self.tap is not None:
            self.tap.wrote_each(self._scratch, ends)
        size = ends[-1]
        if self._coalesce:
            self._stream.write(self._scratch[:size])
        else:
            self._stream.write_each(self._scratch, ends)
        self.sent += size - OVERHEAD * len(ends)
        return size
