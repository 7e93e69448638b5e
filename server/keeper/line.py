"""The worker's end of a socket to its keeper: many calls may be on their way at once."""

import asyncio
import itertools
import os
import queue
import socket
import struct
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final, Generic, ParamSpec, TypeVar, cast

from .calls import Procedure, calls_of, exception_of
from .codec import Codec, MalformedMessage, decoded, read, together, write

_T = TypeVar("_T")
_P = ParamSpec("_P")
_Object = TypeVar("_Object")

#: Bytes of an answer, at most. The orders of 10,000 sessions are half of it.
ANSWER_MAX: Final = 1 << 20

_FAILURE: Final[Codec] = together(list, (str, str, str))
_INT: Final = struct.Struct("=i")
_ONE: Final = socket.CMSG_SPACE(_INT.size)

_Hear = Callable[[Any, "Exception | None"], None]


class Line:
    """One socket, in one event loop.

    :param sock: of ``SOCK_SEQPACKET``: a message is a packet.
    :param lost: called when the keeper is gone; nobody else is told.
    """

    def __init__(
        self, sock: socket.socket, loop: asyncio.AbstractEventLoop, lost: Callable[[], None]
    ) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._loop = loop
        self._lost = lost
        self._numbers = itertools.count()
        self._waiting: dict[int, tuple[Procedure, _Hear]] = {}
        self._unsent: deque[bytes] = deque()
        self._writing = False
        self._buffer = bytearray(ANSWER_MAX)
        loop.add_reader(sock, self._receive)

    def begin(self, call: Procedure, arguments: list[Any]) -> "asyncio.Future[Any]":
        """Make a call; for the event loop's thread."""
        answer: asyncio.Future[Any] = self._loop.create_future()

        def hear(value: Any, error: Exception | None) -> None:
            if answer.done():
                _abandon(call, value)
            elif error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(value)

        self._send(call, arguments, hear)
        return answer

    def wait(self, call: Procedure, arguments: list[Any]) -> Any:
        """Make a call, and wait for what comes of it; for any other thread."""
        answers: queue.SimpleQueue[tuple[Any, Exception | None]] = queue.SimpleQueue()

        def hear(value: Any, error: Exception | None) -> None:
            answers.put((value, error))

        self._loop.call_soon_threadsafe(self._send, call, arguments, hear)
        value, error = answers.get()
        if error is not None:
            raise error
        return value

    def _send(self, call: Procedure, arguments: list[Any], hear: _Hear) -> None:
        number = next(self._numbers)
        self._waiting[number] = call, hear
        self._unsent.append(write([number, call.name, call.arguments.encode(arguments)]))
        if len(self._unsent) == 1:
            self._flush()

    def _flush(self) -> None:
        try:
            while self._unsent:
                self._socket.send(self._unsent[0])
                self._unsent.popleft()
        except BlockingIOError:
            self._writing = True
            self._loop.add_writer(self._socket, self._flush)
            return
        except OSError:
            self._lose()
            return
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._socket)

    def _receive(self) -> None:
        while True:
            try:
                size, more, _, _ = self._socket.recvmsg_into(
                    [self._buffer], _ONE, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return
            except OSError:
                size, more = 0, []
            if not size:
                self._lose()
                return
            found = [_INT.unpack_from(data)[0] for _, _, data in more]
            self._take(read(memoryview(self._buffer)[:size]), found)

    def _take(self, message: list[Any], descriptors: list[int]) -> None:
        number, done, content = message
        call, hear = self._waiting.pop(number)
        if not done:
            hear(None, exception_of(*decoded(_FAILURE, content)))
            return
        if descriptors:
            content[call.descriptor] = descriptors[0]
        try:
            value = decoded(call.answer, content)
        except MalformedMessage as error:  # a mistake of ours
            hear(None, error)
        else:
            hear(value, None)

    def _lose(self) -> None:
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._lost()


def _abandon(call: Procedure, value: Any) -> None:
    """Nobody waits any more: have what came with the answer gone."""
    if call.descriptor >= 0 and value is not None:
        os.close(value.descriptor)


class Remote(Generic[_P, _T]):
    """A method of an object that the keeper has: called as that is, but not in the event loop."""

    __slots__ = ("_call", "_line")

    def __init__(self, line: Line, call: Procedure) -> None:
        self._line = line
        self._call = call

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Procedure it from a thread, and wait."""
        answer: _T = self._line.wait(self._call, self._call.in_order(args, kwargs))
        return answer

    def begin(self, *args: _P.args, **kwargs: _P.kwargs) -> "asyncio.Future[_T]":
        """Procedure it from the event loop."""
        return self._line.begin(self._call, self._call.in_order(args, kwargs))


def remote(line: Line, name: str, kind: type[_Object]) -> _Object:
    """Return what stands in a worker for the object that its keeper calls ``name``.

    :param kind: the object's class, or the protocol that it has.
    """
    methods: dict[str, Any] = {
        method: Remote(line, call) for method, call in calls_of(name, kind).items()
    }
    return cast("_Object", SimpleNamespace(**methods))
