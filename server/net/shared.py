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
from .tls import Certificate

_T = TypeVar("_T")
_Args = TypeVarTuple("_Args")


@dataclass(slots=True)
class Shared:
    """The process's event loop, certificate, store and netlink socket.

    :param scratch: working memory for one read or one batch; nothing in it outlives a callback.
    """

    config: Config
    certificate: Certificate
    directory: Directory
    sessions: Sessions
    route: AsyncIPRoute
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    scratch: bytearray = field(default_factory=lambda: bytearray(SCRATCH))
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "store"))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` beside everything else, and keep it alive."""
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def ask(self, call: Callable[[*_Args], _T], *args: *_Args) -> _T:
        """Call the store, in its thread."""
        return await self.loop.run_in_executor(self._threads, call, *args)
