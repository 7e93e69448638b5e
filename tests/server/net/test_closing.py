"""The end of a connection: what waits goes out, then a goodbye, then the socket."""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

import pytest

from sstpca.server.dataplane.stream import TlsStream
from sstpca.server.net import closing
from sstpca.server.net.closing import close_gently
from tests.support.waiting import PATIENCE

# more than a pair of sockets takes
LAST_WORDS = b"x" * 4_000_000


class PlainStream:
    """A TlsStream without the TLS."""

    def __init__(self, sock: socket.socket, unsent: bytes) -> None:
        self._sock = sock
        self._unsent = unsent
        self.fileno = sock.fileno

    @property
    def waiting(self) -> int:
        return len(self._unsent)

    def flush(self) -> bool:
        try:
            self._unsent = self._unsent[self._sock.send(self._unsent) :]
        except BlockingIOError:
            return False
        return not self._unsent

    def say_goodbye(self) -> None:
        self._sock.shutdown(socket.SHUT_WR)

    def discard(self) -> bool:
        try:
            return bool(self._sock.recv(1000))
        except BlockingIOError:
            return True

    def close(self) -> None:
        self._sock.close()


def close(unsent: bytes, peer: Callable[[socket.socket], bytes | None]) -> bytes | None:
    """Close a connection with ``unsent`` waiting to a peer that does this; return what it returns."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.settimeout(PATIENCE)

    async def run() -> bytes | None:
        loop = asyncio.get_running_loop()
        close_gently(loop, cast("TlsStream", PlainStream(near, unsent)))
        heard = await loop.run_in_executor(None, peer, far)
        async with asyncio.timeout(PATIENCE):
            while near.fileno() >= 0:
                await asyncio.sleep(0.01)
        return heard

    with far:
        return asyncio.run(run())


def listen(far: socket.socket) -> bytes:
    """Read to the end, say more than is heard, and close."""
    heard = b""
    while piece := far.recv(65536):
        heard += piece
    far.send(b"and another thing")
    far.close()
    return heard


@pytest.mark.parametrize("unsent", [b"", LAST_WORDS], ids=["nothing waits", "much waits"])
def test_all_of_it_arrives(unsent: bytes) -> None:
    assert close(unsent, listen) == unsent


@pytest.mark.parametrize("unsent", [b"", LAST_WORDS], ids=["nothing waits", "much waits"])
def test_a_peer_that_neither_reads_nor_closes_is_not_waited_for(
    unsent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "LINGER", 0.1)
    close(unsent, lambda _: None)


@pytest.mark.parametrize("unsent", [b"", LAST_WORDS], ids=["nothing waits", "much waits"])
def test_a_peer_that_is_gone(unsent: bytes) -> None:
    close(unsent, lambda far: far.close())
