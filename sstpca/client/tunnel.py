"""One session of the client on an event loop: TLS on one side, a TUN interface on the other.

The hot path is the server's own (:mod:`sstpca.server.dataplane`), in the other direction.
"""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import Final

from sstpca.server.dataplane.inbound import SCRATCH, Inbound
from sstpca.server.dataplane.outbound import Outbound
from sstpca.server.dataplane.queue import Room
from sstpca.server.dataplane.segments import ONLY_IPV4, ONLY_IPV6
from sstpca.server.dataplane.stream import TlsStream
from sstpca.server.net.closing import close_gently
from sstpca.server.net.tls import explained
from sstpca.server.net.tun import Tun
from sstpca.server.net.watch import Readable
from sstpca.server.sstp.effects import Send
from sstpca.server.sstp.wire import WireError

from .link import Connected
from .session import ClientEffect, ClientSession, Ended, Packet

#: Bytes of IP packets that came at once: if others came a moment ago, there will be more.
_MUCH: Final = 1024

#: 0.0.0.0/0 and ::/0, address and mask of each.
_EVERYWHERE: Final = bytes(8), bytes(32)
_LINK_LOCAL: Final = b"\xfe\x80"


class Tunnel:
    """Drives one session until it is over.

    :param tun: the interface; it stays when the session goes.
    :param connected: is told what we were given, each time that changes.
    :ivar ended: why the session is over, once it is.
    """

    def __init__(
        self,
        stream: TlsStream,
        session: ClientSession,
        tun: Tun,
        *,
        connected: Callable[[Connected], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._stream = stream
        self._session = session
        self._tun = tun
        self._connected = connected
        scratch = memoryview(bytearray(SCRATCH))
        self._inbound = Inbound(scratch)
        self._outbound = Outbound(stream, scratch, Room(), coalesce=True)
        self._server = Readable(self._loop, partial(self._safely, self._read))
        self._interface = Readable(self._loop, partial(self._safely, self._pump))
        self._timer: asyncio.TimerHandle | None = None
        self._writing = False
        self._up = False
        self.ended: asyncio.Future[Ended] = self._loop.create_future()

    @property
    def traffic(self) -> tuple[int, int]:
        """Bytes of IP packets received from and sent to the server."""
        return self._inbound.received, self._outbound.sent

    def start(self, rest: bytes) -> None:
        """The server has answered HTTP; ``rest`` is what came behind that."""
        self._server.want(self._stream.fileno())
        self._do_all(self._session.begin(self._loop.time()))
        self._take(self._inbound.push(rest))
        # what TLS has in memory behind the answer makes no socket readable
        self._loop.call_soon(partial(self._safely, self._read))

    def terminate(self, reason: str) -> None:
        """End the session politely."""
        self._do_all(self._session.terminate(reason, self._loop.time()))

    def fail(self, error: BaseException) -> None:
        """End it at once: the machine does not let us."""
        if not self.ended.done():
            self._close()
            self.ended.set_exception(error)

    def _safely(self, step: Callable[[], None]) -> None:
        """An exception that reached the event loop would bring it back to the descriptor forever."""
        try:
            if not self.ended.done():
                step()
        except (OSError, WireError) as error:
            why = explained(error) if isinstance(error, OSError) else str(error)
            self._do_all(self._session.lost(f"the connection broke: {why}"))
        except Exception as error:
            self.fail(error)

    def _read(self) -> None:
        now, before = self._loop.time(), self._inbound.received
        self._session.heard(now)
        packets, alive = self._inbound.read(self._stream)
        self._take(packets)
        if not alive:
            self._do_all(self._session.lost("the server closed the connection"))
            return
        if self._stream.drained and self._inbound.received - before > _MUCH:
            self._server.rest(now)
        self._go_on()

    def _take(self, packets: list[bytes]) -> None:
        for packet in packets:
            if not self.ended.done():
                self._do_all(self._session.receive(packet, self._loop.time()))

    def _pump(self) -> None:
        now, before = self._loop.time(), self._outbound.sent
        self._outbound.pump(self._tun.descriptor, now)
        if not self._outbound.queued and self._outbound.sent - before > _MUCH:
            self._interface.rest(now)
        self._go_on()

    def _flush(self) -> None:
        self._outbound.flush(self._loop.time())
        self._go_on()

    def _tick(self) -> None:
        self._timer = None
        self._do_all(self._session.tick(self._loop.time()))

    def _do_all(self, effects: list[ClientEffect]) -> None:
        for one in effects:
            match one:
                case Send(packet):
                    self._outbound.send(packet)
                case Packet(packet):
                    self._inbound.deliver(packet)
                case Connected():
                    self._open(one)
                case Ended():
                    with contextlib.suppress(OSError):  # it is lost anyway
                        self._outbound.let_out()
                    self._close()
                    self.ended.set_result(one)
                    return
        self._outbound.let_out()
        self._go_on()

    def _open(self, given: Connected) -> None:
        self._outbound.versions = ONLY_IPV4 | ONLY_IPV6 * (given.ipv6 is not None)
        # IPv6 passes where there is a prefix; here they come from everywhere
        source = None if given.ipv6 is None else given.address.packed + _LINK_LOCAL
        networks = (b"", b"") if given.ipv6 is None else _EVERYWHERE
        self._inbound.open(
            self._tun.descriptor,
            source,
            self._tun.offload,
            server=None,
            multicast=True,
            networks=networks,
        )
        self._up = True
        self._connected(given)

    def _go_on(self) -> None:
        """Watch what is to be watched now."""
        if self.ended.done():
            return
        writing = self._outbound.queued or self._stream.waiting > 0
        if writing != self._writing:
            self._writing = writing
            if writing:
                self._loop.add_writer(self._stream.fileno(), self._safely, self._flush)
            else:
                self._loop.remove_writer(self._stream.fileno())
        self._interface.want(self._tun.descriptor if self._up else -1)
        if self._timer is not None:
            self._timer.cancel()
        due = self._session.deadline
        self._timer = None if due is None else self._loop.call_at(due, self._safely, self._tick)

    def _close(self) -> None:
        self._up = False
        self._inbound.shut()
        self._server.want(-1)
        self._interface.want(-1)
        if self._writing:
            self._loop.remove_writer(self._stream.fileno())
        if self._timer is not None:
            self._timer.cancel()
        close_gently(self._loop, self._stream)
