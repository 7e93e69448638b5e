"""TLS through memory: what a real TLS client sends and gets, and what it cannot do to us."""

import contextlib
import fcntl
import random
import socket
import ssl
import struct
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from OpenSSL import SSL

from sstpca.home import Home
from sstpca.server.dataplane.stream import PLAINTEXT, TlsStream
from sstpca.server.net.hello import Group
from sstpca.server.net.tls import explained
from tests.support.handshake import certificate_of
from tests.support.records import UPDATE_BOTH, Writer, connect
from tests.support.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.usefixtures("each_tls")


@pytest.fixture
def pair(home: Home, each_tls: None) -> Iterator[tuple[TlsStream, ssl.SSLSocket]]:
    """A stream and a client of it, with the handshake done."""
    near, far = socket.socketpair()
    near.setblocking(False)
    stream = TlsStream(near, certificate_of(home.server_identity).contexts[Group.X25519].begin())
    far.settimeout(PATIENCE)
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
    wrapped[0].settimeout(PATIENCE)
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


@pytest.fixture
def updater(
    home: Home, tmp_path: Path, each_tls: None
) -> Iterator[tuple[TlsStream, socket.socket, Writer]]:
    """A stream and a client of TLS 1.3 that makes its own records, with the handshake done."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.settimeout(PATIENCE)
    stream = TlsStream(near, certificate_of(home.server_identity).contexts[Group.X25519].begin())
    found: list[tuple[ssl.SSLSocket, Writer]] = []
    client = threading.Thread(target=lambda: found.append(connect(far, tmp_path / "keys")))
    client.start()
    while not stream.handshake():
        stream.flush()
        stream.receive()
    stream.flush()
    client.join()
    [(tls, writer)] = found
    with tls, socket.socket(fileno=tls.detach()) as plain:
        plain.settimeout(PATIENCE)
        yield stream, plain, writer
    stream.close()


def offer(stream: TlsStream, plain: socket.socket, data: bytes) -> tuple[int, int]:
    """Send ``data``, and read as long as the stream takes it.

    :returns: how much content came, and how much ciphertext was not read.
    """
    sender = threading.Thread(target=plain.sendall, args=(data,))
    sender.start()
    buffer, content, read = memoryview(bytearray(PLAINTEXT)), 0, 0
    with contextlib.suppress(ConnectionAbortedError):
        while read < len(data):
            before = stream._barren
            assert stream.receive()
            read += stream._barren - before
            content += stream.read_all(buffer, 0)[0]
    left = len(data) - read
    stream._sock.settimeout(PATIENCE)
    while left:
        left -= len(stream._sock.recv(left))
    sender.join()
    return content, len(data) - read


def test_a_flood_of_key_updates_ends(
    updater: tuple[TlsStream, socket.socket, Writer],
) -> None:
    """RFC 8446 4.6.3: 27 bytes that cost as much as thousands of content."""
    stream, plain, writer = updater
    flood = b"".join(writer.update() for _ in range(10_000))
    content, left = offer(stream, plain, flood)
    assert content == 0
    assert left > len(flood) - 70_000


def test_and_with_a_little_content_as_well(
    updater: tuple[TlsStream, socket.socket, Writer],
) -> None:
    stream, plain, writer = updater
    some: list[bytes] = []
    for _ in range(300):
        some += [writer.update() for _ in range(40)]
        some.append(writer.content(b"x"))
    flood = b"".join(some)
    content, left = offer(stream, plain, flood)
    assert content < 100
    assert left > len(flood) // 2


def test_keys_may_be_updated(updater: tuple[TlsStream, socket.socket, Writer]) -> None:
    """As OpenSSL does by itself after some millions of records, and others each hour."""
    stream, plain, writer = updater
    some = b"".join(writer.update(UPDATE_BOTH) + writer.content(bytes(200)) for _ in range(100))
    assert offer(stream, plain, some) == (20_000, 0)


def test_small_packets_are_content(updater: tuple[TlsStream, socket.socket, Writer]) -> None:
    stream, plain, writer = updater
    acknowledgements = b"".join(writer.content(bytes(48)) for _ in range(3000))
    assert offer(stream, plain, acknowledgements) == (144_000, 0)


def test_who_only_answers_keepalives_may_do_so_for_ever(
    updater: tuple[TlsStream, socket.socket, Writer],
) -> None:
    stream, plain, writer = updater
    buffer = memoryview(bytearray(PLAINTEXT))
    for _ in range(2000):
        plain.sendall(writer.content(bytes(8)))
        assert stream.receive()
        assert stream.read_all(buffer, 0) == (8, True)


def test_a_record_may_come_byte_by_byte(
    updater: tuple[TlsStream, socket.socket, Writer],
) -> None:
    stream, plain, writer = updater
    buffer, content = memoryview(bytearray(PLAINTEXT)), 0
    for _ in range(5):
        record = writer.content(bytes(16384))
        for at in range(0, len(record), 100):
            plain.sendall(record[at : at + 100])
            assert stream.receive()
            content += stream.read_all(buffer, 0)[0]
    assert content == 5 * 16384


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
    stream = TlsStream(near, certificate_of(home.server_identity).contexts[Group.X25519].begin())
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


def test_a_session_that_brings_a_lot_has_larger_turns(
    pair: tuple[TlsStream, ssl.SSLSocket],
) -> None:
    stream, client = pair
    for side in (stream._sock, client):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    sender = threading.Thread(target=client.sendall, args=(bytes(2_000_000),))
    sender.start()
    buffer = memoryview(bytearray(PLAINTEXT))
    turns: list[int] = []

    def enough() -> bool:
        """Whether there is a turn's worth, or all that there will be."""
        there = fcntl.ioctl(stream.fileno(), termios.FIONREAD, struct.pack("i", 0))
        return struct.unpack("i", there)[0] > 80_000 or not sender.is_alive()

    while sum(turns) < 2_000_000:
        wait_for(enough, "a turn's worth")
        assert stream.receive(large=True)
        end, alive = stream.read_all(buffer, 0)
        assert alive and end <= PLAINTEXT
        turns.append(end)
    sender.join()
    assert turns[0] <= 65536 < max(turns)


