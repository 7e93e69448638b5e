"""The supervisor's side: has the metrics' address answered, and says what no worker counts.

Whatever becomes of this, the VPN goes on.
"""

import os
import platform
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ..config import Config
from ..contracts import Backend, Figures
from ..log import LOGGER
from ..takeover import Handover
from .board import LAYOUT, Board
from .gathered import Gathered

#: Seconds between two looks at what the store knows; and until what has failed is tried again.
_GATHER: Final = 10.0
_RETRY: Final = 60.0

#: Seconds that the exporter takes to read what it is told, at most.
_PATIENCE: Final = 2.0

_MODULE: Final = f"{__package__}.exporter"


class Exporting:
    """Use it as a context manager; call :meth:`tick` now and then.

    :param address: where to answer; None: nowhere.
    :param gather: returns what the store knows; anything it raises is said.
    :param version: of the program.
    :param workers: how many there are to be.
    :param listener: what the program before has listened with there.
    """

    def __init__(
        self,
        address: tuple[str, int] | None,
        board: Board,
        gather: Callable[[], Figures],
        *,
        version: str,
        workers: int,
        listener: socket.socket | None = None,
    ) -> None:
        self._address = address
        self.board = board
        self._gather = gather
        self._listener = listener
        self._told: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._failing = ""
        self._next = 0.0
        versions = {
            "version": version,
            "python": platform.python_version(),
            "openssl": ssl.OPENSSL_VERSION.partition(" ")[2].partition(" ")[0],
        }
        #: What it is told; its owner may change what the store does not know.
        self.told = Gathered(begun=time.time(), workers=workers, versions=versions)

    def __enter__(self) -> "Exporting":
        self.tick()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        if self._listener is not None:
            self._listener.close()

    @property
    def listener(self) -> int:
        """The descriptor that listens; -1: none does."""
        return -1 if self._listener is None else self._listener.fileno()

    def follow(self, gather: Callable[[], Figures], workers: int) -> None:
        """Ask the store as other settings have it, and say how many workers there are to be now."""
        self._gather = gather
        self.told = replace(self.told, workers=workers)

    def pause(self) -> None:
        """End what answers: whoever asks waits until it is started again."""
        self._end()
        self._next = 0.0

    def lost(self) -> None:
        """A worker has ended unexpectedly."""
        self.told = replace(self.told, lost=self.told.lost + 1)

    def drain(self) -> None:
        """Say at once that no new sessions are taken."""
        self.told = replace(self.told, draining=True)
        self._next = 0.0
        self.tick()

    def tick(self) -> None:
        """Say what is new, if it is time; start what is to run and does not."""
        now = time.monotonic()
        if self._address is None or now < self._next:
            return
        try:
            self._start(self._address)
            self._tell()
        except OSError as error:
            self._next = now + _RETRY
            self._end()
            self._complain(str(error.strerror or error))
        else:
            self._next = now + _GATHER

    def _start(self, address: tuple[str, int]) -> None:
        if self._listener is None:
            self._listener = _listen(address)
        if self._process is None or self._process.poll() is not None:
            if self._process is not None:
                self._end()
                LOGGER.error("what answers for metrics has ended, and is started again")
            self._told, other = socket.socketpair()
            self._told.settimeout(_PATIENCE)
            shown = self.board.shown()
            try:
                with other:
                    self._process = _run(self._listener.fileno(), other.fileno(), shown)
            finally:
                os.close(shown)
            self._failing = ""
            LOGGER.info("metrics and health are at http://%s/metrics and /health", _shown(address))

    def _tell(self) -> None:
        """Tell what the store knows; where it does not answer, what it knew last stays."""
        try:
            self.told = replace(self.told, figures=self._gather())
        except Exception as error:  # whatever the store has, the rest is told
            LOGGER.error("metrics lack what the store knows: %s", error)
        if self._told is not None:
            self._told.sendall(self.told.encode())

    def _complain(self, why: str) -> None:
        if why != self._failing:
            self._failing = why
            where = _shown(self._address or ("", 0))
            LOGGER.error("no metrics at %s: %s; the VPN goes on without them", where, why)

    def _end(self) -> None:
        if self._told is not None:
            self._told.close()
            self._told = None
        if self._process is not None:
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def exporting_of(config: Config, backend: Backend) -> Exporting:
    """Return what answers for the server that is told this when it starts."""
    before = config.before
    exporting = Exporting(
        config.metrics,
        Board(before.board) if before and before.layout == LAYOUT else Board(),
        backend.figures,
        version=config.version,
        workers=config.workers,
        listener=_kept(before, config.metrics) if before else None,
    )
    if before:
        exporting.told = replace(exporting.told, begun=before.begun, lost=before.failed)
    return exporting


def _kept(before: Handover, address: tuple[str, int] | None) -> socket.socket | None:
    """Return what the program before has listened with, if that is where to listen still."""
    if before.metrics < 0:
        return None
    listener = socket.socket(fileno=before.metrics)
    if address is not None and listener.getsockname()[:2] == address:
        return listener
    listener.close()
    return None


def _shown(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listen(address: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(64)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _run(*descriptors: int) -> subprocess.Popen[bytes]:
    """Start the exporter with these descriptors and no others, and nothing that is only ours to know."""
    hidden = "SSTPCA_"
    return subprocess.Popen(
        [sys.executable, "-P", "-m", _MODULE, *map(str, descriptors)],
        stdin=subprocess.DEVNULL,
        pass_fds=descriptors,
        env={name: value for name, value in os.environ.items() if not name.startswith(hidden)},
        preexec_fn=_unblock,
    )


def _unblock() -> None:
    # the supervisor waits for its signals; a process that it starts inherits that they are blocked
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
