"""The keeper's end of a socket: one call after the other is taken, made and answered."""

import os
import socket
import traceback
from collections.abc import Mapping
from typing import Any, Final

from ..log import LOGGER
from .calls import Procedure, calls_of, describe
from .codec import Codec, MalformedMessage, decoded, read, together, write

#: Bytes of a call, at most: a beat of 8000 sessions that all carried packets.
CALL_MAX: Final = 1 << 18
#: Characters that an exception and its trace may have.
_TEXT_MAX: Final = 4096

_INT_MAX: Final = 1 << 62
_FAILURE: Final[Codec] = together(list, (str, str, str))


class Desk:
    """What a worker may call: the methods of some objects.

    :param objects: by name, each with the class or protocol that says what can be called.
    """

    def __init__(self, objects: Mapping[str, tuple[type, object]]) -> None:
        self._calls: dict[str, tuple[Procedure, Any]] = {}
        for name, (kind, target) in objects.items():
            for method, call in calls_of(name, kind).items():
                self._calls[call.name] = call, getattr(target, method)

    def work(self, sock: socket.socket) -> None:
        """Answer what comes, until the worker's end is closed. Several threads may do so at once.

        :raises MalformedMessage: if something comes that no worker of ours says.
        """
        buffer = bytearray(CALL_MAX)
        while True:
            # without room for ancillary data: descriptors of a worker are closed by the kernel
            try:
                size = sock.recv_into(buffer, 0, socket.MSG_TRUNC)
            except ConnectionResetError:  # it is gone, and has not read our last answer: unix(7)
                return
            if not size:
                return
            if size > CALL_MAX:
                raise MalformedMessage("too long")
            if not self._answer(sock, memoryview(buffer)[:size]):
                return

    def _answer(self, sock: socket.socket, text: memoryview) -> bool:
        """Make one call, and answer it; return whether there is somebody to answer."""
        number, call, target, arguments = self._understand(text)
        descriptors: list[int] = []
        try:
            value = call.make(target, arguments)
            if call.descriptor >= 0:
                descriptors.append(value.descriptor)
            answer = write([number, True, call.answer.encode(value)])
        except Exception as error:  # the worker's to log, and to live with
            trace = "".join(traceback.format_exception(error))[-_TEXT_MAX:]
            kind, message, more = describe(error, trace)
            told = _FAILURE.encode((kind, message[:_TEXT_MAX], more))
            answer = write([number, False, told])
        try:
            socket.send_fds(sock, [answer], descriptors)
        except OSError as error:
            LOGGER.error("a worker cannot be answered: %s", error.strerror)
            return False
        finally:
            for one in descriptors:
                os.close(one)
        return True

    def _understand(self, text: memoryview) -> tuple[int, Procedure, Any, list[Any]]:
        match read(text):
            case [int(number), str(name), list(values)] if 0 <= number < _INT_MAX:
                call, target = self._calls.get(name, (None, None))
                if call is None:
                    raise MalformedMessage("no such call")
                return number, call, target, decoded(call.arguments, values)
        raise MalformedMessage("no call")
