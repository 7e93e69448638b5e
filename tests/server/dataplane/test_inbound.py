"""From TLS bytes to the TUN: cutting, the source check, and what goes another way."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.dataplane.inbound import SCRATCH, Inbound
from sstpca.server.dataplane.segments import PLAIN, Offload
from sstpca.server.dataplane.stream import TlsStream
from sstpca.server.sstp.wire import WireError

_RECORD = 16384
OURS = bytes([10, 99, 0, 10])
SERVER = bytes([10, 99, 0, 1])
THEIRS = bytes([10, 99, 0, 11])


class FakeStream:
    """Gives the records it was made with, then nothing more.

    :ivar turns: whether each might be a large one.
    """

    def __init__(self, *records: bytes, alive: bool = True) -> None:
        self._records = list(records)
        self._alive = alive
        self.turns: list[bool] = []

    def receive(self, *, large: bool = False) -> bool:
        self.turns.append(large)
        return True

    def read_all(self, buffer: memoryview, end: int) -> tuple[int, bool]:
        for record in self._records:
            assert end + len(record) <= len(buffer), (
                "a record has to fit, or TLS keeps a part of it"
            )
            buffer[end : end + len(record)] = record
            end += len(record)
        self._records.clear()
        return end, self._alive


def fake(*records: bytes, alive: bool = True) -> TlsStream:
    return cast("TlsStream", FakeStream(*records, alive=alive))


def ipv4(source: bytes = OURS, size: int = 20, mark: int = 0) -> bytes:
    """An IPv4 packet of ``size`` bytes, its header as far as the server looks at it."""
    head = struct.pack("!BBHHHBBH", 0x45, 0, size, mark, 0, 64, 17, 0) + source + bytes(4)
    return head + bytes(size - len(head))


def data(packet: bytes, head: bytes = b"\xff\x03\x00\x21") -> bytes:
    return struct.pack("!HH", 0x1000, 4 + len(head) + len(packet)) + head + packet


CONTROL = bytes.fromhex("1001000800080000")


def opened(inbound: Inbound, tun: int, *, multicast: bool = False) -> None:
    inbound.open(tun, OURS, Offload.NONE, server=SERVER, multicast=multicast)


@contextmanager
def tunnel() -> Iterator[tuple[int, socket.socket]]:
    """A descriptor that keeps packets apart like a TUN, and its far end."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far:
        near.setblocking(False)
        far.setblocking(False)
        yield near.fileno(), far


def received(far: socket.socket) -> list[bytes]:
    """What has come, each with a header that says nothing."""
    packets = []
    try:
        while packet := far.recv(66000):
            assert packet[: len(PLAIN)] == PLAIN
            packets.append(packet[len(PLAIN) :])
    except BlockingIOError:
        pass
    return packets


def test_packets_go_to_the_tun_and_the_rest_comes_back() -> None:
    inbound = Inbound(memoryview(bytearray(SCRATCH)))
    other = data(b"\x01\x01\x00\x04", b"\xff\x03\xc0\x21")
    with tunnel() as (tun, far):
        opened(inbound, tun)
        stream = data(ipv4(mark=1)) + CONTROL + other + data(ipv4(size=1400, mark=2))
        assert inbound.read(fake(stream)) == ([CONTROL, other], True)
        assert received(far) == [ipv4(mark=1), ipv4(size=1400, mark=2)]
    assert inbound.received == 1420


def test_nothing_passes_before_the_session_is_open_or_after() -> None:
    inbound = Inbound(memoryview(bytearray(SCRATCH)))
    packet = data(ipv4())
    assert inbound.read(fake(packet)) == ([packet], True)
    with tunnel() as (tun, far):
        opened(inbound, tun)
        inbound.shut()
        assert inbound.read(fake(packet)) == ([packet], True)
        inbound.deliver(ipv4())
        assert received(far) == []
    assert inbound.received == 0


