"""TLS over a non-blocking socket, through memory, so that each turn of the loop has its bounds.

:class:`ssl.SSLSocket` lets OpenSSL read the socket itself, and OpenSSL works through all the
records without content that a client cares to send (KeyUpdate, RFC 8446 4.6.3) before one read
returns: a single stranger could hold a worker for as long as he likes. Here the bytes of one turn
are read first, and TLS sees no others.
"""

import select
import socket
from typing import Final

from .openssl import TlsEnd
from .path import UNKNOWN, Path, follow, path_of
from .segments import Bytes

# Ciphertext read in one turn, in bytes. A KeyUpdate has 27 of them and costs as much as 10 KiB of
# content, so that the turn is smaller where the last one brought little content. Who brings a lot has a
# larger one: the more packets there are at once, the less each costs.
_TURN: Final = 64 * 1024
_CAREFUL: Final = 16640
_LARGE: Final = 3 * _TURN

#: Ciphertext without content after which a client is not worth listening to: in the handshake several
#: times the largest one; later a record that is not whole yet, 16640 bytes at most (RFC 8446 5.2), and
#: another turn.
_HANDSHAKE: Final = 96 * 1024
_BARREN: Final = 2 * _CAREFUL
#: Content, in bytes, makes up for so many times as much of ciphertext; and that of one turn for so
#: many bytes beside. IP packets of 40 bytes take 2.8 times with the longest suite, AES256-SHA384.
_WORTH: Final = 4
_ALLOWED: Final = 256

#: The plaintext there can be at once, in bytes: of the largest turn, of what the HTTP request left of
#: another, and an unfinished record.
PLAINTEXT: Final = _LARGE + _TURN + 16640


class TlsStream:
    """One end of a TLS connection.

    :param sock: a connected, non-blocking TCP socket; closed with this.
    :param tls: what makes content of it.
    :param received: what came from the socket already: the ClientHello.
    """

    __slots__ = (
        "_barren",
        "_most",
        "_path",
        "_sock",
        "_tls",
        "_turn",
        "drained",
        "waiting",
    )

    def __init__(self, sock: socket.socket, tls: TlsEnd, received: Bytes = b"") -> None:
        self._sock = sock
        self._tls = tls
        tls.feed(received)
        self._barren, self._most = 0, _HANDSHAKE
        self._turn = _CAREFUL
        self._path = UNKNOWN
        #: Whether the socket had no more than was received last.
        self.drained = True
        #: Bytes of ciphertext that the socket has not taken yet.
        self.waiting = 0

    def fileno(self) -> int:
        """Return the socket's descriptor, -1 once it is closed."""
        return self._sock.fileno()

    def receive(self, *, large: bool = False) -> bool:
        """Read what the socket has, up to one turn's worth; return whether the stream goes on.

        :param large: whether there may be a large turn, as for no stranger, if the last one was full, and
            brought content enough.
        :raises OSError: if the connection is broken, or brings nothing but TLS for its own sake.
        """
        if self._barren > self._most:
            raise ConnectionAbortedError(0, "TLS without content")
        try:
            most = self._turn if large else min(self._turn, _TURN)
            count = self._tls.receive(self._sock.fileno(), most)
        except BlockingIOError:
            return True
        self._barren += count
        self.drained = count < most
        return count > 0

    def handshake(self) -> bool:
        """Go on with the handshake; return whether it is done.

        It computes, and may do so in a thread while nobody else touches the stream. What there is
        to say to the client, also of its failure, goes out with :meth:`flush`.

        :raises OSError: if it fails.
        """
        if not self._tls.handshake():
            return False
        self._barren, self._most = 0, _BARREN
        return True

    def read(self, buffer: memoryview) -> int | None:
        """Decrypt one record of what was received into ``buffer``.

        :returns: its size in bytes; 0 when the client has ended TLS; None when there is no more.
        :raises OSError: if TLS is broken.
        """
        count = self._tls.read(buffer)
        if count is not None:
            self._worth(count)
        elif self._tls.pending > self.waiting:  # the answers to KeyUpdates
            self.flush()
        return count

    def _worth(self, content: int) -> None:
        """Count what the last turn brought: little content for much ciphertext is an attack."""
        if content:
            self._barren = max(0, self._barren - _WORTH * content - _ALLOWED)
        if self._barren:
            self._turn = _CAREFUL
        else:
            self._turn = _LARGE if content > _TURN // 2 and not self.drained else _TURN

    def read_all(self, buffer: memoryview, end: int) -> tuple[int, bool]:
        """Decrypt all that was received into ``buffer``, behind the ``end`` bytes that are in it.

        :returns: where it ends now; whether there can be more, as TLS is neither ended nor broken.
        """
        begun = end
        end, alive = self._tls.read_all(buffer, end)
        self._worth(end - begun)
        if alive and self._tls.pending > self.waiting:  # the answers to KeyUpdates
            try:
                self.flush()
            except OSError:
                alive = False
        return end, alive

    def write(self, data: Bytes) -> None:
        """Encrypt ``data``, in a record of its own or several; it goes out with :meth:`flush`."""
        self._tls.write(data)

    def write_each(self, view: memoryview, ends: list[int]) -> None:
        """Encrypt what ends at each of ``ends`` in ``view``, in a record of its own."""
        self._tls.write_each(view, ends)

    def flush(self) -> bool:
        """Give the socket what waits; return whether it took all.

        :raises OSError: if the connection is broken.
        """
        self.waiting = self._tls.send(self._sock.fileno())
        return not self.waiting

    def adapt(self) -> Path:
        """Have the socket take what its path needs; return what is known of that.

        :raises OSError: if it is closed.
        """
        before, self._path = self._path, path_of(self._sock)
        follow(self._sock, self._path, before)
        return self._path

    def say_goodbye(self) -> None:
        """End TLS and our half of TCP; what the client still sends can be read, to be forgotten.

        :raises OSError: if the connection is broken.
        """
        self._tls.shut()
        self.flush()
        self._sock.shutdown(socket.SHUT_WR)

    def discard(self) -> bool:
        """Read and forget; return whether there may be more.

        :raises OSError: if the connection is broken.
        """
        try:
            return bool(self._sock.recv(_TURN))
        except BlockingIOError:
            return True

    def hung_up(self) -> bool:
        """Whether the client has closed its side, though there may be something to read before."""
        poll = select.poll()
        poll.register(self._sock, select.POLLRDHUP)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()
