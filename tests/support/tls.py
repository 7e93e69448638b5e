"""A TLS server for clients that look at certificates."""

import contextlib
import socket
import ssl
import threading
from typing import Self

from tests.support.waiting import PATIENCE

ANSWER = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"


def server_context() -> ssl.SSLContext:
    """Return what a usual server has. Which suites are the default hangs on who built Python:
    Debian's takes RSA key exchange, others do not.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ECDHE+AES")
    return context


class Server:
    """A server on a port of its own that answers whoever comes, in a thread."""

    def __init__(self, context: ssl.SSLContext | None, answer: bytes = ANSWER) -> None:
        self._context = context
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.asked: list[bytes] = []
        self.names: list[str | None] = []
        if context is not None:
            context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(PATIENCE)
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        if self._context is None:
            connection.recv(4096)
            connection.sendall(self._answer)
            return
        with self._context.wrap_socket(connection, server_side=True) as tls:
            asked = tls.recv(4096)
            if asked:
                self.asked.append(asked)
                tls.sendall(self._answer)
