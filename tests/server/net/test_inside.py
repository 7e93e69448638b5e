"""The inside of a tunnel: what a client asks there is answered there."""

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address
from types import SimpleNamespace
from typing import cast

import pytest

from sstpca.server.contracts import CLOSED, Access, Lease
from sstpca.server.dataplane.inbound import SCRATCH, Inbound
from sstpca.server.dataplane.outbound import Outbound
from sstpca.server.dataplane.queue import Room
from sstpca.server.dataplane.segments import Offload
from sstpca.server.dataplane.stream import TlsStream
from sstpca.server.effects import Up
from sstpca.server.net.inside import Inside
from sstpca.server.net.interface import Interface
from sstpca.server.responders.known import Known
from tests.support.segmentation import Ip, Udp
from tests.support.transparency import VNET, framed, read_all, tunnel

LEASE = Lease(1, IPv4Address("10.99.0.10"), IPv4Address("10.99.0.1"))
ASKING = Udp(Ip(LEASE.address.packed, bytes(4 * (255,))), (68, 67), b"?").encode()
NOISE = Udp(Ip(LEASE.address.packed, bytes((224, 0, 0, 251))), (5353, 5353), b"!").encode()
ANSWER = Udp(Ip(LEASE.local_address.packed, LEASE.address.packed), (67, 68), b"!").encode()


class FakeStream:
    """Keeps what is sent, until the connection is gone."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.gone = False

    def write(self, data: bytes) -> None:
        if self.gone:
            raise ConnectionResetError
        self.sent.append(data)

    def flush(self) -> bool:
        return True


class Fixture:
    """An inside with one responder, and what is around it."""

    def __init__(self, tun: int, far: socket.socket) -> None:
        scratch = memoryview(bytearray(SCRATCH))
        self.stream = FakeStream()
        self.inbound = Inbound(scratch)
        outbound = Outbound(cast("TlsStream", self.stream), scratch, Room(), coalesce=False)
        self.inside = Inside(self.inbound, outbound, (self._respond,))
        self.asked: list[tuple[bytes, Known]] = []
        self._tun = SimpleNamespace(descriptor=tun, offload=Offload.NONE)
        self._far = far

    def open(self, access: Access = CLOSED, mtu: int = 1400) -> None:
        lease = Lease(1, LEASE.address, LEASE.local_address, access=access)
        self.inside.open(cast("Interface", self._tun), lease, Up(mtu), 0.0)

    def passed(self) -> list[bytes]:
        return [message[VNET:] for message in read_all(self._far)]

    def _respond(self, packet: bytes, known: Known) -> list[bytes]:
        self.asked.append((packet, known))
        return [ANSWER]


@pytest.fixture
def made() -> Iterator[Fixture]:
    with tunnel() as (tun, far):
        yield Fixture(tun, far)


def test_what_is_asked_is_answered_and_goes_no_further(made: Fixture) -> None:
    made.open()
    made.inside.answer(0.0)
    assert made.inbound.push(framed(ASKING) + framed(NOISE)) == []
    made.inside.answer(0.0)
    assert made.asked == [(ASKING, Known(LEASE, 1400))]
    made.inside.answer(0.0)
    assert made.stream.sent == [framed(ANSWER)]
    assert made.passed() == []


def test_in_an_unusual_frame_as_well(made: Fixture) -> None:
    made.open()
    made.inside.deliver(ASKING, 0.0)
    made.inside.deliver(NOISE, 0.0)
    assert made.stream.sent == [framed(ANSWER)]
    assert made.passed() == []


def test_where_multicast_passes_it_is_asked_all_the_same(made: Fixture) -> None:
    made.open(Access.MULTICAST)
    assert made.inbound.push(framed(ASKING) + framed(NOISE)) == []
    made.inside.answer(0.0)
    assert made.stream.sent == [framed(ANSWER)]
    assert made.passed() == [NOISE]


def test_nothing_is_answered_when_it_is_shut(made: Fixture) -> None:
    made.inside.deliver(ASKING, 0.0)
    made.open()
    made.inbound.push(framed(ASKING))
    made.inside.shut()
    made.inside.answer(0.0)
    made.inside.deliver(ASKING, 0.0)
    assert not made.stream.sent
    assert not made.asked


def test_who_comes_up_again_is_answered_by_what_holds_then(made: Fixture) -> None:
    made.open()
    made.inside.shut()
    made.open(mtu=1300)
    made.inside.deliver(ASKING, 0.0)
    assert made.asked == [(ASKING, Known(LEASE, 1300))]
    # and not oftener for it
    for _ in range(30):
        made.inside.shut()
        made.open()
        made.inside.deliver(ASKING, 0.0)
    assert len(made.asked) == 20


def test_a_connection_that_is_gone_is_no_mistake(made: Fixture) -> None:
    made.open()
    made.stream.gone = True
    made.inside.deliver(ASKING, 0.0)
    assert len(made.asked) == 1
