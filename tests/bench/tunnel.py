"""A user in the tunnel: the in-tree client logs in, and a TUN of its own carries her packets.

Each user is a process, and has a network namespace in which there is nothing but the tunnel.
"""

import contextlib
import enum
import itertools
import os
import select
import signal
import socket
import ssl
import struct
import time
import types
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from multiprocessing.connection import Connection
from typing import Final, Self

from sstpca.server.dataplane.engine import cut, forward
from sstpca.server.dataplane.segments import Offload
from tests.bench import pings
from tests.bench.processes import Part
from tests.support import ipv6
from tests.support.client import Client
from tests.support.manner import SSTPC, WINDOWS, Manner
from tests.support.netns import Namespace, Network
from tests.support.server import NAME, PASSWORDS, PORT, Vpn
from tests.support.tuns import open_tun

MTU: Final = 1400
#: The user of all measurements.
USER: Final = "alice"

_HEADER: Final = 4
_ECHO_REQUEST, _ECHO_RESPONSE = (
    b"\x10\x01\x00\x08\x00\x08\x00\x00",
    b"\x10\x01\x00\x08\x00\x09\x00\x00",
)
_RECORD: Final = 16384
#: The largest read of the TUN, with its header; bytes that are taken from it before they are sent.
_VNET: Final = 10
_LARGEST, _TURN = 65535 + _VNET, 64 * 1024
# linux/tcp.h: how much may wait in the socket unsent, so that packets wait where they can be seen
_TCP_NOTSENT_LOWAT: Final = 25
_UNSENT: Final = 64 * 1024
# asm-generic/socket.h, SO_TIMESTAMPNS_OLD, which is the control message's name as well; struct timespec
_SO_TIMESTAMPNS: Final = 35
_TIMESPEC: Final = struct.Struct("@ll")
#: Packets come from anywhere: their source is not looked at.
_ANYWHERE: Final = None


#: A source with a prefix of IPv6, which nothing is from; and networks that all else is from.
_NOBODY, _FROM_ANYWHERE = b"\0\0\0\0\xff", (bytes(8), bytes(32))


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


class User:
    """Somebody in the tunnel; use it as a context manager.

    :param name: of her namespace.
    """

    def __init__(self, name: str, process: Part, namespace: Namespace) -> None:
        self.name = name
        self.process = process
        self.namespace = namespace
        self.address: IPv4Address
        self.address_ipv6: IPv6Address | None
        self.address, self.address_ipv6 = process.hear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()

    def waits(self) -> dict[bytes, dict[int, float]]:
        """Return how long each ping and each packet of a call has waited for her client since the last time.

        :returns: by what they are (:mod:`.pings`) and their numbers, seconds: of pings on both ways.
        """
        self.process.tell(None)
        found: dict[bytes, dict[int, float]] = self.process.hear()
        return found


@contextlib.contextmanager
def user(
    vpn: Vpn,
    kind: Kind,
    *,
    name: str = "user",
    server: IPv4Address = Network.server_address,
    with_ipv6: bool = False,
) -> Iterator[User]:
    """Have somebody log in and stay.

    :param with_ipv6: whether she wants IPv6 as well.
    """
    context = _Login(vpn.home.authority(USER), (str(server), PORT), kind, with_ipv6=with_ipv6)
    with Namespace(name) as namespace, Part(vpn.network.client, context.run, namespace) as process:
        found = User(name, process, namespace)
        use_tunnel(namespace, found.address)
        if found.address_ipv6 is not None:
            namespace.ip("addr", "add", f"{found.address_ipv6}/128", "dev", "tunnel", "nodad")
            # the kernel may have made one of the server's advertisement
            namespace.ip("-6", "route", "replace", "default", "dev", "tunnel")
        yield found


def use_tunnel(namespace: Namespace, address: IPv4Address) -> None:
    """Send all that leaves ``namespace`` into its tunnel."""
    namespace.ip("addr", "add", f"{address}/32", "dev", "tunnel")
    namespace.ip("link", "set", "tunnel", "mtu", str(MTU), "txqueuelen", "1000", "up")
    namespace.ip("route", "add", "default", "dev", "tunnel")


def address_ipv6(client: Client) -> IPv6Address:
    """Return the address that a client makes of what it hears (RFC 4862 5.5.3)."""
    prefix = client.ask_ipv6(ipv6.solicitation(client.link_local), ipv6.advertised).prefix
    assert prefix is not None
    return IPv6Address(prefix.network_address.packed[:8] + client.link_local.packed[8:])


class _Login:
    """What a user's process does.

    :param authority: PEM.
    """

    def __init__(
        self, authority: str, server: tuple[str, int], kind: Kind, *, with_ipv6: bool = False
    ) -> None:
        self._ipv6 = with_ipv6
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
            tun, offload = open_tun("tunnel", large=True)
        pipe.send((client.address, address_ipv6(client) if self._ipv6 else None))
        with client, leaving_on_terminate():
            Pump(
                client.wire.tls,
                tun,
                pipe,
                coalesce=self._kind is Kind.MANY,
                offload=offload,
                with_ipv6=self._ipv6,
            ).run()


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


