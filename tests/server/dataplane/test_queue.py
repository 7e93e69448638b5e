"""What waits for a client: turns, order within a flow, bounds, and that what does not wait is lost."""

import tracemalloc
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.dataplane import queue
from sstpca.server.dataplane.cutting import cut
from sstpca.server.dataplane.queue import QUANTUM, FairQueue, Room
from tests.support.segmentation import Tcp, Udp, Vnet, offloaded, segments
from tests.support.transparency import OVERHEAD


def datagram(port: int, size: int, number: int = 0) -> bytes:
    content = number.to_bytes(4) + bytes(size)
    return Vnet().encode() + Udp(ports=(53, port), content=content).encode()


def large(port: int, size: int, number: int = 0) -> bytes:
    content = number.to_bytes(4) * (size // 4)
    return offloaded(Tcp(ports=(443, port), content=content), 1000)


def taken(waiting: FairQueue, now: float = 0.0) -> list[bytes]:
    """Return all the IP packets that leave, in this order."""
    made: list[bytes] = []
    room = memoryview(bytearray(70_000))
    while (one := waiting.next(now)) is not None:
        ends, following = cut(one.packet, one.first, room, QUANTUM)
        waiting.took(ends[-1] if ends else 0, following)
        start = 0
        for end in ends:
            made.append(bytes(room[start + OVERHEAD : end]))
            start = end
    return made


def test_nothing_waits() -> None:
    waiting = FairQueue(Room())
    assert not waiting
    assert waiting.next(0.0) is None


def test_who_is_alone_need_not_share() -> None:
    waiting = FairQueue(Room())
    waiting.add(datagram(1, 100), 0.0)
    assert waiting.share > 64 * 1024
    waiting.add(datagram(2, 100), 0.0)
    assert waiting.share == queue.QUANTUM
    taken(waiting)
    assert waiting.share > 64 * 1024


@pytest.mark.parametrize("make", [datagram, large])
def test_a_flow_that_is_too_much_loses_its_oldest(
    make: Callable[[int, int, int], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "LIMIT", 20_000)
    room = Room()
    waiting = FairQueue(room)
    for number in range(30):
        waiting.add(make(1, 4000, number), 0.0)
        assert queue.ALL - room.left <= 20_000
    assert waiting.lost > 0
    left = taken(waiting)
    assert segments(make(1, 4000, 29))[-1] == left[-1]
    assert segments(make(1, 4000, 0))[0] not in left
    assert room.left == queue.ALL


def test_who_has_little_loses_nothing() -> None:
    waiting = FairQueue(Room(100_000))
    waiting.add(datagram(1, 10), 0.0)
    for number in range(300):
        waiting.add(datagram(2, 1000, number), 0.0)
    assert datagram(1, 10)[10:] in taken(waiting)


def test_not_all_flows_are_looked_through_for_each_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a thousand flows, and each packet one too many, that was all that the worker did."""
    monkeypatch.setattr(queue, "LIMIT", 1 << 20)
    waiting = FairQueue(Room())
    looked = 0

    def largest(*given: Any, **how: Any) -> Any:
        nonlocal looked
        looked += 1
        return max(*given, **how)

    monkeypatch.setattr(queue, "max", largest, raising=False)
    for number in range(1000):
        waiting.add(datagram(1 + number % 5, 1400, number), 0.0)
    before = looked
    for number in range(1000):
        waiting.add(datagram(1 + number % 5, 1400, number), 0.0)
    assert 0 < looked - before < 50
    # a large one is lost as a whole: its segments take no room of their own
    before = looked
    waiting.add(large(9, 60_000), 0.0)
    assert looked - before <= 2


def test_small_packets_take_room_by_their_number() -> None:
    """They take several times their own bytes of memory, and that is bounded as well."""
    waiting, count = FairQueue(Room(1 << 20)), 0
    tracemalloc.start()
    try:
        while not waiting.lost:
            waiting.add(datagram(1, 0, count), count / 1e6)
            count += 1
        memory, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count > 1000
    assert memory < (1 << 20)


def test_a_client_without_room_leaves_none_to_itself() -> None:
    """A worker's memory is bounded: what does not fit at all is lost, and nothing hangs."""
    room = Room(100)
    waiting = FairQueue(room)
    for _ in range(3):
        waiting.add(datagram(1, 1000), 0.0)
        waiting.add(large(2, 60_000), 0.0)
    assert not waiting
    assert room.left == 100


_packets = st.lists(
    st.tuples(st.booleans(), st.integers(1, 4), st.sampled_from((4, 1000, 1400, 30_000))),
    max_size=40,
)


@given(packets=_packets, room=st.sampled_from((queue.ALL, 200_000, 50_000, 1500)))
def test_what_is_not_lost_comes_in_order(packets: list[tuple[bool, int, int]], room: int) -> None:
    space = Room(room)
    waiting = FairQueue(space)
    sent: dict[bytes, list[bytes]] = defaultdict(list)
    for number, (many, port, size) in enumerate(packets):
        message = (large if many else datagram)(port, min(size, 3000) if not many else size, number)
        for packet in segments(message):
            sent[packet[20:24]].append(packet)
        waiting.add(message, 0.0)
    came: dict[bytes, list[bytes]] = defaultdict(list)
    for packet in taken(waiting):
        came[packet[20:24]].append(packet)
    for flow, found in came.items():
        rest = iter(sent[flow])
        assert all(packet in rest for packet in found)
    if not waiting.lost:
        assert came == sent
    assert space.left == room
    assert not waiting


@given(
    steps=st.lists(st.tuples(st.integers(0, 2), st.floats(0, 5), st.booleans()), max_size=40),
)
def test_at_any_time(steps: list[tuple[int, float, bool]]) -> None:
    """Whatever comes and goes at which times, it comes to an end, and gives its room back."""
    space, now = Room(300_000), 0.0
    waiting = FairQueue(space)
    memory = memoryview(bytearray(70_000))
    for what, seconds, many in steps:
        now += seconds
        if what:
            waiting.add((large if many else datagram)(what, 3000), now)
        elif (one := waiting.next(now)) is not None:
            ends, following = cut(one.packet, one.first, memory, 2000)
            waiting.took(ends[-1] if ends else 0, following)
    taken(waiting, now)
    assert not waiting
    assert space.left == 300_000
    waiting.add(datagram(1, 100), now)
    waiting.clear()
    assert not waiting
    assert space.left == 300_000
    assert waiting.next(now) is None


def test_a_new_flow_goes_first() -> None:
    waiting = FairQueue(Room())
    for number in range(10):
        waiting.add(large(1, 30_000, number), 0.0)
    room = memoryview(bytearray(70_000))
    for _ in range(2):
        one = waiting.next(0.0)
        assert one is not None
        ends, following = cut(one.packet, one.first, room, QUANTUM)
        waiting.took(ends[-1], following)
    call = datagram(2, 160)
    waiting.add(call, 0.0)
    one = waiting.next(0.0)
    assert one is not None and one.packet == call


def test_what_waits_too_long_loses_a_segment_now_and_then() -> None:
    waiting = FairQueue(Room())
    for number in range(20):
        waiting.add(datagram(1, 1400, number), 0.0)
    assert waiting.next(0.2) is not None
    assert waiting.lost == 0
    assert waiting.next(1.0) is not None
    assert 1 <= waiting.lost < 5
    # where more time is allowed, and the loss before may not have been heard of yet
    patient = FairQueue(Room())
    patient.target = 0.2
    for number in range(20):
        patient.add(datagram(1, 1400, number), 0.0)
    for now in (0.19, 0.25, 1.0):
        assert patient.next(now) is not None
    assert patient.lost == 0
    assert patient.next(1.1) is not None
    assert patient.next(1.8) is not None
    assert patient.lost == 1
    # one that is alone is never too much
    alone = FairQueue(Room())
    alone.add(datagram(1, 100), 0.0)
    assert alone.next(0.0) is not None
    assert alone.next(100.0) is not None
    assert alone.lost == 0
