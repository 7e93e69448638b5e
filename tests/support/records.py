"""A client of TLS 1.3 that makes and reads its own records once the handshake is done (RFC 8446 5): as many
KeyUpdates as a test wants, padding, alerts, and what no client may send. No library makes them.
"""

import contextlib
import random
import socket
import ssl
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from OpenSSL import SSL

from sstpca.server.dataplane.openssl import TlsEnd

ALERT, HANDSHAKE, CONTENT = 21, 22, 23  # RFC 8446 5.1
#: KeyUpdate, update_not_requested and update_requested; RFC 8446 4.6.3.
UPDATE: Final = bytes.fromhex("18000001 00")
UPDATE_BOTH: Final = bytes.fromhex("18000001 01")

#: RFC 8446 B.4: the cipher, its key's size in bytes, the hash.
SUITES: Final[
    dict[str, tuple[type[AESGCM | ChaCha20Poly1305], int, type[hashes.HashAlgorithm]]]
] = {
    "TLS_AES_256_GCM_SHA384": (AESGCM, 32, hashes.SHA384),
    "TLS_AES_128_GCM_SHA256": (AESGCM, 16, hashes.SHA256),
    "TLS_CHACHA20_POLY1305_SHA256": (ChaCha20Poly1305, 32, hashes.SHA256),
}
USUAL: Final = "TLS_AES_256_GCM_SHA384"


class _Side:
    """One direction's keys.

    :param secret: its first application traffic secret (RFC 8446 7.1).
    """

    def __init__(self, secret: bytes, suite: str = USUAL) -> None:
        self._make, self._size, self._hash = SUITES[suite]
        self._use(secret)

    def next_keys(self) -> None:
        """RFC 8446 7.2."""
        self._use(self._expand("traffic upd", len(self._secret)))

    def _use(self, secret: bytes) -> None:
        """RFC 8446 7.3: the key and the nonce of a secret; records are counted anew."""
        self._secret = secret
        self.cipher = self._make(self._expand("key", self._size))
        self._iv = int.from_bytes(self._expand("iv", 12))
        self._count = 0

    def _expand(self, label: str, length: int) -> bytes:
        """HKDF-Expand-Label with an empty context, RFC 8446 7.1."""
        name = b"tls13 " + label.encode()
        info = struct.pack("!HB", length, len(name)) + name + b"\0"
        return HKDFExpand(self._hash(), length, info).derive(self._secret)

    def nonce(self) -> bytes:
        """RFC 8446 5.3: the nonce of the next record."""
        self._count += 1
        return (self._iv ^ (self._count - 1)).to_bytes(12)


class Writer(_Side):
    """Writes records with the keys of the client."""

    def content(self, data: bytes) -> bytes:
        """Return a record with content."""
        return self.record(data, CONTENT)

    def update(self, message: bytes = UPDATE) -> bytes:
        """Return a record with a KeyUpdate; what comes behind it has the next key."""
        record = self.record(message, HANDSHAKE)
        self.next_keys()
        return record

    def record(self, data: bytes, kind: int, *, padding: int = 0) -> bytes:
        """Return a record of any kind (RFC 8446 5.2), with so many zeros behind it (5.4)."""
        return self.encrypted(data + bytes([kind]) + bytes(padding))

    def encrypted(self, inner: bytes, outer: int = CONTENT, version: int = 0x0303) -> bytes:
        """Return a record of which all is as it is said."""
        header = struct.pack("!BHH", outer, version, len(inner) + 16)
        return header + self.cipher.encrypt(self.nonce(), inner, header)


