"""Work that takes its time, in threads, and what came of it, in the event loop.

What asyncio's run_in_executor does, at a third of the price: there, each call has a lock, a condition
and two futures that call each other back, and a login makes ten calls.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, TypeVarTuple

_T = TypeVar("_T")
_Args = TypeVarTuple("_Args")

_Task: TypeAlias = tuple["asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]
_Tasks: TypeAlias = "queue.SimpleQueue[_Task | None]"


class Threads:
    """Some threads, started when there is work; they end with this, and never keep a process alive.

    :param most: how many.
    :param begin: called first in each.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, most: int, *, begin: Callable[[], object] = bool
    ) -> None:
        self._loop = loop
        self._most = most
        self._begin = begin
        self._started = 0
        self._tasks: _Tasks = queue.SimpleQueue()

    def submit(self, call: Callable[[*_Args], _T], *args: *_Args) -> "asyncio.Future[_T]":
        """Have ``call`` called in one of them; for the event loop's thread."""
        answer: asyncio.Future[_T] = self._loop.create_future()
        self._tasks.put((answer, call, args))
        if self._started < self._most:
            self._started += 1
            arguments = (self._loop, self._begin, self._tasks)
            threading.Thread(target=_work, args=arguments, daemon=True).start()
        return answer

    def __del__(self) -> None:
        for _ in range(self._started):
            self._tasks.put(None)


def _work(loop: asyncio.AbstractEventLoop, begin: Callable[[], object], tasks: _Tasks) -> None:
    begin()
    while (task := tasks.get()) is not None:
        answer, call, args = task
        if not answer.cancelled():
            _call(loop, answer, call, args)
        # nothing of it is kept until the next comes
        del task, answer, call, args


def _call(
    loop: asyncio.AbstractEventLoop,
    answer: "asyncio.Future[Any]",
    call: Callable[..., Any],
    args: tuple[Any, ...],
) -> None:
    tell: tuple[Callable[..., None], Any]
    try:
        tell = answer.set_result, call(*args)
    except BaseException as error:  # for whoever waits, whatever it is
        tell = answer.set_exception, error
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
        loop.call_soon_threadsafe(_tell, answer, *tell)
    del tell, answer  # an exception keeps this frame, which must not keep the exception


def _tell(answer: "asyncio.Future[Any]", tell: Callable[[Any], None], what: object) -> None:
    if not answer.done():
        tell(what)
