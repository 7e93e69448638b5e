"""Threads do work, and what came of it is told in the event loop."""

import asyncio
import gc
import threading

import pytest

from sstpca.server.net.threads import Threads


def test_an_answer_and_an_error_come_back() -> None:
    async def run() -> None:
        threads = Threads(asyncio.get_running_loop(), 2)
        assert await threads.submit(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await threads.submit(divmod, 7, 0)
        assert await threads.submit(threading.get_ident) != threading.get_ident()

    asyncio.run(run())


def test_one_thread_does_one_thing_at_a_time_in_the_order_of_asking() -> None:
    async def run() -> None:
        done: list[int] = []
        threads = Threads(asyncio.get_running_loop(), 1)
        await asyncio.gather(*(threads.submit(done.append, number) for number in range(100)))
        assert done == list(range(100))

    asyncio.run(run())


def test_several_work_at_once_and_no_more_than_there_may_be() -> None:
    async def run() -> None:
        met = threading.Barrier(3)
        threads = Threads(asyncio.get_running_loop(), 3)
        await asyncio.gather(*(threads.submit(met.wait, 10.0) for _ in range(3)))
        idents = await asyncio.gather(*(threads.submit(threading.get_ident) for _ in range(50)))
        assert len(set(idents)) <= 3

    asyncio.run(run())


def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    async def run() -> None:
        begun: list[int] = []
        go_on = threading.Event()
        threads = Threads(asyncio.get_running_loop(), 1)
        first = threads.submit(go_on.wait, 10.0)
        second = threads.submit(begun.append, 2)
        second.cancel()
        go_on.set()
        await first
        await threads.submit(begun.append, 3)
        assert begun == [3]

    asyncio.run(run())


def test_each_begins_as_it_is_told() -> None:
    async def run() -> None:
        begun: list[int] = []
        begin = lambda: begun.append(threading.get_ident())  # noqa: E731
        threads = Threads(asyncio.get_running_loop(), 1, begin=begin)
        assert [await threads.submit(threading.get_ident)] == begun

    asyncio.run(run())


def test_they_end_with_it() -> None:
    async def run() -> threading.Thread:
        threads = Threads(asyncio.get_running_loop(), 1)
        return await threads.submit(threading.current_thread)

    thread = asyncio.run(run())
    gc.collect()
    thread.join(5.0)
    assert not thread.is_alive()
