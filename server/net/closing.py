"""How a connection ends: what was sent has to arrive before the socket goes."""

import asyncio
import contextlib
import socket
import ssl
from typing import Final

#: Seconds that a peer gets to take our last bytes and to close its side.
LINGER: Final = 2.0


def close_gently(loop: asyncio.AbstractEventLoop, sock: ssl.SSLSocket) -> None:
    """Say goodbye in TLS and TCP, read until the peer does too, then close.

    A socket closed with unread bytes in it is reset by the kernel, and a reset can take our last
    bytes away from the peer.
    """
    descriptor = sock.fileno()
    with contextlib.suppress(OSError, ValueError):
        sock.unwrap()
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        sock.close()
        return

    def discard() -> None:
        try:
            if sock.recv(65536):
                return
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError:
            pass
        end()

    def end() -> None:
        timer.cancel()
        loop.remove_reader(descriptor)
        sock.close()

    timer = loop.call_later(LINGER, end)
    loop.add_reader(descriptor, discard)
