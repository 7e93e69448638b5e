"""What the connections of one worker process share."""

import asyncio
import functools
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, ParamSpec, Protocol, TypeVar

from ..config import Config
from ..contracts import NO_WEAK_SIGN_IN, WeakSignIn
from ..dataplane.inbound import SCRATCH
from ..dataplane.queue import Room
from ..keeper.contract import OwnDirectory, OwnInterfaces, OwnSessions
from ..keeper.line import Remote
from ..log import LogLimit
from ..metrics.tally import Tally
from ..trace.orders import Tracing
from .backlog import RoundRobin
from .eap_handshake import Contexts
from .failures import Failures
from .handshakes import Handshakes
from .sources import Sources
from .threads import Threads
from .tls import Presented

_T = TypeVar("_T")
_P = ParamSpec("_P")

#: Interfaces that are taken away at once, and as many that are made or changed. The kernel is as fast
#: with four of them as with one; more would not be faster.
INTERFACES: Final = 4


class Carrier(Protocol):
    """What has a session and carries IP packets: a connection."""

    @property
    def session(self) -> int | None:
        """The session's number, once it has one."""

    @property
    def traffic(self) -> tuple[int, int]:
        """Bytes of IP packets received from and sent to the client."""


@dataclass(slots=True)
class Shared:
    """The process's event loop, certificate, keeper and threads.

    :param identity: the certificates that new connections are shown, one of them each.
    :param weak_sign_ins: what a client may wish for, as of the last beat.
    :param active: those that may have carried packets since the last beat.
    :param scratch: working memory for one read or one batch; nothing in it outlives a callback.
    :param room: for the packets that wait for clients.
    """

    config: Config
    identity: Presented
    directory: OwnDirectory
    sessions: OwnSessions
    interfaces: OwnInterfaces
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    weak_sign_ins: WeakSignIn = NO_WEAK_SIGN_IN
    scratch: memoryview = field(default_factory=lambda: memoryview(bytearray(SCRATCH)))
    room: Room = field(default_factory=Room)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    active: set[Carrier] = field(default_factory=set)
    contexts: Contexts = field(default_factory=Contexts)
    log_limit: LogLimit = field(default_factory=LogLimit)
    failures: Failures = field(default_factory=lambda: Failures(time.time))
    tally: Tally = field(default_factory=Tally)
    tracing: Tracing = field(default_factory=Tracing)
    sources: Sources = field(init=False)
    handshakes: Handshakes = field(init=False)
    round_robin: RoundRobin = field(init=False)
    _store: Threads = field(init=False)
    _kernel: Threads = field(init=False)

    def __post_init__(self) -> None:
        self.sources = Sources(self.loop.time)
        self.handshakes = Handshakes(self.loop, self.sources)
        self.round_robin = RoundRobin(self.loop)
        self._store = Threads(self.loop, 1)
        self._kernel = Threads(self.loop, INTERFACES)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run ``work`` beside everything else, and keep it alive."""
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def ask(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Ask for users or sessions: the keeper's, or any others in a thread."""
        return await _begin(self._store, call, *args, **kwargs)

    async def arrange(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Have something done about interfaces: by the keeper, or in one of the threads for those."""
        return await _begin(self._kernel, call, *args, **kwargs)


def _begin(
    threads: Threads, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
) -> "asyncio.Future[_T]":
    if isinstance(call, Remote):  # it takes no thread to wait
        return call.begin(*args, **kwargs)
    return threads.submit(functools.partial(call, *args, **kwargs))
