"""One worker process: accepts connections, runs them on one event loop, beats once a second."""

import asyncio
import os
import signal
import socket
from collections.abc import Sequence
from typing import Final

from ..config import Config
from ..contracts import TraceOrder
from ..dataplane.path import UNKNOWN, follow
from ..dataplane.stream import TlsStream
from ..keeper.contract import OwnDirectory, OwnInterfaces, OwnSessions
from ..keeper.line import Line, remote
from ..keeper.process import Ends
from ..log import LOGGER, SessionLog
from ..metrics.figures import Refusal
from ..metrics.tally import Tally
from ..sstp.preamble import Request
from .connection import Connection
from .entrance import Entrance
from .shared import Shared
from .strangers import Strangers
from .tls import Certificate, Presented

#: Seconds in which all sessions have to end when the server stops.
GRACE_PERIOD: Final = 8.0

#: Has a worker take nobody any more, and end with its last session.
RETIRE: Final = signal.SIGUSR1

_BEAT: Final = 1.0


async def work(
    config: Config,
    identity: Presented,
    listeners: Sequence[socket.socket],
    keeper: Ends,
    supervisor: int,
    tally: Tally,
) -> None:
    """Be a worker of the process ``supervisor``, until SIGTERM, or the death of that or the keeper."""
    loop = asyncio.get_running_loop()
    store, kernel = (Line(sock, loop, _orphaned) for sock in (keeper.store, keeper.kernel))
    shared = Shared(
        config,
        identity,
        remote(store, "directory", OwnDirectory),  # type: ignore[type-abstract]
        remote(store, "sessions", OwnSessions),  # type: ignore[type-abstract]
        remote(kernel, "interfaces", OwnInterfaces),  # type: ignore[type-abstract]
        tally=tally,
    )
    await Worker(shared, listeners).run(supervisor)


def _orphaned() -> None:
    """Without its keeper, a worker knows of no session, and all are given to others soon."""
    LOGGER.error("the worker's keeper is gone: so are its sessions")
    os._exit(1)


