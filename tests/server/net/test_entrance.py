"""From a socket to a request: what one stranger costs, and what it is told."""

import asyncio
import contextlib
import gc
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sstpca.home import Home
from sstpca.server.dataplane.stream import TlsStream
from sstpca.server.log import LOGGER
from sstpca.server.metrics.tally import Tally
from sstpca.server.net import entrance
from sstpca.server.net.entrance import Entrance
from sstpca.server.net.handshakes import Handshakes
from sstpca.server.net.sources import Sources
from sstpca.server.net.strangers import Progress
from sstpca.server.sstp.preamble import Preamble
from tests.support import waiting
from tests.support.door import Door, enter
from tests.support.handshake import Near, certificates_of, client_hello
from tests.support.hello import FFDHE8192, expensive
from tests.support.records import connect

REQUEST = (
    b"SSTP_DUPLEX_POST /sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/ HTTP/1.1\r\nHost: x\r\n\r\n"
)


@pytest.fixture
def logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.LogCaptureFixture]:
    monkeypatch.setattr(LOGGER, "propagate", True)
    caplog.set_level(logging.INFO, "sstpca")
    yield caplog


async def is_served(door: Door, home: Home) -> None:
    """Have a client make its request, and be taken over."""

    def client() -> None:
        context = ssl.create_default_context(cafile=str(home.ca_certificate))
        with context.wrap_socket(door.far, server_hostname="vpn.example.com") as tls:
            tls.sendall(REQUEST)
            assert tls.recv(100).startswith(b"HTTP/1.1 200")

    thread = threading.Thread(target=client)
    thread.start()
    await door.until(lambda: door.accepted)
    thread.join()
    assert door.gone == [""]


