"""The hours of the week in which users may be connected, by the server's clock and time zone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Final

from ..errors import InvalidInput
from ..names import quoted

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EXAMPLE: Final = "mon-fri 07:00-19:00; sat 08:00-12:00"

_LONG: Final = 400  # characters
_DAY: Final = 24 * 60  # minutes
_WEEK: Final = 7 * _DAY
_WORD: Final = re.compile(r"[^\s,;]+|;")
_BETWEEN_DAYS: Final = re.compile(r"([a-z]{3})[a-z]*(?:-([a-z]{3})[a-z]*)?")
_BETWEEN_TIMES: Final = re.compile(r"(\d{1,2})(?::(\d{2}))?-(\d{1,2})(?::(\d{2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Hours:
    """Some of the hours of a week; made by :func:`parse_hours`.

    :param text: as it was written, in lower case, with single blanks.
    :param spans: in minutes since Monday 00:00, from the first to before the second.
    """

    text: str
    spans: tuple[tuple[int, int], ...] = field(compare=False)

    def contain(self, now: float, zone: tzinfo | None = None) -> bool:
        """Return whether a moment is in them.

        What counts is what a clock on the wall shows: where it goes forward, what it leaves out never
        comes; where it goes back, an hour comes twice.

        :param now: seconds since 1970.
        :param zone: the time zone; None: the server's.
        """
        shown = datetime.fromtimestamp(now, zone)
        minute = shown.weekday() * _DAY + shown.hour * 60 + shown.minute
        return any(first <= minute < end for first, end in self.spans)


def parse_hours(text: str) -> Hours:
    """Return the hours of ``mon-fri 07:00-19:00; sat 08:00-12:00``.

    Days without hours are whole days, hours without days those of every day. Those that end before
    they begin go over midnight, into the day after.

    :raises InvalidInput: saying what cannot be read.
    """
    if len(text) > _LONG:
        raise InvalidInput(f"hours of more than {_LONG} characters are too many", _hint())
    words = _WORD.findall(text.lower())
    spans: list[tuple[int, int]] = []
    days: list[int] = []
    timed = False  # whether the days at hand have hours already
    for word in [*words, ";"]:
        if word == ";":
            spans += [] if timed else _spans(days, (0, _DAY))
            days, timed = [], False
        elif (times := _times(word)) is not None:
            spans += _spans(days or list(range(7)), times)
            timed = True
        elif (more := _days(word)) is not None:
            days, timed = (more, False) if timed else (days + more, False)
        else:
            raise InvalidInput(f"{quoted(word)} is neither a day nor hours of one", _hint())
    if not spans:
        raise InvalidInput("no hours are named", _hint())
    shown = re.sub(r"\s*;[\s;]*", "; ", " ".join(text.lower().split())).strip("; ")
    return Hours(shown, tuple(_merged(spans)))


def _hint() -> str:
    return f'for example: --hours "{EXAMPLE}"'


def _days(word: str) -> list[int] | None:
    """Return the days that ``mon-fri`` names, Monday is 0; None if it names none."""
    found = _BETWEEN_DAYS.fullmatch(word)
    if found is None or found[1] not in DAYS or (found[2] or found[1]) not in DAYS:
        return None
    first, last = DAYS.index(found[1]), DAYS.index(found[2] or found[1])
    return [day % 7 for day in range(first, last + 1 if last >= first else last + 8)]


def _times(word: str) -> tuple[int, int] | None:
    """Return the minutes of a day that ``07:00-19:00`` names; None if it names none.

    The second may be after midnight: more than a day has.
    """
    found = _BETWEEN_TIMES.fullmatch(word)
    if found is None:
        return None
    first, end = (int(found[at]) * 60 + int(found[at + 1] or 0) for at in (1, 3))
    minutes = (int(found[2] or 0), int(found[4] or 0))
    if max(minutes) > 59 or first >= _DAY or end > _DAY or first == end:
        return None
    return first, end if end > first else end + _DAY


def _spans(days: list[int], times: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield spans of the week; that which goes over its end is two."""
    first, end = times
    for day in days:
        start, stop = day * _DAY + first, day * _DAY + end
        yield start, min(stop, _WEEK)
        if stop > _WEEK:
            yield 0, stop - _WEEK


def _merged(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the same minutes in as few spans as can be, in order."""
    start, stop = -1, -1
    for first, end in sorted(spans):
        if first > stop:
            if stop >= 0:
                yield start, stop
            start = first
        stop = max(stop, end)
    yield start, stop