class Reader(_Side):
    """Reads records with the keys of the server, and follows its KeyUpdates."""

    def read(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return what is in whole records: of which kind, and what.

        :raises cryptography.exceptions.InvalidTag: if one was not made with these keys.
        """
        found = []
        while data:
            size = 5 + int.from_bytes(data[3:5])
            assert data[:3] == b"\x17\x03\x03" and len(data) >= size
            inner = self.cipher.decrypt(self.nonce(), data[5:size], data[:5])
            text = inner.rstrip(b"\0")
            found.append((text[-1], text[:-1]))
            if found[-1] in {(HANDSHAKE, UPDATE), (HANDSHAKE, UPDATE_BOTH)}:
                self.next_keys()
            data = data[size:]
        return found


def shake(
    server: TlsEnd, suite: str = USUAL, *, step: Callable[[], bool] | None = None
) -> tuple[Writer, Reader]:
    """Shake hands in memory; return how the client writes and reads from then on.

    :param step: has the server go on, in place of its ``handshake``; the client does until it is done.
    """
    secrets: dict[str, bytes] = {}

    def hear(_: SSL.Connection, line: bytes) -> None:
        label, _random, secret = line.decode().split()
        secrets[label] = bytes.fromhex(secret)

    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_tls13_ciphersuites(suite.encode())
    context.set_keylog_callback(hear)
    client = SSL.Connection(context, None)
    client.set_connect_state()
    done = shaken = False
    while not (done or (shaken and step)):
        with contextlib.suppress(SSL.WantReadError):
            client.do_handshake()
            shaken = True
        server.feed(client.bio_read(1 << 16))
        done = (step or server.handshake)()
        if answer := server.output():
            client.bio_write(answer)
    assert client.get_cipher_name() == suite
    return (
        Writer(secrets["CLIENT_TRAFFIC_SECRET_0"], suite),
        Reader(secrets["SERVER_TRAFFIC_SECRET_0"], suite),
    )


class Writing(Protocol):
    """A client's side, of either version."""

    def content(self, data: bytes, /) -> bytes:
        """Return a record with content."""


class Reading(Protocol):
    """What reads the server's records, of either version."""

    def read(self, data: bytes, /) -> list[tuple[int, bytes]]:
        """Return what is in whole records: of which kind, and what."""


def damaged(writer: Writing, place: int = -1) -> bytes:
    """Return a record with content in which a bit is another than it was."""
    record = bytearray(writer.content(b"lost"))
    record[place] ^= 1
    return bytes(record)


def twice(writer: Writing) -> bytes:
    """Return the same record twice."""
    return writer.content(b"once") * 2


def in_disorder(writer: Writing) -> bytes:
    """Return two records, the second one first."""
    first, second = writer.content(b"first"), writer.content(b"second")
    return second + first


def check_both_ways(server: TlsEnd, writer: Writing, reader: Reading) -> None:
    """Check that content of any size arrives in both directions, in records of at most 16,384 bytes."""
    buffer = memoryview(bytearray(20_000))
    for size in (1, 15, 16, 17, 1400, 16384):
        text = random.Random(size).randbytes(size)
        server.feed(writer.content(text))
        assert server.read_all(buffer, 0) == (size, True)
        assert buffer[:size] == text
        assert server.output() == b""
        server.write(text)
        assert reader.read(server.output()) == [(CONTENT, text)]
    server.write(bytes(40_000))
    assert [len(text) for _, text in reader.read(server.output())] == [16384, 16384, 7232]
    server.write_each(buffer, [3, 3, 10])
    assert [len(text) for _, text in reader.read(server.output())] == [3, 7]


def deliver(
    server: TlsEnd, data: bytes, chance: random.Random, between: Callable[[], None]
) -> bytes:
    """Let the server have records in any pieces, and return what it reads into buffers of any size.

    :param between: called after each piece.
    """
    buffer = memoryview(bytearray(400_000))
    found = b""
    while data:
        size = chance.choice((1, 5, 100, 70_000))
        piece, data = data[:size], data[size:]
        server.feed(piece)
        if chance.random() < 0.5:
            end, alive = server.read_all(buffer, 0)
            assert alive
            found += bytes(buffer[:end])
        else:
            while count := server.read(buffer[: chance.choice((1, 100, 1401, 20_000))]):
                found += bytes(buffer[:count])
            # nothing was received, which is not the end
            assert count is None
        between()
    return found


def connect(plain: socket.socket, keys: Path) -> tuple[ssl.SSLSocket, Writer]:
    """Shake hands over ``plain``; write with what is returned and the socket's own ``send``, not TLS.

    :param keys: a file that is made for the secrets.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.keylog_filename = str(keys)
    tls = context.wrap_socket(plain)
    cipher = tls.cipher()
    assert cipher is not None and cipher[0] == USUAL, cipher
    (line,) = (one for one in keys.read_text().splitlines() if "CLIENT_TRAFFIC_SECRET_0" in one)
    return tls, Writer(bytes.fromhex(line.split()[-1]))
