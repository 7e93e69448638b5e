"""Sessions: who is connected, ends of that, and what was."""

import time
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..store import failures, history, totals, users
from ..store.failures import Failure
from ..store.history import PastSession, Wanted
from ..store.sessions import STALE, SessionView, end_sessions, list_sessions
from ..store.totals import Total
from .opened import Opened

if TYPE_CHECKING:
    from .tracing import Tracing

__all__ = ["PATIENCE", "Failure", "PastSession", "SessionView", "Sessions", "Total", "Wanted"]

#: Seconds that the end of a session is waited for: a polite end takes two or three, with a silent
#: client more.
PATIENCE: Final = 20.0


class Sessions:
    """The sessions of all workers of one VPN; see :class:`.vpn.Vpn`."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def all(self) -> list[SessionView]:
        """Return the sessions of all workers that live, oldest first."""
        return list_sessions(self._opened.store)

    def end(self, numbers: Iterable[int], *, reason: str = "ended by the administrator") -> None:
        """End these sessions politely, and wait until they have ended.

        :param numbers: as :meth:`all` has them; one that is over already is no error.
        :param reason: what the server's log says.
        :raises SstpcaError: if some are still there after :data:`PATIENCE` seconds.
        """
        end_sessions(self._opened.store, numbers, reason=reason, patience=PATIENCE)

    def history(self, wanted: Wanted) -> list[PastSession]:
        """Return the sessions that there were or are, the newest first.

        For how long they are kept, settings.toml says, ``[history]``.
        """
        return history.find(self._opened.store, wanted, alive=time.time() - STALE)

    def failures(
        self,
        *,
        user: str | None = None,
        since: float | None = None,
        until: float | None = None,
        most: int | None = None,
    ) -> list[Failure]:
        """Return the logins that failed, the newest first; of a flood, several are one.

        :param user: who was claimed; None: anybody.
        :param most: how many of them at most.
        """
        store = self._opened.store
        return failures.find(store, user=user, since=since, until=until, most=most)

    def trace(
        self,
        path: Path,
        *,
        user: str = "",
        session: int = 0,
        seconds: float = 60.0,
        octets: int = 10_000_000,
        payload: bool = False,
        force: bool = False,
    ) -> "Tracing":
        """Prepare to write the packets of a session, or of a user's sessions and logins, for Wireshark.

        They are SSTP and PPP as inside of TLS, without what would help to find a password. Nothing is
        written before :meth:`.tracing.Tracing.run`.

        :param path: of the file, pcapng.
        :param user: whose, or ``session`` which; one of them.
        :param seconds: for so long, and for ``octets`` bytes, at most.
        :param payload: whether what IP packets carry is written too, and not their headers alone.
        :param force: whether a file of that name may be replaced.
        :raises SstpcaError: if there is no such user or session, or no server.
        """
        from .tracing import Tracing

        return Tracing(
            self._opened,
            path,
            user=user,
            session=session,
            seconds=seconds,
            octets=octets,
            payload=payload,
            force=force,
        )

    def totals(self, months: Sequence[date], user: str | None = None) -> list[Total]:
        """Return what users have used in these months, in each who used the most first.

        :param months: the first day of each, in the server's time zone.
        :param user: one alone.
        :raises NotFound: if there is no such user.
        """
        store = self._opened.store
        return totals.totals(store, months, None if user is None else users.get(store, user).id)
