"""Times as people type them, of what was: "2026-11-24 10:00", "tuesday at 10", "yesterday", "2h"."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from .errors import InvalidInput
from .names import quoted

#: What is said of a text that is no time.
EXAMPLES: Final = 'for example: "2026-11-24 10:00", "tuesday 10:00", yesterday, 10:00, 2h'

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_AGO: Final = re.compile(
    r"(\d{1,9}) ?"
    r"(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)(?: ago)?",
    re.ASCII,
)
_CLOCK: Final = re.compile(r"(\d{1,2})(?::(\d\d))?(?::(\d\d))? ?(am|pm)?", re.ASCII)
_DOTTED: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_SECONDS: Final = re.compile(r"\d:\d\d:\d\d", re.ASCII)
_ISO_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """What a text means, as exactly as it says: a day, a minute, a second, a moment.

    :param start: seconds since 1970, as ``end``.
    """

    start: float
    end: float


def parse_time(text: str, now: datetime) -> Span:
    """Return what ``text`` means at ``now``, in local time unless it names another zone.

    A day of the week is the last one of that name, which may be today.

    :param now: an aware time.
    :raises InvalidInput: if it means no time.
    """
    words = " ".join(text.lower().replace(",", " ").split())
    try:
        span = _ago(words, now) or _on_a_day(words, now) or _iso(text.strip())
    except (ValueError, OverflowError, OSError):
        span = None
    if span is None:
        raise InvalidInput(f"{quoted(text)} is not a time", EXAMPLES)
    return span


def _ago(words: str, now: datetime) -> Span | None:
    if words == "now":
        return Span(now.timestamp(), now.timestamp())
    found = _AGO.fullmatch(words)
    if found is None:
        return None
    moment = (now - timedelta(seconds=int(found[1]) * _UNITS[found[2][0]])).timestamp()
    return Span(moment, moment)


def _on_a_day(words: str, now: datetime) -> Span | None:
    """Return what a day means, or a day and a time of day, or that of today."""
    first, _, rest = words.removeprefix("on ").removeprefix("last ").partition(" ")
    today = now.astimezone().date()
    day = _day(first, today)
    if day is None:
        # a number alone is no time of day
        clock = _clock(words.removeprefix("at ")) if not words.isdecimal() else None
        return None if clock is None else _at(today, clock)
    if not rest:
        return Span(_midnight(day), _midnight(day + timedelta(days=1)))
    clock = _clock(rest.removeprefix("at "))
    return None if clock is None else _at(day, clock)


def _day(word: str, today: date) -> date | None:
    if word in ("today", "yesterday"):
        return today - timedelta(days=word == "yesterday")
    for number, name in enumerate(_DAYS):
        if word == name or (len(word) >= 3 and name.startswith(word)):
            return today - timedelta(days=(today.weekday() - number) % 7)
    if _ISO_DAY.fullmatch(word):
        return date.fromisoformat(word)
    found = _DOTTED.fullmatch(word)
    return None if found is None else date(int(found[3]), int(found[2]), int(found[1]))


def _clock(words: str) -> tuple[time, int] | None:
    """Return a time of day, and for how many seconds it is that."""
    found = _CLOCK.fullmatch(words)
    if found is None:
        return None
    hour, half = int(found[1]), found[4]
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, int(found[2] or 0), int(found[3] or 0)), 1 if found[3] else 60


def _at(day: date, clock: tuple[time, int]) -> Span:
    start = datetime.combine(day, clock[0]).astimezone().timestamp()
    return Span(start, start + clock[1])


def _midnight(day: date) -> float:
    return datetime.combine(day, time()).astimezone().timestamp()


def _iso(text: str) -> Span:
    """Return what a time in ISO 8601 means.

    :raises ValueError: if it is none.
    """
    start = datetime.fromisoformat(text).astimezone().timestamp()
    return Span(start, start if _SECONDS.search(text) else start + 60)
