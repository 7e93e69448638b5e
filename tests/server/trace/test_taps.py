"""Which connections are tapped, what a tap keeps, and how it gets to whoever wants it."""

import struct
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.contracts import TraceOrder
from sstpca.server.dataplane.inbound import Inbound
from sstpca.server.dataplane.outbound import Outbound
from sstpca.server.trace import pcapng
from sstpca.server.trace.orders import Traced, Tracing
from sstpca.server.trace.records import Direction, Record, decode
from sstpca.server.trace.tap import EARLY, Budget, Tap, Trace

HELLO = bytes.fromhex("100100080008 0000".replace(" ", ""))
PEER = "203.0.113.9:50123"


class End:
    """One direction of a data plane, as far as a tap is concerned."""

    tap: Tap | None = None


class Connection:
    def __init__(self, tracing: Tracing) -> None:
        self.inbound, self.outbound = End(), End()
        ends = cast("Inbound", self.inbound), cast("Outbound", self.outbound)
        self.traced = Traced(tracing, PEER, *ends)

    def say(self, packet: bytes = HELLO) -> None:
        if self.inbound.tap is not None:
            self.inbound.tap.read(memoryview(packet), len(packet))


def order(*, number: int = 1, session: int = 0, user: str = "", octets: int = 10**6) -> TraceOrder:
    return TraceOrder(number, session, user, whole=False, octets=octets)


def packets(tracing: Tracing) -> dict[int, int]:
    """Return how many packets came of each order."""
    return {
        number: sum(one.direction is not Direction.PEER for one in decode(records))
        for number, records in tracing.take()
    }


def test_nobody_is_tapped_unless_somebody_wants_it() -> None:
    connection = Connection(Tracing())
    assert connection.inbound.tap is None
    connection.traced.know("alice")
    connection.traced.look(1)
    assert connection.inbound.tap is connection.outbound.tap is None


def test_the_next_login_from_its_first_packet_on() -> None:
    tracing = Tracing()
    tracing.follow([order(user="alice")])
    alice, bob = Connection(tracing), Connection(tracing)
    for one in (alice, bob):
        one.say()
    assert packets(tracing) == {}
    alice.traced.know("alice")
    bob.traced.know("bob")
    alice.say()
    bob.say()
    assert bob.inbound.tap is None
    assert packets(tracing) == {1: 2}
    alice.traced.end()
    assert alice.inbound.tap is alice.outbound.tap is None


def test_sessions_that_are_there() -> None:
    tracing = Tracing()
    alice, bob = Connection(tracing), Connection(tracing)
    alice.traced.know("alice")
    bob.traced.know("bob")
    tracing.follow([order(user="alice"), order(number=2, session=7)])
    alice.traced.look(6)
    bob.traced.look(7)
    alice.say()
    bob.say()
    bob.say()
    assert packets(tracing) == {1: 1, 2: 2}
    tracing.follow([order(number=2, session=7)])
    alice.traced.look(6)
    bob.traced.look(7)
    assert alice.inbound.tap is None
    assert bob.inbound.tap is not None
    tracing.follow([])
    bob.traced.look(7)
    assert bob.inbound.tap is None


def test_a_trace_ends_with_its_size() -> None:
    tracing = Tracing()
    connection = Connection(tracing)
    tracing.follow([order(session=7, octets=500)])
    connection.traced.look(7)
    for _ in range(100):
        connection.say()
    assert 0 < packets(tracing)[1] < 30
    connection.traced.look(7)
    assert connection.inbound.tap is None
    connection.traced.look(7)
    assert connection.inbound.tap is None


def test_what_strangers_may_have_is_bounded() -> None:
    budget = Budget(100_000)
    taps = [Tap(number, PEER, budget) for number in range(10)]
    big = bytes.fromhex("10000404ff03c021") + bytes.fromhex("09010400") + bytes(1024 - 8)
    for tap in taps:
        for _ in range(100):
            tap.wrote(big)
    assert budget.left >= 0
    trace = Trace(1, 10**7, whole=False)
    taps[0].begin(trace)
    assert 0 < len(trace.take()) <= EARLY
    for tap in taps:
        tap.forget()
    assert budget.left == 100_000


def test_no_more_waits_than_a_beat_can_take() -> None:
    trace = Trace(1, 10**9, whole=True)
    for _ in range(3000):
        trace.add(bytes(1000))
    assert len(trace.take()) <= 1 << 20
    assert not trace.over


@given(st.binary(max_size=300))
def test_records_of_a_worker_that_was_taken_over_harm_nobody(data: bytes) -> None:
    for record in decode(data):
        pcapng.packet(record, PEER)


@given(st.integers(0, 2**32 - 1), st.sampled_from(list(Direction)[:2]), st.binary(max_size=100))
def test_records_arrive(number: int, direction: Direction, data: bytes) -> None:
    record = Record(1796051095.25, number, direction, len(data) + 5, data)
    assert list(decode(record.encode() * 2)) == [record, record]


@pytest.mark.parametrize("peer", [PEER, "[2001:db8::9]:50123", "[fe80::1%eth0]:1", "", "who?"])
def test_a_file_of_blocks(peer: str) -> None:
    """Each has its length at both ends, and a multiple of four."""
    record = Record(1796051095.25, 1, Direction.TO_CLIENT, 100, HELLO)
    file = pcapng.begin("x") + pcapng.packet(record, peer, "a comment")
    kinds, at = [], 0
    while at < len(file):
        kind, size = struct.unpack_from("<II", file, at)
        assert size % 4 == 0
        assert struct.unpack_from("<I", file, at + size - 4) == (size,)
        kinds.append(kind)
        at += size
    assert (kinds, at) == ([0x0A0D0D0A, 1, 6], len(file))
