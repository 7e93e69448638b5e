"""The bytes under the test client: TLS over a blocking socket, cut into SSTP packets."""

import contextlib
import functools
import hashlib
import socket
import ssl
import struct
import time

from tests.support import sstp
from tests.support.faults import Closed, HttpRefused, TimedOut

_RECORD = 0x4000


class Wire:
    """A TLS connection.

    :param plain: a connected TCP socket; closed with this, also when the handshake fails.
    :param ca: PEM of the authority to trust, or None to accept any certificate.
    :param name: what the certificate must be for.
    :param newest: the newest TLS version to offer.
    :param suites: cipher suites of TLS 1.2 to offer, in OpenSSL's words; by default its library's.
    :param patience: seconds that the handshake, and each sending, may take.
    :param suites: those of TLS 1.2 that it offers, in OpenSSL's words; by default OpenSSL's own.
    """

    def __init__(
        self,
        plain: socket.socket,
        *,
        ca: str | None,
        name: str,
        newest: ssl.TLSVersion,
        patience: float,
        suites: str = "",
    ) -> None:
        self.most_in_a_record = 0
        self._patience = patience
        self._buffer = bytearray()
        try:
            plain.settimeout(patience)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._tls = _context(ca, newest, suites).wrap_socket(plain, server_hostname=name)
        except BaseException:
            plain.close()
            raise

    @property
    def tls(self) -> ssl.SSLSocket:
        """The socket itself, for who wants speed and does the cutting alone."""
        return self._tls

    def fingerprint(self, digest: str) -> bytes:
        """Return the hash of the server's certificate, as the binding has it: 32 bytes."""
        certificate = self._tls.getpeercert(binary_form=True)
        assert certificate is not None
        return hashlib.new(digest, certificate).digest().ljust(32, b"\0")

    def send(self, content: bytes) -> None:
        """Send bytes in one TLS record.

        :raises Closed: if the server has closed the connection.
        """
        self._tls.settimeout(self._patience)
        try:
            self._tls.sendall(content)
        except (ConnectionError, ssl.SSLError) as error:
            raise Closed(str(error)) from error

    def packet(self, deadline: float) -> bytes | None:
        """Return the next SSTP packet, None if it is not there at ``deadline`` (monotonic).

        :raises Closed: if the server has closed the connection.
        """
        while (packet := sstp.cut(self._buffer)) is None:
            if not self._read(deadline):
                return None
        return packet

    def head(self, deadline: float) -> str | None:
        """Return the head of an HTTP answer, with its blank line; None if it is not there."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if not self._read(deadline):
                return None
        head = self._buffer[: end + 4].decode("latin-1")
        del self._buffer[: end + 4]
        if not head.startswith("HTTP/") or not head.split(maxsplit=2)[1].isdigit():
            raise HttpRefused(0, head)
        return head

    def rest(self, deadline: float) -> bytes:
        """Read until the server closes the connection; return what came.

        :raises TimedOut: if it does not.
        """
        with contextlib.suppress(Closed):
            while self._read(deadline):
                pass
            raise TimedOut("the end of the connection")
        return bytes(self._buffer)

    def _read(self, deadline: float) -> bool:
        """Read one TLS record (a receive never spans two); return False at the deadline."""
        wait = deadline - time.monotonic()
        if wait <= 0:
            return False
        self._tls.settimeout(wait)
        try:
            content = self._tls.recv(_RECORD)
        except TimeoutError:
            return False
        except (ConnectionError, ssl.SSLError) as error:
            raise Closed(str(error)) from error
        if not content:
            raise Closed("end of stream")
        self._buffer += content
        self.most_in_a_record = max(self.most_in_a_record, _packets_in(content))
        return True

    def reset(self) -> None:
        """Close the connection by a TCP reset."""
        self._tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._tls.close()

    def close(self) -> None:
        """Close the connection."""
        self._tls.close()


@functools.cache
def _context(ca: str | None, newest: ssl.TLSVersion, suites: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ca)
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.maximum_version = newest
    if suites:
        context.set_ciphers(suites)
    return context


def _packets_in(record: bytes) -> int:
    """How many SSTP packets start in ``record``, if it starts with one."""
    count, at = 0, 0
    while at + sstp.HEADER <= len(record) and record[at] == sstp.VERSION:
        count += 1
        at += max(sstp.HEADER, int.from_bytes(record[at + 2 : at + 4], "big") & 0x0FFF)
    return count
