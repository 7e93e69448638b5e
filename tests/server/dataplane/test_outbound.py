"""From the TUN to TLS: batches, records of their own, and a client that does not read."""

import socket
from collections.abc import Iterator
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.dataplane.inbound import SCRATCH
from sstpca.server.dataplane.outbound import Outbound
from sstpca.server.dataplane.path import Path
from sstpca.server.dataplane.queue import Room
from sstpca.server.dataplane.segments import PLAIN
from sstpca.server.dataplane.stream import TlsStream


class FakeStream:
    """Remembers each record; :ivar:`waiting` is what the socket does not take."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.waiting = 0
        self.full = False
        self.looked = 0
        self.round_trip = 0.0

    def write(self, data: bytes | memoryview) -> None:
        self.writes.append(bytes(data))
        self.waiting += len(data)

    def write_each(self, view: memoryview, ends: list[int]) -> None:
        for start, end in zip((0, *ends), ends, strict=False):
            self.write(view[start:end])

    def flush(self) -> bool:
        if not self.full:
            self.waiting = 0
        return not self.waiting

    def adapt(self) -> Path:
        self.looked += 1
        return Path(self.round_trip, bandwidth=1)


class Tunnel:
    """A TUN, as far as it can be had without one."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.near.setblocking(False)
        self.fd = self.near.fileno()

    def give(self, *packets: bytes) -> None:
        for packet in packets:
            self.far.send(PLAIN + packet)

    def close(self) -> None:
        self.near.close()
        self.far.close()


@pytest.fixture
def tun() -> Iterator[Tunnel]:
    made = Tunnel()
    yield made
    made.close()


def outbound(stream: FakeStream, *, coalesce: bool = True) -> Outbound:
    return Outbound(
        cast("TlsStream", stream), memoryview(bytearray(SCRATCH)), Room(), coalesce=coalesce
    )


def ipv4(size: int, fill: int = 0) -> bytes:
    """One of a flow: they differ behind what tells flows apart."""
    return (b"\x45" + bytes(31) + bytes([fill]) * size)[:size]


def framed(packet: bytes) -> bytes:
    return b"\x10\x00" + (8 + len(packet)).to_bytes(2) + b"\xff\x03\x00\x21" + packet


def test_what_is_there_is_one_write(tun: Tunnel) -> None:
    tls = FakeStream()
    packets = [ipv4(100 + i, i) for i in range(30)]
    out = outbound(tls)
    tun.give(*packets)
    out.pump(tun.fd, 0.0)
    out.pump(tun.fd, 0.0)
    assert tls.writes == [b"".join(map(framed, packets))]
    assert out.sent == sum(map(len, packets))


def test_a_client_that_needs_it_gets_each_packet_in_a_write_of_its_own(tun: Tunnel) -> None:
    tls = FakeStream()
    packets = [ipv4(40, i) for i in range(5)]
    tun.give(*packets)
    outbound(tls, coalesce=False).pump(tun.fd, 0.0)
    assert tls.writes == [framed(packet) for packet in packets]


def test_what_is_not_ipv4_stays_here(tun: Tunnel) -> None:
    tls = FakeStream()
    tun.give(b"\x60" + bytes(47), ipv4(20))
    outbound(tls).pump(tun.fd, 0.0)
    assert tls.writes == [framed(ipv4(20))]


def test_what_the_socket_does_not_take_waits_and_is_not_encrypted(tun: Tunnel) -> None:
    tls = FakeStream()
    out = outbound(tls)
    packets = [ipv4(1400, i) for i in range(120)]
    tls.full = True
    for start in range(0, 120, 20):
        tun.give(*packets[start : start + 20])
        out.pump(tun.fd, 0.0)
    assert out.queued
    assert len(b"".join(tls.writes)) < 64 * 1408
    tls.full = False
    while out.queued:
        out.flush(0.0)
    assert b"".join(tls.writes) == b"".join(map(framed, packets))


def test_less_is_on_its_way_to_a_socket_that_takes_less(tun: Tunnel) -> None:
    tls = FakeStream()
    out = outbound(tls)
    tls.full = True
    sizes = []
    for _ in range(8):
        tun.give(*(ipv4(1400) for _ in range(60)))
        before = len(b"".join(tls.writes))
        out.pump(tun.fd, 0.0)
        out.flush(0.0)
        sizes.append(len(b"".join(tls.writes)) - before)
        tls.waiting = 0
    assert sizes[0] > 60_000
    assert sizes[-1] < 8_000


def test_the_path_is_looked_at_now_and_then(tun: Tunnel) -> None:
    """On a far one, packets may wait for longer before one of them is lost."""
    lost: list[int] = []
    for round_trip in (0.0, 0.04):
        stream, room = FakeStream(), Room()
        stream.round_trip = round_trip
        out = Outbound(
            cast("TlsStream", stream), memoryview(bytearray(SCRATCH)), room, coalesce=True
        )
        for step in range(12):  # 100 ms each, in which what is there waits
            stream.full, stream.waiting = True, 1
            tun.give(*[ipv4(1400)] * 60)
            out.pump(tun.fd, step / 10)
            stream.full = False
            out.flush(step / 10 + 0.099)
        assert stream.looked == 3
        lost.append(room.lost)
    assert lost[0] > lost[1] == 0


def test_nothing_waits_once_it_is_shut(tun: Tunnel) -> None:
    tls = FakeStream()
    room = Room()
    left = room.left
    out = Outbound(cast("TlsStream", tls), memoryview(bytearray(SCRATCH)), room, coalesce=False)
    tls.full = True
    tun.give(*(ipv4(1400) for _ in range(60)))
    out.pump(tun.fd, 0.0)
    assert room.left < left
    out.shut()
    assert not out.queued
    assert room.left == left


@given(
    sizes=st.lists(st.integers(20, 1400), max_size=80), coalesce=st.booleans(), full=st.booleans()
)
def test_everything_goes_out_in_order(sizes: list[int], coalesce: bool, full: bool) -> None:
    tls = FakeStream()
    tls.full = full
    out = outbound(tls, coalesce=coalesce)
    tun = Tunnel()
    packets = [ipv4(size) for size in sizes]
    tun.give(*packets)
    for _ in range(4):
        out.pump(tun.fd, 0.0)
        tls.full = False
    tun.close()
    out.send(b"control")
    out.let_out()
    assert b"".join(tls.writes) == b"".join(map(framed, packets)) + b"control"
    if not coalesce:
        assert len(tls.writes) == 1 + len(sizes)
    assert tls.waiting == 0
