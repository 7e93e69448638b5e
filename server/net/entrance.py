"""From an accepted socket to an SSTP request: the TLS handshake and the HTTP preamble.

Whoever is in here is a stranger: time and size are bounded, and so is how many are in here.
"""

import asyncio
import ssl
from collections.abc import Callable
from email.utils import formatdate
from typing import Final

from ..log import LOGGER
from ..sstp.preamble import Preamble, Request, accept_response, refusal
from .closing import close_gently

#: Seconds for the TLS handshake and the HTTP request together. [MS-SSTP] 3.2.2.1 lets a client
#: wait 60 s for the server; it gives the server no reason to wait as long for the client.
PATIENCE: Final = 20.0

Accepted = Callable[[ssl.SSLSocket, Request], None]
Gone = Callable[["Entrance", str], None]


class Entrance:
    """One stranger.

    :param accepted: takes over the socket, with the answer sent, and the request.
    :param gone: is told when nobody has to be thought of any more, and why.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: ssl.SSLSocket,
        *,
        accepted: Accepted,
        gone: Gone,
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._accepted = accepted
        self._gone = gone
        self._preamble = Preamble()
        self._timer = loop.call_later(PATIENCE, self.drop, "no request in time")
        self._step = self._handshake
        loop.add_reader(sock.fileno(), self._run)

    def drop(self, reason: str) -> None:
        """Close the socket without another word."""
        self._leave(reason)
        self._sock.close()

    def _leave(self, reason: str) -> None:
        self._timer.cancel()
        self._loop.remove_reader(self._sock.fileno())
        self._loop.remove_writer(self._sock.fileno())
        self._gone(self, reason)

    def _run(self) -> None:
        self._loop.remove_writer(self._sock.fileno())
        try:
            self._step()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLWantWriteError:
            self._loop.add_writer(self._sock.fileno(), self._run)
        except OSError as error:
            self.drop(f"TLS: {getattr(error, 'reason', None) or error.strerror or error}")
        except Exception:
            # it would come back at once: the descriptor is still ready
            LOGGER.exception("a mistake in the server")
            self.drop("the server has a problem")

    def _handshake(self) -> None:
        self._sock.do_handshake()
        self._step = self._read
        self._read()

    def _read(self) -> None:
        while True:
            data = self._sock.recv(16384)
            request = self._preamble.feed(data) if data else None
            if not data:
                return self.drop("closed before a request")
            if request is not None:
                return self._answer(request)

    def _answer(self, request: Request) -> None:
        date = formatdate(usegmt=True)
        if request.is_sstp:
            # a few hundred bytes into an empty socket buffer: they fit
            self._sock.send(accept_response(date))
            self._leave("")
            self._accepted(self._sock, request)
        else:
            self._sock.send(refusal(request, date))
            self._leave(f"no SSTP request: {request.method} {request.target}"[:200])
            close_gently(self._loop, self._sock)
