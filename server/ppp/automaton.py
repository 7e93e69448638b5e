"""The Option Negotiation Automaton of RFC 1661 4, shared by LCP and every NCP.

The table is the machine. It knows no packets: :mod:`.negotiation` turns packets into events and
actions into packets.
"""

import enum
from dataclasses import dataclass, field
from typing import Final

from .patience import Patience


@enum.unique
class AutomatonState(enum.IntEnum):
    """RFC 1661 4.2; the numbers are those of its table."""

    INITIAL = 0
    STARTING = 1
    CLOSED = 2
    STOPPED = 3
    CLOSING = 4
    STOPPING = 5
    REQ_SENT = 6
    ACK_RCVD = 7
    ACK_SENT = 8
    OPENED = 9


@enum.unique
class AutomatonEvent(enum.Enum):
    """RFC 1661 4.3."""

    UP = "Up"
    DOWN = "Down"
    OPEN = "Open"
    CLOSE = "Close"
    TIMEOUT = "TO+"
    TIMEOUT_LAST = "TO-"
    REQUEST_GOOD = "RCR+"
    REQUEST_BAD = "RCR-"
    ACK = "RCA"
    NAK_OR_REJECT = "RCN"
    TERMINATE_REQUEST = "RTR"
    TERMINATE_ACK = "RTA"
    UNKNOWN_CODE = "RUC"
    REJECT_PERMITTED = "RXJ+"
    REJECT_CATASTROPHIC = "RXJ-"
    ECHO_OR_DISCARD = "RXR"


@enum.unique
class Action(enum.Enum):
    """RFC 1661 4.4."""

    THIS_LAYER_UP = "tlu"
    THIS_LAYER_DOWN = "tld"
    THIS_LAYER_STARTED = "tls"
    THIS_LAYER_FINISHED = "tlf"
    INITIALIZE_RESTART_COUNT = "irc"
    ZERO_RESTART_COUNT = "zrc"
    SEND_CONFIGURE_REQUEST = "scr"
    SEND_CONFIGURE_ACK = "sca"
    SEND_CONFIGURE_NAK = "scn"
    SEND_TERMINATE_REQUEST = "str"
    SEND_TERMINATE_ACK = "sta"
    SEND_CODE_REJECT = "scj"
    SEND_ECHO_REPLY = "ser"


# RFC 1661 4.1 in its own spelling: rows are events, columns states, a cell is actions/next state,
# "-" cannot happen. Its footnotes: we do not take the [p]assive and the [r]estart option; a
# [x]crossed connection never gets here, as negotiation drops the second answer to a request.
_TABLE: Final = """
      0      1          2          3              4      5      6          7          8          9
Up    2      irc,scr/6  -          -              -      -      -          -          -          -
Down  -      -          0          tls/1          0      1      1          1          1          tld/1
Open  tls/1  1          irc,scr/6  3              5      5      6          7          8          9
Close 0      tlf/0      2          2              4      4      irc,str/4  irc,str/4  irc,str/4  tld,irc,str/4
TO+   -      -          -          -              str/4  str/5  scr/6      scr/6      scr/8      -
TO-   -      -          -          -              tlf/2  tlf/3  tlf/3      tlf/3      tlf/3      -
RCR+  -      -          sta/2      irc,scr,sca/8  4      5      sca/8      sca,tlu/9  sca/8      tld,scr,sca/8
RCR-  -      -          sta/2      irc,scr,scn/6  4      5      scn/6      scn/7      scn/6      tld,scr,scn/6
RCA   -      -          sta/2      sta/3          4      5      irc/7      scr/6      irc,tlu/9  tld,scr/6
RCN   -      -          sta/2      sta/3          4      5      irc,scr/6  scr/6      irc,scr/8  tld,scr/6
RTR   -      -          sta/2      sta/3          sta/4  sta/5  sta/6      sta/6      sta/6      tld,zrc,sta/5
RTA   -      -          2          3              tlf/2  tlf/3  6          6          8          tld,scr/6
RUC   -      -          scj/2      scj/3          scj/4  scj/5  scj/6      scj/7      scj/8      scj/9
RXJ+  -      -          2          3              4      5      6          6          8          9
RXJ-  -      -          tlf/2      tlf/3          tlf/2  tlf/3  tlf/3      tlf/3      tlf/3      tld,irc,str/5
RXR   -      -          2          3              4      5      6          7          8          ser/9
"""

