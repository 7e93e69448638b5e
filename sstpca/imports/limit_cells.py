"""A user's own limits in one cell of a table: ``rate-down=5M; hours=mon-fri 8-18; idle-timeout=none``."""

from collections.abc import Callable
from typing import Any, Final

from ..access.hours import Hours, parse_hours
from ..access.limits import (
    OwnLimits,
    WhenFull,
    checked,
    parse_sessions,
    parse_when_full,
    parse_when_used_up,
)
from ..access.quantities import parse_duration, parse_rate, parse_volume
from ..errors import InvalidInput
from ..names import quoted

_NONE: Final = "none"

#: By the options' words: the field of Limits, and what reads it.
_READ: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "rate-down": ("rate_down", parse_rate),
    "rate-up": ("rate_up", parse_rate),
    "session-timeout": ("session_timeout", parse_duration),
    "idle-timeout": ("idle_timeout", parse_duration),
    "sessions": ("sessions", parse_sessions),
    "when-full": ("when_full", parse_when_full),
    "hours": ("hours", parse_hours),
    "volume-per-day": ("volume_day", parse_volume),
    "volume-per-month": ("volume_month", parse_volume),
    "when-used-up": ("slow_to", parse_when_used_up),
}


def parse_limits(cell: str) -> OwnLimits:
    """Return the limits that a cell names.

    :raises InvalidInput: naming the one that cannot be read.
    """
    values: dict[str, Any] = {}
    for one in filter(None, map(str.strip, cell.split(";"))):
        word, _, text = (part.strip() for part in one.partition("="))
        if word not in _READ:
            raise InvalidInput(f"{quoted(word)} is none of the limits {', '.join(_READ)}")
        name, read = _READ[word]
        values[name] = None if text.lower() == _NONE else read(text)
    own = OwnLimits.of(values)
    checked(own.limits)
    return own


def limits_text(own: OwnLimits) -> str:
    """Return what :func:`parse_limits` reads."""
    values = own.values()
    return "; ".join(
        f"{word}={_text(values[name])}" for word, (name, _) in _READ.items() if name in values
    )


def _text(value: Any) -> str:
    match value:
        case None:
            return _NONE
        case WhenFull():
            return value.value
        case Hours():
            return value.text
        case _:
            return str(value)
