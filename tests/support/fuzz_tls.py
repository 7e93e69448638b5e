"""Gives a compiled TLS what clients send, damaged and in any pieces, and buffers of any size.

::

    python -m tests.support.fuzz_tls _tls.so --seconds 10 --count 20000 --seed 1

It prints how many conversations there were. Each buffer is as large as it has to be: see
:mod:`tests.support.fuzz`.
"""

import argparse
import contextlib
import os
import random
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from sstpca.server.dataplane.openssl import Context
from sstpca.server.net.offer import SUITES
from tests.support import engines
from tests.support.fuzz import exact
from tests.support.issuer import Issuer

_STEPS = 80
_SIZES = (0, 1, 2, 5, 100, 1400, 1400, 1400, 4096, 16384, 20000)
_FORMS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


class Conversation:
    """One client and the server's end, who do what comes to their mind; the same for the same seed.

    :param wild: how often, of a thousand pieces, one is damaged.
    """

    def __init__(self, context: Context, seed: int) -> None:
        self._random = random.Random(seed)
        self._wild = self._random.choice((0, 0, 20, 300))
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        client.maximum_version = self._random.choice(_FORMS)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._client = client.wrap_bio(self._in, self._out)
        self._server = context.begin()
        self._near, self._far = socket.socketpair()
        self._near.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, self._random.choice((1, 1 << 20))
        )

    def run(self) -> None:
        """Have them do it."""
        ways: list[Callable[[], object]] = [
            *[self._client_goes_on, self._to_server, self._server_goes_on, self._to_client] * 3,
            *(self._client_writes, self._read, self._read_all, self._write, self._write_each),
            self._send,
        ]
        with self._near, self._far:
            for _ in range(_STEPS):
                with contextlib.suppress(ssl.SSLError):
                    self._random.choice(ways)()
        self._server.shut()
        self._to_client()

    def _size(self) -> int:
        return self._random.choice(_SIZES)

    def _client_goes_on(self) -> None:
        self._client.do_handshake()
        self._client.read(1 << 16)

    def _client_writes(self) -> None:
        self._client.write(bytes(self._size()))

    def _to_server(self) -> None:
        data = bytearray(self._out.read())
        while data:
            piece = data[: self._random.choice((1, 5, 100, 70000))]
            del data[: len(piece)]
            if self._random.randrange(1000) < self._wild:
                piece[self._random.randrange(len(piece))] = self._random.randrange(256)
            self._server.feed(exact(bytes(piece)))

    def _to_client(self) -> None:
        pending = self._server.pending
        data = self._server.output()
        assert len(data) == pending
        self._in.write(data)

    def _send(self) -> None:
        pending = self._server.pending
        left = self._server.send(self._near.fileno())
        assert left == self._server.pending
        data = self._far.recv(pending - left) if left < pending else b""
        assert len(data) == pending - left
        self._in.write(data)

    def _server_goes_on(self) -> None:
        self._server.handshake()

    def _read(self) -> None:
        self._server.read(exact(bytes(self._size())))

    def _read_all(self) -> None:
        size = self._size()
        begun = self._random.randrange(-2, size + 3)
        try:
            end, _ = self._server.read_all(exact(bytes(size)), begun)
        except ValueError:
            assert not 0 <= begun <= size
        else:
            assert 0 <= begun <= end <= size

    def _write(self) -> None:
        self._server.write(exact(bytes(self._size())))

    def _write_each(self) -> None:
        size = self._size()
        ends = sorted(self._random.randrange(size + 1) for _ in range(self._random.randrange(5)))
        if self._random.randrange(4) == 0:
            ends.append(self._random.randrange(-2, size + 3))
        wrong = any(not 0 <= end <= size for end in ends) or ends != sorted(ends)
        try:
            self._server.write_each(exact(bytes(size)), ends)
        except ValueError:
            assert wrong
        else:
            assert not wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    descriptor = os.memfd_create("identity")
    os.write(descriptor, Issuer.make().own.pem)
    make = engines.load_tls(given.module)
    contexts = [
        make(f"/proc/self/fd/{descriptor}", SUITES, group, ssl.TLSVersion.TLSv1_2)
        for group in ("X25519", "prime256v1", "secp384r1")
    ]
    end = time.monotonic() + given.seconds
    done = 0
    while done < given.count and time.monotonic() < end:
        Conversation(contexts[done % len(contexts)], given.seed * 1_000_003 + done).run()
        done += 1
    print(f"{done} conversations")


if __name__ == "__main__":
    main()
