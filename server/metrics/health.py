"""Whether the server takes logins, for balancers."""

from collections.abc import Sequence
from typing import Final

from .figures import ALIVE, ANSWERED
from .gathered import Gathered

#: Seconds without a turn, which workers make once a second, after which one is taken for stuck; and
#: without an answer after which the store is. It waits for 10 s itself for a lock that another has.
_STUCK: Final = 5.0
_SILENT: Final = 15.0


def living(slots: Sequence[Sequence[float]], monotonic: float) -> list[Sequence[float]]:
    """Return the slots of workers that turn round.

    :param monotonic: the time of the machine's monotonic clock.
    """
    return [slot for slot in slots if slot[ALIVE] > 0 and monotonic - slot[ALIVE] < _STUCK]


def complaint(
    slots: Sequence[Sequence[float]], told: Gathered, *, monotonic: float, now: float
) -> str:
    """Return why the server takes no logins; empty if it does.

    :param now: seconds since 1970.
    """
    if told.draining:
        return "draining: the server takes no new sessions"
    workers = living(slots, monotonic)
    if not workers:
        return "no worker answers"
    if not any(worker[ANSWERED] for worker in workers):
        return "the server is starting"
    if all(monotonic - worker[ANSWERED] > _SILENT for worker in workers):
        return "the store does not answer"
    end = told.figures.certificates.get("server") if told.figures else None
    if end is not None and end <= now:
        return "the server's certificate has ended"
    return ""
