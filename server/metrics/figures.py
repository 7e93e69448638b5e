"""What is counted, as one table: names, words, labels; and where each number stands in a slot.

Names follow Prometheus' rules ("Metric and label naming"): base units, ``_total`` for what only grows.
Labels have the values that stand here and no others: never a user, never an address.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Final

from ..contracts import Cause, LoginMethod


@enum.unique
class MetricType(enum.Enum):
    """Of metrics."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@enum.unique
class Refusal(enum.Enum):
    """Why a connection was let go before there was a session.

    ``TLS``: the handshake failed. ``SLOW``: not in time. ``CLOSED``: by the client. ``OTHER_HTTP``:
    its request is none of SSTP. ``COST``: it took too much work. ``CROWD``: there were too many.
    ``CALL``: it called, and no session came of it, mostly as its login failed. ``STOP``: the server
    stops. ``MISTAKE``: one of ours.
    """

    TLS = "tls"
    SLOW = "slow"
    CLOSED = "closed"
    OTHER_HTTP = "other_http"
    COST = "cost"
    CROWD = "crowd"
    CALL = "call"
    STOP = "stop"
    MISTAKE = "mistake"


#: What a login that is none of :class:`Cause` has come to.
SUCCESS: Final = "success"


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric that workers count.

    :param labels: each with all its values.
    :param bounds: of a histogram's buckets, rising, without the last, which has no bound.
    :ivar cells: how many numbers it has for each combination of labels: of a histogram, one for each
        bucket and the sum of what was observed.
    :ivar places: where they begin, for each combination.
    """

    name: str
    kind: MetricType
    help: str
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bounds: tuple[float, ...] = ()
    cells: int = field(init=False, default=1)
    places: dict[tuple[str, ...], int] = field(init=False, default_factory=dict)

    @property
    def grows(self) -> bool:
        """Whether what a worker has counted stays when the worker ends."""
        return self.kind is not MetricType.GAUGE


def _values(kind: type[enum.Enum]) -> tuple[str, ...]:
    return tuple(str(one.value) for one in kind)


CONNECTIONS: Final = Figure("sstpca_connections", MetricType.COUNTER, "TCP connections taken.")
REFUSALS: Final = Figure(
    "sstpca_refusals",
    MetricType.COUNTER,
    "Connections that ended before there was a session, by reason.",
    {"reason": _values(Refusal)},
)
STRANGERS: Final = Figure(
    "sstpca_strangers", MetricType.GAUGE, "Connections that have not logged in (yet)."
)
LOGINS: Final = Figure(
    "sstpca_logins",
    MetricType.COUNTER,
    "Logins by method and result; a success is one whose crypto binding holds.",
    {"method": _values(LoginMethod), "result": (SUCCESS, *_values(Cause))},
)
SESSIONS: Final = Figure("sstpca_sessions", MetricType.GAUGE, "Sessions there are.")
STARTED: Final = Figure("sstpca_sessions_started", MetricType.COUNTER, "Sessions that have begun.")
ENDED: Final = Figure("sstpca_sessions_ended", MetricType.COUNTER, "Sessions that have ended.")
RECEIVED: Final = Figure(
    "sstpca_receive_bytes", MetricType.COUNTER, "Bytes of IP packets received from clients."
)
SENT: Final = Figure(
    "sstpca_transmit_bytes", MetricType.COUNTER, "Bytes of IP packets sent to clients."
)
DROPPED: Final = Figure(
    "sstpca_queue_dropped_packets",
    MetricType.COUNTER,
    "IP packets to clients, or segments of large ones, that were dropped in the queues.",
)
STORE_ERRORS: Final = Figure(
    "sstpca_store_errors", MetricType.COUNTER, "Beats, one a second, that the store did not take."
)
HANDSHAKES: Final = Figure(
    "sstpca_handshake_duration_seconds",
    MetricType.HISTOGRAM,
    "From the accepted connection to the end of its TLS handshake, with the wait for its turn.",
    bounds=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
LOGIN_TIMES: Final = Figure(
    "sstpca_login_duration_seconds",
    MetricType.HISTOGRAM,
    "From the answer to the HTTP request until IP flows.",
    bounds=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)

FIGURES: Final = (
    CONNECTIONS,
    REFUSALS,
    STRANGERS,
    LOGINS,
    SESSIONS,
    STARTED,
    ENDED,
    RECEIVED,
    SENT,
    DROPPED,
    STORE_ERRORS,
    HANDSHAKES,
    LOGIN_TIMES,
)

#: Beside them: when the worker last turned round, and when the store last took its beat, in seconds of
#: the machine's monotonic clock; 0 while it never has.
ALIVE: Final = 0
ANSWERED: Final = 1


def _lay_out() -> int:
    """Give each figure its places in a slot; return how many numbers that has."""
    at = ANSWERED + 1
    for figure in FIGURES:
        cells = len(figure.bounds) + 2 if figure.kind is MetricType.HISTOGRAM else 1
        object.__setattr__(figure, "cells", cells)
        for values in product(*figure.labels.values()):
            figure.places[values] = at
            at += cells
    return at


CELLS: Final = _lay_out()
"""Numbers in a slot."""
