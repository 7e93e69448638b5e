"""How long it is remembered who was there, and who was not let in."""

from typing import Final

from ..settings import HistorySettings
from ..store import Store, failures, history

_DAY: Final = 86_400.0

#: Seconds between two looks for what is old, and rows that go at once: others write as well.
_EVERY: Final = 60.0
_MOST: Final = 500


class Past:
    """What a worker does about that.

    :param settings: for how many days.
    """

    def __init__(self, store: Store, settings: HistorySettings) -> None:
        self._store = store
        self._days = settings.days
        self._swept = 0.0

    @property
    def kept(self) -> bool:
        """Whether anything is remembered."""
        return self._days > 0

    def sweep(self, now: float) -> None:
        """Forget some of what is older than that, if it is time to."""
        if now < self._swept + _EVERY:
            return
        self._swept = now
        before = now - self._days * _DAY
        history.sweep(self._store, before, _MOST)
        failures.sweep(self._store, before, _MOST)