def test_another_source_address_is_dropped() -> None:
    inbound = Inbound(memoryview(bytearray(SCRATCH)))
    with tunnel() as (tun, far):
        opened(inbound, tun)
        assert inbound.read(fake(data(ipv4(THEIRS)) + data(ipv4()))) == ([], True)
        inbound.deliver(ipv4(THEIRS))
        inbound.deliver(b"\x45")
        inbound.deliver(ipv4(mark=3))
        assert received(far) == [ipv4(), ipv4(mark=3)]
    assert inbound.received == len(ipv4()) + len(ipv4(mark=3))


def test_a_full_interface_loses_packets_and_nothing_else() -> None:
    inbound = Inbound(memoryview(bytearray(SCRATCH)))
    with tunnel() as (tun, far):
        opened(inbound, tun)
        packet, count = ipv4(size=1400), 0
        while inbound.received == count * len(packet):
            count += 1
            assert inbound.read(fake(data(packet))) == ([], True)
            assert count < 100_000
        assert received(far) == [packet] * (count - 1)


def test_of_a_session_more_is_read_in_one_turn_than_of_a_stranger() -> None:
    ours, theirs = os.pipe2(os.O_NONBLOCK)
    inbound, stream = Inbound(memoryview(bytearray(SCRATCH))), FakeStream()
    for tun in (-1, theirs):
        opened(inbound, tun)
        inbound.read(cast("TlsStream", stream))
    os.close(ours)
    os.close(theirs)
    assert stream.turns == [False, True]


def test_what_came_before_the_end_still_counts() -> None:
    assert Inbound(memoryview(bytearray(SCRATCH))).read(fake(CONTROL, alive=False)) == (
        [CONTROL],
        False,
    )


@pytest.mark.parametrize("junk", ["20010008", "10000003", "10010000", "474554202f"])
def test_what_is_no_sstp_packet_ends_the_stream(junk: str) -> None:
    with pytest.raises(WireError):
        Inbound(memoryview(bytearray(SCRATCH))).read(fake(bytes.fromhex(junk)))


def test_reserved_bits_are_ignored() -> None:
    inbound = Inbound(memoryview(bytearray(SCRATCH)))
    packet = bytes.fromhex("10ff f008 0008 0000")
    assert inbound.read(fake(packet)) == ([packet], True)


packets = st.one_of(
    st.builds(lambda n, m: data(ipv4(OURS, n, m)), st.integers(20, 1600), st.integers(0, 65535)),
    st.builds(lambda n: data(ipv4(THEIRS, n)), st.integers(20, 60)),
    st.builds(lambda body: data(body, b""), st.binary(max_size=40)),
    st.just(CONTROL),
)


@given(st.lists(packets, max_size=20), st.data())
def test_any_cut_of_the_stream_gives_the_same(sent: list[bytes], draw: st.DataObject) -> None:
    stream = b"".join(sent)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    inbound = Inbound(memoryview(bytearray(SCRATCH)))
    others: list[bytes] = []
    with tunnel() as (tun, far):
        opened(inbound, tun)
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            pieces = [stream[i : min(i + _RECORD, end)] for i in range(start, end, _RECORD)]
            more, alive = inbound.read(fake(*pieces))
            assert alive
            others += more
        passed = received(far)
    usual = [p for p in sent if p[1] == 0 and p[4:8] == b"\xff\x03\x00\x21" and len(p) >= 28]
    assert passed == [p[8:] for p in usual if p[20:24] == OURS]
    assert others == [p for p in sent if p not in usual]


@given(st.binary(max_size=200))
def test_garbage_raises_only_wire_errors(junk: bytes) -> None:
    inbound = Inbound(memoryview(bytearray(SCRATCH)))
    with tunnel() as (tun, far):
        opened(inbound, tun)
        with suppress(WireError):
            inbound.push(junk)
        assert all(packet[12:16] == OURS for packet in received(far))


def test_ipv6_does_not_pass_as_ipv4() -> None:
    # the TUN takes both, and what the check of the source looks at is half of an IPv6 address
    packet = b"\x60" + ipv4()[1:] + bytes(20)
    inbound = Inbound(memoryview(bytearray(SCRATCH)))
    with tunnel() as (tun, far):
        opened(inbound, tun)
        assert inbound.read(fake(data(packet))) == ([], True)
        inbound.deliver(packet)
        assert received(far) == []
    assert inbound.received == 0
