"""What one connection does when something goes wrong that the other tests cannot bring about."""

import asyncio
import gc
import itertools
import logging
import socket
import threading
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import cast

import pytest

from sstpca.server.config import Config
from sstpca.server.contracts import Account, Lease
from sstpca.server.dataplane.segments import PLAIN
from sstpca.server.dataplane.stream import TlsStream
from sstpca.server.effects import (
    Admit,
    Bind,
    Close,
    Deliver,
    Effect,
    Handshake,
    LookUp,
    Note,
    Up,
)
from sstpca.server.keeper.contract import OwnDirectory, OwnInterfaces, OwnSessions
from sstpca.server.log import LOGGER, TextFormatter
from sstpca.server.net import connection
from sstpca.server.net.admission import Admission
from sstpca.server.net.connection import Connection
from sstpca.server.net.eap_handshake import EapHandshake
from sstpca.server.net.offer import KeyKind, ServerKey
from sstpca.server.net.shared import Shared
from sstpca.server.net.sources import Source, Sources
from sstpca.server.net.tls import Certificate, Presented
from sstpca.server.ppp.effects import Handshaken
from sstpca.server.session import Session
from sstpca.server.sstp.binding import CertificateHashes
from tests.support.waiting import PATIENCE, until

ECHO = bytes.fromhex("1001000800080000")
THERE = bytes.fromhex("1001000800090000")
EMPTY = bytes.fromhex("10000004")


class PlainStream:
    """A TlsStream without the TLS."""

    waiting = 0
    drained = True

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.fileno = sock.fileno
        self.close = sock.close
        self.write = sock.send

    def receive(self, *, large: bool = False) -> bool:
        return True

    def handshake(self) -> bool:
        return True

    def read_all(self, buffer: memoryview, end: int) -> tuple[int, bool]:
        try:
            while count := self._sock.recv_into(buffer[end:]):
                end += count
        except BlockingIOError:
            return end, True
        return end, False

    def flush(self) -> bool:
        return True

    def say_goodbye(self) -> None:
        self._sock.shutdown(socket.SHUT_WR)

    def discard(self) -> bool:
        return bool(self._sock.recv(1))


@pytest.fixture
def wire() -> tuple[TlsStream, socket.socket]:
    near, far = socket.socketpair()
    far.settimeout(PATIENCE)
    near.setblocking(False)
    return cast("TlsStream", PlainStream(near)), far


@pytest.fixture
def logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> pytest.LogCaptureFixture:
    """The server's log."""
    monkeypatch.setattr(LOGGER, "propagate", True)
    caplog.set_level(logging.INFO, "sstpca")
    return caplog


ACCOUNT = Account(1, "alice", True)
LEASE = Lease(1, IPv4Address("10.99.0.10"), IPv4Address("10.99.0.1"))
CERTIFICATE = Certificate(
    {},
    CertificateHashes(bytes(20), bytes(32)),
    ServerKey(KeyKind.RSA, frozenset(), frozenset()),
    b"",
)


def shared() -> Shared:
    config = Config("vpn", (), (Path("none"),), tuple, 1, "sstp", "t", 1400, True)
    return Shared(
        config,
        cast("Presented", None),
        cast("OwnDirectory", None),
        cast("OwnSessions", None),
        cast("OwnInterfaces", None),
    )


def connected(
    common: Shared,
    stream: TlsStream,
    *,
    peer: str = "x",
    source: Source | None = None,
    admitted: Callable[[Connection], None] = lambda _: None,
    ended: Callable[[Connection], None] = lambda _: None,
) -> Connection:
    """A connection that has not begun."""
    return Connection(
        common,
        stream,
        certificate=CERTIFICATE,
        peer=peer,
        source=source or Source(0.0),
        coalesce=True,
        admitted=admitted,
        ended=ended,
    )


