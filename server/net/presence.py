"""Which servers of this machine run, whatever has become of others that left their rules behind.

A server has a socket with the name of its table, in the abstract namespace (unix(7)): it belongs to
the network namespace, as the rules do, and is gone with the processes, however they end.
"""

import contextlib
import errno
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def present(table: str, before: int = -1) -> Iterator[socket.socket]:
    """Be seen as the server that has ``table`` while the block runs.

    :param before: the socket of the program from which this one takes over; -1: of none.
    """
    with _socket() if before < 0 else socket.socket(fileno=before) as sign:
        if before < 0:
            # whoever has taken the name shows that this server runs as well as it could itself
            _bind(sign, table)
        yield sign


def is_present(table: str) -> bool:
    """Whether the server that has ``table`` runs."""
    with _socket() as probe:
        return not _bind(probe, table)


def _socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)


def _bind(sock: socket.socket, table: str) -> bool:
    """Give ``sock`` the name; return whether it was free."""
    try:
        sock.bind(f"\0{table}")
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True
