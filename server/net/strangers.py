"""Who has not logged in yet: bounded in number, and who goes when there are too many."""

import enum
import heapq
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from .sources import Source

#: How many there may be in one worker. Each has 9 to 35 KiB, and could have 350: docs/security.md.
LIMIT: Final = 1024

#: How many go at once when there are too many: looking for them takes its time.
_AT_ONCE: Final = 16


@enum.unique
class Progress(enum.IntEnum):
    """How far a stranger has come."""

    SILENT = 0
    GREETED = 1
    SECURE = 2
    CALLING = 3
    PROVEN = 4


class Stranger(Protocol):
    """A connection before its login."""

    @property
    def progress(self) -> Progress:
        """How far it has come."""

    def drop(self, reason: str) -> None:
        """Close the connection; it is to be taken out of the table then."""


class Strangers:
    """The strangers of one worker, each with its source.

    :param clock: the time in seconds, of a clock that does not go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        #: In the order of their coming.
        self._sources: dict[Stranger, Source] = {}

    def __len__(self) -> int:
        return len(self._sources)

    def __iter__(self) -> Iterator[Stranger]:
        return iter(list(self._sources))

    def add(self, stranger: Stranger, source: Source) -> None:
        """Take one in; :meth:`make_room` before that."""
        self._sources[stranger] = source
        source.strangers += 1

    def remove(self, stranger: Stranger) -> bool:
        """Forget one, if it is here; return whether it was."""
        source = self._sources.pop(stranger, None)
        if source is not None:
            source.strangers -= 1
        return source is not None

    def make_room(self) -> None:
        """Let some go if there are too many: the least far along, and of those the most crowded.

        A source with many is trimmed before one with few; one where people log in may have more.
        Of a source, the oldest goes first.
        """
        if len(self._sources) < LIMIT:
            return
        now = self._clock()
        crowds = {source: source.crowd(now) for source in self._sources.values()}
        going = heapq.nsmallest(
            _AT_ONCE,
            self._sources.items(),
            key=lambda entry: (entry[0].progress, -crowds[entry[1]]),
        )
        for stranger, _ in going:
            stranger.drop("too many before their login")
