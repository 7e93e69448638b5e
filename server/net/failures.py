"""Logins that failed in one worker, on their way to the store: of a flood, no more than a few rows.

Each is one, up to some from a source and some in all, in a minute. What is above that is counted, and
is one at the end of the minute, for the source or for all that are left.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from ..contracts import FailedLogin

_WINDOW: Final = 60.0

#: Those of one source, and of all, that are kept one by one in a minute. Windows has three tries.
OF_SOURCE: Final = 6
OF_ALL: Final = 60

#: Sources whose surplus is told apart, in a minute.
_TOLD_APART: Final = 20

#: Those that wait, at most, for a store that does not answer.
_WAITING: Final = 1000


class Failures:
    """Those that wait for the next beat.

    :param clock: the time in seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: list[FailedLogin] = []
        self._until = clock() + _WINDOW
        self._kept: Counter[str] = Counter()
        self._surplus: Counter[str] = Counter()

    def add(self, source: str, *, user: str, peer: str, client: str, reason: str) -> None:
        """Note one.

        :param source: where it comes from: an IPv4 address, or an IPv6 prefix of 64 bits.
        :param user: who was claimed, fit for a log.
        """
        now = self._clock()
        self._turn(now)
        if self._kept[source] < OF_SOURCE and self._kept.total() < OF_ALL:
            self._kept[source] += 1
            self._put(FailedLogin(now, user, peer, client, reason))
        elif source in self._surplus or len(self._surplus) < _TOLD_APART:
            self._surplus[source] += 1
        else:
            self._surplus[""] += 1

    def waiting(self) -> list[FailedLogin]:
        """Return those that the store does not have yet; they wait until :meth:`forget`."""
        self._turn(self._clock())
        return list(self._waiting)

    def forget(self, number: int) -> None:
        """The store has the first so many."""
        del self._waiting[:number]

    def _turn(self, now: float) -> None:
        """Begin another minute, if it is time to."""
        # the clock may have been set back
        if self._until - _WINDOW <= now < self._until:
            return
        for source, count in self._surplus.items():
            where = "from there" if source else "from many places"
            reason = f"{count} more {where} within a minute"
            self._put(FailedLogin(now, "", source, "", reason, count))
        self._until = now + _WINDOW
        self._kept.clear()
        self._surplus.clear()

    def _put(self, failed: FailedLogin) -> None:
        if len(self._waiting) < _WAITING:
            self._waiting.append(failed)