def test_a_request_comes_through_and_handshakes_are_made_elsewhere(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[int] = set()
    real = TlsStream.handshake

    def handshake(stream: TlsStream) -> bool:
        threads.add(threading.get_ident())
        return real(stream)

    monkeypatch.setattr(TlsStream, "handshake", handshake)

    async def story(door: Door) -> None:
        await is_served(door, home)
        assert door.entrance.progress is Progress.SECURE

    enter(home, story)
    assert threads
    assert threading.get_ident() not in threads


def test_who_asks_for_an_expensive_key_exchange_costs_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("OpenSSL is not to see it")

    monkeypatch.setattr(TlsStream, "__init__", never)

    async def story(door: Door) -> None:
        door.far.sendall(expensive(FFDHE8192, 1024))
        await door.until(lambda: door.gone)
        assert door.far.recv(100) == bytes.fromhex("15030300020228")
        assert door.gone == [
            "TLS: no group that we exchange keys in: the client offers ffdhe8192; it needs P-256"
        ]

    enter(home, story)


def test_who_has_hung_up_gets_no_handshake(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """D(HE)at: a ClientHello, and away."""

    def never(*_: object) -> bool:
        raise AssertionError("nobody waits for this")

    monkeypatch.setattr(TlsStream, "handshake", never)

    async def story(door: Door) -> None:
        door.far.sendall(client_hello(ssl.create_default_context()))
        door.far.close()
        await door.until(lambda: door.gone)
        assert door.gone == ["closed before a request"]

    enter(home, story)


def test_nothing_of_tls_is_made_for_who_says_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("not before the ClientHello is whole")

    monkeypatch.setattr(TlsStream, "__init__", never)

    async def story(door: Door) -> None:
        door.far.sendall(client_hello(ssl.create_default_context())[:-1])
        await asyncio.sleep(0.1)
        assert door.entrance.progress is Progress.SILENT
        assert door.gone == []
        door.entrance.drop("enough")
        assert door.far.recv(1) == b""

    enter(home, story)


def test_a_handshake_that_fails_tells_the_client_why(home: Home) -> None:
    async def story(door: Door) -> None:
        context = ssl.create_default_context()
        context.set_ciphers("DHE+AESGCM")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ecdh_curve("X25519")
        door.far.sendall(client_hello(context))
        await door.until(lambda: door.gone)
        assert door.far.recv(100)[:1] == b"\x15"

    enter(home, story)


def test_it_can_be_dropped_at_any_time(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while its handshake is made."""
    begun, go_on = threading.Event(), threading.Event()

    def handshake(_: TlsStream) -> bool:
        begun.set()
        go_on.wait(waiting.PATIENCE)
        return True

    monkeypatch.setattr(TlsStream, "handshake", handshake)

    async def story(door: Door) -> None:
        door.far.sendall(client_hello(ssl.create_default_context()))
        await door.until(begun.is_set)
        assert door.entrance.progress is Progress.GREETED
        door.entrance.drop("enough")
        assert door.gone == ["enough"]
        go_on.set()
        await asyncio.sleep(0.05)
        assert door.gone == ["enough"]

    enter(home, story)


def test_a_mistake_of_ours_costs_one_stranger(
    home: Home, logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("as if")

    monkeypatch.setattr(Preamble, "feed", fail)
    monkeypatch.setattr(TlsStream, "handshake", lambda _: True)
    monkeypatch.setattr(TlsStream, "read", lambda *_: 1)

    async def story(door: Door) -> None:
        door.far.sendall(client_hello(ssl.create_default_context()))
        await door.until(lambda: door.gone)
        assert door.gone == ["the server has a problem"]

    enter(home, story)
    assert sum("a mistake in the server" in line for line in logged.messages) == 1


def without_a_suite() -> ssl.SSLContext:
    """A client that shares no cipher suite with the server."""
    context = ssl.create_default_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA256")
    return context


LETTERS = [bytes([letter]) for letter in REQUEST]


@pytest.mark.parametrize(
    ("said", "then"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(client_hello(ssl.create_default_context())[:50], [], id="half-a-hello"),
        pytest.param(client_hello(ssl.create_default_context()), [], id="a-hello-alone"),
        pytest.param(None, [], id="no-request"),
        pytest.param(None, LETTERS[:-4], id="a-request-letter-by-letter"),
    ],
)
def test_who_makes_us_wait_is_dropped_at_each_stage(
    home: Home,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: bytes | None,
    then: list[bytes],
) -> None:
    """Slow-loris: however little by little something comes, the time is for all of it."""
    monkeypatch.setattr(entrance, "PATIENCE", 0.3)

    async def story(door: Door) -> None:
        if said is not None:
            door.far.sendall(said)
            await door.until(lambda: door.gone)
            return
        with contextlib.suppress(OSError):  # on a slow machine even the handshake is too late
            tls, writer = await asyncio.to_thread(connect, door.far, tmp_path / "keys")
            with socket.socket(fileno=tls.detach()) as plain:
                for letter in then:
                    plain.send(writer.content(letter))
                    await asyncio.sleep(0.01)
                await door.until(lambda: door.gone)
        await door.until(lambda: door.gone)

    async def told(door: Door) -> None:
        await story(door)
        assert door.gone == ["no request in time"]

    enter(home, told)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("flight", [1, 2])
def test_a_handshake_byte_by_byte(
    home: Home, monkeypatch: pytest.MonkeyPatch, flight: int, version: ssl.TLSVersion
) -> None:
    """Slow-loris in TLS: the ClientHello, or what answers the server's first words."""
    # the second comes after most of a handshake, which a slow machine is not to be late with
    monkeypatch.setattr(entrance, "PATIENCE", 0.5 if flight == 1 else 2.0)
    context = ssl.create_default_context(cafile=str(home.ca_certificate))
    context.minimum_version = context.maximum_version = version

    async def story(door: Door) -> None:
        near = Near(context)
        said = near.said()
        if flight == 2:
            door.far.sendall(said)
            door.far.settimeout(waiting.PATIENCE)
            while not (said := near.said()):
                heard = await asyncio.to_thread(door.far.recv, 65536)
                assert heard
                near.hears(heard)
        assert len(said) > 50
        with contextlib.suppress(OSError):
            for byte in said[:-1]:
                if door.gone:
                    break
                door.far.send(bytes([byte]))
                await asyncio.sleep(0.02)
        await door.until(lambda: door.gone)
        assert door.gone == ["no request in time"]

    enter(home, story)


def test_the_time_in_line_for_a_handshake_is_ours(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An office that comes back in one moment is not sent away for that."""
    monkeypatch.setattr(entrance, "PATIENCE", 1.5)
    real = TlsStream.handshake

    def slowly(stream: TlsStream) -> bool:
        time.sleep(2.0)
        return real(stream)

    monkeypatch.setattr(TlsStream, "handshake", slowly)

    async def story(door: Door) -> None:
        await is_served(door, home)

    enter(home, story)


def test_but_not_for_ever(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """[MS-SSTP] 3.2.2.1: after 60 s the client has given up."""
    monkeypatch.setattr(entrance, "TURN", 0.2)

    async def story(door: Door) -> None:
        loop = asyncio.get_running_loop()
        door.sources.all.take(100.0, loop.time())  # nobody's turn comes
        door.far.sendall(client_hello(ssl.create_default_context()))
        await door.until(lambda: door.gone)
        assert door.gone == ["no turn for its handshake in time"]

    enter(home, story)


def test_who_makes_tls_work_before_the_request_is_dropped(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A letter of the header, and KeyUpdates; its source has paid for them."""
    monkeypatch.setattr(entrance, "COST", 0.0005)
    charged: list[float] = []
    monkeypatch.setattr(Handshakes, "charge", lambda _, __, seconds: charged.append(seconds))

    async def story(door: Door) -> None:
        door.far.settimeout(waiting.PATIENCE)
        tls, writer = await asyncio.to_thread(connect, door.far, tmp_path / "keys")
        with tls, socket.socket(fileno=tls.detach()) as plain:
            plain.settimeout(waiting.PATIENCE)
            for letter in b"GET / HTTP/1.1":
                updates = b"".join(writer.update() for _ in range(9))
                with contextlib.suppress(OSError):
                    plain.sendall(updates + writer.content(bytes([letter])))
                await asyncio.sleep(0.01)
            await door.until(lambda: door.gone)
        assert door.gone == ["too much work before a request"]
        assert sum(charged) > entrance.COST

    enter(home, story)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no-tls"),
        pytest.param(expensive(FFDHE8192, 1024), id="expensive"),
        pytest.param(client_hello(ssl.create_default_context()), id="hello"),
        pytest.param(client_hello(without_a_suite()), id="no-suite"),
    ],
)
def test_who_comes_and_goes_leaves_nothing_that_goes_in_circles(home: Home, said: bytes) -> None:
    """Garbage that has to be looked for costs everybody time: a worker seldom looks."""
    certificates = certificates_of(home.server_identity)

    async def visit(count: int) -> int:
        loop = asyncio.get_running_loop()
        sources = Sources(loop.time)
        handshakes = Handshakes(loop, sources)
        gone: list[str] = []
        for _ in range(count):
            near, far = socket.socketpair()
            near.setblocking(False)
            stranger = Entrance(
                near,
                certificates=certificates,
                source=sources.find("192.0.2.1"),
                handshakes=handshakes,
                tally=Tally(),
                accepted=lambda stream, *_: stream.close(),
                gone=lambda _, reason: gone.append(reason),
            )
            far.sendall(said)
            await asyncio.sleep(0.005)  # a step of the handshake is made, if there is one
            if not said:
                stranger.drop("too many")
            far.close()
        async with asyncio.timeout(waiting.PATIENCE):
            while len(gone) < count:
                await asyncio.sleep(0.01)
        return gc.collect()

    gc.collect()
    gc.disable()
    try:
        asyncio.run(visit(5))  # what is made once
        assert asyncio.run(visit(50)) < 50
    finally:
        gc.enable()