def record_ends(ends: list[int], *, coalesce: bool) -> list[int]:
    """Return where records end: at each packet, or as late as they may.

    :param ends: where packets end, 0 first.
    """
    if not coalesce:
        return ends[1:]
    found, start = [], 0
    for last, end in itertools.pairwise(ends):
        if end - start > _RECORD:
            found.append(last)
            start = last
    return [*found, ends[-1]] if ends[-1] > start else found


class Pump:
    """Carries packets between a TUN and a TLS connection, with the server's own inner loops.

    :param pipe: gives, when asked, how long each ping and packet of a call has waited for us.
    :param coalesce: whether packets share TLS records.
    :param offload: of what many segments pass the TUN in one packet.
    :param with_ipv6: whether packets of IPv6 come as well.
    """

    def __init__(
        self,
        tls: ssl.SSLSocket,
        tun: int,
        pipe: Connection,
        *,
        coalesce: bool,
        offload: Offload,
        with_ipv6: bool = False,
    ) -> None:
        tls.setblocking(False)
        tls.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _UNSENT)
        self._tls = tls
        self._tun = tun
        self._pipe = pipe
        self._waits: dict[bytes, dict[int, float]] = {pings.PING: {}, pings.CALL: {}}
        # the kernel says when what is read next came
        self._raw = socket.socket(fileno=os.dup(tls.fileno()))
        self._raw.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._coalesce = coalesce
        self._forwarding = (
            (tun, offload, None, False, *_FROM_ANYWHERE) if with_ipv6 else (tun, offload)
        )
        self._source = _NOBODY if with_ipv6 else None
        self._records: deque[bytes | memoryview] = deque()
        self._room = memoryview(bytearray(_TURN + 2 * _LARGEST))
        self._bytes = bytearray(_TURN + 2 * _RECORD)
        self._buffer = memoryview(self._bytes)
        self._filled = 0

    def run(self) -> None:
        """Carry, until the server closes."""
        poll = select.poll()
        tls, tun, pipe = self._tls.fileno(), self._tun, self._pipe.fileno()
        poll.register(pipe, select.POLLIN)
        while True:
            poll.register(tls, select.POLLIN | (select.POLLOUT if self._records else 0))
            poll.register(tun, 0 if self._records else select.POLLIN)
            for descriptor, event in poll.poll():
                if descriptor == tls and event & ~select.POLLOUT and not self._down():
                    return
                if descriptor == tun:
                    self._fetch()
                if descriptor == pipe:
                    self._pipe.recv()
                    self._pipe.send(self._waits)
                    self._waits = {pings.PING: {}, pings.CALL: {}}
            self._up()

    def _fetch(self) -> None:
        """Take packets from the TUN, and make records of them."""
        ends, end = [0], 0
        while end < _TURN:
            try:
                packet = os.read(self._tun, _LARGEST)
            except BlockingIOError:
                break
            if len(packet) == pings.LENGTH + _VNET and (wait := pings.wait_of(packet[_VNET:])):
                self._waits[pings.PING][wait[0]] = wait[1]
            found, _ = cut(packet, 0, self._room[end:], len(self._room))
            ends += [end + one for one in found]
            end = ends[-1]
        start = 0
        for end in record_ends(ends, coalesce=self._coalesce):
            self._records.append(self._room[start:end])
            start = end

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
        """Write to the TUN what has come, up to a turn's worth; return whether the stream goes on."""
        view, began = self._buffer, time.time()
        end, alive = self._filled, True
        try:
            while end < _TURN:
                count = self._tls.recv_into(view[end:])
                if not count:
                    alive = False
                    break
                end += count
        except ssl.SSLWantReadError:
            pass
        except OSError:
            alive = False
        done = time.time()
        position = self._forward(end)
        if found := [*pings.marked(self._bytes, 0, position)]:
            self._note(found, max(0.0, done - self._came(began)))
        self._filled = end - position
        view[: self._filled] = bytes(view[position:end])
        return alive

    def _came(self, otherwise: float) -> float:
        """Return when what is to be read next came, which what was read did not come after."""
        with contextlib.suppress(OSError):  # there is nothing more, or never will be
            _, told, *_ = self._raw.recvmsg(
                1, socket.CMSG_SPACE(_TIMESPEC.size), socket.MSG_PEEK | socket.MSG_DONTWAIT
            )
            for _, kind, data in told:
                if kind == _SO_TIMESTAMPNS:
                    seconds, nanoseconds = _TIMESPEC.unpack(data)
                    came: float = seconds + 1e-9 * nanoseconds
                    return min(otherwise, came)
        return otherwise

    def _note(self, found: list[tuple[bytes, int]], waited: float) -> None:
        """Add how long those have waited for us at least."""
        for mark, number in found:
            waits = self._waits[mark]
            waits[number] = waits.get(number, 0.0) + waited

    def _forward(self, end: int) -> int:
        """Write what is in the buffer up to ``end``; return where an unfinished packet begins."""
        view, position = self._buffer, 0
        while True:
            position, _, _ = forward(view, position, end, self._source, *self._forwarding)
            if end - position < _HEADER:
                return position
            following = position + (
                int.from_bytes(view[position + 2 : position + 4], "big") & 0xFFF
            )
            if following > end:
                return position
            if bytes(view[position:following]) == _ECHO_REQUEST:
                self._records.append(_ECHO_RESPONSE)
            position = following
