"""The first yardstick: a plain TLS transfer through Python's ssl, over the same wire.

64 KiB a write, TLS 1.3 with AES-256-GCM. Whatever carries packets through TLS does at least this.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from tests.bench.iperf import DOWN, UP
from tests.bench.processes import Part
from tests.support.issuer import Issuer
from tests.support.netns import Namespace, Network

PORT: Final = 9443
_WRITE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Transfer:
    """What one transfer carried, and the server's processor time for it, in seconds."""

    bytes: int
    seconds: float
    cpu: float
    client: float

    @property
    def gigabits(self) -> float:
        """Gigabits a second."""
        return self.bytes * 8e-9 / self.seconds

    @property
    def cost(self) -> float:
        """Processor seconds of the server for 10^9 bytes."""
        return self.cpu / self.bytes * 1e9


class Plain:
    """The transfer's server, which runs, and its client.

    :param client: where the clients are.
    """

    def __init__(self, client: Namespace, server: Part) -> None:
        self._client = client
        self._server = server

    def transfer(
        self,
        direction: str,
        seconds: float,
        *,
        server: str = str(Network.server_address),
        omitted: float = 0.0,
    ) -> Transfer:
        """Measure one transfer of so long.

        :param omitted: seconds before that, in which what is downloaded does not count.
        """
        before = self._server.cpu
        with Part(self._client, _ask, (server, PORT), direction, seconds, omitted) as process:
            arrived, took, cpu = process.hear(seconds + 30.0)
            if direction == UP:
                arrived, took = self._server.hear()
        time.sleep(0.05)  # the connection's end belongs to it
        return Transfer(arrived, took, self._server.cpu - before, cpu)


@contextlib.contextmanager
def plain(net_client: Namespace, net_server: Namespace, folder: Path) -> Iterator[Plain]:
    """Start the transfer's server, in the server's network."""
    with Part(net_server, _serve, context(folder)) as server:
        server.hear()
        yield Plain(net_client, server)


def context(folder: Path) -> ssl.SSLContext:
    """Return a server's context, with a certificate that nobody will look at."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    path = folder / "yardstick.pem"
    path.write_bytes(Issuer.make().own.pem)
    made.load_cert_chain(path)
    return made


def connect(server: tuple[str, int]) -> ssl.SSLSocket:
    """Return a TLS connection to a yardstick; nobody asks who that is."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    plain = socket.create_connection(server, 10.0)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made.wrap_socket(plain)


def _serve(pipe: Connection, tls: ssl.SSLContext) -> None:
    """Take connections, one after the other; the first byte says which way the content goes."""
    with socket.create_server(("", PORT)) as listener:
        pipe.send(None)
        while True:
            plain, _ = listener.accept()
            with contextlib.suppress(OSError), tls.wrap_socket(plain, server_side=True) as wire:
                if wire.recv(1) == b"u":
                    pipe.send(_drain(wire))
                else:
                    _pour(wire, float("inf"))


def _ask(
    pipe: Connection, server: tuple[str, int], direction: str, seconds: float, omitted: float
) -> None:
    before = time.process_time()
    with connect(server) as wire:
        until = time.monotonic() + omitted + seconds
        if direction == DOWN:
            wire.send(b"d")
            if omitted:
                _drain(wire, time.monotonic() + omitted)
            arrived, took = _drain(wire, until)
        else:
            wire.send(b"u")
            arrived, took = _pour(wire, until)
    pipe.send((arrived, took, time.process_time() - before))


def _drain(wire: ssl.SSLSocket, until: float = float("inf")) -> tuple[int, float]:
    """Read until then or the end; return the bytes and the seconds."""
    total, buffer = 0, bytearray(_WRITE)
    began = time.monotonic()
    with contextlib.suppress(OSError):
        while time.monotonic() < until and (count := wire.recv_into(buffer)):
            total += count
    return total, time.monotonic() - began


def _pour(wire: ssl.SSLSocket, until: float) -> tuple[int, float]:
    """Write until then or the end; return the bytes and the seconds."""
    total, content = 0, bytes(_WRITE)
    began = time.monotonic()
    while time.monotonic() < until:
        wire.sendall(content)
        total += len(content)
    return total, time.monotonic() - began
