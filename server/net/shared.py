"""What the connections of one worker process share."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar, TypeVarTuple

from pyroute2 import AsyncIPRoute

from ..config import Config
from ..dataplane.inbound import SCRATCH
from ..interfaces import Directory, Sessions
from .eap_tls import Contexts
from .handshakes import Handshakes
from .sources import Sources
from .tls import CertificateFile

_T = TypeVar("_T")
_Args = TypeVarTuple("_Args")


@dataclass(slots=True)
class Shared:
    """The process's event loop, certificate, store and netlink socket.

    :param identity: the certificate that new connections are shown.
    :param scratch: working memory for one read or one batch; nothing in it outlives a callback.
    """

    config: Config
    identity: CertificateFile
    directory: Directory
    sessions: Sessions
    route: AsyncIPRoute
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    scratch: bytearray = field(default_factory=lambda: bytearray(SCRATCH))
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    contexts: Contexts = field(default_factory=Contexts)
    _store: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "store"))
    sources: Sources = field(init=False)
    handshakes: Handshakes = field(init=False)

    def __post_init__(self) -> None:
        self.sources = Sources(self.loop.time)
        self.handshakes = Handshakes(self.loop, self.sources)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` beside everything else, and keep it alive."""
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def ask(self, call: Callable[[*_Args], _T], *args: *_Args) -> _T:
        """Call the store, in its thread."""
        return await self.loop.run_in_executor(self._store, call, *args)
