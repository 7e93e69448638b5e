"""TLS in memory: what came from a socket goes in, content comes out; and the other way round.

By Python's :mod:`ssl`, which costs half as much around each record as OpenSSL does for what is in it;
or by the same compiled (_tls.c), which :mod:`.engine` prefers for the server where it was built. What
that shows and takes is the same by both.
"""

import contextlib
import os
import ssl
from collections.abc import Callable
from typing import Final, Protocol, cast

from .segments import Bytes

# Plaintext of one record (RFC 8446 5.1)
_RECORD: Final = 16 * 1024


class TlsEnd(Protocol):
    """One end of a connection."""

    def feed(self, data: Bytes, /) -> None:
        """Take ciphertext of the other end."""

    def receive(self, descriptor: int, most: int, /) -> int:
        """Take what a socket has of it, up to so many bytes; return how many.

        :returns: 0 when the connection's other half is closed.
        :raises BlockingIOError: if there is nothing yet.
        :raises OSError: if the connection is broken.
        """

    def handshake(self) -> bool:
        """Go on with the handshake; return whether it is done.

        It computes, and may do so in a thread while nobody else touches this.

        :raises ssl.SSLError: if it fails.
        """

    def read(self, buffer: memoryview, /) -> int | None:
        """Decrypt one record into ``buffer``.

        :returns: its size in bytes; 0 when the other end has ended TLS; None when there is no more.
        :raises ssl.SSLError: if TLS is broken.
        """

    def read_all(self, buffer: memoryview, end: int, /) -> tuple[int, bool]:
        """Decrypt all there is into ``buffer``, behind the ``end`` bytes that are in it.

        :returns: where it ends now; whether there can be more, as TLS is neither ended nor broken.
        """

    def write(self, data: Bytes, /) -> None:
        """Encrypt ``data``, in a record of its own or several.

        :raises ssl.SSLError: if TLS is broken.
        """

    def write_each(self, view: memoryview, ends: list[int], /) -> None:
        """Encrypt what ends at each of ``ends`` in ``view``, in a record of its own."""

    @property
    def pending(self) -> int:
        """Bytes of ciphertext for the other end."""

    def output(self) -> bytes:
        """Return these bytes, and have them no more."""

    def send(self, descriptor: int, /) -> int:
        """Give them to a socket, as many as it takes without waiting; return how many are left.

        :raises OSError: if the connection is broken.
        """

    def shut(self) -> None:
        """Say goodbye, as far as there is anybody to say it to."""


class Context(Protocol):
    """What a server shows and takes."""

    def begin(self) -> TlsEnd:
        """Return the server's end of a new connection."""

    @property
    def suites(self) -> list[str]:
        """The cipher suites it takes, the best first, by OpenSSL's names."""


class PythonTls:
    """One end, by Python's ssl.

    :param server: what the other end is to be called (SNI), if that is the server; None: we are.
    """

    __slots__ = ("_in", "_out", "_tls", "_unsent")

    def __init__(self, context: ssl.SSLContext, server: str | None = None) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._in, self._out, server_side=server is None, server_hostname=server
        )
        self._unsent = memoryview(b"")

    @property
    def peer_certificate(self) -> bytes:
        """The other end's certificate, DER; empty if it has shown none."""
        return self._tls.getpeercert(binary_form=True) or b""

    def feed(self, data: Bytes) -> None:
        """See :class:`TlsEnd`."""
        self._in.write(data)

    def receive(self, descriptor: int, most: int) -> int:
        """See :class:`TlsEnd`."""
        return self._in.write(os.read(descriptor, most))

    def handshake(self) -> bool:
        """See :class:`TlsEnd`."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self, buffer: memoryview) -> int | None:
        """See :class:`TlsEnd`."""
        try:
            # with a buffer, it returns how much is in it
            return cast("int", self._tls.read(len(buffer), buffer))
        except ssl.SSLWantReadError:
            return None

    def read_all(self, buffer: memoryview, end: int) -> tuple[int, bool]:
        """See :class:`TlsEnd`."""
        read = cast("Callable[[int, memoryview], int]", self._tls.read)
        try:
            while count := read(_RECORD, buffer[end:]):
                end += count
        except ssl.SSLWantReadError:
            return end, True
        except OSError:
            pass
        return end, False

    def write(self, data: Bytes) -> None:
        """See :class:`TlsEnd`."""
        self._tls.write(data)

    def write_each(self, view: memoryview, ends: list[int]) -> None:
        """See :class:`TlsEnd`."""
        write, start = self._tls.write, 0
        for end in ends:
            write(view[start:end])
            start = end

    @property
    def pending(self) -> int:
        """See :class:`TlsEnd`."""
        return len(self._unsent) + self._out.pending

    def output(self) -> bytes:
        """See :class:`TlsEnd`."""
        unsent, self._unsent = self._unsent, memoryview(b"")
        return bytes(unsent) + self._out.read()

    def send(self, descriptor: int) -> int:
        """See :class:`TlsEnd`."""
        with contextlib.suppress(BlockingIOError):
            while chunk := self._unsent or memoryview(self._out.read()):
                self._unsent = chunk
                self._unsent = chunk[os.write(descriptor, chunk) :]
        return self.pending

    def shut(self) -> None:
        """See :class:`TlsEnd`."""
        # it would wait for the other's goodbye; ours is written
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()


class PythonContext:
    """What a server shows and takes, by Python's ssl.

    No tickets: their key would open what was recorded for as long as it is in use, so TLS 1.3 resumes
    nothing. TLS 1.2 does by what this process remembers of a connection that was not broken off: there
    is one certificate, so that the hash in the crypto binding is the same.

    :param path: a file with the key, the certificate and its chain (PEM).
    :param suites: of TLS 1.2, in OpenSSL's words.
    :param group: the one to exchange keys in, in OpenSSL's words; empty: any.
    :param minimum: the version of TLS, as it is on the wire.
    :raises ssl.SSLError: if OpenSSL, as this machine has it, does not take the file.
    """

    __slots__ = ("_context",)

    def __init__(self, path: str, suites: str, group: str, minimum: int) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion(minimum)
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
        context.num_tickets = 0
        context.set_ciphers(suites)
        if group:
            context.set_ecdh_curve(group)
        # without the password, OpenSSL would ask a terminal for that of an encrypted key
        context.load_cert_chain(path, password="")
        self._context = context

    def begin(self) -> PythonTls:
        """See :class:`Context`."""
        return PythonTls(self._context)

    @property
    def suites(self) -> list[str]:
        """See :class:`Context`."""
        return [one["name"] for one in self._context.get_ciphers()]
