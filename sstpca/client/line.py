"""A TLS connection to an SSTP server, and a session spoken through it, one step after the other.

For who wants to look at a server: nothing runs beside the caller.
"""

import contextlib
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from sstpca.server.ppp.frames import Protocol, encode
from sstpca.server.sstp.effects import Send
from sstpca.server.sstp.wire import HEADER_SIZE, Data, WireError, packet_size
from sstpca.server.sstp.wire import encode as encode_packet

from .http import END, HEAD_MAX, Answer, read_answer, request
from .link import Connected
from .session import ClientEffect, ClientSession, Ended, Packet

_READ: Final = 64 * 1024
#: Packets of the server that wait for whoever asked for them, at most.
_KEPT: Final = 4096


class Line:
    """One connection; closed at the end of a with statement.

    :param connection: with TLS, and connected; a read takes its timeout at most.
    """

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self._connection = connection
        self._buffer = bytearray()

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @property
    def certificate(self) -> bytes:
        """The server's certificate, DER."""
        return self._connection.getpeercert(binary_form=True) or b""

    def ask(self, host: str, port: int) -> Answer:
        """Ask for SSTP, and return the answer, which takes the connection's timeout at most.

        :param host: the name or address that is dialled.
        :raises OSError: if the connection breaks, or nothing comes in time.
        """
        patience = self._connection.gettimeout()
        end = None if patience is None else time.monotonic() + patience
        self._connection.sendall(request(host, port))
        while END not in self._buffer and len(self._buffer) < HEAD_MAX:
            if end is not None:
                # one that dribbles has no more time than one that is silent
                self._connection.settimeout(max(end - time.monotonic(), 0.001))
            data = self._connection.recv(_READ)
            if not data:
                break
            self._buffer += data
        self._connection.settimeout(patience)
        head, _, self._buffer = self._buffer.partition(END)
        return read_answer(bytes(head))

    def send(self, packet: bytes) -> None:
        """Send one SSTP packet, in a TLS record of its own.

        :raises OSError: if the connection is broken.
        """
        self._connection.sendall(packet)

    def receive(self, seconds: float) -> list[bytes]:
        """Return the SSTP packets that come within a time; returns early with the first.

        :raises OSError: if the connection is over or broken.
        :raises WireError: if it carries something else.
        """
        if not (packets := self._cut()):
            self._connection.settimeout(max(seconds, 0.001))
            with contextlib.suppress(TimeoutError):
                data = self._connection.recv(_READ)
                if not data:
                    raise ConnectionResetError(0, "the server closed the connection")
                self._buffer += data
                packets = self._cut()
        return packets

    def _cut(self) -> list[bytes]:
        packets, start = [], 0
        while len(self._buffer) - start >= HEADER_SIZE:
            size = packet_size(self._buffer, start)
            if len(self._buffer) - start < size:
                break
            packets.append(bytes(self._buffer[start : start + size]))
            start += size
        del self._buffer[:start]
        return packets


def connect(
    address: str, port: int, context: ssl.SSLContext, name: str, timeout: float = 10.0
) -> Line:
    """Return a line to a server.

    :param address: where it is: a name or an address.
    :param name: what it is asked as in TLS (SNI).
    :param timeout: seconds that each step may take.
    :raises OSError: if there is none, or TLS fails, :class:`ssl.SSLError` among them.
    """
    plain = socket.create_connection((address, port), timeout)
    try:
        return Line(context.wrap_socket(plain, server_hostname=name))
    except BaseException:
        plain.close()
        raise


class Conversation:
    """A session through a line.

    :ivar connected: what we were given, once we have it.
    :ivar ended: why it is over, once it is.
    :ivar packets: the IP packets of the server that nobody has taken yet.
    """

    def __init__(
        self, line: Line, session: ClientSession, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._line = line
        self._session = session
        self._clock = clock
        self.connected: Connected | None = None
        self.ended: Ended | None = None
        self.packets: deque[bytes] = deque(maxlen=_KEPT)

    def begin(self) -> None:
        """Begin the call; HTTP was answered with 200."""
        self._perform(self._session.begin(self._clock()))

    def run(self, until: Callable[[], bool], seconds: float) -> bool:
        """Go on until something is so, the session is over, or for so long; return whether it is."""
        end = self._clock() + seconds
        while not until():
            now = self._clock()
            if now >= end or self.ended is not None:
                return False
            due = self._session.deadline
            self._wait(min(end, due if due is not None else end) - now)
            self._perform(self._session.tick(self._clock()))
        return True

    def send(self, packet: bytes) -> None:
        """Send an IP packet into the tunnel."""
        protocol = Protocol.IPV6 if packet[:1] and packet[0] >> 4 == 6 else Protocol.IPV4
        self._perform([Send(encode_packet(Data(encode(protocol, packet))))])

    def end(self, reason: str, seconds: float = 3.0) -> None:
        """End the session politely."""
        if self.ended is None:
            self._perform(self._session.terminate(reason, self._clock()))
            self.run(lambda: self._session.has_said_goodbye, seconds)

    def _wait(self, seconds: float) -> None:
        try:
            for packet in self._line.receive(seconds):
                self._perform(self._session.receive(packet, self._clock()))
        except WireError as error:
            self._perform(self._session.lost(f"what comes is no SSTP: {error}"))
        except OSError as error:
            self._perform(self._session.lost(_words(error)))

    def _perform(self, effects: list[ClientEffect]) -> None:
        for one in effects:
            match one:
                case Send(packet):
                    try:
                        self._line.send(packet)
                    except OSError as error:
                        self._perform(self._session.lost(_words(error)))
                        return
                case Connected():
                    self.connected = one
                case Packet(packet):
                    self.packets.append(packet)
                case Ended():
                    self.ended = one


def _words(error: OSError) -> str:
    return f"the connection broke: {error.strerror or error}"
