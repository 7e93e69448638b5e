"""How a connection ends: what was sent has to arrive before the socket goes."""

import asyncio
from typing import Final

from ..dataplane.stream import TlsStream

#: Seconds that a peer gets to take our last bytes and to close its side.
LINGER: Final = 2.0


def close_gently(loop: asyncio.AbstractEventLoop, stream: TlsStream) -> None:
    """Say goodbye in TLS and TCP, read until the peer does too, then close.

    A socket closed with unread bytes in it is reset by the kernel, and a reset can take our last
    bytes away from the peer.
    """
    descriptor = stream.fileno()
    try:
        stream.say_goodbye()
    except OSError:
        stream.close()
        return

    def discard() -> None:
        try:
            if stream.discard():
                return
        except OSError:
            pass
        end()

    def end() -> None:
        timer.cancel()
        loop.remove_reader(descriptor)
        stream.close()

    timer = loop.call_later(LINGER, end)
    loop.add_reader(descriptor, discard)
