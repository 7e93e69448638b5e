"""What one worker counts, in its slot of the board.

The packets themselves are not counted here: once a second the worker says what its sessions have
carried until now, and of those alone that carried something.
"""

import bisect
import time
from typing import Final

from ..contracts import Cause, LoginMethod
from . import figures
from .board import Slot
from .figures import CELLS, SUCCESS, Figure, Refusal

_NOTHING: Final = (0, 0)


class Tally:
    """The numbers of one worker.

    :param slot: where they stand; memory of its own if nobody reads it.
    """

    def __init__(self, slot: Slot | None = None) -> None:
        self._slot = memoryview(bytearray(8 * CELLS)).cast("d") if slot is None else slot
        #: What is counted already of the sessions there are, bytes received and sent.
        self._carried: dict[object, tuple[int, int]] = {}
        self._dropped = 0

    def _add(self, figure: Figure, *labels: str, by: float = 1.0) -> None:
        self._slot[figure.places[labels]] += by

    def _observe(self, figure: Figure, seconds: float) -> None:
        begin = figure.places[()]
        self._slot[begin + bisect.bisect_left(figure.bounds, seconds)] += 1.0
        self._slot[begin + figure.cells - 1] += seconds

    def connected(self) -> None:
        """A connection was accepted."""
        self._add(figures.CONNECTIONS)

    def refused(self, refusal: Refusal) -> None:
        """A connection has ended before there was a session."""
        self._add(figures.REFUSALS, refusal.value)

    def shaken(self, seconds: float) -> None:
        """A TLS handshake is done, so long after its connection was accepted."""
        self._observe(figures.HANDSHAKES, seconds)

    def failed(self, method: LoginMethod, cause: Cause) -> None:
        """A login has failed."""
        self._add(figures.LOGINS, method.value, cause.value)

    def logged_in(self, method: LoginMethod) -> None:
        """A login has succeeded, and its binding holds: a session begins."""
        self._add(figures.LOGINS, method.value, SUCCESS)
        self._add(figures.STARTED)
        self._add(figures.SESSIONS)

    def up(self, seconds: float) -> None:
        """IP flows, so long after the session's HTTP request was answered."""
        self._observe(figures.LOGIN_TIMES, seconds)

    def ended(self, session: object, traffic: tuple[int, int]) -> None:
        """A session is over."""
        self.carried(session, traffic)
        self._carried.pop(session, None)
        self._add(figures.ENDED)
        self._add(figures.SESSIONS, by=-1.0)

    def carried(self, session: object, traffic: tuple[int, int]) -> None:
        """A session has carried so many bytes by now, received and sent."""
        before = self._carried.get(session, _NOTHING)
        self._carried[session] = traffic
        self._add(figures.RECEIVED, by=traffic[0] - before[0])
        self._add(figures.SENT, by=traffic[1] - before[1])

    def turned(self, *, strangers: int, dropped: int) -> None:
        """Once a second: the worker lives.

        :param dropped: packets by now.
        """
        self._slot[figures.ALIVE] = time.monotonic()
        self._slot[figures.STRANGERS.places[()]] = strangers
        self._add(figures.DROPPED, by=dropped - self._dropped)
        self._dropped = dropped

    def stored(self, *, well: bool) -> None:
        """The store was told of this second, or did not answer."""
        if well:
            self._slot[figures.ANSWERED] = time.monotonic()
        else:
            self._add(figures.STORE_ERRORS)
