"""The states of a call, and the server's machine as a table: [MS-SSTP] 3.1 and 3.3.

It is laxer than the specification in two places: an Echo-Request is answered from
Call-Connect-Ack on, since some clients send one while the login still runs; and a Call-Abort or
Call-Disconnect counts whatever attributes it has.
"""

import enum
from typing import Final


@enum.unique
class CallState(enum.Enum):
    """[MS-SSTP] 3.1.1, 3.2.1 and 3.3.1; the values head the columns of a table.

    The states called "in progress" there are passed within one step, so they are not here.
    CLOSED is ours: a call does not begin again.
    """

    SERVER_CALL_DISCONNECTED = "idle"
    SERVER_CONNECT_REQUEST_PENDING = "request"
    SERVER_CALL_CONNECTED_PENDING = "pending"
    SERVER_CALL_CONNECTED = "up"
    CLIENT_CALL_DISCONNECTED = "c-idle"
    CLIENT_CONNECT_REQUEST_SENT = "c-sent"
    CLIENT_CONNECT_ACK_RECEIVED = "c-acked"
    CLIENT_CALL_CONNECTED = "c-up"
    CALL_ABORT_PENDING = "abort"
    CALL_ABORT_TIMEOUT_PENDING = "abort-t"
    CALL_DISCONNECT_ACK_PENDING = "disc"
    CALL_DISCONNECT_TIMEOUT_PENDING = "disc-t"
    CLOSED = "closed"


@enum.unique
class CallEvent(enum.Enum):
    """What can happen; the values begin the rows of the table. Messages keep their names."""

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


# Rows are events, columns states; "-" ignores, a word is a method of Call. The messages are
# [MS-SSTP] 3.3.5.2.2 to 3.3.5.2.8; data 3.3.7.2; malformed and stream-broken 3.1.5.1; begin
# 3.3.7.2; keyed 3.3.7.1; hang-up 3.3.4; timer 3.3.6.1, 3.1.6.3, 3.1.6.1 and 3.1.6.2.
_TABLE: Final = """
                      idle   request  pending  up       abort   abort-t  disc   disc-t  closed
Call-Connect-Request  -      answer   refuse   refuse   -       -        -      -       -
Call-Connect-Ack      -      refuse   refuse   refuse   -       -        -      -       -
Call-Connect-Nak      -      refuse   refuse   refuse   -       -        -      -       -
Call-Connected        -      refuse   hold     refuse   -       -        -      -       -
Call-Abort            -      aborted  aborted  aborted  linger  -        aborted -      -
Call-Disconnect       -      ack      ack      ack      -       -        ack    -       -
Call-Disconnect-Ack   -      refuse   refuse   refuse   -       -        close  -       -
Echo-Request          -      refuse   echo     echo     -       -        -      -       -
Echo-Response         -      refuse   refuse   -        -       -        -      -       -
data                  -      -        deliver  deliver  -       -        -      -       -
malformed             -      reject   reject   reject   -       -        -      -       -
stream-broken         -      cut      cut      cut      cut     cut      cut    cut     -
begin                 begin  -        -        -        -       -        -      -       -
keyed                 -      -        judge    -        -       -        -      -       -
hang-up               close  leave    leave    leave    -       -        -      -       -
timer                 -      expire   expire   hello    close   close    close  close   -
"""


def read_table(table: str) -> dict[tuple[CallEvent, CallState], str]:
    """Return the action for each event in each state of a table."""
    head, *rows = (line.split() for line in table.strip().splitlines())
    columns = [CallState(name) for name in head]
    return {
        (CallEvent(name), state): action
        for name, *actions in rows
        for state, action in zip(columns, actions, strict=True)
    }


TRANSITIONS: Final = read_table(_TABLE)
