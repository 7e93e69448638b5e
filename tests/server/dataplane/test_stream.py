"""TLS through memory: what a real TLS client sends and gets, and what it cannot do to us."""

import contextlib
import random
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sstpca.home import Home
from sstpca.server.dataplane.stream import PLAINTEXT, TlsStream
from sstpca.server.net.hello import Group
from sstpca.server.net.tls import explained
from tests.support.handshake import certificate_of


@pytest.fixture
def pair(home: Home) -> Iterator[tuple[TlsStream, ssl.SSLSocket]]:
    """A stream and a client of it, with the handshake done."""
    near, far = socket.socketpair()
    near.setblocking(False)
    stream = TlsStream(near, certificate_of(home.server_identity).contexts[Group.X25519])
    far.settimeout(5.0)
    wrapped: list[ssl.SSLSocket] = []
    context = ssl.create_default_context(cafile=str(home.ca_certificate))
    client = threading.Thread(
        target=lambda: wrapped.append(context.wrap_socket(far, server_hostname="vpn.example.com"))
    )
    client.start()
    while not stream.handshake():
        stream.flush()
        assert stream.receive()
    stream.flush()
    client.join()
    wrapped[0].settimeout(5.0)
    with wrapped[0]:
        yield stream, wrapped[0]
    stream.close()


def everything(stream: TlsStream, size: int) -> bytes:
    """Read until ``size`` bytes of content have come."""
    buffer, found = memoryview(bytearray(PLAINTEXT)), b""
    while len(found) < size:
        assert stream.receive()
        while count := stream.read(buffer):
            found += buffer[:count]
    return found


def test_content_comes_as_it_was_sent(pair: tuple[TlsStream, ssl.SSLSocket]) -> None:
    stream, client = pair
    content = random.Random(1).randbytes(300_000)
    sender = threading.Thread(target=client.sendall, args=(content,))
    sender.start()
    assert everything(stream, len(content)) == content
    sender.join()


def test_a_client_that_does_not_read_gets_everything_later(
    pair: tuple[TlsStream, ssl.SSLSocket],
) -> None:
    stream, client = pair
    chunks = [random.Random(i).randbytes(10_000) for i in range(100)]
    scratch = bytearray(10_000)
    for chunk in chunks:
        scratch[:] = chunk
        stream.write(memoryview(scratch))
        stream.flush()
    assert not stream.flush()
    assert 0 < stream.waiting < 1_100_000
    found = b""
    while len(found) < 1_000_000:
        found += client.recv(65536)
        stream.flush()
    assert found == b"".join(chunks)
    assert stream.flush()
    assert stream.waiting == 0


def test_a_client_that_does_not_wait_for_an_answer_has_ended_it(
    pair: tuple[TlsStream, ssl.SSLSocket],
) -> None:
    # as after a KeyUpdate and a reset: there is something to answer, and nobody who hears it
    stream, client = pair
    client.sendall(b"last word")
    assert stream.receive()
    stream.write(b"an answer")
    client.close()
    buffer = memoryview(bytearray(PLAINTEXT))
    assert stream.read_all(buffer, 0) == (9, False)


def test_each_write_is_a_record(pair: tuple[TlsStream, ssl.SSLSocket]) -> None:
    stream, client = pair
    for content in (b"one", b"two"):
        stream.write(content)
    stream.flush()
    assert [client.recv(100), client.recv(100)] == [b"one", b"two"]


def test_the_client_ends_tls(pair: tuple[TlsStream, ssl.SSLSocket]) -> None:
    stream, client = pair
    client.sendall(b"bye")
    with contextlib.suppress(TimeoutError, ssl.SSLError):
        client.settimeout(0.1)
        client.unwrap()
    buffer = memoryview(bytearray(PLAINTEXT))
    assert stream.receive()
    assert (stream.read(buffer), stream.read(buffer)) == (3, 0)


def test_we_end_tls(pair: tuple[TlsStream, ssl.SSLSocket]) -> None:
    stream, client = pair
    stream.write(b"bye")
    stream.say_goodbye()
    assert (client.recv(10), client.recv(10)) == (b"bye", b"")
    assert stream.discard()


def test_the_client_goes(pair: tuple[TlsStream, ssl.SSLSocket]) -> None:
    stream, client = pair
    client.shutdown(socket.SHUT_RDWR)
    assert not stream.receive()


def test_tls_without_content_is_not_for_ever(home: Home) -> None:
    near, far = socket.socketpair()
    near.setblocking(False)
    stream = TlsStream(near, certificate_of(home.server_identity).contexts[Group.X25519])
    record = bytes.fromhex("160301") + (16384).to_bytes(2) + bytes(16384)
    with far, contextlib.closing(stream):
        far.setblocking(False)
        with pytest.raises(ConnectionAbortedError, match="without content"):
            for _ in range(20):
                far.send(record[:20_000])
                stream.receive()


def test_a_turn_has_its_bounds(pair: tuple[TlsStream, ssl.SSLSocket]) -> None:
    stream, client = pair
    sender = threading.Thread(target=client.sendall, args=(bytes(1_000_000),))
    sender.start()
    buffer, total = memoryview(bytearray(PLAINTEXT)), 0
    while total < 1_000_000:
        assert stream.receive()
        turn = 0
        while count := stream.read(buffer):
            turn += count
        assert turn <= PLAINTEXT
        total += turn
    sender.join()


def test_a_handshake_that_fails_tells_the_client_why(home: Home, tmp_path: Path) -> None:
    near, far = socket.socketpair()
    near.setblocking(False)
    stream = TlsStream(near, certificate_of(home.server_identity).contexts[Group.X25519])
    with far, contextlib.closing(stream):
        far.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert stream.receive()
        with pytest.raises(ssl.SSLError) as failed:
            stream.handshake()
        assert explained(failed.value) == "the client speaks HTTP without TLS"
