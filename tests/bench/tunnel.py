"""A user in the tunnel: the in-tree client logs in, and a TUN of its own carries her packets.

Each user is a process, and has a network namespace in which there is nothing but the tunnel.
"""

import contextlib
import enum
import fcntl
import os
import select
import signal
import socket
import ssl
import struct
import types
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from multiprocessing.connection import Connection
from typing import Final, Self

from tests.bench.processes import Part
from tests.support.client import Client
from tests.support.manner import SSTPC, WINDOWS, Manner
from tests.support.netns import Namespace, Network
from tests.support.server import NAME, PASSWORDS, PORT, Vpn

MTU: Final = 1400
#: The user of all measurements.
USER: Final = "alice"

# linux/if_tun.h
_TUNSETIFF: Final = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_IFREQ: Final = struct.Struct("16sH22x")
_FRAME: Final = b"\xff\x03\x00\x21"
_OVERHEAD: Final = 8
_RECORD: Final = 16384
#: Packets from the TUN that the client takes before it sends, as many as ours.
_BATCH: Final = 32
# linux/tcp.h: how much may wait in the socket unsent, so that packets wait where they can be seen
_TCP_NOTSENT_LOWAT: Final = 25
_UNSENT: Final = 64 * 1024


class Kind(enum.Enum):
    """How a client uses TLS records."""

    EACH = "a record for each packet"
    MANY = "many packets in a record"

    @property
    def manner(self) -> Manner:
        """As whom it logs in; the server gives packets to Windows many at a time. TLS 1.3."""
        if self is Kind.EACH:
            return SSTPC
        return replace(WINDOWS, tls=ssl.TLSVersion.MAXIMUM_SUPPORTED)


def open_tun(name: str) -> int:
    """Make a TUN interface in this process's namespace; gone with the descriptor."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(descriptor, _TUNSETIFF, _IFREQ.pack(name.encode(), _IFF_TUN | _IFF_NO_PI))
    return descriptor


class User:
    """Somebody in the tunnel; use it as a context manager.

    :param name: of her namespace.
    """

    def __init__(self, name: str, process: Part, namespace: Namespace) -> None:
        self.name = name
        self.process = process
        self.namespace = namespace
        self.address: IPv4Address = process.hear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()


@contextlib.contextmanager
def user(
    vpn: Vpn, kind: Kind, *, name: str = "user", server: IPv4Address = Network.server_address
) -> Iterator[User]:
    """Have somebody log in and stay."""
    context = _Login(vpn.home.authority(USER), (str(server), PORT), kind)
    with Namespace(name) as namespace, Part(vpn.network.client, context.run, namespace) as process:
        found = User(name, process, namespace)
        use_tunnel(namespace, found.address)
        yield found


def use_tunnel(namespace: Namespace, address: IPv4Address) -> None:
    """Send all that leaves ``namespace`` into its tunnel."""
    namespace.ip("addr", "add", f"{address}/32", "dev", "tunnel")
    namespace.ip("link", "set", "tunnel", "mtu", str(MTU), "txqueuelen", "1000", "up")
    namespace.ip("route", "add", "default", "dev", "tunnel")


class _Login:
    """What a user's process does.

    :param authority: PEM.
    """

    def __init__(self, authority: str, server: tuple[str, int], kind: Kind) -> None:
        self._authority = authority
        self._server = server
        self._kind = kind

    def run(self, pipe: Connection, inside: Namespace) -> None:
        """Log in from the clients' network, and carry what is ``inside``, until told to end."""
        plain = socket.create_connection(self._server, 10.0)
        password, authority = PASSWORDS[USER], self._authority
        client = Client(
            plain, USER, password, ca=authority, name=NAME, manner=self._kind.manner
        ).login()
        with inside.entered():
            tun = open_tun("tunnel")
        pipe.send(client.address)
        with client, leaving_on_terminate():
            Pump(client.wire.tls, tun, coalesce=self._kind is Kind.MANY).run()


@contextlib.contextmanager
def leaving_on_terminate() -> Iterator[None]:
    """Take SIGTERM as the order to leave in peace."""

    class Leave(BaseException):
        pass

    def leave(_number: int, _frame: types.FrameType | None) -> None:
        raise Leave

    signal.signal(signal.SIGTERM, leave)
    with contextlib.suppress(Leave):
        yield


class Pump:
    """Carries packets between a TUN and a TLS connection.

    :param coalesce: whether packets share TLS records.
    """

    def __init__(self, tls: ssl.SSLSocket, tun: int, *, coalesce: bool) -> None:
        tls.setblocking(False)
        tls.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _UNSENT)
        self._tls = tls
        self._tun = tun
        self._most = _RECORD if coalesce else 0
        self._records: deque[bytes] = deque()
        self._buffer = bytearray(1 << 20)
        self._filled = 0

    def run(self) -> None:
        """Carry, until the server closes."""
        poll = select.poll()
        tls, tun = self._tls.fileno(), self._tun
        while True:
            poll.register(tls, select.POLLIN | (select.POLLOUT if self._records else 0))
            poll.register(tun, 0 if self._records else select.POLLIN)
            for descriptor, event in poll.poll():
                if descriptor == tls and event & ~select.POLLOUT and not self._down():
                    return
                if descriptor == tun:
                    self._fetch()
            self._up()

    def _fetch(self) -> None:
        """Take packets from the TUN, and make records of them."""
        record = b""
        for _ in range(_BATCH):
            try:
                packet = os.read(self._tun, MTU)
            except BlockingIOError:
                break
            sstp = b"\x10\x00" + (_OVERHEAD + len(packet)).to_bytes(2, "big") + _FRAME + packet
            if record and len(record) + len(sstp) > self._most:
                self._records.append(record)
                record = b""
            record += sstp
        if record:
            self._records.append(record)

    def _up(self) -> None:
        """Send the records as far as the socket takes them."""
        records, tls = self._records, self._tls
        try:
            while records:
                sent = tls.send(records[0])
                if sent != len(records[0]):
                    records[0] = records[0][sent:]
                    return
                records.popleft()
        except ssl.SSLWantWriteError:
            return

    def _down(self) -> bool:
        """Write to the TUN what has come; return whether the stream goes on."""
        view = memoryview(self._buffer)
        end, alive = self._filled, True
        try:
            while end < len(view) - _RECORD:
                count = self._tls.recv_into(view[end:])
                if not count:
                    alive = False
                    break
                end += count
        except ssl.SSLWantReadError:
            pass
        except OSError:
            alive = False
        position = self._forward(view, end)
        self._filled = end - position
        view[: self._filled] = bytes(view[position:end])
        return alive

    def _forward(self, view: memoryview, end: int) -> int:
        """Write the packets of ``view`` up to ``end``; return where an unfinished one begins."""
        position = 0
        while end - position >= _OVERHEAD:
            following = position + (
                int.from_bytes(view[position + 2 : position + 4], "big") & 0xFFF
            )
            if following > end:
                break
            if view[position + 1] == 0 and bytes(view[position + 4 : position + 8]) == _FRAME:
                with contextlib.suppress(OSError):
                    os.write(self._tun, view[position + _OVERHEAD : following])
            elif view[position + 1] == 1 and view[position + 5] == 8:
                self._records.append(b"\x10\x01\x00\x08\x00\x09\x00\x00")
            position = following
        return position