def test_a_handshake_that_fails_tells_the_client_why(home: Home, tmp_path: Path) -> None:
    near, far = socket.socketpair()
    near.setblocking(False)
    stream = TlsStream(near, certificate_of(home.server_identity).contexts[Group.X25519].begin())
    with far, contextlib.closing(stream):
        far.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert stream.receive()
        with pytest.raises(ssl.SSLError) as failed:
            stream.handshake()
        assert explained(failed.value) == "the client speaks HTTP without TLS"


def test_a_client_may_not_negotiate_anew(home: Home) -> None:
    """Each handshake would cost us what the first one did; the client is told no, and may go on."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.settimeout(PATIENCE)
    stream = TlsStream(near, certificate_of(home.server_identity).contexts[Group.X25519].begin())
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    client = SSL.Connection(context, None)
    client.set_connect_state()

    def shake() -> bool:
        """Have the client go on, and carry what it says to the server."""
        with contextlib.suppress(SSL.WantReadError):
            client.do_handshake()
            return True
        far.sendall(client.bio_read(PLAINTEXT))
        assert stream.receive()
        return False

    while not shake():
        stream.handshake()
        stream.flush()
        client.bio_write(far.recv(PLAINTEXT))
    assert client.renegotiate()
    assert not shake()
    assert stream.read_all(memoryview(bytearray(PLAINTEXT)), 0) == (0, True)
    client.bio_write(far.recv(PLAINTEXT))
    with pytest.raises(SSL.Error, match="no renegotiation"):
        client.do_handshake()
    far.close()
    stream.close()
