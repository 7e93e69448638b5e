"""The process that answers on the metrics' address: not root, and bounded whoever asks.

It is started anew, not forked, so that nothing of the supervisor is in its memory; it reads two
descriptors, and answers on a third.
"""

import asyncio
import contextlib
import ctypes
import os
import resource
import socket
import sys
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from .board import Copy
from .exposition import render
from .gathered import Gathered, decode
from .health import complaint

#: Bytes of a request; seconds for it and its answer; requests at a time. Who comes when there are as
#: many takes the place of the one that is there the longest.
_REQUEST: Final = 8 * 1024
_PATIENCE: Final = 5.0
_AT_ONCE: Final = 32

#: Bytes that the supervisor says at a time, at most.
_TOLD: Final = 1 << 20

#: Nobody's: where there is no better user.
_NOBODY: Final = 65534
_PR_SET_NO_NEW_PRIVS: Final = 38

_TEXT: Final = "text/plain; charset=utf-8"


class Exporter:
    """Answers by what is on the board and what it was told last."""

    def __init__(self, board: Copy) -> None:
        self._board = board
        self._told = Gathered()
        self._open: dict[asyncio.StreamWriter, None] = {}

    async def listen(self, told: socket.socket) -> None:
        """Take what the supervisor tells, until it ends."""
        reader, _ = await asyncio.open_connection(sock=told, limit=_TOLD)
        while line := await reader.readline():
            self._told = decode(line)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request; the connection ends with it."""
        if len(self._open) >= _AT_ONCE:
            next(iter(self._open)).transport.abort()
        self._open[writer] = None
        try:
            async with asyncio.timeout(_PATIENCE):
                writer.write(self.answer_to(await reader.readuntil(b"\r\n\r\n")))
                writer.write_eof()
                await writer.drain()
                await reader.read(1)  # until the client has read it
        except asyncio.LimitOverrunError:
            writer.write(_response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, b"too long\n"))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.pop(writer, None)
            writer.close()

    def answer_to(self, request: bytes) -> bytes:
        """Return the answer to a request: its head, with the empty line behind it."""
        line, *fields = request.decode("latin-1").split("\r\n")
        method, _, rest = line.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if not rest.endswith(("HTTP/1.1", "HTTP/1.0")):
            return _response(HTTPStatus.BAD_REQUEST, b"this is not HTTP/1.1\n")
        if method not in ("GET", "HEAD"):
            return _response(
                HTTPStatus.METHOD_NOT_ALLOWED, b"there is only GET\n", allow="GET, HEAD"
            )
        whole = method == "GET"
        slots, monotonic, now = self._board.read(), time.monotonic(), time.time()
        match path:
            case "/metrics":
                accept = _field(fields, "accept")
                told = self._told
                body, kind = render(slots, told, accept=accept, monotonic=monotonic, now=now)
                return _response(HTTPStatus.OK, body, kind, whole=whole)
            case "/health" | "/ready":
                why = complaint(slots, self._told, monotonic=monotonic, now=now)
                status = HTTPStatus.SERVICE_UNAVAILABLE if why else HTTPStatus.OK
                return _response(status, f"{why or 'ok'}\n".encode(), whole=whole)
            case _:
                text = b"there are /metrics, /health and /ready\n"
                return _response(HTTPStatus.NOT_FOUND, text, whole=whole)


def _field(fields: list[str], name: str) -> str:
    """Return a header field of a request, empty if it is not there."""
    for field in fields:
        key, _, value = field.partition(":")
        if key.strip().lower() == name:
            return value.strip()
    return ""


def _response(
    status: HTTPStatus, body: bytes, kind: str = _TEXT, *, whole: bool = True, allow: str = ""
) -> bytes:
    head = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Date: {formatdate(usegmt=True)}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        *([f"Allow: {allow}"] if allow else []),
        "Connection: close",
    ]
    return "\r\n".join([*head, "", ""]).encode() + (body if whole else b"")


async def _serve(listener: socket.socket, told: socket.socket, board: Copy) -> None:
    exporter = Exporter(board)
    async with await asyncio.start_server(exporter.answer, sock=listener, limit=_REQUEST):
        await exporter.listen(told)


def _give_up_rights() -> None:
    """Be nobody, for good; who is nobody already stays that."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4 * _AT_ONCE, 4 * _AT_ONCE))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def main(listener: int, told: int, board: int) -> None:
    """Answer until the supervisor is gone.

    :param listener: the descriptor of a listening socket; ``told`` of the socket whose other end the
        supervisor has, and ``board`` of the board.
    """
    os.chdir("/")
    _give_up_rights()
    with socket.socket(fileno=listener) as listening, socket.socket(fileno=told) as telling:
        telling.setblocking(False)
        asyncio.run(_serve(listening, telling, Copy(board)))


if __name__ == "__main__":
    # Ctrl-C reaches the whole process group, and the supervisor alone decides
    with contextlib.suppress(KeyboardInterrupt):
        main(*map(int, sys.argv[1:4]))
