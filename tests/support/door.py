"""The way from a socket to a request, as every stranger goes it, without the rest of a worker."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from sstpca.home import Home
from sstpca.server.dataplane.stream import TlsStream
from sstpca.server.metrics.tally import Tally
from sstpca.server.net.entrance import Entrance
from sstpca.server.net.handshakes import Handshakes
from sstpca.server.net.sources import Sources
from sstpca.server.net.tls import Certificate
from sstpca.server.sstp.preamble import Request
from tests.support.handshake import certificates_of
from tests.support.waiting import PATIENCE, until


class Door:
    """One entrance and the socket that leads to it."""

    def __init__(self, home: Home) -> None:
        near, self.far = socket.socketpair()
        near.setblocking(False)
        self.far.settimeout(PATIENCE)
        loop = asyncio.get_running_loop()
        self.sources = Sources(loop.time)
        self.tally = Tally()
        self.gone: list[str] = []
        self.accepted: list[Request] = []
        self.entrance = Entrance(
            near,
            certificates=certificates_of(home.server_identity),
            source=self.sources.find("192.0.2.1"),
            handshakes=Handshakes(loop, self.sources),
            tally=self.tally,
            accepted=self._accept,
            gone=lambda _, reason: self.gone.append(reason),
        )

    def _accept(self, stream: TlsStream, request: Request, _: Certificate) -> None:
        self.accepted.append(request)
        stream.close()

    async def until(self, condition: Callable[[], object]) -> None:
        await until(condition)


def enter(home: Home, story: Callable[[Door], Awaitable[None]]) -> None:
    """Let ``story`` happen at the door of a server with the identity of ``home``."""

    async def run() -> None:
        door = Door(home)
        with door.far:
            await story(door)
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())