class Worker:
    """Accepts connections and looks after them.

    :param listeners: listening sockets, shared with the other workers.
    """

    def __init__(self, shared: Shared, listeners: Sequence[socket.socket]) -> None:
        self._shared = shared
        self._loop = shared.loop
        self._listeners = listeners
        self._strangers = Strangers(shared.loop.time)
        self._connections: set[Connection] = set()
        self._stopping = asyncio.Event()
        self._retired = False

    async def run(self, supervisor: int) -> None:
        """Work until SIGTERM, or until the process ``supervisor`` is no longer our parent.

        After :data:`RETIRE`, nobody new is accepted, and the end of the last session is the end.
        """
        self._loop.add_signal_handler(signal.SIGTERM, self._stopping.set)
        self._loop.add_signal_handler(RETIRE, self._retire)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {RETIRE})  # it may have come already
        await self._beat()
        for listener in self._listeners:
            self._loop.add_reader(listener, self._accept, listener)
        # beside the loop: a store that does not answer must not keep us from hearing SIGTERM
        beats = self._loop.create_task(self._beats())
        while not (self._stopping.is_set() or self._done) and os.getppid() == supervisor:
            await self._pause(_BEAT)
            self._shared.log_limit.sum_up()
            self._shared.tally.turned(
                strangers=len(self._strangers), dropped=self._shared.room.lost
            )
        # A second SIGTERM, as a whole process group gets, says nothing new; to asyncio's loop, that
        # closes its pipe before it takes its handler away, it would be a "Bad file descriptor".
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        beats.cancel()
        await self._end_all()

    def _retire(self) -> None:
        self._retired = True
        for listener in self._listeners:
            self._loop.remove_reader(listener)
            listener.close()
        self._listeners = ()

    @property
    def _done(self) -> bool:
        busy = self._connections or len(self._strangers) or self._shared.tasks
        return self._retired and not busy

    async def _beats(self) -> None:
        while True:
            await asyncio.sleep(_BEAT)
            try:
                await self._beat()
            except Exception:  # the sessions are worth more than one beat
                LOGGER.exception("a mistake in the server")

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    async def _beat(self) -> None:
        """Say that we live, and end the sessions that are to end."""
        active = list(self._shared.active)
        self._shared.active.clear()
        traffic = {c.session: c.traffic for c in active if c.session is not None}
        for one in active:
            self._shared.tally.carried(one, one.traffic)
        shown = self._shared.identity.version
        try:
            news = await self._shared.ask(self._shared.sessions.beat, traffic, shown)
        except Exception as error:
            LOGGER.error("the store does not answer: %s", error)
            self._shared.active.update(active)
            self._shared.tally.stored(well=False)
            return
        self._shared.tally.stored(well=True)
        self._shared.weak_sign_ins = news.weak_sign_ins
        if news.ending:
            for one in list(self._connections):
                if one.session in news.ending:
                    one.terminate(news.ending[one.session])
        await self._tell_failures()
        await self._trace(news.traces)
        if news.identities is not None:
            self._shared.identity.take(news.identities.version, news.identities.pems)

    async def _trace(self, orders: Sequence[TraceOrder]) -> None:
        """Give what was traced, and begin and end what is to be traced."""
        tracing, sessions = self._shared.tracing, self._shared.sessions
        before = tracing.orders
        tracing.follow(orders)
        if tracing.orders or before:
            for one in list(self._connections):
                one.traced.look(one.session)
            for order, records in tracing.take():
                await self._shared.ask(sessions.traced, order, records)

    async def _tell_failures(self) -> None:
        """Have the store note which logins failed."""
        failures = self._shared.failures
        if not (waiting := failures.waiting()):
            return
        try:
            await self._shared.ask(self._shared.sessions.failed, waiting)
        except Exception as error:
            LOGGER.error("the store does not answer: %s", error)
        else:
            failures.forget(len(waiting))

    async def _end_all(self) -> None:
        """End every session politely, within a bounded time."""
        for listener in self._listeners:
            self._loop.remove_reader(listener)
        for connection in list(self._connections):
            connection.terminate("the server stops")
        for stranger in self._strangers:
            if isinstance(stranger, Entrance):
                stranger.drop("the server stops", Refusal.STOP)
        end = self._loop.time() + GRACE_PERIOD
        while (self._connections or self._shared.tasks) and self._loop.time() < end:
            await asyncio.sleep(0.05)

    def _accept(self, listener: socket.socket) -> None:
        """Take one connection; the other workers may have been faster."""
        if listener not in self._listeners:  # it was closed since the loop saw somebody come
            return
        try:
            plain, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            # out of descriptors or memory: trying again at once would only spin
            LOGGER.error("cannot accept a connection: %s", error.strerror)
            self._loop.remove_reader(listener)
            self._loop.call_later(_BEAT, self._listen_again, listener)
            return
        self._shared.tally.connected()
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 120_000)
        follow(plain, UNKNOWN)
        # a socket that a service manager opened may be for both families
        self._receive(plain, host=str(address[0]).removeprefix("::ffff:"), port=int(address[1]))

    def _listen_again(self, listener: socket.socket) -> None:
        if listener in self._listeners:
            self._loop.add_reader(listener, self._accept, listener)

    def _receive(self, plain: socket.socket, *, host: str, port: int) -> None:
        peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        source = self._shared.sources.find(host)

        def accepted(stream: TlsStream, request: Request, certificate: Certificate) -> None:
            connection = Connection(
                self._shared,
                stream,
                certificate=certificate,
                peer=peer,
                source=source,
                coalesce=request.coalesce,
                admitted=self._admitted,
                ended=self._ended,
            )
            self._strangers.add(connection, source)
            self._connections.add(connection)
            connection.start(request.rest)

        def gone(entrance: Entrance, reason: str) -> None:
            self._strangers.remove(entrance)
            if reason:
                SessionLog(peer, self._shared.log_limit).info("%s", reason)

        self._strangers.make_room()
        entrance = Entrance(
            plain,
            certificates=self._shared.identity.certificates,
            source=source,
            handshakes=self._shared.handshakes,
            tally=self._shared.tally,
            accepted=accepted,
            gone=gone,
        )
        self._strangers.add(entrance, source)

    def _admitted(self, connection: Connection) -> None:
        self._strangers.remove(connection)
        connection.source.logged_in(self._loop.time())

    def _ended(self, connection: Connection) -> None:
        connection.traced.end()
        if self._strangers.remove(connection):
            self._shared.tally.refused(Refusal.CALL)
        else:
            self._shared.tally.ended(connection, connection.traffic)
        self._connections.discard(connection)
        self._shared.active.discard(connection)
