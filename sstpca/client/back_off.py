"""How long to wait until the next try, so that a server that is down is not stormed when it is back."""

from collections.abc import Callable
from typing import Final

#: Seconds until the next try: doubled each time, up to the most.
FIRST, MOST = 1.0, 60.0
#: Seconds that a session has to last for the next loss to begin with the first again.
LASTED: Final = 60.0
#: Seconds after a refusal, which hardly mends by itself. A server that counts wrong passwords has
#: forgotten this one by then.
REFUSED: Final = 1200.0


class BackOff:
    """Counts the tries.

    :param chance: returns a number from 0 to 1, for the part of the wait that is made by chance: a
        half, so that not all clients of a server come at once.
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._next = FIRST

    def pause(self, lasted: float, *, refused: bool = False) -> float:
        """Return the seconds until the next try.

        :param lasted: seconds that the session was up; zero if it did not come to that.
        :param refused: whether the server refuses, or is not to be believed.
        """
        if refused:
            return self._spread(REFUSED)
        if lasted > LASTED:
            self._next = FIRST
        wait, self._next = self._next, min(2 * self._next, MOST)
        return self._spread(wait)

    def _spread(self, wait: float) -> float:
        return wait * (1 + self._chance()) / 2
