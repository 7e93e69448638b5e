"""Workers, each with its keeper: forked, looked after, ended together."""

import asyncio
import gc
import math
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NoReturn

from . import confinement
from .config import Config
from .contracts import Backend
from .errors import ServerError
from .keeper.codec import MalformedMessage
from .keeper.process import Ends, connect, give_up, keep
from .listening import Listeners
from .log import LOGGER
from .log_targets import Datagrams
from .metrics.board import Board
from .metrics.tally import Tally
from .net.tls import CertificateFiles
from .net.worker import RETIRE, work
from .takeover import Handover, Left

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

    :param slot: on the board of metrics; -1: on none that is there still.
    :param started: when, by time.monotonic().
    :param retires: whether it takes nobody any more, and ends with its last session.
    :param until: when those that are left then are ended, by time.monotonic().
    """

    worker: int
    keeper: int
    slot: int
    started: float
    retires: bool = False
    until: float = math.inf


class Crew:
    """The pairs of one server.

    :param listeners: which all workers share.
    :param board: where the workers count.
    """

    def __init__(
        self,
        config: Config,
        identity: CertificateFiles,
        listeners: Listeners,
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

    def adopt(self, before: Handover) -> None:
        """Look after the workers of the program before, which go on until they are told to retire."""
        now = time.monotonic()
        self.pairs += [
            Pair(
                one.worker,
                one.keeper,
                one.slot if self._board.keep(one.slot, before.layout) else -1,
                now,
                retires=True,
                until=one.until,
            )
            for one in before.left
        ]
        self._leaving.update(before.keepers)

    @property
    def left(self) -> tuple[Left, ...]:
        """All workers, as the next program is told of them."""
        return tuple(Left(one.worker, one.keeper, one.slot, one.until) for one in self.pairs)

    @property
    def leaving(self) -> tuple[tuple[int, float], ...]:
        """Keepers whose worker has ended, and until when they may see to what is left of it."""
        return tuple(self._leaving.items())

    def renew(self, config: Config, identity: CertificateFiles, backend: Backend) -> None:
        """Start others, which are told this, in place of those that there are; these retire.

        :raises ServerError: if there are too many that have retired and have sessions still.
        """
        if self._board.room < config.workers:
            raise ServerError(
                f"{len(self.pairs)} workers of earlier settings have sessions still",
                "wait until some of them have ended, or restart the server",
            )
        before = list(self.pairs)
        self._config, self._identity, self._backend = config, identity, backend
        for _ in range(config.workers):
            self.start()
        self.retire(before)

    def retire(self, pairs: Iterable[Pair], until: float = math.inf) -> None:
        """Have workers take nobody any more, and end with their last session.

        :param until: when those that are left are ended, by time.monotonic().
        """
        for pair in pairs:
            pair.retires, pair.until = True, min(pair.until, until)
            os.kill(pair.worker, RETIRE)

    def end_late(self) -> None:
        """End the sessions of workers that had to be gone by now."""
        for pair in self.pairs:
            if time.monotonic() >= pair.until:
                pair.until = math.inf
                os.kill(pair.worker, signal.SIGTERM)

    def ended(self) -> list[tuple[Pair, str]]:
        """Return the pairs of which one has ended, and how; the other ends as well.

        How is empty where it was to be.

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
                    expected = pair.retires and pid == pair.worker and not status
                    how = f"its {what}, {os.waitstatus_to_exitcode(status)}"
                    found.append((pair, "" if expected else how))
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
        listeners = self._listeners.sockets
        needed = [one.fileno() for one in (*listeners, far.store, far.kernel)]
        needed += [one.fileno() for one in logs]
        confinement.confine(self._user, needed)
        identity = self._identity.presented()
        tally = Tally(self._board.slot(slot))
        asyncio.run(work(self._config, identity, listeners, far, supervisor, tally))

    def _be_keeper(self, near: Ends, far: Ends, worker: int) -> None:
        confinement.name("sstpca-keeper")
        far.close()
        self._listeners.close()
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
