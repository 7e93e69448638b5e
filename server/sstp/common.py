"""What the two ends of a call have in common: [MS-SSTP] 3.1.

What happens when is a table: that of the server in :mod:`.states`, of the client beside its call.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from ..contracts import Cause
from .effects import Close, Effect, Frame, Note, Send
from .states import CallEvent, CallState
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
    status_in_words,
    status_info,
)

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

# [MS-SSTP] 2.2.15: these have no attributes
_BARE: Final = (
    MessageType.CALL_DISCONNECT_ACK,
    MessageType.ECHO_REQUEST,
    MessageType.ECHO_RESPONSE,
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event, and what came with it.

    :param fault: what is wrong with the packet, and ``status`` how Call-Abort says it.
    """

    event: CallEvent
    packet: bytes = b""
    attributes: tuple[Attribute, ...] = ()
    fault: str = ""
    status: Status = Status.NO_ERROR


def recognise(packet: bytes) -> Arrival:
    """Return what a packet of the other end is."""
    try:
        message = decode(packet)
    except WireError as error:
        if error.status is None:
            return Arrival(CallEvent.STREAM_BROKEN, fault=str(error))
        return Arrival(CallEvent.MALFORMED, fault=str(error), status=error.status)
    if isinstance(message, Data):
        return Arrival(CallEvent.DATA, packet)
    if message.type in _BARE and message.attributes:
        fault = f"{message.type.name} with attributes"
        return Arrival(CallEvent.MALFORMED, fault=fault, status=Status.ATTRIB_NOT_SUPPORTED_IN_MSG)
    return Arrival(CallEvent[message.type.name], packet, message.attributes)


def send(type_: MessageType, *attributes: Attribute) -> Send:
    """Return what sends a control packet."""
    return Send(encode(Control(type_, attributes)))


