"""The control packets of one client that wait to be worked on, and what they may come to.

A little is done in each turn of the event loop, whoever sent them. IP packets do not come here: they
must not wait for what strangers, or users, have to say of PPP and SSTP, however much that is and
however many of them say it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

#: Seconds that the packets of all clients together may take in one turn.
TURN: Final = 0.002

#: Packets of one client that are worked on before it is somebody else's turn.
_STEP: Final = 8

#: What a client may come with before it is admitted: packets, bytes, seconds of processor time. A
#: login takes less than fifty packets, with certificates 64 KiB, and less than a tenth of the time.
STRANGERS_PACKETS: Final = 512
STRANGERS_BYTES: Final = 256 * 1024
STRANGERS_COST: Final = 0.25

#: Packets that a client may send at once when it is in: it has little to say beside IP packets.
_PACKETS: Final = 1024


class RoundRobin:
    """Those who have something to be worked on, one after the other and again."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], bool]] = deque()

    def add(self, step: Callable[[], bool]) -> None:
        """Call ``step``, which must not raise, until it returns that there is no more to do."""
        if not self._waiting:
            self._loop.call_soon(self._turn)
        self._waiting.append(step)

    def _turn(self) -> None:
        end = time.perf_counter() + TURN
        while self._waiting:
            more = self._waiting[0]()
            step = self._waiting.popleft()
            if more:
                self._waiting.append(step)
            if time.perf_counter() >= end:
                break
        if self._waiting:
            self._loop.call_soon(self._turn)


class Backlog:
    """The packets of one client.

    :param work: called with one of them after the other; must not raise.
    :param worked: called at the end of each step, with the seconds of processor time it took.
    :param refuse: is told when the client comes with more than it may, and of what.
    :ivar alive: whether the client may send more.
    """

    __slots__ = (
        "_bytes",
        "_cost",
        "_packets",
        "_paused",
        "_refuse",
        "_turns",
        "_waiting",
        "_work",
        "_worked",
        "alive",
    )

    def __init__(
        self,
        turns: RoundRobin,
        *,
        work: Callable[[bytes], None],
        worked: Callable[[float], None],
        refuse: Callable[[str], None],
    ) -> None:
        self.alive = True
        self._turns = turns
        self._work = work
        self._worked = worked
        self._refuse = refuse
        # a short list: an empty deque has 700 bytes, and each session has one of these
        self._waiting: list[bytes] = []
        self._paused = False
        self._packets, self._bytes, self._cost = 0, 0, 0.0

    @property
    def busy(self) -> bool:
        """Whether anything waits, or would have to: no reason to read more."""
        return self._paused or bool(self._waiting)

    def add(self, packets: list[bytes], *, stranger: bool) -> None:
        """Have ``packets`` worked on, in their order, unless they are too many."""
        if stranger:
            self._packets += len(packets)
            self._bytes += sum(map(len, packets))
            if self._packets > STRANGERS_PACKETS or self._bytes > STRANGERS_BYTES:
                return self._refuse("too many packets before its login")
        elif len(packets) > _PACKETS:
            return self._refuse("a flood of control packets")
        if packets and not self.busy:
            self._turns.add(self._step)
        self._waiting.extend(packets)
        return None

    def pause(self) -> None:
        """Let everything wait, also what is to be worked on in this step."""
        self._paused = True

    def resume(self) -> None:
        """Let it wait no longer, if it was paused: there is a step, also if nothing waits."""
        if self._paused:
            self._paused = False
            self._turns.add(self._step)

    def charge(self, seconds: float) -> None:
        """Count processor time that was spent on a stranger."""
        self._cost += seconds
        if self._cost > STRANGERS_COST:
            self._refuse("too much work before its login")

    def clear(self) -> None:
        """Forget what waits, and pause no longer."""
        self._paused = False
        self._waiting.clear()

    def close(self) -> None:
        """Let go of whom it calls, when the session is over: the two would keep each other."""
        self._work = self._worked = self._refuse = _disregard

    def _step(self) -> bool:
        began, worked = time.thread_time(), self._worked
        for _ in range(_STEP):
            if self._waiting and not self._paused:
                self._work(self._waiting.pop(0))
        worked(time.thread_time() - began)
        return bool(self._waiting) and not self._paused


def _disregard(_: object) -> None:
    """The session is over."""
