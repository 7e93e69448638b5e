"""Many bundles at once: a process for each processor, results in order, little in memory."""

import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final

from ..errors import Unavailable
from . import archive
from .workshop import Order, Result, Workshop

#: bundles that are written, waited for and told of together
BATCH: Final = 20
# batches that wait for a process, so that none of them has to wait for us
_AHEAD: Final = 2

Batch = tuple[Order, ...]
#: what became of the orders of a batch
Results = list[tuple[Order, Result]]
_Pending = tuple[Batch, Future[list[Result]]]

# what the processes of a pool got when they were forked
_workshops: list[Workshop] = []


def make(
    workshop: Workshop, orders: Iterable[Order], *, processes: int = 0
) -> Generator[Results, None, None]:
    """Make the bundles of ``orders``, a batch at a time, and yield what became of each, in order.

    Only some batches are in memory at any time. On an interrupt, also one that is thrown into this
    generator, those that are begun are finished and yielded before it goes on its way.

    :param processes: how many; by default as many as there are processors.
    :raises SstpcaError: if the folder cannot be written, or a process has died.
    """
    batches = _batches(orders)
    first = list(itertools.islice(batches, 2))
    with archive.holding(workshop.output):
        count = processes or len(os.sched_getaffinity(0))
        if count == 1 or len(first) < 2:
            for batch in itertools.chain(first, batches):
                yield list(zip(batch, workshop.work(batch), strict=True))
            return
        with _pool(workshop, count) as pool:
            yield from _hand_out(pool, itertools.chain(first, batches), count * _AHEAD)


def _batches(orders: Iterable[Order]) -> Iterator[Batch]:
    iterator = iter(orders)
    while batch := tuple(itertools.islice(iterator, BATCH)):
        yield batch


@contextlib.contextmanager
def _pool(workshop: Workshop, count: int) -> Iterator[ProcessPoolExecutor]:
    """Give a pool of processes; on leaving, what is running is finished, the rest forgotten."""
    pool = ProcessPoolExecutor(
        count,
        # a fork has all that is read and compiled already, and the lock of the folder
        mp_context=multiprocessing.get_context("fork"),
        initializer=_begin,
        initargs=(workshop,),
    )
    try:
        yield pool
    except BrokenProcessPool:
        raise Unavailable(
            "a process that makes bundles was ended from outside; those told of are made",
            "look for 'out of memory' in the system's log, and start the command again",
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _hand_out(
    pool: ProcessPoolExecutor, batches: Iterable[Batch], ahead: int
) -> Generator[Results, None, None]:
    pending: deque[_Pending] = deque()
    try:
        for batch in batches:
            pending.append((batch, pool.submit(_work, batch)))
            if len(pending) > ahead:
                yield _finished(pending)
        while pending:
            yield _finished(pending)
    except KeyboardInterrupt:
        pool.shutdown(cancel_futures=True)
        while pending and not pending[0][1].cancelled():
            yield _finished(pending)
        raise


def _finished(pending: deque[_Pending]) -> Results:
    batch, future = pending[0]
    results = future.result()
    pending.popleft()
    return list(zip(batch, results, strict=True))


def _begin(workshop: Workshop) -> None:
    # Ctrl-C reaches all processes of a terminal; the parent decides
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _workshops.append(workshop)


def _end_with_parent() -> None:
    """End this process when its parent is gone: nobody would tell it to."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(batch: Batch) -> list[Result]:
    return _workshops[-1].work(batch)
