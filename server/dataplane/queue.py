"""What waits for one client, flow by flow, so that a download does not keep a telephone call waiting.

FQ-CoDel (RFC 8290) over the packets of the TUN: flows take turns, one that has just come goes before
those that always have something, and one whose packets wait too long loses some of them, which is how
its sender hears that it is too fast (CoDel, RFC 8289). A packet may be a large one of many segments:
then a part of it is taken at a time, and a single segment lost.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from .path import UNKNOWN
from .segments import VNET

#: Bytes of a flow that are sent before it is another one's turn.
QUANTUM: Final = 16 * 1024

#: Flows that are told apart (RFC 8290 4.2).
_FLOWS: Final = 1024

#: For how long packets may wait longer than they may, in times of that, and in seconds at least (RFC
#: 8289 4.3): until the sender has heard of a loss, which waits with all the others; if it lost more in
#: between, it would slow down twice.
_PERIODS: Final = 4
_INTERVAL: Final = 0.3

#: Bytes that a packet takes beside its own: small ones take most of their room by that.
_EACH: Final = 144

#: A packet of usual size, with its header: no flow with less waiting is too fast.
_ONE: Final = 1514 + VNET.size + _EACH

#: Bytes that wait for one client, at most; and for all clients of a worker. A download whose
#: receiver has a window of that size loses nothing here.
LIMIT: Final = 16 << 20
ALL: Final = 128 << 20

#: Bytes that a flow loses at once when there is no room, or half of what it has (RFC 8290 4.1).
_MUCH: Final = 64 << 10


@dataclass(slots=True)
class Room:
    """What is left, in bytes, for the queues of all clients of a worker.

    :ivar lost: packets that these queues have lost, or segments of large ones.
    """

    left: int = ALL
    lost: int = 0


@dataclass(slots=True)
class Waiting:
    """A packet from the TUN.

    :ivar first: the number of its first segment that is not sent yet.
    :ivar since: when it came, in seconds of the monotonic clock.
    """

    packet: bytes
    since: float
    first: int = 0

    @property
    def size(self) -> int:
        """Bytes of memory that it takes."""
        return len(self.packet) + _EACH


@dataclass(slots=True)
class _Flow:
    """The packets of a flow, what it may send before it is another one's turn, and CoDel's state."""

    packets: deque[Waiting] = field(default_factory=deque)
    size: int = 0
    credit: int = 0
    drop_next: float = math.inf
    drops: int = 0

    def is_late(self, now: float, target: float) -> bool:
        """Whether the first packet is to lose a segment: RFC 8289 5."""
        if now - self.packets[0].since < target or self.size <= _ONE:
            self.drop_next = math.inf
            self.drops //= 2
            return False
        interval = max(_INTERVAL, _PERIODS * target)
        if self.drop_next == math.inf:
            self.drop_next = now + interval
        elif now >= self.drop_next:
            self.drops += 1
            self.drop_next += interval / math.sqrt(self.drops)
            return True
        return False


class FairQueue:
    """The packets of one client. What there is no room for is lost, of the flow that has most.

    :ivar lost: packets that were lost, or segments of a large one.
    :ivar target: seconds that packets may wait (RFC 8289 4.2).
    """

    __slots__ = ("_flows", "_new", "_old", "_room", "_size", "lost", "target")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._flows: dict[int, _Flow] = {}
        # lists of a few flows: an empty deque has 700 bytes, and each session has these
        self._new: list[int] = []
        self._old: list[int] = []
        self._size = 0
        self.lost = 0
        self.target = UNKNOWN.target

    def __bool__(self) -> bool:
        return self._size > 0

    @property
    def share(self) -> int:
        """Bytes of the packet whose turn it is that may be sent before it is another one's."""
        return QUANTUM if len(self._flows) > 1 else LIMIT

    def add(self, packet: bytes, now: float, first: int = 0) -> None:
        """Let ``packet``, with its header, wait from ``now`` on.

        :param first: the number of its first segment that is not sent yet.
        """
        # addresses and ports, if there are no options; of others what stands there, which does no harm
        name = hash(packet[22:34] if packet[10] >> 4 == 4 else packet[18:54]) % _FLOWS
        flow = self._flows.get(name)
        if flow is None:
            flow = self._flows[name] = _Flow(credit=QUANTUM)
            self._new.append(name)
        waiting = Waiting(packet, now, first)
        flow.packets.append(waiting)
        self._account(flow, waiting.size)
        # who has much leaves as much to others (dynamic thresholds: Choudhury and Hahne, 1998)
        while self._size > min(LIMIT, self._room.left):
            self._make_room(max(self._flows.values(), key=lambda one: one.size))

    def next(self, now: float) -> Waiting | None:
        """Return the packet whose turn it is; :meth:`took` says what became of it."""
        while turns := self._new or self._old:
            flow = self._flows[turns[0]]
            while flow.packets and flow.is_late(now, self.target):
                self._lose(flow)
            if flow.packets and flow.credit > 0:
                return flow.packets[0]
            name = turns.pop(0)
            if flow.packets or turns is self._new:
                # also one that is empty, or it would be new again with its next packet
                flow.credit += QUANTUM
                self._old.append(name)
            else:
                del self._flows[name]
        return None

    def took(self, size: int, following: int) -> None:
        """Of what :meth:`next` gave, ``size`` bytes are on their way.

        :param following: the number of the next segment, -1 if there is none.
        """
        flow = self._flows[(self._new or self._old)[0]]
        flow.credit -= size
        if following < 0:
            self._account(flow, -flow.packets.popleft().size)
        else:
            flow.packets[0].first = following

    def clear(self) -> None:
        """Forget what waits."""
        self._room.left += self._size
        self._size = 0
        self._flows.clear()
        self._new.clear()
        self._old.clear()

    def _account(self, flow: _Flow, size: int) -> None:
        flow.size += size
        self._size += size
        self._room.left -= size

    def _make_room(self, flow: _Flow) -> None:
        """Lose the first packets: so much that not all flows are looked through for each one."""
        left = max(flow.size // 2, flow.size - _MUCH)
        while flow.size > left:
            self._account(flow, -flow.packets.popleft().size)
            self._lost_one()

    def _lost_one(self) -> None:
        self.lost += 1
        self._room.lost += 1

    def _lose(self, flow: _Flow) -> None:
        """Lose the first segment."""
        waiting = flow.packets[0]
        self._lost_one()
        waiting.first += 1
        size = VNET.unpack_from(waiting.packet)[3]
        # what is no large packet has no segments, and no size of them
        if not size or waiting.first * size >= len(waiting.packet):
            flow.packets.popleft()
            self._account(flow, -waiting.size)
