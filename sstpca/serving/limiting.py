"""What one worker's sessions are held to while they run: judged with each beat.

What an administrator changes counts with the next beat: rates, timeouts, hours, volumes, the end of the
account. What is idle is a session without an IP packet either way, as RouterOS and pppd have it; its
keepalives, and what the server itself says in the tunnel, are none.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date

from sstpca.server.contracts import UNSHAPED, Rates

from ..access.hours import Hours
from ..access.limits import NO_LIMITS, Limits, day_of
from ..access.quantities import duration_text
from ..store import Store, limits, sessions
from ..store.limits import Held


@dataclass(slots=True)
class _Session:
    """One session.

    :param user: the user's number.
    :param started: seconds since 1970.
    :param active: when an IP packet last passed; ``None`` before it is up.
    :param used_up: which volume is; empty if none is.
    """

    user: int
    held: Held
    started: float
    active: float
    used_up: str
    rates: Rates = field(default=UNSHAPED)


class Limiting:
    """Knows the sessions of one worker, and what each is held to."""

    def __init__(self, store: Store, worker: int) -> None:
        self._store = store
        self._worker = worker
        self._sessions: dict[int, _Session] = {}
        #: Those that any limit holds.
        self._limited: set[int] = set()
        self._rates: dict[int, Rates] = {}
        self._day: date | None = None

    def begin(self, number: int, user: int, held: Held, now: float) -> Rates:
        """Take on a session, and return what it starts with."""
        one = _Session(user, held, started=now, active=now, used_up="")
        self._sessions[number] = one
        self._hold(number, one, now)
        self._rates.pop(number, None)
        return one.rates

    def forget(self, number: int) -> None:
        """A session is over."""
        self._sessions.pop(number, None)
        self._rates.pop(number, None)
        self._limited.discard(number)

    def rates(self) -> dict[int, Rates]:
        """Return the sessions that have other rates since this was last asked."""
        changed, self._rates = self._rates, {}
        return changed

    def judge(self, active: Collection[int], now: float) -> dict[int, str]:
        """Return the sessions that are to end, and why.

        :param active: those through which IP packets have passed since the last beat.
        """
        for number, held in sessions.limits_changed(self._store, self._worker).items():
            if (one := self._sessions.get(number)) is not None:
                one.held = held
                self._hold(number, one, now)
        new_day = self._day != day_of(now)
        self._day = day_of(now)
        for number in self._limited.intersection(active):
            self._sessions[number].active = now
        for number in list(self._limited if new_day else self._limited.intersection(active)):
            self._measure(number, self._sessions[number], now)
        open_: dict[Hours, bool] = {}
        ending = {}
        for number in self._limited:
            if why := self._why(self._sessions[number], now, open_):
                ending[number] = why
        return ending

    def _hold(self, number: int, one: _Session, now: float) -> None:
        """Have a session held to what is said of it."""
        if one.held.limits == NO_LIMITS and one.held.ends is None:
            self._limited.discard(number)
        elif number not in self._limited:
            self._limited.add(number)
            one.active = now
        one.used_up = ""
        self._measure(number, one, now)

    def _measure(self, number: int, one: _Session, now: float) -> None:
        """See whether a volume is used up, and give the session the rates that it has then."""
        found = one.held.limits
        one.used_up = limits.used_up(self._store, one.user, found, now)
        rates = _rates(found.slowed() if one.used_up else found)
        if rates != one.rates:
            one.rates = self._rates[number] = rates

    def _why(self, one: _Session, now: float, open_: dict[Hours, bool]) -> str:
        """Return why a session is to end; empty if it may go on.

        :param open_: which hours it is now, as far as that is known already.
        """
        found = one.held.limits
        if one.held.ended(now):
            return "the account has expired"
        if found.hours is not None:
            if found.hours not in open_:
                open_[found.hours] = found.hours.contain(now)
            if not open_[found.hours]:
                return "the hours of the account are over"
        if one.used_up and found.slow_to is None:
            return f"{one.used_up}, is used up"
        if found.session_timeout is not None and now >= one.started + found.session_timeout:
            return f"session timeout: it has lasted for {duration_text(found.session_timeout)}"
        if found.idle_timeout is not None and now >= one.active + found.idle_timeout:
            return f"idle timeout: no packet for {duration_text(found.idle_timeout)}"
        return ""


def _rates(found: Limits) -> Rates:
    return Rates(found.rate_down or 0, found.rate_up or 0)
