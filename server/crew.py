"""Workers, each with its keeper: forked, looked after, ended together."""

import asyncio
import gc
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from . import confinement
from .config import Config
from .contracts import Backend
from .keeper.codec import MalformedMessage
from .keeper.process import Ends, connect, give_up, keep
from .log import LOGGER
from .log_targets import Datagrams
from .metrics.board import Board
from .metrics.tally import Tally
from .net.tls import CertificateFiles
from .net.worker import work

#: Seconds in which a keeper whose worker has ended sees to what is left of it, before it is killed.
_FAREWELL: Final = 6.0

#: Objects that have come, less those that have gone, until a process looks for garbage. Nothing of
#: ours goes in circles (a test holds that); what a login leaves of pyroute2 and SQLAlchemy does,
#: about 150 objects. The default, 700, made 2,500 connects a second look for it all the time, 30 to
#: 60 ms each, while users' packets waited.
_GARBAGE: Final = 10_000

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)


@dataclass(slots=True)
class Pair:
    """A worker and its keeper, by their process ids.

    :param slot: on the board of metrics.
    :param started: when, by time.monotonic().
    """

    worker: int
    keeper: int
    slot: int
    started: float


class Crew:
    """The pairs of one server.

    :param listeners: listening sockets, which all workers share.
    :param board: where the workers count.
    """

    def __init__(
        self,
        config: Config,
        identity: CertificateFiles,
        listeners: Sequence[socket.socket],
        backend: Backend,
        board: Board,
    ) -> None:
        self._config = config
        self._identity = identity
        self._listeners = listeners
        self._backend = backend
        self._board = board
        self._user = confinement.user_of(config.table)
        self.pairs: list[Pair] = []
        #: Keepers whose worker has ended, and until when they may see to what is left of it.
        self._leaving: dict[int, float] = {}

    def rehearse(self) -> None:
        """Say what workers of this machine will not be able to give up."""
        confinement.rehearse(self._user)

    def start(self) -> None:
        """Start one more."""
        near, far = connect()
        supervisor = os.getpid()
        slot = self._board.take()
        worker = _fork(lambda: self._be_worker(near, far, slot, supervisor))
        keeper = _fork(lambda: self._be_keeper(near, far, worker))
        near.close()
        far.close()
        self.pairs.append(Pair(worker, keeper, slot, time.monotonic()))

    def ended(self) -> list[tuple[Pair, str]]:
        """Return the pairs of which one has ended, and how; the other ends as well.

        A worker without a keeper is of no use. A keeper without a worker ends by itself, once the
        programs of [hooks] have heard of the sessions that are lost.
        """
        self._see_off()
        found = []
        for pair in list(self.pairs):
            for what, pid, other in (
                ("worker", pair.worker, pair.keeper),
                ("keeper", pair.keeper, pair.worker),
            ):
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    if pid == pair.worker:
                        self._leaving[other] = time.monotonic() + _FAREWELL
                    else:
                        os.kill(other, signal.SIGKILL)
                        os.waitpid(other, 0)
                    self.pairs.remove(pair)
                    self._board.leave(pair.slot)
                    found.append((pair, f"its {what}, {os.waitstatus_to_exitcode(status)}"))
                    break
        return found

    def _see_off(self) -> None:
        """Reap the keepers that are leaving, and end those that take too long."""
        for pid, until in list(self._leaving.items()):
            if time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)
            if os.waitpid(pid, os.WNOHANG)[0]:
                del self._leaving[pid]

    def stop(self, seconds: float) -> None:
        """Ask all workers to end, and see them and their keepers gone.

        :param seconds: until they are killed.
        """
        for pair in self.pairs:
            os.kill(pair.worker, signal.SIGTERM)
        end = time.monotonic() + seconds
        left = {pid for pair in self.pairs for pid in (pair.worker, pair.keeper)}
        left |= self._leaving.keys()
        while left:
            left -= {pid for pid in left if os.waitpid(pid, os.WNOHANG)[0]}
            if left and time.monotonic() > end:
                for pid in left:
                    os.kill(pid, signal.SIGKILL)
            if left:
                signal.sigtimedwait({signal.SIGCHLD}, 0.5)
        self.pairs.clear()
        self._leaving.clear()

    def _be_worker(self, near: Ends, far: Ends, slot: int, supervisor: int) -> None:
        confinement.name("sstpca-worker")
        near.close()
        # Ctrl-C and the end of a terminal reach the whole process group; the supervisor alone decides
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD, signal.SIGHUP, *_ENDING})
        logs = [one for one in LOGGER.handlers if isinstance(one, Datagrams)]
        needed = [one.fileno() for one in (*self._listeners, far.store, far.kernel)]
        needed += [one.fileno() for one in logs]
        confinement.confine(self._user, needed)
        identity = self._identity.presented()
        tally = Tally(self._board.slot(slot))
        asyncio.run(work(self._config, identity, self._listeners, far, supervisor, tally))

    def _be_keeper(self, near: Ends, far: Ends, worker: int) -> None:
        confinement.name("sstpca-keeper")
        far.close()
        for listener in self._listeners:
            listener.close()
        try:
            keep(self._config, self._identity, self._backend, near, worker)
        except MalformedMessage as error:
            give_up(error)


def _fork(be: Callable[[], None]) -> int:
    """Return the process id of a child that is what ``be`` is, and ends with it."""
    pid = os.fork()
    if pid == 0:
        _be(be)
    return pid


def _be(be: Callable[[], None]) -> NoReturn:
    code = 1
    try:
        # Modules and what they made stay to the end. Looking through all of it takes more than 100
        # ms, and whoever connects often enough could make us do that.
        gc.freeze()
        gc.set_threshold(_GARBAGE, 50, 100)
        be()
        code = 0
    except Exception:
        LOGGER.exception("a process of the server failed")
    finally:
        os._exit(code)
