"""The parts of a measurement: functions in processes of their own, inside network namespaces."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self

from tests.support.netns import Namespace

_P = ParamSpec("_P")
_FORK = multiprocessing.get_context("fork")


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used, user and system, to 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_of(pids: Iterable[int]) -> float:
    """Return the processor time that several processes have used."""
    return sum(map(cpu_seconds, pids))


def hurry() -> None:
    """Let this process come before all others on a processor: it does little, but in time."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))


class Part:
    """A function that runs in a process and a namespace of its own; use it as a context manager.

    :param function: gets a pipe first, by which it says what :meth:`hear` returns.
    """

    def __init__(
        self,
        namespace: Namespace,
        function: Callable[Concatenate[Connection, _P], None],
        *arguments: _P.args,
        **named: _P.kwargs,
    ) -> None:
        self._ours, theirs = _FORK.Pipe()

        def run() -> None:
            # the terminal's Ctrl-C is for the one that ends us all in order
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            function(theirs, *arguments, **named)

        self._process = _FORK.Process(target=run, daemon=True)
        with namespace.entered():  # the child is in there, too
            self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def cpu(self) -> float:
        """The processor time it has used, in seconds."""
        return cpu_seconds(self.pid)

    def tell(self, word: object) -> None:
        """Say something to it; what it understands is its own affair."""
        self._ours.send(word)

    def hear(self, seconds: float = 60.0) -> Any:
        """Return what it says next.

        :raises RuntimeError: if it ends, or says nothing for so long.
        """
        if not self._ours.poll(seconds):
            raise RuntimeError(f"{self._process.name} said nothing in {seconds} s")
        try:
            return self._ours.recv()
        except EOFError:
            raise RuntimeError(f"{self._process.name} ended; see above why") from None

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.join(2.0)
        self._process.kill()
        self._process.join()
