"""From an accepted socket to an SSTP request: the TLS handshake and the HTTP preamble.

Whoever is in here is a stranger: time and size are bounded, and so is how many are in here.
"""

import asyncio
from collections.abc import Callable
from email.utils import formatdate
from typing import Final

from ..dataplane.stream import TlsStream
from ..log import LOGGER
from ..sstp.preamble import Preamble, Request, accept_response, refusal
from .closing import close_gently
from .tls import explained

#: Seconds for the TLS handshake and the HTTP request together. [MS-SSTP] 3.2.2.1 lets a client
#: wait 60 s for the server; it gives the server no reason to wait as long for the client.
PATIENCE: Final = 20.0

# The largest plaintext of one TLS record, RFC 8446 5.1
_PIECE: Final = 16384

Accepted = Callable[[TlsStream, Request], None]
Gone = Callable[["Entrance", str], None]


class Entrance:
    """One stranger.

    :param accepted: takes over the socket, with the answer sent, and the request.
    :param gone: is told when nobody has to be thought of any more, and why.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        stream: TlsStream,
        *,
        accepted: Accepted,
        gone: Gone,
    ) -> None:
        self._loop = loop
        self._stream = stream
        self._accepted = accepted
        self._gone = gone
        self._preamble = Preamble()
        self._timer = loop.call_later(PATIENCE, self.drop, "no request in time")
        self._established = False
        loop.add_reader(stream.fileno(), self._run)

    def drop(self, reason: str) -> None:
        """Close the socket without another word."""
        self._leave(reason)
        self._stream.close()

    def _leave(self, reason: str) -> None:
        self._timer.cancel()
        self._loop.remove_reader(self._stream.fileno())
        self._gone(self, reason)

    def _run(self) -> None:
        try:
            self._step()
        except OSError as error:
            self.drop(f"TLS: {explained(error)}")
        except Exception:
            # it would come back at once: the descriptor is still ready
            LOGGER.exception("a mistake in the server")
            self.drop("the server has a problem")

    def _step(self) -> None:
        alive = self._stream.receive()
        if not self._established:
            self._established = self._stream.handshake()
        if self._established and self._read():
            return
        if not alive:
            self.drop("closed before a request")

    def _read(self) -> bool:
        """Read the request as far as it is there; return whether that settles the matter."""
        buffer = memoryview(bytearray(_PIECE))
        while count := self._stream.read(buffer):
            request = self._preamble.feed(bytes(buffer[:count]))
            if request is not None:
                self._answer(request)
                return True
        if count == 0:
            self.drop("closed before a request")
        return count == 0

    def _answer(self, request: Request) -> None:
        date = formatdate(usegmt=True)
        if request.is_sstp:
            # a few hundred bytes into an empty socket buffer: they fit
            self._stream.write(accept_response(date))
            self._stream.flush()
            self._leave("")
            self._accepted(self._stream, request)
        else:
            self._stream.write(refusal(request, date))
            self._stream.flush()
            self._leave(f"no SSTP request: {request.method} {request.target}"[:200])
            close_gently(self._loop, self._stream)
