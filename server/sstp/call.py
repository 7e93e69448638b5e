"""The call: the server's SSTP state machine, [MS-SSTP] 3.1 and 3.3.

The table below is the machine. It is stricter nowhere and laxer in one place than the
specification: an Echo-Request is answered from Call-Connect-Ack on, since some clients send one
while the login still runs.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from .binding import CertificateHashes, Fault, crypto_binding_request, verify
from .effects import Accepted, Bound, Close, Effect, Frame, Note, Send
from .negotiation import refused_attributes
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

#: Seconds for a good Call-Connect-Request, and again for Call-Connected: 3.3.2.1.
NEGOTIATION: Final = 60.0
#: Seconds of silence after which we ask, and after which we give up: 3.1.2.3.
HELLO: Final = 60.0
#: Seconds for the answer to our Call-Abort, and to let ours arrive: 3.1.2.1.
ABORT: Final = 3.0
ABORT_LINGER: Final = 1.0
#: Seconds for the answer to our Call-Disconnect, and to let our answer arrive: 3.1.2.2.
DISCONNECT: Final = 5.0
DISCONNECT_LINGER: Final = 1.0
#: How many Call-Connect-Nak are sent before the call is aborted: 3.3.5.2.2, note <16>.
NAKS: Final = 3


@enum.unique
class State(enum.Enum):
    """[MS-SSTP] 3.1.1 and 3.3.1; the values head the columns of the table.

    The states called "in progress" there are passed within one step, so they are not here.
    CLOSED is ours: a call does not begin again.
    """

    SERVER_CALL_DISCONNECTED = "idle"
    SERVER_CONNECT_REQUEST_PENDING = "request"
    SERVER_CALL_CONNECTED_PENDING = "pending"
    SERVER_CALL_CONNECTED = "up"
    CALL_ABORT_PENDING = "abort"
    CALL_ABORT_TIMEOUT_PENDING = "abort-t"
    CALL_DISCONNECT_ACK_PENDING = "disc"
    CALL_DISCONNECT_TIMEOUT_PENDING = "disc-t"
    CLOSED = "closed"


@enum.unique
class Event(enum.Enum):
    """What can happen; those of a message have its name. The values begin the table's rows."""

    BEGIN = "begin"
    CALL_CONNECT_REQUEST = "Call-Connect-Request"
    CALL_CONNECT_ACK = "Call-Connect-Ack"
    CALL_CONNECT_NAK = "Call-Connect-Nak"
    CALL_CONNECTED = "Call-Connected"
    CALL_ABORT = "Call-Abort"
    CALL_DISCONNECT = "Call-Disconnect"
    CALL_DISCONNECT_ACK = "Call-Disconnect-Ack"
    ECHO_REQUEST = "Echo-Request"
    ECHO_RESPONSE = "Echo-Response"
    DATA = "data"
    MALFORMED = "malformed"
    STREAM_BROKEN = "stream-broken"
    KEYED = "keyed"
    HANG_UP = "hang-up"
    TIMER = "timer"


# Rows are events, columns states; "-" ignores. [MS-SSTP] 3.3.5.2.2 to 3.3.5.2.8 row by row, then
# 3.3.7.2, 3.1.5.1, 3.3.7.1, 3.3.4, and for the timer 3.3.6.1, 3.1.6.3, 3.1.6.1, 3.1.6.2.
_TABLE: Final = """
                      idle   request  pending  up      abort   abort-t  disc   disc-t  closed
Call-Connect-Request  -      answer   refuse   refuse  -       -        -      -       -
Call-Connect-Ack      -      refuse   refuse   refuse  -       -        -      -       -
Call-Connect-Nak      -      refuse   refuse   refuse  -       -        -      -       -
Call-Connected        -      refuse   bind     refuse  -       -        -      -       -
Call-Abort            -      abort    abort    abort   linger  -        abort  -       -
Call-Disconnect       -      ack      ack      ack     -       -        ack    -       -
Call-Disconnect-Ack   -      refuse   refuse   refuse  -       -        close  -       -
Echo-Request          -      refuse   echo     echo    -       -        -      -       -
Echo-Response         -      refuse   refuse   alive   -       -        -      -       -
data                  -      -        deliver  deliver -       -        -      -       -
malformed             -      reject   reject   reject  -       -        -      -       -
stream-broken         -      cut      cut      cut     cut     cut      cut    cut     -
begin                 begin  -        -        -       -       -        -      -       -
keyed                 -      -        judge    -       -       -        -      -       -
hang-up               shut   hang-up  hang-up  hang-up -       -        -      -       -
timer                 -      expire   expire   hello   close   close    close  close   -
"""


def _read(table: str) -> dict[tuple[Event, State], str]:
    head, *rows = (line.split() for line in table.strip().splitlines())
    columns = [State(name) for name in head]
    return {
        (Event(name), state): action
        for name, *actions in rows
        for state, action in zip(columns, actions, strict=True)
    }


TRANSITIONS: Final = _read(_TABLE)


@dataclass(frozen=True, slots=True)
class _Arrival:
    """An event with what came with it."""

    event: Event
    packet: bytes = b""
    message: Control | Data | None = None
    error: str = ""

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        return self.message.attributes if isinstance(self.message, Control) else ()


def _recognise(packet: bytes) -> _Arrival:
    try:
        message = decode(packet)
    except WireError as error:
        broken = error.status is None
        return _Arrival(Event.STREAM_BROKEN if broken else Event.MALFORMED, error=str(error))
    event = Event.DATA if isinstance(message, Data) else Event[message.type.name]
    return _Arrival(event, packet, message)
