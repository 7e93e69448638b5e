"""Has the programs run: of one session one after the other, of all a few at a time, in threads."""

import queue
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..log import LOGGER
from . import program

#: Programs that run at a time, and those that wait for that, at most.
AT_ONCE: Final = 4
WAITING: Final = 5000


@dataclass(frozen=True, slots=True)
class Run:
    """A program to be run for a session.

    :param told: its environment.
    """

    path: Path
    session: int
    told: Mapping[str, str]


class Runner:
    """The threads start with the first program, and keep no process from ending.

    :param seconds: for how long one may run.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        #: What waits of each session; the first one may run.
        self._waiting: dict[int, deque[Run]] = {}
        self._count = 0
        self._ready: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def add(self, run: Run) -> None:
        """Have one run as soon as those of its session before it have ended; this waits for nothing."""
        with self._lock:
            if self._count >= WAITING:
                LOGGER.error("%s of session %d is not run: too many wait", run.path, run.session)
                return
            self._count += 1
            waiting = self._waiting.setdefault(run.session, deque())
            waiting.append(run)
            if len(waiting) == 1:
                self._ready.put(run.session)
            if len(self._threads) < min(AT_ONCE, self._count):
                thread = threading.Thread(target=self._work, daemon=True)
                self._threads.append(thread)
                thread.start()

    def finish(self, patience: float) -> None:
        """Wait for those that run and wait, ``patience`` seconds at most."""
        end = time.monotonic() + patience
        while self._count and time.monotonic() < end:
            time.sleep(0.02)
        if self._count:
            LOGGER.error("%d programs of [hooks] were not waited for", self._count)

    def _work(self) -> None:
        while True:
            session = self._ready.get()
            run = self._waiting[session][0]
            try:
                problem = program.run(run.path, run.told, self._seconds)
            except Exception:  # the next session's is to run all the same
                LOGGER.exception("a mistake in the server")
                problem = ""
            if problem:
                extra = {"session": session, "user": run.told.get("SSTPCA_USER", "")}
                LOGGER.error("the program %s %s", run.path, problem, extra=extra)
            with self._lock:
                waiting = self._waiting[session]
                waiting.popleft()
                self._count -= 1
                if waiting:
                    self._ready.put(session)
                else:
                    del self._waiting[session]
