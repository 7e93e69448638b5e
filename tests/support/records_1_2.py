"""A client of TLS 1.2 that makes and reads its own records once the handshake is done, with AES-GCM (RFC 5288)
and ChaCha20-Poly1305 (RFC 7905): alerts, ClientHellos, and what no client may send.
"""

import contextlib
import hmac
import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from OpenSSL import SSL

from sstpca.server.dataplane.openssl import TlsEnd

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, CONTENT = 20, 21, 22, 23  # RFC 5246 6.2.1
#: The whole of a ClientHello, as far as who negotiates nothing anew has to read it (RFC 5246 7.4).
HELLO: Final = b"\x01\x00\x00\x2a" + bytes(42)

_EXPLICIT: Final = 8  # bytes of a nonce of AES-GCM that are in the record, RFC 5288 3
#: Of a Finished, with AES-GCM.
_FINISHED: Final = b"\x16\x03\x03\x00\x28"


class Suite(NamedTuple):
    """A cipher, its key's size in bytes, that of the nonce's part that is not in the record, the hash."""

    make: type[AESGCM | ChaCha20Poly1305]
    key: int
    nonce: int
    digest: str


#: By what follows ECDHE-RSA- or ECDHE-ECDSA- in OpenSSL's names.
SUITES: Final = {
    "AES256-GCM-SHA384": Suite(AESGCM, 32, 4, "sha384"),
    "AES128-GCM-SHA256": Suite(AESGCM, 16, 4, "sha256"),
    "CHACHA20-POLY1305": Suite(ChaCha20Poly1305, 32, 12, "sha256"),
}
USUAL: Final = "AES256-GCM-SHA384"


class _Side:
    """One direction's key. The Finished was its first record."""

    def __init__(self, suite: Suite, key: bytes, nonce: bytes) -> None:
        self.cipher = suite.make(key)
        self._nonce = nonce
        self._count = 1

    def beside(self, kind: int, size: int, version: int = 0x0303) -> bytes:
        """RFC 5246 6.2.3.3: what nobody can change of the next record."""
        self._count += 1
        return struct.pack("!QBHH", self._count - 1, kind, version, size)

    def restart(self) -> None:
        """Begin before the Finished."""
        self._count = 0

    @property
    def salted(self) -> bool:
        """Whether a part of each nonce is in the record."""
        return len(self._nonce) == 4

    def nonce(self, beside: bytes, explicit: bytes) -> bytes:
        """Return the nonce of a record."""
        if self.salted:
            return self._nonce + explicit
        return (int.from_bytes(self._nonce) ^ int.from_bytes(beside[:8])).to_bytes(12)


class Writer(_Side):
    """Writes records with the key of the client."""

    def content(self, data: bytes) -> bytes:
        """Return a record with content."""
        return self.record(data, CONTENT)

    def record(self, data: bytes, kind: int, version: int = 0x0303) -> bytes:
        """Return a record of any kind."""
        beside = self.beside(kind, len(data), version)
        explicit = beside[:8] if self.salted else b""
        body = explicit + self.cipher.encrypt(self.nonce(beside, explicit), data, beside)
        return struct.pack("!BHH", kind, version, len(body)) + body


class Reader(_Side):
    """Reads records with the key of the server.

    :ivar explicit: of the nonces that came, that of the Finished first.
    """

    def __init__(self, suite: Suite, key: bytes, nonce: bytes) -> None:
        super().__init__(suite, key, nonce)
        self.explicit: list[bytes] = []

    def read(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return what is in whole records: of which kind, and what.

        :raises cryptography.exceptions.InvalidTag: if one was not made with this key.
        """
        found = []
        while data:
            kind, version, size = struct.unpack_from("!BHH", data)
            body, data = data[5 : 5 + size], data[5 + size :]
            assert version == 0x0303 and len(body) == size
            explicit = body[:_EXPLICIT] if self.salted else b""
            beside = self.beside(kind, size - len(explicit) - 16)
            nonce = self.nonce(beside, explicit)
            found.append((kind, self.cipher.decrypt(nonce, body[len(explicit) :], beside)))
            self.explicit.append(explicit)
        return found


def shake(
    server: TlsEnd,
    suite: str = USUAL,
    *,
    step: Callable[[], bool] | None = None,
    tell: Callable[[Writer, bytes], bytes] | None = None,
    before: SSL.Connection | None = None,
) -> tuple[Writer, Reader, SSL.Connection]:
    """Shake hands in memory; return how the client writes and reads from then on, and the client.

    :param step: has the server go on, in place of its ``handshake``; the client does until it is done.
    :param tell: returns the records that the client sends its Finished in; its Writer has counted none.
    :param before: a connection whose session is to be resumed.
    """
    client = SSL.Connection(_context(suite) if before is None else before.get_context(), None)
    if before is not None and (session := before.get_session()) is not None:
        client.set_session(session)
    client.set_connect_state()
    done, answers = [False, False], b""
    while not all(done):
        with contextlib.suppress(SSL.WantReadError):
            client.do_handshake()
            done[0] = True
        with contextlib.suppress(SSL.WantReadError):
            said = client.bio_read(1 << 16)
            server.feed(said if tell is None else _retold(client, SUITES[suite], said, tell))
        done[1] = (step or server.handshake)() or (done[0] and step is not None)
        if answer := server.output():
            client.bio_write(answer)
            answers += answer
    return *_sides(client, SUITES[suite], answers), client


def _context(suite: str) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(f"ECDHE-RSA-{suite}:ECDHE-ECDSA-{suite}".encode())
    return context


def _retold(
    client: SSL.Connection, suite: Suite, said: bytes, tell: Callable[[Writer, bytes], bytes]
) -> bytes:
    """Return what a client says, with its Finished told in other words."""
    before, change, record = said.rpartition(b"\x14\x03\x03\x00\x01\x01")
    if not change:
        return said
    writer, _ = _sides(client, suite, _FINISHED)
    writer.restart()
    beside = writer.beside(HANDSHAKE, 16)
    explicit = record[5 : 5 + _EXPLICIT] if writer.salted else b""
    nonce = writer.nonce(beside, explicit)
    finished = writer.cipher.decrypt(nonce, record[5 + len(explicit) :], beside)
    writer.restart()
    return before + change + tell(writer, finished)


def _sides(client: SSL.Connection, suite: Suite, answers: bytes) -> tuple[Writer, Reader]:
    """RFC 5246 6.3."""
    ours, theirs, master = client.client_random(), client.server_random(), client.master_key()
    assert ours and theirs and master
    made = _expand(suite.digest, master, b"key expansion" + theirs + ours)
    keys = [made[at : at + suite.key] for at in (0, suite.key)]
    rest = made[2 * suite.key :]
    nonces = [rest[at : at + suite.nonce] for at in (0, suite.nonce)]
    reader = Reader(suite, keys[1], nonces[1])
    if reader.salted:
        place = answers.rindex(_FINISHED) + len(_FINISHED)
        reader.explicit.append(answers[place : place + _EXPLICIT])
    return Writer(suite, keys[0], nonces[0]), reader


def _expand(digest: str, secret: bytes, seed: bytes) -> bytes:
    """P_hash, RFC 5246 5, as much of it as any suite needs."""

    made, step = b"", seed
    while len(made) < 2 * (32 + 12):
        step = hmac.digest(secret, step, digest)
        made += hmac.digest(secret, step + seed, digest)
    return made
