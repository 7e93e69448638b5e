"""One worker process: accepts connections, runs them on one event loop, beats once a second."""

import asyncio
import os
import signal
import socket
import ssl
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar, TypeVarTuple

from pyroute2 import AsyncIPRoute

from ..config import Config
from ..dataplane.inbound import RECORD
from ..interfaces import Backend
from ..log import LOGGER
from ..sstp.preamble import Request
from .connection import Connection
from .entrance import Entrance
from .tls import Certificate, load

_T = TypeVar("_T")
_Args = TypeVarTuple("_Args")

#: Who has not logged in yet: at most so many from one address, and so many from all together. When
#: another one comes, the oldest of them goes.
_STRANGERS_OF_ONE: Final = 64
_STRANGERS: Final = 1024

#: Seconds in which all sessions have to end when the server stops.
FAREWELL: Final = 8.0

_BEAT: Final = 1.0


class Worker:
    """What the connections of one process share.

    :param listeners: listening sockets, shared with the other workers.
    """

    route: AsyncIPRoute

    def __init__(self, config: Config, listeners: list[socket.socket], backend: Backend) -> None:
        self.config = config
        self.certificate: Certificate = load(config.identity)
        self.loop = asyncio.get_running_loop()
        #: Working memory for one read or one batch: nothing in it outlives a callback.
        self.scratch = bytearray(8 * RECORD)
        self.directory, self.sessions = backend.join(os.getpid())
        self._listeners = listeners
        self._threads = ThreadPoolExecutor(1, "store")
        #: In the order of their coming, with the address they come from.
        self._strangers: dict[Entrance | Connection, str] = {}
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def run(self, supervisor: int) -> None:
        """Work until SIGTERM, or until the process ``supervisor`` is no longer our parent."""
        self.loop.add_signal_handler(signal.SIGTERM, self._stopping.set)
        async with AsyncIPRoute() as self.route:
            for listener in self._listeners:
                self.loop.add_reader(listener, self._accept, listener)
            while not self._stopping.is_set():
                await self._pause(_BEAT)
                if os.getppid() != supervisor:
                    break
                await self._beat()
            await self._farewell()
        self._threads.shutdown()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` beside everything else, and keep it alive."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def ask(self, call: Callable[[*_Args], _T], *args: *_Args) -> _T:
        """Call the store in its thread."""
        return await self.loop.run_in_executor(self._threads, call, *args)

    def admitted(self, connection: Connection) -> None:
        """The client has logged in."""
        self._strangers.pop(connection, None)

    def forget(self, connection: Connection) -> None:
        """A connection has ended."""
        self._strangers.pop(connection, None)
        self._connections.discard(connection)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    async def _beat(self) -> None:
        """Say that we live, and end the sessions that are to end."""
        live = {c.session: c for c in self._connections if c.session is not None}
        traffic = {number: connection.traffic for number, connection in live.items()}
        try:
            ending = await self.ask(self.sessions.beat, traffic)
        except Exception as error:
            LOGGER.error("the store does not answer: %s", error)
            return
        for number, reason in ending.items():
            live[number].terminate(reason)

    async def _farewell(self) -> None:
        """End every session politely, within a bounded time."""
        for listener in self._listeners:
            self.loop.remove_reader(listener)
        for connection in list(self._connections):
            connection.terminate("the server stops")
        for stranger in list(self._strangers):
            if isinstance(stranger, Entrance):
                stranger.drop("the server stops")
        end = self.loop.time() + FAREWELL
        while (self._connections or self._tasks) and self.loop.time() < end:
            await asyncio.sleep(0.05)

    def _accept(self, listener: socket.socket) -> None:
        """Take one connection; the other workers may have been faster."""
        try:
            plain, address = listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            # out of descriptors or memory: trying again at once would only spin
            LOGGER.error("cannot accept a connection: %s", error.strerror)
            self.loop.remove_reader(listener)
            self.loop.call_later(_BEAT, self.loop.add_reader, listener, self._accept, listener)
            return
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 120_000)
        try:
            sock = self.certificate.context.wrap_socket(
                plain, server_side=True, do_handshake_on_connect=False
            )
        except OSError:
            plain.close()
            return
        self._receive(sock, host=str(address[0]), port=int(address[1]))

    def _receive(self, sock: ssl.SSLSocket, *, host: str, port: int) -> None:
        peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

        def accepted(sock: ssl.SSLSocket, request: Request) -> None:
            connection = Connection(self, sock, peer=peer, coalesce=request.coalesce)
            self._strangers[connection] = host
            self._connections.add(connection)
            connection.start(request.rest)

        def gone(entrance: Entrance, reason: str) -> None:
            self._strangers.pop(entrance, None)
            if reason:
                LOGGER.info("%s", reason, extra={"peer": peer})

        self._make_room(host)
        self._strangers[Entrance(self.loop, sock, accepted=accepted, gone=gone)] = host

    def _make_room(self, host: str) -> None:
        """Let the oldest stranger go when there are too many, first of all of the same address."""
        same = [stranger for stranger, source in self._strangers.items() if source == host]
        if len(same) >= _STRANGERS_OF_ONE:
            same[0].drop("too many from this address before their login")
        elif len(self._strangers) >= _STRANGERS:
            next(iter(self._strangers)).drop("too many before their login")
