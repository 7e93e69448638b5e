"""The process of a keeper: begins before its worker does anything, ends with the worker."""

import os
import signal
import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ..config import Config
from ..contracts import Backend
from ..hooks.hooked import hooked
from ..log import LOGGER
from ..net.shared import INTERFACES
from ..net.tls import CertificateFiles
from .answering import Desk
from .codec import MalformedMessage
from .contract import OwnDirectory, OwnInterfaces, OwnSessions
from .directory import KeptDirectory
from .identity import FollowedIdentity
from .interfaces import KernelInterfaces
from .sessions import KeptSessions

#: Bytes that a socket's other end has not taken yet, at most.
_ROOM: Final = 1 << 20
_SO_SNDBUFFORCE: Final = 32  # Linux uapi, asm-generic/socket.h

#: What a process group or a terminal is sent. A worker says goodbye with its keeper's help.
_IGNORED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Ends:
    """One process' ends of the two sockets.

    :param store: for users, sessions and certificates.
    :param kernel: for interfaces.
    """

    store: socket.socket
    kernel: socket.socket

    def close(self) -> None:
        """Close both."""
        self.store.close()
        self.kernel.close()


def connect() -> tuple[Ends, Ends]:
    """Return the ends of a keeper and of its worker."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
    for sock in (sock for pair in pairs for sock in pair):
        sock.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _ROOM)
    (store, far_store), (kernel, far_kernel) = pairs
    return Ends(store, kernel), Ends(far_store, far_kernel)


def keep(
    config: Config, identity: CertificateFiles, backend: Backend, ends: Ends, worker: int
) -> None:
    """Be the keeper of the process ``worker``, until that is gone.

    :raises MalformedMessage: if it says what no worker of ours says.
    """
    for number in _IGNORED:
        signal.signal(number, _disregard)  # and not SIG_IGN, which programs would inherit
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    with (
        backend.join(worker) as (directory, stored),
        hooked(stored, config.hooks) as sessions,
    ):
        users = KeptDirectory(directory)
        kept = KeptSessions(sessions, config.interface, FollowedIdentity(identity), users)
        store = Desk(
            {
                "directory": (OwnDirectory, users),
                "sessions": (OwnSessions, kept),
            }
        )
        interfaces = KernelInterfaces(kept, config)
        kernel = Desk({"interfaces": (OwnInterfaces, interfaces)})
        _work_beside(kernel, ends.kernel, range(INTERFACES))
        store.work(ends.store)


def _disregard(*_: object) -> None:
    """A signal comes."""


def _work_beside(desk: Desk, sock: socket.socket, numbers: Iterable[int]) -> None:
    def work() -> None:
        try:
            desk.work(sock)
        except MalformedMessage as error:
            give_up(error)

    for _ in numbers:
        threading.Thread(target=work, daemon=True).start()


def give_up(error: MalformedMessage) -> None:
    """End this process, and by that its worker, which has said what no worker of ours says."""
    LOGGER.error("a worker says what it cannot mean (%s): it is ended", error)
    os._exit(1)
