"""What an administrator tells a server that runs: a socket in its home.

A socket with a path, not one in the abstract namespace: the modes of the folder and of the socket say
who may speak, and a command reaches it from any network namespace. A request is one JSON object, and so
is the answer. The kernel sends the supervisor a signal for each that comes.
"""

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from .errors import ServerError
from .log import LOGGER

#: The name of the socket in the folder.
NAME: Final = "control.sock"

_SIZE: Final = 65_536
#: Seconds that one who speaks may take; that an answer may, with another program's start in it.
_PATIENCE: Final = 1.0
_ANSWER: Final = 90.0

Values = dict[str, Any]
#: What is done for a request: given its values and whoever asks, returns what to answer.
Handler = Callable[[Mapping[str, Any], socket.socket], Values]


class ControlSocket:
    """The server's end.

    :param sock: listens; None: nobody can speak.
    """

    def __init__(self, sock: socket.socket | None) -> None:
        self._socket = sock

    def answer(self, handlers: Mapping[str, Handler]) -> None:
        """Do what those want who wait, and tell them what came of it."""
        while self._socket is not None:
            try:
                asker, _ = self._socket.accept()
            except OSError:
                return
            with asker, contextlib.suppress(OSError):
                asker.settimeout(_PATIENCE)
                give(asker, _answer(handlers, asker))


def give(asker: socket.socket, values: Values) -> None:
    """Answer somebody.

    :raises OSError: if nobody waits for it any more.
    """
    asker.sendall(json.dumps(values).encode())
    # processes that were forked meanwhile have it open as well
    asker.shutdown(socket.SHUT_RDWR)


def refusal(error: ServerError) -> Values:
    """Return the answer that says an error."""
    return {"error": str(error), "hint": error.hint}


def _answer(handlers: Mapping[str, Handler], asker: socket.socket) -> Values:
    try:
        wanted = json.loads(asker.recv(_SIZE))
        handler = handlers[wanted["verb"]]
    except (ValueError, LookupError, TypeError):
        return refusal(ServerError("the server that runs knows no such request", _OTHER))
    try:
        return handler(wanted, asker)
    except ServerError as error:
        return refusal(error)
    except Exception as error:  # whatever it is, the server goes on
        LOGGER.exception("a mistake in the server")
        return refusal(ServerError(f"a mistake in the server: {error}"))


_OTHER: Final = "it is of another version: stop it, and start it again"


@contextlib.contextmanager
def control_in(folder: Path | None) -> Iterator[ControlSocket]:
    """Let administrators speak to this process while the block runs: it gets SIGIO for each."""
    if folder is None:
        yield ControlSocket(None)
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            with _short(folder) as path:
                path.unlink(missing_ok=True)
                mask = os.umask(0o177)
                try:
                    sock.bind(str(path))
                finally:
                    os.umask(mask)
            sock.listen(8)
        except OSError as error:
            place = folder / NAME
            LOGGER.error("no command can speak to this server: %s: %s", place, error.strerror)
            yield ControlSocket(None)
            return
        sock.setblocking(False)
        fcntl.fcntl(sock, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(sock, fcntl.F_SETFL, fcntl.fcntl(sock, fcntl.F_GETFL) | os.O_ASYNC)
        try:
            yield ControlSocket(sock)
        finally:
            with contextlib.suppress(OSError):
                (folder / NAME).unlink()


def tell(folder: Path, verb: str, **values: object) -> Values:
    """Have the server of that folder do something; return what it answers.

    :raises OSError: if none answers.
    :raises ServerError: if it does not do it.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(_ANSWER)
        with _short(folder) as path:
            sock.connect(str(path))
        sock.sendall(json.dumps({"verb": verb, **values}).encode())
        text = b"".join(iter(lambda: sock.recv(_SIZE), b""))
    if not text:
        raise ServerError("the server has ended meanwhile", "its log says why")
    answer: Values = json.loads(text)
    if "error" in answer:
        raise ServerError(answer["error"], answer["hint"])
    return answer


@contextlib.contextmanager
def _short(folder: Path) -> Iterator[Path]:
    """Give a path of the socket that fits into an address, 108 bytes (unix(7))."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Path(f"/proc/self/fd/{descriptor}") / NAME
    finally:
        os.close(descriptor)
