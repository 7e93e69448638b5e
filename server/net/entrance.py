"""From an accepted socket to an SSTP request: the TLS handshake and the HTTP preamble.

Whoever is in here is a stranger: time, size and cost are bounded, and so is how many are in here.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Final

from ..dataplane.stream import TlsStream
from ..log import LOGGER
from ..metrics.figures import Refusal
from ..metrics.tally import Tally
from ..ppp.spelling import printable
from ..sstp.preamble import Preamble, Request, accept_response, refusal
from .closing import close_gently
from .handshakes import Handshakes
from .hello import HelloError, HelloReader, alert_record
from .sources import Source
from .strangers import Progress
from .tls import Certificate, Certificates, explained

#: Seconds that a client may make us wait, in the TLS handshake and the HTTP request together.
PATIENCE: Final = 20.0
#: Seconds that it waits for us beside: an office of 300 that comes back in one moment has to wait for its
#: turn, and must not be sent away for that. [MS-SSTP] 3.2.2.1 lets a client wait for 60 s.
TURN: Final = 60.0

#: Seconds of processor time for reading the HTTP request. It takes less than a thousandth; but TLS can
#: be made to work for next to no content (KeyUpdate, RFC 8446 4.6.3).
COST: Final = 0.05

# The largest plaintext of one TLS record, RFC 8446 5.1
_PIECE: Final = 16384


class Entrance:
    """One stranger.

    :param sock: connected and not blocking.
    :param source: where it comes from, which decides whose turn it is to shake hands.
    :param certificates: those of this connection: by the time of its login there may be others.
    :param tally: where it is counted what becomes of it.
    :param accepted: takes over the connection, with the answer sent, the request, and the
        certificate that was shown.
    :param gone: is told when nobody has to be thought of any more, and why.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        certificates: Certificates,
        source: Source,
        handshakes: Handshakes,
        tally: Tally,
        accepted: Callable[[TlsStream, Request, Certificate], None],
        gone: Callable[["Entrance", str], None],
    ) -> None:
        self.progress = Progress.SILENT
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._certificates = certificates
        self._shown: Certificate | None = None
        self._source = source
        self._handshakes = handshakes
        self._tally = tally
        self._came = self._loop.time()
        self._accepted = accepted
        self._gone = gone
        self._hello = HelloReader()
        self._preamble = Preamble()
        self._cost = 0.0
        self._task: asyncio.Task[None] | None = None
        self._turn = self._loop.time() + TURN
        self._left = PATIENCE
        self._timer = self._loop.call_later(
            self._left, self.drop, "no request in time", Refusal.SLOW
        )
        self._watch(self._greet)

    def drop(self, reason: str, refusal: Refusal = Refusal.CROWD) -> None:
        """Close the socket without another word.

        :param refusal: as what it is counted.
        """
        self._leave(reason, refusal)
        self._sock.close()

    def _leave(self, reason: str, refusal: Refusal | None = None) -> None:
        if refusal is not None:
            self._tally.refused(refusal)
        self._timer.cancel()
        self._loop.remove_reader(self._sock.fileno())
        if self._task is not None:
            self._task.cancel()
        self._gone(self, reason)

    def _set_timer(self, seconds: float, reason: str) -> None:
        self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self.drop, reason, Refusal.SLOW)

    def _watch(self, step: Callable[..., None], *arguments: object) -> None:
        """Call ``step`` when there is something to read."""
        self._loop.add_reader(self._sock.fileno(), self._safely, step, *arguments)

    def _safely(self, step: Callable[..., None], *arguments: object) -> None:
        """Let a mistake, also one of ours, cost this stranger alone.

        No context manager: an exception and its frames would keep each other.
        """
        try:
            step(*arguments)
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        match error:
            case HelloError():
                with contextlib.suppress(OSError):
                    self._sock.send(alert_record(error.alert))
                self.drop(f"TLS: {error}", Refusal.TLS)
            case OSError():
                self.drop(f"TLS: {explained(error)}", Refusal.TLS)
            case _:
                # it would come back at once: the descriptor is still ready
                LOGGER.error("a mistake in the server", exc_info=error)
                self.drop("the server has a problem", Refusal.MISTAKE)

    def _greet(self) -> None:
        """Read the ClientHello: until that is whole, a stranger costs next to nothing."""
        try:
            data = self._sock.recv(_PIECE)
        except BlockingIOError:
            return
        hello = self._hello.feed(data)
        if hello is not None:
            self._shown, context = self._certificates.choose(hello)
            self.progress = Progress.GREETED
            stream = TlsStream(self._sock, context.begin(), self._hello.received)
            self._begin(stream, first=True)
        elif not data:
            self.drop("closed before a request", Refusal.CLOSED)

    def _begin(self, stream: TlsStream, *, first: bool = False) -> None:
        """Have a step of the handshake made; nothing is read until then, and the time is ours."""
        self._loop.remove_reader(self._sock.fileno())
        self._left = self._timer.when() - self._loop.time()
        self._set_timer(self._turn - self._loop.time(), "no turn for its handshake in time")
        self._task = self._loop.create_task(self._handshake(stream, first=first))

    async def _handshake(self, stream: TlsStream, *, first: bool) -> None:
        try:
            done = await self._handshakes.step(
                self._source,
                stream.handshake,
                wanted=lambda: not stream.hung_up(),
                first=first,
            )
        except Exception as error:
            self._task = None
            with contextlib.suppress(OSError):
                stream.flush()  # the alert
            self._fail(error)
        else:
            self._task = None
            self._safely(self._shaken, stream, done)

    def _shaken(self, stream: TlsStream, done: bool | None) -> None:
        """A step of the handshake is made, ``done`` if it was the last; None if it was not."""
        if done is None:
            self.drop("closed before a request", Refusal.CLOSED)
            return
        self._set_timer(self._left, "no request in time")
        stream.flush()
        if done:
            self._tally.shaken(self._loop.time() - self._came)
            self.progress = Progress.SECURE
            self._watch(self._listen, stream)
            # what TLS has in memory behind the handshake makes no socket readable
            self._read(stream)
        else:
            self._watch(self._proceed, stream)

    def _proceed(self, stream: TlsStream) -> None:
        if stream.receive():
            self._begin(stream)
        else:
            self.drop("closed before a request", Refusal.CLOSED)

    def _listen(self, stream: TlsStream) -> None:
        began = time.thread_time()
        alive = stream.receive()
        settled = self._read(stream)
        cost = time.thread_time() - began
        self._handshakes.charge(self._source, cost)
        self._cost += cost
        if settled:
            return
        if not alive:
            self.drop("closed before a request", Refusal.CLOSED)
        elif self._cost > COST:
            self.drop("too much work before a request", Refusal.COST)

    def _read(self, stream: TlsStream) -> bool:
        """Read the request as far as it is there; return whether that settles the matter."""
        buffer = memoryview(bytearray(_PIECE))
        while count := stream.read(buffer):
            request = self._preamble.feed(bytes(buffer[:count]))
            if request is not None:
                self._answer(stream, request)
                return True
        if count == 0:
            self.drop("closed before a request", Refusal.CLOSED)
        return count == 0

    def _answer(self, stream: TlsStream, request: Request) -> None:
        date = formatdate(usegmt=True)
        if request.is_sstp:
            assert self._shown is not None  # there is no request without a handshake
            # a few hundred bytes into an empty socket buffer: they fit
            stream.write(accept_response(date))
            stream.flush()
            self._leave("")
            self._accepted(stream, request, self._shown)
        else:
            stream.write(refusal(request, date))
            stream.flush()
            asked = printable(f"{request.method} {request.target}", 150)
            self._leave(f"no SSTP request: '{asked}'", Refusal.OTHER_HTTP)
            close_gently(self._loop, stream)
