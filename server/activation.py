"""Listening sockets that are handed to the server at its start: sd_listen_fds(3), systemd.socket(5)."""

import fcntl
import os
import socket
from collections.abc import Mapping
from typing import Final

from .errors import ServerError

_FIRST: Final = 3
_MOST: Final = 64


def handed_over(environment: Mapping[str, str] = os.environ) -> list[socket.socket]:
    """Return the sockets that this process was given to listen on; none, if it has to open them.

    :param environment: has LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES where it was.
    :raises ServerError: if one of them is no listening TCP socket, or the numbers make no sense.
    """
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return []
    text = environment.get("LISTEN_FDS", "")
    if not text.isascii() or not text.isdecimal() or int(text) > _MOST:
        raise _refusal(f"LISTEN_FDS is {text[:20]!r}")
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    names += [""] * int(text)
    return [_taken(_FIRST + place, names[place]) for place in range(int(text))]


def _taken(descriptor: int, name: str) -> socket.socket:
    what = f"descriptor {descriptor}" + (f" ({name[:40]})" if name.isprintable() and name else "")
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError as error:
        raise _refusal(f"{what} is no socket: {error.strerror}") from error
    internet = sock.family in (socket.AF_INET, socket.AF_INET6)
    if not internet or sock.type != socket.SOCK_STREAM:
        sock.detach()
        raise _refusal(f"{what} is no TCP socket")
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.detach()
        raise _refusal(f"{what} does not listen")
    fcntl.fcntl(descriptor, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    sock.setblocking(False)
    return sock


def _refusal(what: str) -> ServerError:
    return ServerError(
        f"the service manager hands over sockets that cannot be used: {what}",
        "have the socket unit listen by ListenStream= on addresses with a port, Accept=no",
    )