class Machine:
    """One end of a call. Every method that returns effects wants them performed in order.

    ``now`` is any clock that never goes back, in seconds.

    :cvar own: what this end is called in words, ``peer`` the other one.
    :cvar table: what to do, by what happens and where the call stands; "-" is nothing.
    :cvar actions: the words of the table.
    """

    own: ClassVar[str]
    peer: ClassVar[str]
    table: ClassVar[Mapping[tuple[CallEvent, CallState], str]]
    actions: ClassVar[Mapping[str, Callable[[Any, Arrival, float], list[Effect]]]]

    __slots__ = ("_asked", "_heard", "deadline", "left", "reason", "state")

    def __init__(self, state: CallState) -> None:
        #: Where the call stands.
        self.state = state
        #: When to call :meth:`tick`; None if no timer runs.
        self.deadline: float | None = None
        self._heard: float | None = None  # when, if anything came since the Hello timer was set
        self._asked = False  # whether our Echo-Request is unanswered
        #: Why the call ends, or has ended; empty while it goes on.
        self.reason = ""
        #: Whether it is the other end that ends it.
        self.left = False

    def receive(self, packet: bytes, now: float) -> list[Effect]:
        """Take one whole packet of the other end. Nothing in it makes this raise."""
        self._heard = now
        return self._happen(recognise(packet), now)

    def heard(self, now: float) -> None:
        """A packet of the other end came that went another way: the Hello timer starts again."""
        self._heard = now

    def disconnect(self, now: float) -> list[Effect]:
        """End the call politely; nothing happens if it is ending already."""
        return self._happen(Arrival(CallEvent.HANG_UP), now)

    def tick(self, now: float) -> list[Effect]:
        """Time has passed. Called early, or without need, it does nothing."""
        if self.deadline is None or now < self.deadline:
            return []
        return self._happen(Arrival(CallEvent.TIMER), now)

    def _happen(self, arrival: Arrival, now: float) -> list[Effect]:
        action = self.table[arrival.event, self.state]
        return [] if action == "-" else self.actions[action](self, arrival, now)

    def _enter(self, state: CallState, deadline: float | None) -> None:
        self.state, self.deadline = state, deadline

    # Running

    def _deliver(self, arrival: Arrival, now: float) -> list[Effect]:
        return [Frame(arrival.packet[HEADER_SIZE:])]

    def _echo(self, _: Arrival, __: float) -> list[Effect]:
        return [send(MessageType.ECHO_RESPONSE)]

    def _hello(self, arrival: Arrival, now: float) -> list[Effect]:
        """[MS-SSTP] 3.1.2.3. What was heard is looked at only now, so that hearing is cheap."""
        if self._heard is not None:
            self.deadline = self._heard + HELLO
            self._heard, self._asked = None, False
            if now < self.deadline - _SOON:
                return []
        if self._asked:
            self.reason = f"the {self.peer} fell silent for {2 * HELLO:.0f} seconds"
            return self._close(arrival, now)
        self._asked = True
        self.deadline = now + HELLO
        return [send(MessageType.ECHO_REQUEST)]

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
        return [note, send(MessageType.CALL_ABORT, status_info(about, status))]

    def _refuse(self, arrival: Arrival, now: float) -> list[Effect]:
        why = f"{arrival.event.value} out of place, in {self.state.name}"
        return self._abort(Status.UNACCEPTED_FRAME_RECEIVED, why, now)

    def _reject(self, arrival: Arrival, now: float) -> list[Effect]:
        return self._abort(arrival.status, f"malformed packet: {arrival.fault}", now)

    def _aborted(self, arrival: Arrival, now: float) -> list[Effect]:
        """[MS-SSTP] 3.2.5.3, 3.3.5.2.4: the other end aborts."""
        self.left = not self.reason
        said = status_in_words(arrival.attributes)
        self.reason = self.reason or f"the {self.peer} aborted the call: {said}"
        self._forget()
        self._enter(CallState.CALL_ABORT_TIMEOUT_PENDING, now + ABORT_LINGER)
        info = status_info(AttributeId.NO_ERROR, Status.NO_ERROR)
        return [send(MessageType.CALL_ABORT, info)]

    def _linger(self, _: Arrival, now: float) -> list[Effect]:
        self._enter(CallState.CALL_ABORT_TIMEOUT_PENDING, now + ABORT_LINGER)
        return []

    def _ack(self, _: Arrival, now: float) -> list[Effect]:
        """[MS-SSTP] 3.2.5.3, 3.3.5.2.5: the other end is done, maybe at the same time as we are."""
        self.left = not self.reason
        self.reason = self.reason or f"the {self.peer} ended the call"
        self._forget()
        self._enter(CallState.CALL_DISCONNECT_TIMEOUT_PENDING, now + DISCONNECT_LINGER)
        return [send(MessageType.CALL_DISCONNECT_ACK)]

    def _leave(self, _: Arrival, now: float) -> list[Effect]:
        """[MS-SSTP] 3.2.4.2, as 3.3.4 refers to it."""
        self.reason = f"the {self.own} ended the call"
        self._forget()
        self._enter(CallState.CALL_DISCONNECT_ACK_PENDING, now + DISCONNECT)
        info = status_info(AttributeId.NO_ERROR, Status.NO_ERROR)
        return [send(MessageType.CALL_DISCONNECT, info)]

    def _cut(self, arrival: Arrival, now: float) -> list[Effect]:
        self.reason = f"not an SSTP stream: {arrival.fault}"
        return self._close(arrival, now)

    def _close(self, _: Arrival, __: float) -> list[Effect]:
        self.state, self.deadline = CallState.CLOSED, None
        self._forget()
        return [Close(self.reason or "the call never began")]

    def _forget(self) -> None:
        """Drop the key as soon as it is of no use any more."""
        raise NotImplementedError


#: The words that mean the same in both tables.
COMMON: Final[dict[str, Callable[[Any, Arrival, float], list[Effect]]]] = {
    "ack": Machine._ack,
    "aborted": Machine._aborted,
    "close": Machine._close,
    "cut": Machine._cut,
    "echo": Machine._echo,
    "hello": Machine._hello,
    "leave": Machine._leave,
    "linger": Machine._linger,
    "refuse": Machine._refuse,
    "reject": Machine._reject,
}
