"""The life of a connection, from its HTTP request to its end, as two tables.

The first says where an event leads, the second what goes on in a state. They know no socket:
:mod:`.connection` feeds events, and watches what the state wants.
"""

import enum
from dataclasses import dataclass, field
from typing import Final

from .strangers import Progress


@enum.unique
class ConnectionState(enum.Enum):
    """Where a connection is; the values begin the rows of the tables.

    The first two, DISMISSED and REFUSED are a stranger's: its crypto binding does not hold.
    """

    CALLING = "calling"  # SSTP, LCP and the login run
    PROVEN = "proven"  # the client is who it says, and its binding is waited for
    ADMITTED = "admitted"  # the binding holds, and its interface is being made
    READY = "ready"  # it has its interface; neither IPCP nor IPV6CP has been open yet
    UP = "up"  # IP flows, of one family or both
    DOWN = "down"  # IP has flowed: the client negotiates IPCP anew, or the session ends
    DISMISSED = "dismissed"  # a stranger gets our goodbye, in PPP and SSTP
    ENDING = "ending"  # the same with one that was admitted; it has no interface any more
    REFUSED = "refused"  # a stranger's connection is over
    GONE = "gone"  # a session is over


@enum.unique
class ConnectionEvent(enum.Enum):
    """What can happen; the values head the columns of the table. Effects keep their names."""

    ADMIT = "Admit"
    BIND = "Bind"
    GIVEN = "given"  # the interface is there
    UP = "Up"
    DOWN = "Down"
    TERMINATE = "terminate"  # we have a reason to end it, and say so to the client
    END = "end"  # the session has ended, or the connection is of no use any more


# "-" cannot happen. Where a state stays as it is, there is nothing to do. Down in "ending" is what
# our own goodbye makes of a session that was up; "given" there comes too late.
_TRANSITIONS: Final = """
           Admit   Bind      given  Up  Down    terminate  end
calling    proven  -         -      -   -       dismissed  refused
proven     -       admitted  -      -   -       dismissed  refused
admitted   -       -         ready  -   -       ending     gone
ready      -       -         -      up  -       ending     gone
up         -       -         -      up  down    ending     gone
down       -       -         -      up  -       ending     gone
dismissed  -       ending    -      -   -       dismissed  refused
ending     -       -         ending -   ending  ending     gone
refused    -       -         -      -   -       refused    refused
gone       -       -         gone   -   -       gone       gone
"""


@enum.unique
class Packets(enum.Enum):
    """What becomes of the client's control packets."""

    WORKED_ON = "work"
    PAUSED = "pause"
    FORGOTTEN = "forget"


@dataclass(frozen=True, slots=True)
class Watched:
    """What goes on in a state.

    :param progress: how far a client has come at least that is here, if it is still a stranger.
    :param pays: whether its source pays for the work that it makes.
    :param packets: what becomes of its control packets.
    :param socket: whether what waits for the client goes out, and the client is read: as fast as
        it reads, and as its packets are worked on.
    :param timer: whether the session's timer runs.
    :param ip: whether IP packets pass, in both directions.
    """

    progress: Progress
    pays: bool
    packets: Packets
    socket: bool
    timer: bool
    ip: bool


# Who ends as a stranger pays to the end, also for the packet that ended it. What is left of the
# socket when all is over is for .closing.
_WATCHED: Final = """
           progress  source  packets  socket   timer  ip
calling    CALLING   pays    work     watched  runs   -
proven     PROVEN    pays    work     watched  runs   -
admitted   PROVEN    -       pause    watched  runs   -
ready      PROVEN    -       work     watched  runs   -
up         PROVEN    -       work     watched  runs   flows
down       PROVEN    -       work     watched  runs   -
dismissed  CALLING   pays    work     watched  runs   -
ending     PROVEN    -       work     watched  runs   -
refused    CALLING   pays    forget   -        -      -
gone       PROVEN    -       forget   -        -      -
"""


def _rows(table: str) -> tuple[list[str], dict[ConnectionState, list[str]]]:
    """Return the heads of the columns, and the cells of each state's row."""
    head, *rows = (line.split() for line in table.strip().splitlines())
    return head, {ConnectionState(name): cells for name, *cells in rows}


def _read_transitions() -> dict[tuple[ConnectionState, ConnectionEvent], ConnectionState]:
    head, rows = _rows(_TRANSITIONS)
    return {
        (state, ConnectionEvent(event)): ConnectionState(cell)
        for state, cells in rows.items()
        for event, cell in zip(head, cells, strict=True)
        if cell != "-"
    }


def _read_watched() -> dict[ConnectionState, Watched]:
    _, rows = _rows(_WATCHED)
    return {
        state: Watched(Progress[progress], source != "-", Packets(packets), *(c != "-" for c in on))
        for state, (progress, source, packets, *on) in rows.items()
    }


TRANSITIONS: Final = _read_transitions()
WATCHED: Final = _read_watched()


@dataclass(slots=True)
class Lifecycle:
    """Where one connection is. Feed it events.

    :ivar progress: how far the client has come; it never goes back.
    :ivar watched: what goes on now.
    """

    state: ConnectionState = ConnectionState.CALLING
    progress: Progress = Progress.CALLING
    watched: Watched = field(init=False)

    def __post_init__(self) -> None:
        self.watched = WATCHED[self.state]

    @property
    def over(self) -> bool:
        """Whether nothing can come any more."""
        return not self.watched.socket

    @property
    def wasted(self) -> bool:
        """Whether it has ended after a good login, as a stranger: the binding never held."""
        return self.state is ConnectionState.REFUSED and self.progress is Progress.PROVEN

    def feed(self, event: ConnectionEvent) -> bool:
        """Go where the table has it; return whether that is another state.

        :raises LookupError: the event cannot happen in this state, which stays as it is.
        """
        try:
            state = TRANSITIONS[self.state, event]
        except KeyError:
            raise LookupError(f"{event.value} cannot happen in {self.state.name}") from None
        changed = state is not self.state
        self.state, self.watched = state, WATCHED[state]
        self.progress = max(self.progress, self.watched.progress)
        return changed
