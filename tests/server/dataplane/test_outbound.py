"""From the TUN to TLS: batches, records of their own, and a client that does not read."""

import socket
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.dataplane.inbound import SCRATCH
from sstpca.server.dataplane.outbound import BATCH, Outbound
from sstpca.server.dataplane.stream import TlsStream


class FakeStream:
    """Remembers each record."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.flushed = 0

    def write(self, data: bytes | memoryview) -> None:
        self.writes.append(bytes(data))

    def flush(self) -> bool:
        self.flushed = len(self.writes)
        return True


def outbound(stream: FakeStream, *, coalesce: bool = True) -> Outbound:
    return Outbound(cast("TlsStream", stream), bytearray(SCRATCH), coalesce=coalesce)


@pytest.fixture
def tun() -> tuple[socket.socket, socket.socket]:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    near.setblocking(False)
    return near, far


def ipv4(size: int, fill: int = 0) -> bytes:
    return b"\x45" + bytes([fill]) * (size - 1)


def framed(packet: bytes) -> bytes:
    return b"\x10\x00" + (8 + len(packet)).to_bytes(2) + b"\xff\x03\x00\x21" + packet


def test_a_batch_is_one_write(tun: tuple[socket.socket, socket.socket]) -> None:
    near, far = tun
    tls = FakeStream()
    packets = [ipv4(100 + i, i) for i in range(BATCH + 1)]
    out = outbound(tls)
    with near, far:
        for packet in packets:
            far.send(packet)
        out.pump(near.fileno(), 1400)
        assert tls.writes == [b"".join(map(framed, packets[:BATCH]))]
        out.pump(near.fileno(), 1400)
        assert tls.writes[1:] == [framed(packets[BATCH])]
        out.pump(near.fileno(), 1400)
        assert len(tls.writes) == 2
    assert out.sent == sum(map(len, packets))


def test_a_client_that_needs_it_gets_each_packet_in_a_write_of_its_own(
    tun: tuple[socket.socket, socket.socket],
) -> None:
    near, far = tun
    tls = FakeStream()
    packets = [ipv4(40, i) for i in range(5)]
    with near, far:
        for packet in packets:
            far.send(packet)
        outbound(tls, coalesce=False).pump(near.fileno(), 1400)
    assert tls.writes == [framed(packet) for packet in packets]


def test_what_is_not_ipv4_stays_here(tun: tuple[socket.socket, socket.socket]) -> None:
    near, far = tun
    tls = FakeStream()
    with near, far:
        far.send(b"\x60" + bytes(47))
        far.send(ipv4(20))
        outbound(tls).pump(near.fileno(), 1400)
    assert tls.writes == [framed(ipv4(20))]


@given(sizes=st.lists(st.integers(20, 1400), max_size=12), coalesce=st.booleans())
def test_everything_goes_out_in_order(sizes: list[int], coalesce: bool) -> None:
    tls = FakeStream()
    out = outbound(tls, coalesce=coalesce)
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far:
        near.setblocking(False)
        packets = [ipv4(size, i) for i, size in enumerate(sizes)]
        for packet in packets:
            far.send(packet)
        out.pump(near.fileno(), 1400)
    out.send(b"control")
    assert b"".join(tls.writes) == b"".join(map(framed, packets)) + b"control"
    assert len(tls.writes) == 1 + (bool(sizes) if coalesce else len(sizes))
    assert tls.flushed == len(tls.writes)