def test_a_mistake_of_ours_costs_one_session(
    wire: tuple[TlsStream, socket.socket],
    logged: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    near, far = wire
    ended: list[Connection] = []

    async def run() -> None:
        connection = connected(shared(), near, ended=ended.append)
        connection.start(b"")

        def fail(*_: object) -> None:
            raise ZeroDivisionError("as if")

        monkeypatch.setattr(Session, "receive", fail)
        far.send(ECHO)
        await until(lambda: ended)
        assert ended == [connection]

    with far:
        asyncio.run(run())
        assert far.recv(1) == b""
    assert sum("a mistake in the server" in line for line in logged.messages) == 1
    assert any("ended: the server has a problem" in line for line in logged.messages)


def test_what_cannot_happen_is_a_mistake_of_ours(
    wire: tuple[TlsStream, socket.socket],
    logged: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A session that would be let in without a login is ended, and that is said."""
    near, far = wire
    admitted: list[Connection] = []

    async def run() -> None:
        monkeypatch.setattr(Session, "receive", lambda *_: [Bind()])
        connection = connected(shared(), near, admitted=admitted.append)
        connection.start(ECHO)
        await asyncio.sleep(0.1)

    with far:
        asyncio.run(run())
        assert far.recv(1) == b""
    assert admitted == []
    assert [record.exc_info[0] for record in logged.records if record.exc_info] == [LookupError]
    assert any("ended: the server has a problem" in line for line in logged.messages)


def test_a_stranger_pays_for_the_packet_that_ends_it(
    wire: tuple[TlsStream, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = wire
    paid: list[Source] = []

    async def run() -> None:
        monkeypatch.setattr(Session, "receive", lambda *_: [Close("enough")])
        monkeypatch.setattr(Sources, "charge", lambda _, source, __: paid.append(source))
        source = Source(0.0)
        connection = connected(shared(), near, source=source)
        connection.start(ECHO)
        assert paid == []
        await until(lambda: paid)
        assert paid == [source]
        far.shutdown(socket.SHUT_WR)
        await asyncio.sleep(0.1)

    with far:
        asyncio.run(run())


def test_whom_a_client_claims_to_be_is_no_field_of_the_log(
    wire: tuple[TlsStream, socket.socket],
    logged: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who bans by the address in a line must not be told another one by a name."""
    near, far = wire
    claim = "203.0.113.9:1: login failed for 'alice'"

    async def run() -> None:
        monkeypatch.setattr(Session, "receive", lambda *_: [LookUp(claim), Note("failed", True)])
        monkeypatch.setattr(Connection, "_look_up", lambda *_: asyncio.sleep(0))
        connection = connected(shared(), near, peer="x:1")
        connection.start(b"")
        far.send(ECHO)
        await until(lambda: logged.records)
        connection.drop("enough")

    with far:
        asyncio.run(run())
    lines = [TextFormatter().format(record) for record in logged.records]
    assert any(line.endswith("x:1: failed") for line in lines)
    assert not any(claim in line for line in lines)


def test_a_stranger_cannot_flood_us_with_packets(
    wire: tuple[TlsStream, socket.socket], logged: pytest.LogCaptureFixture
) -> None:
    near, far = wire
    ended: list[Connection] = []

    async def run() -> None:
        connection = connected(shared(), near, ended=ended.append)
        connection.start(EMPTY * 500)
        await asyncio.sleep(0.1)
        assert ended == []
        far.send(EMPTY * 500)
        await until(lambda: ended)
        assert ended == [connection]

    with far:
        asyncio.run(run())
    assert any("too many packets before its login" in line for line in logged.messages)


def test_handshakes_hold_neither_the_loop_nor_each_other(
    wire: tuple[TlsStream, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are made in a thread, and those whose client is gone by then are not made at all."""
    near, far = wire
    asked = Handshake(b"hello")
    made: list[int] = []
    answered: list[Handshaken] = []
    # the first takes as long as ten turns of the loop, the second until its client is gone
    turned, gone = threading.Event(), threading.Event()

    def slow(_: EapHandshake, data: bytes) -> Handshaken:
        made.append(threading.get_ident())
        assert (turned if len(made) == 1 else gone).wait(PATIENCE)
        return Handshaken(data)

    def take(_: Session, answer: Handshaken, _now: float) -> list[Effect]:
        answered.append(answer)
        return []

    async def run() -> None:
        monkeypatch.setattr(Session, "receive", lambda *_: [asked])
        monkeypatch.setattr(Session, "handshaken", take)
        monkeypatch.setattr(EapHandshake, "receive", slow)
        common = shared()
        connection = connected(common, near)
        connection.start(b"")
        far.send(ECHO * 3)
        for _ in range(10):
            await asyncio.sleep(0.01)
        assert answered == []
        turned.set()
        while not answered:
            await asyncio.sleep(0.01)
        connection.drop("enough")
        gone.set()
        while common.tasks:
            await asyncio.sleep(0.01)

    with far:
        asyncio.run(run())
    assert answered == [Handshaken(b"hello")]
    assert len(made) == 2, "the third was asked for in vain"
    assert threading.get_ident() not in made


IP = bytes.fromhex("4500001400000000400000000a63000a0a630001")
CONNECTED, DATA = b"\x10\x00\x00\x05\x01", b"\x10\x00\x00\x1c\xff\x03\x00\x21" + IP


@pytest.mark.parametrize("outcome", ["given", "refused", "gone"])
def test_what_follows_the_binding_waits_for_the_interface(
    wire: tuple[TlsStream, socket.socket], monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    """The client may send packets right behind its Call-Connected; none is lost, or comes through
    before."""
    near, far = wire
    inside, outside = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    outside.setblocking(False)
    heard: list[bytes] = []
    admitted: list[Connection] = []
    ready: list[asyncio.Event] = []

    def receive(_: Session, packet: bytes, _now: float) -> list[Effect]:
        heard.append(packet)
        if packet == CONNECTED:
            return [Admit(ACCOUNT, "test"), Bind()]
        return [Deliver(IP)] if packet == DATA else []

    def bound(session: Session) -> list[Effect]:
        session.up = True
        return [Up(1400)]

    async def promise(admission: Admission, _: Account, **__: str) -> Lease:
        admission.lease = LEASE
        return LEASE

    async def give(admission: Admission) -> str:
        await ready[0].wait()
        if outcome == "refused":
            return "the user was disabled"
        admission.interface.descriptor = inside.fileno()
        return ""

    async def run() -> None:
        ready.append(asyncio.Event())
        connection = connected(shared(), near, admitted=admitted.append)
        connection.start(b"")
        far.send(CONNECTED + DATA)
        await until(lambda: admitted)
        far.send(DATA)
        await asyncio.sleep(0.1)
        assert (heard, admitted) == ([CONNECTED], [connection])
        with pytest.raises(BlockingIOError):
            outside.recv(2000)
        if outcome == "gone":
            connection.drop("enough")
        ready[0].set()
        # the packets of a session that is up go past it
        expected = {"given": [DATA], "refused": [DATA, DATA], "gone": []}[outcome]
        await until(lambda: len(heard) > len(expected))
        await asyncio.sleep(0.1)
        assert heard[1:] == expected
        if outcome == "given":
            # that it is there was heard already; what it asks is worked on
            far.send(THERE)
            await asyncio.sleep(0.1)
            far.send(ECHO)
            await until(lambda: heard[1:] == [*expected, ECHO])
        connection.drop("enough")

    monkeypatch.setattr(Session, "receive", receive)
    monkeypatch.setattr(Session, "bound", bound)
    monkeypatch.setattr(Admission, "promise", promise)
    monkeypatch.setattr(Admission, "give", give)
    monkeypatch.setattr(Admission, "end", lambda *_: None)
    with far, inside, outside:
        asyncio.run(run())
        for _ in range(2 if outcome == "given" else 0):
            assert outside.recv(2000) == PLAIN + IP
        with pytest.raises(BlockingIOError):
            outside.recv(2000)


@pytest.mark.parametrize("end", ["dropped", "closed", "refused"])
def test_what_is_over_leaves_nothing_that_goes_in_circles(
    wire: tuple[TlsStream, socket.socket], monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """It would stay, with TLS's memory and all, until a worker looks for garbage: that is seldom."""
    near, far = wire

    def left() -> bool:
        return any(type(one) is Connection for one in gc.get_objects())

    async def run() -> None:
        common, ended = shared(), asyncio.Event()
        connection = connected(common, near, ended=lambda _: ended.set())
        connection.start(b"")
        assert left()
        if end == "dropped":
            connection.drop("enough")
        elif end == "closed":
            far.shutdown(socket.SHUT_WR)
        else:
            far.send(bytes(4))
        del connection
        await ended.wait()
        await until(lambda: not left())

    gc.collect()
    gc.disable()
    try:
        with far:
            asyncio.run(run())
    finally:
        gc.enable()


def test_a_stranger_pays_for_being_read(
    wire: tuple[TlsStream, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What TLS does for next to no content is no packet, and costs all the same."""
    near, far = wire
    clock = itertools.count(1.0, 0.2)
    monkeypatch.setattr(connection, "thread_time", lambda: next(clock))

    async def run() -> None:
        server, ended = shared(), asyncio.Event()
        source = server.sources.find("192.0.2.1")
        level = server.sources.all.level(server.loop.time())
        stranger = connected(server, near, peer="x:1", source=source, ended=lambda _: ended.set())
        stranger.start(b"")
        far.send(ECHO[:1])
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
        assert server.sources.all.level(server.loop.time()) < level - 0.3

    with far:
        asyncio.run(run())


def test_what_tls_says_of_its_own_goes_out_once_the_socket_takes_it() -> None:
    """The answer to a KeyUpdate is no packet: whoever reads must have the socket watched for it."""
    near, far = socket.socketpair()
    near.setblocking(False)
    flushed = asyncio.Event()

    class Answering(PlainStream):
        def receive(self, *, large: bool = False) -> bool:
            self.waiting = 22
            return True

        def flush(self) -> bool:
            if self.waiting:
                flushed.set()
            self.waiting = 0
            return True

    async def run() -> None:
        server = shared()
        client = connected(
            server,
            cast("TlsStream", Answering(near)),
            peer="x:1",
            source=server.sources.find("192.0.2.1"),
        )
        client.start(b"")
        async with asyncio.timeout(PATIENCE):
            await flushed.wait()
        client.drop("the test is over")

    with far:
        asyncio.run(run())
