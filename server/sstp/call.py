"""The call: one client's SSTP, from the HTTP answer to the end; [MS-SSTP] 3.1 and 3.3.

What happens when is the table of :mod:`.states`; here is what its words mean.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from ..contracts import Cause
from .binding import NONCE_SIZE, CertificateHashes, Fault, crypto_binding_request, verify
from .connect_request import refused_attributes
from .effects import Accepted, Bound, Close, Effect, Frame, Note, Send
from .states import TRANSITIONS, CallEvent, CallState
from .wire import (
    HEADER_SIZE,
    Attribute,
    AttributeId,
    Control,
    Data,
    MessageType,
    Status,
    WireError,
    decode,
    encode,
    status_info,
    status_of,
)

#: Seconds for a good Call-Connect-Request, and again for Call-Connected, unless the login below says
#: that it takes longer: [MS-SSTP] 3.3.2.1 lets the two differ.
NEGOTIATION: Final = 60.0
#: Seconds that the end of PPP takes: it has narrower limits of its own, and says so first.
_BY_PPP: Final = 5.0
#: Seconds for Call-Connected once the client is told that it is in: of silence, and at most. Windows
#: sends it at once; clients that open IPCP first need three round trips more. An address is kept for
#: that long, so that it is less than what 3.3.2.1 allows.
BINDING: Final = 10.0
BINDING_MOST: Final = 30.0
#: Seconds of silence after which we ask, and then after which we give up: 3.1.2.3.
HELLO: Final = 60.0
# seconds that make no difference: who answers an Echo-Request was heard a moment behind it, and
# would be asked next by two turns of the timer
_SOON: Final = 0.5
#: Seconds for the answer to our Call-Abort; and to let the last one arrive: 3.1.2.1.
ABORT: Final = 3.0
ABORT_LINGER: Final = 1.0
#: Seconds for the answer to our Call-Disconnect; and to let our answer arrive: 3.1.2.2.
DISCONNECT: Final = 5.0
DISCONNECT_LINGER: Final = 1.0
#: How many Call-Connect-Nak are sent before the call is aborted: 3.3.5.2.2, note <16>.
NAKS: Final = 3


# [MS-SSTP] 2.2.15: these have no attributes
_BARE: Final = (
    MessageType.CALL_DISCONNECT_ACK,
    MessageType.ECHO_REQUEST,
    MessageType.ECHO_RESPONSE,
)


_CARRYING: Final = (CallState.SERVER_CALL_CONNECTED_PENDING, CallState.SERVER_CALL_CONNECTED)


@dataclass(frozen=True, slots=True)
class _Arrival:
    """An event, and what came with it.

    :param fault: what is wrong with the packet, and ``status`` how Call-Abort says it.
    """

    event: CallEvent
    packet: bytes = b""
    attributes: tuple[Attribute, ...] = ()
    fault: str = ""
    status: Status = Status.NO_ERROR


def _recognise(packet: bytes) -> _Arrival:
    try:
        message = decode(packet)
    except WireError as error:
        if error.status is None:
            return _Arrival(CallEvent.STREAM_BROKEN, fault=str(error))
        return _Arrival(CallEvent.MALFORMED, fault=str(error), status=error.status)
    if isinstance(message, Data):
        return _Arrival(CallEvent.DATA, packet)
    if message.type in _BARE and message.attributes:
        fault = f"{message.type.name} with attributes"
        return _Arrival(CallEvent.MALFORMED, fault=fault, status=Status.ATTRIB_NOT_SUPPORTED_IN_MSG)
    return _Arrival(CallEvent[message.type.name], packet, message.attributes)


def _send(type_: MessageType, *attributes: Attribute) -> Send:
    return Send(encode(Control(type_, attributes)))


class Call:
    """The SSTP side of one connection, from the HTTP answer to the close of TCP.

    Every method that returns effects wants them performed in order. ``now`` is any clock that
    never goes back, in seconds.

    :param nonce: 32 random bytes, for this call alone.
    :param certificates: those that the client may have seen in TLS.
    :raises ValueError: if the nonce has another size.
    """

    __slots__ = (
        "_asked",
        "_began",
        "_binding",
        "_certificates",
        "_heard",
        "_held",
        "_hlaks",
        "_naks",
        "_nonce",
        "deadline",
        "left",
        "reason",
        "state",
    )

    def __init__(self, *, nonce: bytes, certificates: tuple[CertificateHashes, ...]) -> None:
        if len(nonce) != NONCE_SIZE:
            raise ValueError(f"a nonce of {len(nonce)} bytes")
        #: Where the call stands.
        self.state = CallState.SERVER_CALL_DISCONNECTED
        #: When to call :meth:`tick`; None if no timer runs.
        self.deadline: float | None = None
        self._nonce = nonce
        self._certificates = certificates
        self._naks = 0
        self._held: bytes | None = None  # a Call-Connected that waits for the key
        self._hlaks: tuple[bytes, ...] = ()
        self._heard: float | None = None  # when, if anything came since the Hello timer was set
        self._asked = False  # whether our Echo-Request is unanswered
        self._began = 0.0
        #: Why the call ends, or has ended; empty while it goes on.
        self.reason = ""
        #: Whether it is the client that ends it.
        self.left = False
        self._binding: float | None = None  # until when Call-Connected is waited for, at most

    @property
    def carries(self) -> bool:
        """Whether PPP frames may be sent: from Call-Connect-Ack until the call begins to end."""
        return self.state in _CARRYING

    def begin(self, now: float) -> list[Effect]:
        """The HTTP request is answered with 200: wait for SSTP."""
        return self._happen(_Arrival(CallEvent.BEGIN), now)

    def receive(self, packet: bytes, now: float) -> list[Effect]:
        """Take one whole packet of the client. Nothing in it makes this raise."""
        self._heard = now
        return self._happen(_recognise(packet), now)

    def heard(self, now: float) -> None:
        """A packet of the client came that went another way: the Hello timer starts again."""
        self._heard = now

    def allow(self, until: float) -> None:
        """The login has begun, and is over by then: people type, and lines are slow."""
        if self.state is CallState.SERVER_CALL_CONNECTED_PENDING and self._binding is None:
            self.deadline = until + _BY_PPP

    def keyed(self, hlaks: tuple[bytes, ...], now: float) -> list[Effect]:
        """The login is over and made this key; without a key of its own, 32 zero bytes.

        :param hlaks: it, and what else this kind of client may make of it.
        """
        if self.state is CallState.SERVER_CALL_CONNECTED_PENDING and self.deadline is not None:
            self._hlaks = hlaks
            self._binding = min(now + BINDING_MOST, self.deadline)
            self._await_binding(now)
        return self._happen(_Arrival(CallEvent.KEYED), now)

    def disconnect(self, now: float) -> list[Effect]:
        """End the call politely; nothing happens if it is ending already."""
        return self._happen(_Arrival(CallEvent.HANG_UP), now)

    def tick(self, now: float) -> list[Effect]:
        """Time has passed. Called early, or without need, it does nothing."""
        if self.deadline is None or now < self.deadline:
            return []
        return self._happen(_Arrival(CallEvent.TIMER), now)

    def _happen(self, arrival: _Arrival, now: float) -> list[Effect]:
        action = TRANSITIONS[arrival.event, self.state]
        return [] if action == "-" else ACTIONS[action](self, arrival, now)

    def _enter(self, state: CallState, deadline: float) -> None:
        self.state, self.deadline = state, deadline

    # Establishing

    def _begin(self, _: _Arrival, now: float) -> list[Effect]:
        self._began = now
        self._enter(CallState.SERVER_CONNECT_REQUEST_PENDING, now + NEGOTIATION)
        return []

    def _answer(self, arrival: _Arrival, now: float) -> list[Effect]:
        """[MS-SSTP] 3.3.5.2.2."""
        refused = refused_attributes(arrival.attributes)
        if not refused:
            self._enter(CallState.SERVER_CALL_CONNECTED_PENDING, now + NEGOTIATION)
            request = crypto_binding_request(self._nonce)
            accepted = Accepted(now - self._began)
            return [_send(MessageType.CALL_CONNECT_ACK, request), accepted]
        if self._naks == NAKS:
            why = f"{NAKS + 1} unacceptable Call-Connect-Requests"
            return self._abort(Status.RETRY_COUNT_EXCEEDED, why, now)
        self._naks += 1
        return [
            Note("the Call-Connect-Request is not acceptable", warning=True),
            _send(MessageType.CALL_CONNECT_NAK, *refused),
        ]

    def _hold(self, arrival: _Arrival, now: float) -> list[Effect]:
        if self._held is not None:
            return self._refuse(arrival, now)
        self._held = arrival.packet
        return self._judge(arrival, now)

    def _judge(self, _: _Arrival, now: float) -> list[Effect]:
        """[MS-SSTP] 3.3.5.2.3, once both Call-Connected and the key are there."""
        if self._held is None or not self._hlaks:
            return []
        fault = verify(
            self._held,
            hlaks=self._hlaks,
            nonce=self._nonce,
            certificates=self._certificates,
        )
        if fault is not None:
            return self._unbound(fault, now)
        self._forget()
        self._heard, self._asked = None, False
        self._enter(CallState.SERVER_CALL_CONNECTED, now + HELLO)
        return [Bound()]

    def _await_binding(self, now: float) -> None:
        """Give the client time for Call-Connected: it is in, and may open IPCP before."""
        if self._binding is not None:
            self.deadline = min(now + BINDING, self._binding)

    def _unbound(self, fault: Fault, now: float) -> list[Effect]:
        why = f"crypto binding refused: {fault.value}"
        if fault is Fault.FORM:
            form = Status.ATTRIB_NOT_SUPPORTED_IN_MSG
            return self._abort(form, why, now, cause=Cause.BINDING)
        about = AttributeId.CRYPTO_BINDING
        return self._abort(Status.VALUE_NOT_SUPPORTED, why, now, about, cause=Cause.BINDING)

    def _expire(self, _: _Arrival, now: float) -> list[Effect]:
        early = self.state is CallState.SERVER_CONNECT_REQUEST_PENDING
        awaited = CallEvent.CALL_CONNECT_REQUEST if early else CallEvent.CALL_CONNECTED
        late = f"in {NEGOTIATION:.0f} seconds" if self._binding is None else "after the login"
        why = f"no {awaited.value} {late}"
        return self._abort(Status.NEGOTIATION_TIMEOUT, why, now)

    # Running

    def _deliver(self, arrival: _Arrival, now: float) -> list[Effect]:
        if self.state is CallState.SERVER_CALL_CONNECTED_PENDING:
            self._await_binding(now)
        return [Frame(arrival.packet[HEADER_SIZE:])]

    def _echo(self, _: _Arrival, __: float) -> list[Effect]:
        return [_send(MessageType.ECHO_RESPONSE)]

    def _hello(self, arrival: _Arrival, now: float) -> list[Effect]:
        """[MS-SSTP] 3.1.2.3. What was heard is looked at only now, so that hearing is cheap."""
        if self._heard is not None:
            self.deadline = self._heard + HELLO
            self._heard, self._asked = None, False
            if now < self.deadline - _SOON:
                return []
        if self._asked:
            self.reason = f"the client fell silent for {2 * HELLO:.0f} seconds"
            return self._close(arrival, now)
        self._asked = True
        self.deadline = now + HELLO
        return [_send(MessageType.ECHO_REQUEST)]

    # Ending

    def _abort(
        self,
        status: Status,
        why: str,
        now: float,
        about: AttributeId = AttributeId.STATUS_INFO,
        *,
        cause: Cause | None = None,
    ) -> list[Effect]:
        """Begin to abort: [MS-SSTP] 3.1.5.1."""
        self.reason = why
        self._forget()
        self._enter(CallState.CALL_ABORT_PENDING, now + ABORT)
        note = Note(why, warning=True, failed=why if cause else "", cause=cause)
        return [note, _send(MessageType.CALL_ABORT, status_info(about, status))]

    def _refuse(self, arrival: _Arrival, now: float) -> list[Effect]:
        why = f"{arrival.event.value} out of place, in {self.state.name}"
        return self._abort(Status.UNACCEPTED_FRAME_RECEIVED, why, now)

    def _reject(self, arrival: _Arrival, now: float) -> list[Effect]:
        return self._abort(arrival.status, f"malformed packet: {arrival.fault}", now)

    def _aborted(self, arrival: _Arrival, now: float) -> list[Effect]:
        """[MS-SSTP] 3.3.5.2.4: the client aborts."""
        self.left = not self.reason
        self.reason = self.reason or f"the client aborted the call: {_said(arrival.attributes)}"
        self._forget()
        self._enter(CallState.CALL_ABORT_TIMEOUT_PENDING, now + ABORT_LINGER)
        info = status_info(AttributeId.NO_ERROR, Status.NO_ERROR)
        return [_send(MessageType.CALL_ABORT, info)]

    def _linger(self, _: _Arrival, now: float) -> list[Effect]:
        self._enter(CallState.CALL_ABORT_TIMEOUT_PENDING, now + ABORT_LINGER)
        return []

    def _ack(self, _: _Arrival, now: float) -> list[Effect]:
        """[MS-SSTP] 3.3.5.2.5: the client ends the call, maybe at the same time as we do."""
        self.left = not self.reason
        self.reason = self.reason or "the client ended the call"
        self._forget()
        self._enter(CallState.CALL_DISCONNECT_TIMEOUT_PENDING, now + DISCONNECT_LINGER)
        return [_send(MessageType.CALL_DISCONNECT_ACK)]

    def _leave(self, _: _Arrival, now: float) -> list[Effect]:
        """[MS-SSTP] 3.2.4.2, as 3.3.4 refers to it."""
        self.reason = "the server ended the call"
        self._forget()
        self._enter(CallState.CALL_DISCONNECT_ACK_PENDING, now + DISCONNECT)
        info = status_info(AttributeId.NO_ERROR, Status.NO_ERROR)
        return [_send(MessageType.CALL_DISCONNECT, info)]

    def _cut(self, arrival: _Arrival, now: float) -> list[Effect]:
        self.reason = f"not an SSTP stream: {arrival.fault}"
        return self._close(arrival, now)

    def _close(self, _: _Arrival, __: float) -> list[Effect]:
        self.state, self.deadline = CallState.CLOSED, None
        self._forget()
        return [Close(self.reason or "the call never began")]

    def _forget(self) -> None:
        """Drop the key as soon as it is of no use any more."""
        self._held, self._hlaks = None, ()


def _said(attributes: tuple[Attribute, ...]) -> str:
    """Return the status that a Call-Abort gives, in words."""
    for attribute in attributes:
        status = status_of(attribute.value) if attribute.id == AttributeId.STATUS_INFO else None
        if status is not None:
            return Status(status).name if status in tuple(Status) else f"status {status}"
    return "no status given"


_Action: TypeAlias = Callable[[Call, _Arrival, float], list[Effect]]

#: The words of the table in :mod:`.states`.
ACTIONS: Final[dict[str, _Action]] = {
    "ack": Call._ack,
    "aborted": Call._aborted,
    "answer": Call._answer,
    "begin": Call._begin,
    "close": Call._close,
    "cut": Call._cut,
    "deliver": Call._deliver,
    "echo": Call._echo,
    "expire": Call._expire,
    "hello": Call._hello,
    "hold": Call._hold,
    "judge": Call._judge,
    "leave": Call._leave,
    "linger": Call._linger,
    "refuse": Call._refuse,
    "reject": Call._reject,
}
