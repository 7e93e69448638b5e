"""How a connection ends: what was sent has to arrive before the socket goes."""

import asyncio
from typing import Final

from ..dataplane.stream import TlsStream

#: Seconds that a peer gets to take what waits, and again to take our last bytes and close its side.
LINGER: Final = 2.0


def close_gently(loop: asyncio.AbstractEventLoop, stream: TlsStream) -> None:
    """Let what waits go out; say goodbye in TLS and TCP, read until the peer does too; then close.

    :param stream: nobody else watches its socket any more.
    """
    if not stream.waiting:
        _part(loop, stream)
        return
    descriptor = stream.fileno()

    def flush() -> None:
        try:
            if not stream.flush():
                return
        except OSError:  # the goodbye finds that out as well
            pass
        go_on()

    def go_on() -> None:
        timer.cancel()
        loop.remove_writer(descriptor)
        _part(loop, stream)

    timer = loop.call_later(LINGER, go_on)
    loop.add_writer(descriptor, flush)


def _part(loop: asyncio.AbstractEventLoop, stream: TlsStream) -> None:
    """Say goodbye, and wait for the peer's.

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
