"""One client's connection: the only place that performs what a session asks for."""

from collections.abc import Callable, Coroutine
from functools import partial
from time import thread_time
from typing import Any, Final, assert_never

from ..contracts import Account, SessionRefused
from ..dataplane.inbound import Inbound
from ..dataplane.outbound import Outbound
from ..dataplane.stream import TlsStream
from ..effects import (
    Admit,
    Bind,
    ChangePassword,
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
from ..ppp.proofs import PasswordChange
from ..sstp.wire import Control, MessageType, WireError, encode
from ..trace.orders import Traced
from .admission import Admission
from .backlog import Backlog
from .beginning import new_session
from .caller import Caller
from .closing import close_gently
from .eap_handshake import EapHandshake
from .inside import Inside, earliest
from .lifecycle import ConnectionEvent, ConnectionState, Lifecycle, Packets
from .shared import Shared
from .sources import Source
from .strangers import Progress
from .tls import Certificate, explained
from .watch import Watch

#: An Echo-Response ([MS-SSTP] 2.2.15) says that the client is there, which was heard as it came. Thousands
#: of idle clients send nothing else.
_THERE: Final = [encode(Control(MessageType.ECHO_RESPONSE))]

#: Bytes of IP packets that came at once: if others came a moment ago, there will be more.
_MUCH: Final = 1024


class Connection:
    """Drives one session from its HTTP request to its end. What it does when, :mod:`.lifecycle` has.

    :param certificate: the one that this connection has shown, whatever new ones are shown now.
    :param source: where it comes from, which pays for what it costs before its login.
    :param coalesce: whether the client takes several SSTP packets in one TLS record.
    :param admitted: is told when the client has logged in, and its crypto binding holds.
    :param ended: is told when the session is over.
    """

    __slots__ = (
        "_admission",
        "_admitted",
        "_backlog",
        "_caller",
        "_certificate",
        "_eap_handshake",
        "_ended",
        "_inbound",
        "_inside",
        "_life",
        "_log",
        "_loop",
        "_outbound",
        "_session",
        "_shared",
        "_stream",
        "_tun",
        "_watch",
        "traced",
    )

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
        self._ended = ended
        self._loop = shared.loop
        self._stream = stream
        self._caller = Caller(shared, peer, source)
        self._log = self._caller.log
        self._inbound = Inbound(shared.scratch)
        self._outbound = Outbound(stream, shared.scratch, shared.room, coalesce=coalesce)
        self._inside = Inside(self._inbound, self._outbound)
        self.traced = Traced(shared.tracing, peer, self._inbound, self._outbound)
        self._session = new_session(shared, certificate)
        self._certificate = certificate
        self._eap_handshake: EapHandshake | None = None
        self._admission = Admission(shared, self._log)
        self._tun = self._admission.interface
        self._life = Lifecycle()
        self._watch = Watch(self._loop, stream, self._tun, self)
        self._backlog = Backlog(
            shared.round_robin, work=self._take, worked=self._worked, refuse=self.drop
        )

    def start(self, rest: bytes) -> None:
        """The HTTP request is answered; ``rest`` is what came behind it."""
        self._tell(self._session.begin)
        try:
            self._receive(self._inbound.push(rest))
        except WireError as error:
            self.drop(str(error))
        # what TLS has in memory behind the request makes no socket readable
        self._loop.call_soon(self.read)

    @property
    def progress(self) -> Progress:
        """How far it has come on its way to a login."""
        return self._life.progress

    @property
    def source(self) -> Source:
        """Where it comes from."""
        return self._caller.source

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
        """End the session without a word: the connection is lost, or not worth one."""
        self._end(reason, self._stream.close)

    def _lose(self, error: OSError) -> None:
        self.drop(f"connection lost: {explained(error)}")

    def terminate(self, reason: str) -> None:
        """End the session politely."""
        if self._happen(ConnectionEvent.TERMINATE):
            self._tell(partial(self._session.terminate, reason))
            # what waits for an answer is PPP and SSTP
            self._admission.withdraw()

    def _happen(self, event: ConnectionEvent) -> bool:
        """Go where the table has it; return whether that is another state.

        :raises LookupError: the event cannot happen in this one.
        """
        if not self._life.feed(event):
            return False
        watched = self._life.watched
        if not watched.ip:
            self._inside.shut()
        match watched.packets:
            case Packets.WORKED_ON:
                self._backlog.resume()
            case Packets.PAUSED:
                self._backlog.pause()
            case Packets.FORGOTTEN:
                self._backlog.clear()
        self._set_watch()
        return True

    def _set_watch(self) -> None:
        """Have watched what the state wants."""
        self._watch.set(
            self._life.watched,
            busy=self._backlog.busy,
            queued=self._outbound.queued,
            deadline=earliest(self._session.deadline, self._inside.deadline),
        )

    # What the event loop calls

    def read(self) -> None:
        """The client has sent something."""
        self._safely(self._read)

    def flush(self) -> None:
        """The client's socket takes more of what waits."""
        self._safely(self._flush)

    def pump(self) -> None:
        """There are IP packets for the client."""
        self._safely(self._pump)

    def tick(self) -> None:
        """The deadline is there."""
        self._safely(self._tick)

    def _safely(self, step: Callable[..., None], *arguments: object) -> None:
        """Let a mistake of ours cost this session, and neither the worker nor its other sessions.

        An exception that reached the event loop would leave the descriptor ready, and the loop
        would come back to it forever.
        """
        try:
            step(*arguments)
        except Exception:
            self._mistaken()

    def _mistaken(self) -> None:
        self._log.exception("a mistake in the server")
        self.drop("the server has a problem")

    def _read(self) -> None:
        if self._life.over:
            return None
        if self._backlog.busy:
            return self._watch.pause()
        now, before = self._loop.time(), self._inbound.received
        self._session.heard(now)
        began = thread_time() if self._life.watched.pays else 0.0
        try:
            packets, alive = self._inbound.read(self._stream)
        except WireError as error:
            return self.drop(str(error))
        if began:
            self._pay(thread_time() - began)
            if self._life.over:
                return None
        if self._life.watched.ip:
            self._shared.active.add(self)
            self._inside.answer(now)
            if packets == _THERE:
                packets = []
        if self._outbound.queued or self._stream.waiting:  # perhaps TLS's answer to a KeyUpdate
            self._pass_on()
        if packets or not alive or self._stream.waiting:
            self._backlog.alive = alive
            self._receive(packets)
            return self._hear_the_end()
        # the usual case: IP packets, and nothing that changes what is watched
        if self._stream.drained and self._inbound.received - before > _MUCH:
            self._watch.client.rest(now)
        return None

    def _receive(self, packets: list[bytes]) -> None:
        """Have the packets worked on when it is their turn; until then, nothing more is read."""
        self._backlog.add(packets, stranger=self._life.watched.pays)

    def _take(self, packet: bytes) -> None:
        self._safely(lambda: self._do_all(self._session.receive(packet, self._loop.time())))

    def _worked(self, cost: float) -> None:
        """Some packets are worked on, and have cost so much."""
        self._let_out()
        self._pay(cost)
        self._hear_the_end()
        self._safely(self._go_on)

    def _pay(self, cost: float) -> None:
        """Have a stranger and its source pay for what it has cost."""
        if self._life.watched.pays:
            self._shared.sources.charge(self._caller.source, cost)
            self._backlog.charge(cost)

    def _hear_the_end(self) -> None:
        """The client may have said its last word, and all that it said be worked on."""
        if not (self._backlog.alive or self._backlog.busy):
            self.drop("the client closed the connection")

    def _pump(self) -> None:
        self._shared.active.add(self)
        now, before = self._loop.time(), self._outbound.sent
        try:
            self._outbound.pump(self._tun.descriptor, now)
        except OSError as error:
            return self._lose(error)
        if self._outbound.queued or self._stream.waiting:
            self._pass_on()
        elif self._outbound.sent - before > _MUCH:
            self._watch.interface.rest(now)
        return None

    def _flush(self) -> None:
        try:
            self._outbound.flush(self._loop.time())
        except OSError as error:
            return self._lose(error)
        return self._pass_on()

    def _tick(self) -> None:
        self._inside.tick(self._loop.time())
        self._tell(self._session.tick)

    # What the session asks for

    def _tell(self, take: Callable[[float], list[Effect]]) -> None:
        """Have the session take something, unless it is over, and do what it asks for."""
        if not self._life.over:
            self._do_all(take(self._loop.time()))
            self._let_out()
            self._go_on()

    def _go_on(self) -> None:
        """Watch on, as what waits, is to be worked on or is due may have changed."""
        if not self._life.over:
            self._set_watch()

    def _pass_on(self) -> None:
        """Watch on, as what waits for the client may have changed, and nothing else."""
        self._watch.pass_on(
            self._life.watched, busy=self._backlog.busy, queued=self._outbound.queued
        )

    def _let_out(self) -> None:
        """Have what a turn had to say go out, all at once."""
        if self._life.over:
            return
        try:
            self._outbound.let_out()
        except OSError as error:
            self._lose(error)

    def _do_all(self, effects: list[Effect]) -> None:
        for effect in effects:
            if self._life.over:
                break
            try:
                self._do(effect)
            except OSError as error:
                self._lose(error)

    def _do(self, effect: Effect) -> None:
        match effect:
            case Send(packet):
                self._outbound.send(packet)
            case LookUp() as question:
                # no field of the log: that would put the words of anybody before the peer's address
                self._spawn(self._look_up(question))
            case ChangePassword(account, wish):
                self._spawn(self._change_password(account, wish))
            case Handshake(data):
                self._spawn(self._handshake(data))
            case Admit(account, how):
                self._caller.log_in(account.name)
                self.traced.know(account.name)
                self._happen(ConnectionEvent.ADMIT)
                self._spawn(self._promise(account, how))
            case Bind():
                self._happen(ConnectionEvent.BIND)
                self._log.trust()
                self._shared.tally.logged_in(self._session.method)
                self._admitted(self)
                self._spawn(self._give())
            case Identified(text):
                self._caller.identify(text)
            case Up():
                self._bring_up(effect)
            case Down():
                self._happen(ConnectionEvent.DOWN)
            case Deliver(packet):
                self._inside.deliver(packet, self._loop.time())
            case Note() as note:
                self._caller.claim(self._session.user)
                self._caller.note(note, self._session.method)
            case Close(reason):
                self._outbound.let_out()
                self._end(reason, partial(close_gently, self._loop, self._stream))
            case _:
                assert_never(effect)

    # What takes its time

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._shared.spawn(self._guard(work))

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        """End the session, not the worker, when the store or the machine fails."""
        try:
            await work
        except Exception as error:
            self._log.error("%s", error, exc_info=not isinstance(error, ServerError))
            self.terminate("the server has a problem")

    async def _look_up(self, question: LookUp) -> None:
        log_in, source = self._shared.directory.log_in, self._caller.source.name
        judgement = await self._shared.ask(log_in, question.name, source, question.proof)
        self.traced.know(judgement.account.name if judgement.account else "")
        self._tell(partial(self._session.judged, judgement))

    async def _change_password(self, account: Account, wish: PasswordChange) -> None:
        changed = await self._shared.ask(self._shared.directory.change_password, account, wish)
        if not changed.refusal:
            self._log.info("'%s' has another password now", account.name)
        self._tell(partial(self._session.changed, account, changed))

    async def _handshake(self, data: bytes) -> None:
        shared = self._shared
        if self._eap_handshake is None:
            certificate, directory = self._certificate, shared.directory
            self._eap_handshake = EapHandshake(shared.contexts, certificate, directory)
        receive = self._eap_handshake.receive
        answer = await shared.handshakes.step(
            self._caller.source,
            lambda: receive(data),
            wanted=lambda: not self._life.over,
        )
        if answer is not None:
            self._tell(partial(self._session.handshaken, answer))

    async def _promise(self, account: Account, how: str) -> None:
        caller = self._caller
        lease = await self._admission.promise(account, peer=caller.peer, client=caller.client)
        # with the session's number, from the first line on
        self._log.info("logged in by %s", how)
        self._tell(partial(self._session.leased, lease))

    async def _give(self) -> None:
        """Give the client its interface; what it has sent since its Call-Connected waits for that."""
        try:
            await self._admission.give()
        except SessionRefused as refusal:
            self._caller.waste(str(refusal))
            self.terminate(str(refusal))
            return
        if self._happen(ConnectionEvent.GIVEN):
            self._tell(lambda _: self._session.bound())

    def _bring_up(self, up: Up) -> None:
        lease = self._admission.lease
        if lease is None:
            raise ServerError("a session without a lease cannot carry packets")
        self._inside.open(self._tun, lease, up, self._loop.time())
        if self._life.state is ConnectionState.READY:
            self._admission.up(lease)
        self._happen(ConnectionEvent.UP)
        self._spawn(self._tun.adapt(up.mtu, ipv6=bool(up.ipv6 and lease.ipv6)))
        if news := self._admission.news(lease, up):
            self._log.info("up, %s on %s", news, self._tun.name)

    # The end

    def _end(self, reason: str, close: Callable[[], None]) -> None:
        """The session is over, unless it was already: give everything back."""
        if not self._happen(ConnectionEvent.END):
            return
        try:
            self._caller.claim(self._session.user)
            reason = self._session.explain(reason, self._loop.time())
            if self._life.wasted:
                self._caller.waste(reason)
            self._admission.end(reason, self.traffic)
            self._log.info("ended: %s (%d bytes received, %d sent)", reason, *self.traffic)
            self._ended(self)
        finally:
            close()
            self._watch.close()
            self._backlog.close()
