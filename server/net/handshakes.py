"""Strangers' expensive work, in a thread that stands back when the event loop has something to do.

OpenSSL lets go of Python's lock while it computes. One step at a time is made; whose turn it is,
the sources decide (:mod:`.sources`): first those where people have logged in, and of all others
the one that has cost the least. Who has used up what its source may cost waits, and is not refused.
"""

import asyncio
import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from .sources import Source, Sources
from .threads import Threads

_T = TypeVar("_T")

#: How far the thread stands back. Not all the way: what it does in Python holds the lock, and who
#: waits for that must not wait for everybody else in the machine.
_NICE: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    call: Callable[[], Any]
    wanted: Callable[[], bool]
    first: bool
    answer: asyncio.Future[Any]


class Handshakes:
    """The steps of handshakes that wait for their turn in one worker."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sources: Sources) -> None:
        self._loop = loop
        self._sources = sources
        self._waiting: dict[Source, deque[_Step]] = {}
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._thread = Threads(loop, 1, begin=_stand_back)

    async def step(
        self,
        source: Source,
        call: Callable[[], _T],
        *,
        wanted: Callable[[], bool] = lambda: True,
        first: bool = False,
    ) -> _T | None:
        """Call ``call`` in the thread when it is its turn, and return what it returns.

        :param wanted: whether that is of use to anybody; asked at the last moment.
        :param first: whether a handshake begins with this. One that has begun goes before.
        :returns: None if it was of use to nobody.
        """
        step = _Step(call, wanted, first, self._loop.create_future())
        steps = self._waiting.setdefault(source, deque())
        if first:
            steps.append(step)
        else:
            steps.appendleft(step)
        self._next()
        try:
            answer: _T | None = await step.answer
            return answer
        finally:
            del step  # an exception would keep it, and it the exception

    def charge(self, source: Source, seconds: float) -> None:
        """Count what reading a stranger of ``source`` has cost: no step, and as much to pay for."""
        self._sources.charge(source, seconds)

    def _next(self) -> None:
        """Let the thread have the next step, unless it is busy or nobody's turn has come."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting and not self._busy:
            now = self._loop.time()
            # a hundred of them wait when all log in at once, and are looked at for each step
            ready = [source for source in self._waiting if source.ready(now)]
            if not ready or self._sources.all.wait(now):
                soonest = min(source.wait(now) for source in self._waiting)
                wait = max(self._sources.all.wait(now), soonest)
                self._timer = self._loop.call_later(wait, self._next)
                return
            source = max(ready, key=lambda source: source.rank(now))
            self._make(source, self._take(source))

    def _take(self, source: Source) -> _Step:
        steps = self._waiting[source]
        step = steps.popleft()
        if not steps:
            del self._waiting[source]
        return step

    def _make(self, source: Source, step: _Step) -> None:
        if step.answer.done():  # who asked was cancelled
            return
        if not step.wanted():
            step.answer.set_result(None)
            return
        if step.first:
            source.begin(self._loop.time())
        cost: list[float] = []
        work = step.call  # not the step, which keeps the answer, which may be an exception of here

        def call() -> Any:
            before = time.thread_time()
            try:
                return work()
            finally:
                cost.append(time.thread_time() - before)

        def made(done: asyncio.Future[Any]) -> None:
            self._busy = False
            self._sources.charge(source, sum(cost))
            _pass_on(done, step.answer)
            self._next()

        self._busy = True
        self._thread.submit(call).add_done_callback(made)


def _pass_on(done: asyncio.Future[Any], answer: asyncio.Future[Any]) -> None:
    error = done.exception()
    if answer.done():
        return
    if error is None:
        answer.set_result(done.result())
    else:
        answer.set_exception(error)


def _stand_back() -> None:
    """Lower the priority of the calling thread: Linux has one for each."""
    thread = threading.get_native_id()
    with contextlib.suppress(OSError):
        lower = os.getpriority(os.PRIO_PROCESS, thread) + _NICE
        os.setpriority(os.PRIO_PROCESS, thread, lower)
