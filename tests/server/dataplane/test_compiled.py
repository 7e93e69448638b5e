"""The compiled data plane as a C extension: wrong calls, what it holds, and what it leaves behind."""

import sys
import tracemalloc
from typing import Any

import pytest

from tests.support import engines
from tests.support.engines import BOTH, Engine
from tests.support.flows import OURS
from tests.support.segmentation import Tcp, offloaded
from tests.support.transparency import framed, tunnel

_STREAM = framed(Tcp(content=b"content").encode())
_LARGE = offloaded(Tcp(content=bytes(5000)), 1000)


@pytest.fixture(scope="module")
def compiled() -> Engine:
    return engines.compiled()


@pytest.mark.parametrize(
    ("position", "end"),
    [(-1, 10), (5, 4), (0, len(_STREAM) + 1), (-(2**62), 2**62), (0, 2**62), (2**70, 1)],
)
def test_a_part_that_is_not_there(compiled: Engine, position: int, end: int) -> None:
    with pytest.raises((ValueError, OverflowError)), tunnel() as (tun, _):
        compiled.forward(memoryview(_STREAM), position, end, OURS, tun, BOTH)


@pytest.mark.parametrize(("first", "limit"), [(-1, 100), (0, -1), (2**70, 1), (0, 2**70)])
def test_a_segment_or_limit_that_is_not_there(compiled: Engine, first: int, limit: int) -> None:
    with pytest.raises((ValueError, OverflowError)):
        compiled.cut(_LARGE, first, memoryview(bytearray(2000)), limit)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (_STREAM, 0, len(_STREAM), OURS, -1),
        ("text", 0, 4, OURS, -1, True),
        (_STREAM, 0, 4, 5, -1, True),
        (_STREAM, None, 4, OURS, -1, True),
        (_STREAM, 0, 4, OURS, 2**40, True),
        (memoryview(_STREAM)[::2], 0, 4, OURS, -1, True),
        (_STREAM, 0, 4, OURS, -1, True, 5),
        (_STREAM, 0, 4, OURS, -1, True, OURS, False, None),
    ],
)
def test_forwarding_what_it_cannot_be(compiled: Engine, arguments: tuple[Any, ...]) -> None:
    with pytest.raises((TypeError, OverflowError, BufferError)):
        compiled.forward(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        (_LARGE, 0, bytes(4000), 0),
        (_LARGE, 0, memoryview(bytearray(4000))[::2], 0),
        ("text", 0, bytearray(4000), 0),
        (_LARGE, 0, bytearray(4000)),
    ],
)
def test_cutting_what_it_cannot_be(compiled: Engine, arguments: tuple[Any, ...]) -> None:
    with pytest.raises((TypeError, BufferError)):
        compiled.cut(*arguments)


def test_nothing_is_held_after_a_call_or_a_wrong_one(compiled: Engine) -> None:
    stream, source, room = bytearray(_STREAM), bytearray(OURS), bytearray(9000)
    counts = [sys.getrefcount(one) for one in (stream, source, room, _LARGE)]
    wrong: Any = None
    with tunnel() as (tun, _):
        for position, descriptor in ((0, tun), (-1, tun), (0, wrong)):
            try:
                compiled.forward(stream, position, len(stream), source, descriptor, BOTH)  # type: ignore[arg-type]
            except (ValueError, TypeError):
                continue
        for first, limit in ((0, 5000), (-1, 5000), (0, wrong)):
            try:
                compiled.cut(_LARGE, first, room, limit)  # type: ignore[arg-type]
            except (ValueError, TypeError):
                continue
    assert [sys.getrefcount(one) for one in (stream, source, room, _LARGE)] == counts
    # each can be resized: no buffer of it is open
    for one in (stream, source, room):
        one.extend(b"more")


def test_no_memory_is_left_behind(compiled: Engine) -> None:
    view, room = memoryview(_STREAM), memoryview(bytearray(9000))

    def work(times: int) -> None:
        with tunnel() as (tun, far):
            for _ in range(times):
                compiled.forward(view, 0, len(_STREAM), OURS, tun, BOTH)
                far.recv(100)
                compiled.cut(_LARGE, 0, room, 5000)

    work(100)
    tracemalloc.start()
    try:
        work(100)
        before, _ = tracemalloc.get_traced_memory()
        work(2000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 10_000
