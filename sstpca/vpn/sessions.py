"""Sessions: who is connected, and ends of that."""

from collections.abc import Iterable
from typing import Final

from ..store.sessions import SessionView, end_sessions, list_sessions
from .opened import Opened

__all__ = ["PATIENCE", "SessionView", "Sessions"]

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