Actions = tuple[Action, ...]

#: Seconds between Configure-Requests, at least; RFC 1661 4.6.
RESTART: Final = 3.0


def _parse_cell(cell: str) -> tuple[Actions, AutomatonState]:
    actions, _, state = cell.rpartition("/")
    return tuple(map(Action, filter(None, actions.split(",")))), AutomatonState(int(state))


def _parse(
    table: str,
) -> dict[tuple[AutomatonState, AutomatonEvent], tuple[Actions, AutomatonState]]:
    header, *rows = (line.split() for line in table.strip().splitlines())
    return {
        (AutomatonState(int(column)), AutomatonEvent(event)): _parse_cell(cell)
        for event, *cells in rows
        for column, cell in zip(header, cells, strict=True)
        if cell != "-"
    }


TRANSITIONS: Final = _parse(_TABLE)
# RFC 1661 4.1: the Restart timer runs in the states that have timeouts
_TIMED: Final = frozenset(state for state, event in TRANSITIONS if event is AutomatonEvent.TIMEOUT)


@dataclass(slots=True)
class Automaton:
    """Feed it events and obey the actions; call :meth:`tick` at ``deadline``.

    :param patience: how long an answer takes: a Configure-Request waits for longer until it is
        repeated. A peer for which the protocol is open takes a repeated one for a new negotiation.
    :param terminate_restart: seconds between Terminate-Requests: less, so that with two of them
        the end of a call takes no more than two seconds.
    :param max_configure: Configure-Requests sent without an answer before giving up.
    :param max_terminate: Terminate-Requests sent without an answer before giving up.
    """

    patience: Patience = field(default_factory=Patience, compare=False)
    terminate_restart: float = 1.0
    max_configure: int = 10
    max_terminate: int = 2
    state: AutomatonState = AutomatonState.INITIAL
    deadline: float | None = None
    counter: int = 0

    def feed(self, event: AutomatonEvent, now: float) -> Actions:
        """Take ``event`` at ``now`` and return what is to be done, in this order.

        :raises LookupError: the event cannot happen in this state; the automaton is unchanged.
        """
        try:
            actions, state = TRANSITIONS[self.state, event]
        except KeyError:
            raise LookupError(f"{event.value} cannot happen in {self.state.name}") from None
        for action in actions:
            self._count(action, now, terminating=Action.SEND_TERMINATE_REQUEST in actions)
        if self.state is AutomatonState.ACK_RCVD and event is AutomatonEvent.REQUEST_BAD:
            # the peer's next request has a round trip before it
            self.deadline = now + self._restart
        self.state = state
        if state not in _TIMED:
            self.deadline = None
        return actions

    def tick(self, now: float) -> Actions:
        """Return what is to be done when the Restart timer has run out, otherwise nothing."""
        if self.deadline is None or now < self.deadline:
            return ()
        return self.feed(
            AutomatonEvent.TIMEOUT if self.counter > 0 else AutomatonEvent.TIMEOUT_LAST, now
        )

    @property
    def _restart(self) -> float:
        return self.patience.wait(RESTART)

    def _count(self, action: Action, now: float, *, terminating: bool) -> None:
        """Keep the Restart counter and timer (RFC 1661 4.1, 4.4)."""
        match action:
            case Action.INITIALIZE_RESTART_COUNT:
                self.counter = self.max_terminate if terminating else self.max_configure
            case Action.ZERO_RESTART_COUNT:
                self.counter = 0
                self.deadline = now + self._restart
            case Action.SEND_CONFIGURE_REQUEST:
                self.counter -= 1
                self.deadline = now + self._restart
            case Action.SEND_TERMINATE_REQUEST:
                self.counter -= 1
                self.deadline = now + self.terminate_restart
            case _:
                pass
