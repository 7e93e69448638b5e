"""One client's connection: the only place that performs what a session asks for."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from logging import INFO, WARNING
from typing import Any, Final, assert_never

from ..dataplane.inbound import Inbound
from ..dataplane.outbound import Outbound
from ..dataplane.stream import TlsStream
from ..effects import (
    Admit,
    Bind,
    Close,
    Deliver,
    Down,
    Effect,
    Handshake,
    Identified,
    LookUp,
    Note,
    Send,
    Up,
)
from ..errors import ServerError
from ..interfaces import Account
from ..log import SessionLog
from ..ppp.link import Link
from ..session import Session
from ..sstp.call import Call
from ..sstp.wire import WireError
from .admission import Admission
from .backlog import Backlog
from .closing import LINGER, close_gently
from .eap_tls import EapTls
from .entrance import Progress
from .shared import Shared
from .sources import Source
from .tls import Certificate, explained

#: Bytes of unsent control packets at which a client is no longer read: it asks faster than it reads.
_CROWDED: Final = 256 * 1024

#: Characters kept of what a client calls itself.
_CLIENT: Final = 128


class Connection:
    """Drives one session from its HTTP request to the closed socket.

    :param certificate: the one that this connection has shown, whatever new ones are shown now.
    :param source: where it comes from, which pays for what it costs before its login.
    :param coalesce: whether the client takes several SSTP packets in one TLS record.
    :ivar progress: how far it has come on its way to a login.
    :param admitted: is told when the client has logged in, and its crypto binding holds.
    :param ended: is told when the session is over.
    """

    def __init__(
        self,
        shared: Shared,
        stream: TlsStream,
        *,
        certificate: Certificate,
        peer: str,
        source: Source,
        coalesce: bool,
        admitted: Callable[["Connection"], None],
        ended: Callable[["Connection"], None],
    ) -> None:
        self._shared = shared
        self._admitted = admitted
        self._gone = ended
        self._loop = shared.loop
        self._stream = stream
        self._peer = peer
        self._source = source
        self._client = ""
        self._log = SessionLog(peer, shared.remarks)
        self._inbound = Inbound(shared.scratch)
        self._outbound = Outbound(stream, shared.scratch, coalesce=coalesce)
        self._session = Session(
            Call(nonce=os.urandom(32), certificates=(certificate.hashes,)),
            Link(
                challenge=os.urandom(16),
                magic=int.from_bytes(os.urandom(4)) or 1,
                server_name=shared.config.name,
                mtu=shared.config.mtu,
            ),
        )
        self._eap_tls = EapTls(shared.contexts, certificate, shared.directory)
        self._timer: asyncio.TimerHandle | None = None
        self._admission = Admission(shared, self._log)
        self._tun = self._admission.interface
        self._been_up = False
        self._backlog = Backlog(
            shared.turns, work=self._take, worked=self._worked, refuse=self._lose
        )
        self._stranger = True
        self.progress = Progress.CALLING
        self._ended = False

    def start(self, rest: bytes) -> None:
        """The HTTP request is answered; ``rest`` is what came behind it."""
        self._perform(self._session.begin(self._loop.time()))
        try:
            self._receive(self._inbound.push(rest))
        except WireError as error:
            self._lose(str(error))
        # what TLS has in memory behind the request makes no socket readable
        self._loop.call_soon(self._safely, self._readable)

    @property
    def session(self) -> int | None:
        """The session's number, once it has one."""
        lease = self._admission.lease
        return lease.session if lease else None

    @property
    def traffic(self) -> tuple[int, int]:
        """Bytes of IP packets received from and sent to the client."""
        return self._inbound.received, self._outbound.sent

    def drop(self, reason: str) -> None:
        """End the session without a word."""
        self._lose(reason)

    def terminate(self, reason: str) -> None:
        """End the session politely."""
        if not self._ended:
            self._perform(self._session.terminate(reason, self._loop.time()))
            # what waits for an answer is PPP and SSTP
            self._withdraw()

    # What the event loop calls

    def _safely(self, step: Callable[[], None]) -> None:
        """Let a mistake of ours cost this session, and neither the worker nor its other sessions.

        An exception that reached the event loop would leave the descriptor ready, and the loop
        would come back to it forever.
        """
        try:
            step()
        except Exception:
            self._log.exception("a mistake in the server")
            if self._ended:
                self._hang_up()
            else:
                self._lose("the server has a problem")

    def _readable(self) -> None:
        if self._ended or self._backlog.busy:
            return None
        self._session.heard(self._loop.time())
        try:
            packets, alive = self._inbound.read(self._stream)
        except WireError as error:
            return self._lose(str(error))
        self._backlog.alive = alive
        self._receive(packets)
        return self._hear_the_end()

    def _receive(self, packets: list[bytes]) -> None:
        """Have the packets worked on when it is their turn; until then, nothing more is read."""
        self._backlog.add(packets, stranger=self._stranger)
        self._settle()

    def _take(self, packet: bytes) -> None:
        def take() -> None:
            self._do_all(self._session.receive(packet, self._loop.time()))

        if not self._ended:
            self._safely(take)

    def _worked(self, cost: float) -> None:
        """Some packets are worked on, and have cost so much; a stranger and its source pay."""
        if self._stranger:
            self._shared.sources.charge(self._source, cost)
            self._backlog.charge(cost)
        self._hear_the_end()
        self._safely(self._settle)

    def _hear_the_end(self) -> None:
        """The client may have said its last word, and all that it said be worked on."""
        if not (self._backlog.alive or self._backlog.busy or self._ended):
            self._lose("the client closed the connection")

    def _tun_readable(self) -> None:
        try:
            self._outbound.pump(self._tun.descriptor, self._shared.config.mtu)
        except OSError as error:
            return self._lose(f"connection lost: {explained(error)}")
        return self._watch() if self._stream.waiting else None

    def _writable(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            if self._ended:
                return self._hang_up()
            return self._lose(f"connection lost: {explained(error)}")
        if self._ended:
            return None if self._stream.waiting else self._hang_up()
        return self._watch()

    def _tick(self) -> None:
        self._timer = None
        self._perform(self._session.tick(self._loop.time()))

    # What the session asks for

    def _perform(self, effects: list[Effect]) -> None:
        self._do_all(effects)
        self._settle()

    def _settle(self) -> None:
        """Watch what is to be watched now, and set the timer."""
        if not self._ended:
            self._arm()
            self._watch()

    def _do_all(self, effects: list[Effect]) -> None:
        for effect in effects:
            if self._ended:
                break
            try:
                self._do(effect)
            except OSError as error:
                self._lose(f"connection lost: {explained(error)}")

    def _do(self, effect: Effect) -> None:
        match effect:
            case Send(packet):
                self._outbound.send(packet)
            case LookUp(name):
                # no field of the log: that would put the words of anybody before the peer's address
                self._spawn(self._look_up(name))
            case Handshake(data):
                self._spawn(self._shake(data))
            case Admit(account, how):
                self._log.know(user=account.name)
                self._log.info("logged in by %s", how)
                self.progress = Progress.PROVEN
                self._spawn(self._promise(account))
            case Bind():
                self._stranger = False
                self._log.trust()
                self._backlog.hold()
                self._admitted(self)
                self._spawn(self._give())
            case Identified(text):
                self._client = f"{self._client} {text}".strip()[:_CLIENT]
                self._log.info("the client calls itself '%s'", text)
            case Up(mtu):
                self._bring_up(mtu)
            case Down():
                self._bring_down()
            case Deliver(packet):
                self._inbound.deliver(packet)
            case Note(text, warning):
                self._know_claim()
                self._log.log(WARNING if warning else INFO, "%s", text)
            case Close(reason):
                self._end(reason)
            case _:
                assert_never(effect)

    def _arm(self) -> None:
        """Have :meth:`_tick` called at the session's deadline."""
        deadline = self._session.deadline
        if self._timer is not None:
            if self._timer.when() == deadline:
                return
            self._timer.cancel()
        self._timer = (
            None if deadline is None else self._loop.call_at(deadline, self._safely, self._tick)
        )

    def _watch(self) -> None:
        """Read the TUN and the client only as fast as the client reads, and as it has a TUN."""
        descriptor = self._stream.fileno()
        waiting = self._stream.waiting
        if waiting:
            self._loop.add_writer(descriptor, self._safely, self._writable)
        else:
            self._loop.remove_writer(descriptor)
        if self._session.up:
            if waiting:
                self._loop.remove_reader(self._tun.descriptor)
            else:
                self._loop.add_reader(self._tun.descriptor, self._safely, self._tun_readable)
        if waiting > _CROWDED or self._backlog.busy:
            self._loop.remove_reader(descriptor)
        else:
            self._loop.add_reader(descriptor, self._safely, self._readable)

    # What takes its time

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._shared.spawn(self._guard(work))

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        """End the session, not the worker, when the store or the machine fails."""
        try:
            await work
        except Exception as error:
            trace = None if isinstance(error, ServerError) else error
            self._log.error("%s", error, exc_info=trace)
            self.terminate("the server has a problem")

    async def _look_up(self, name: str) -> None:
        account = await self._shared.ask(self._shared.directory.account, name)
        if not self._ended:
            self._perform(self._session.account(account, self._loop.time()))

    async def _shake(self, data: bytes) -> None:
        answer = await self._shared.handshakes.step(
            self._source, lambda: self._eap_tls.receive(data), wanted=lambda: not self._ended
        )
        if answer is not None and not self._ended:
            self._perform(self._session.handshaken(answer, self._loop.time()))

    async def _promise(self, account: Account) -> None:
        lease = await self._admission.promise(account, peer=self._peer, client=self._client)
        if not self._ended:
            self._perform(self._session.leased(lease, self._loop.time()))

    async def _give(self) -> None:
        """Give the client its interface; what it has sent since its Call-Connected waits for that."""
        try:
            refusal = await self._admission.give()
            if refusal:
                self.terminate(refusal)
            elif not self._ended:
                self._perform(self._session.bound())
        finally:
            self._backlog.go_on()
            self._worked(0.0)

    def _bring_up(self, mtu: int) -> None:
        lease = self._admission.lease
        if lease is None:
            raise ServerError("a session without a lease cannot carry packets")
        self._inbound.open(self._tun.descriptor, lease.address.packed)
        if self._been_up:  # the client negotiates IPCP anew: as often as it likes, so no word of it
            return
        self._been_up = True
        if mtu != self._shared.config.mtu:
            self._spawn(self._tun.fit(mtu))
        self._log.info("up, address %s on %s", lease.address, self._tun.name)

    def _bring_down(self) -> None:
        self._inbound.shut()
        if self._tun.descriptor >= 0:
            self._loop.remove_reader(self._tun.descriptor)

    def _withdraw(self) -> None:
        self._bring_down()
        self._admission.withdraw()

    def _know_claim(self) -> None:
        if self._session.user:
            self._log.know(claimed=self._session.user)

    # The end

    def _lose(self, reason: str) -> None:
        """The connection is gone, or not worth another word."""
        if not self._ended:
            self._stop(reason)
            self._stream.close()

    def _end(self, reason: str) -> None:
        """The session is over; what waits still goes out."""
        self._stop(reason)
        if self._stream.waiting:
            self._timer = self._loop.call_later(LINGER, self._hang_up)
            self._loop.add_writer(self._stream.fileno(), self._safely, self._writable)
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_writer(self._stream.fileno())
        close_gently(self._loop, self._stream)

    def _stop(self, reason: str) -> None:
        self._ended = True
        self._backlog.clear()
        self._know_claim()
        reason = self._session.explain(reason, self._loop.time())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._bring_down()
        self._admission.end()
        self._loop.remove_reader(self._stream.fileno())
        self._loop.remove_writer(self._stream.fileno())
        received, sent = self.traffic
        self._log.info("ended: %s (%d bytes received, %d sent)", reason, received, sent)
        self._gone(self)
