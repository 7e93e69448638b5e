"""Limits: how fast, how long, when and how much; of an access profile, and of one user."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from ..errors import InvalidInput, option
from ..names import quoted
from .hours import Hours, parse_hours
from .quantities import DURATION_MAX, RATE_MAX, RATE_MIN, VOLUME_MAX, parse_rate

#: Sessions that a user may have at a time, at most.
SESSIONS_MAX: Final = 10_000


@enum.unique
class WhenFull(enum.Enum):
    """What becomes of a login when the user has as many sessions as may be."""

    REPLACE = "replace"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Limits:
    """What sessions are held to; None where there is no limit.

    :param rate_down: to the client, in bits of IP packets a second; ``rate_up``: from it.
    :param session_timeout: seconds after which a session ends.
    :param idle_timeout: seconds without an IP packet either way, after which it ends.
    :param sessions: of a user alone: how many at a time; None: as the access profile has it.
    :param when_full: whether one more than that ends the one that has been silent for the longest
        time, which is the default, or is refused.
    :param hours: of the week.
    :param volume_day: bytes of IP packets, both ways together, of all sessions of a user on one day
        of the server's time zone; ``volume_month``: in one month.
    :param slow_to: bits a second each way once a volume is used up; None: sessions end then, and
        there are none until the next day or month.
    """

    rate_down: int | None = None
    rate_up: int | None = None
    session_timeout: int | None = None
    idle_timeout: int | None = None
    sessions: int | None = None
    when_full: WhenFull | None = None
    hours: Hours | None = None
    volume_day: int | None = None
    volume_month: int | None = None
    slow_to: int | None = None

    @property
    def refuses(self) -> bool:
        """Whether one session more than may be is refused."""
        return self.when_full is WhenFull.REFUSE

    @property
    def by_volume(self) -> bool:
        """Whether it depends on how much was used."""
        return self.volume_day is not None or self.volume_month is not None

    def slowed(self) -> "Limits":
        """Return them as they are once a volume is used up and sessions are slowed."""
        slow = self.slow_to
        if slow is None:
            return self
        down, up = (min(slow, rate or slow) for rate in (self.rate_down, self.rate_up))
        return replace(self, rate_down=down, rate_up=up)


NO_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class OwnLimits:
    """What differs, for one user, from the limits of the access profile.

    :param limits: the user's.
    :param own: the names of those that count; of the others, the access profile's do.
    """

    limits: Limits = NO_LIMITS
    own: frozenset[str] = frozenset()

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "OwnLimits":
        """Return those of the fields of :class:`Limits` in ``values``."""
        return cls(Limits(**values), frozenset(values))

    def values(self) -> dict[str, Any]:
        """Return what :meth:`of` takes."""
        return {name: getattr(self.limits, name) for name in sorted(self.own)}

    def over(self, limits: Limits) -> Limits:
        """Return what holds for the user of an access profile that has ``limits``."""
        return replace(limits, **self.values())


NOTHING_OWN: Final = OwnLimits()


def checked(limits: Limits) -> Limits:
    """Return ``limits`` if they make sense.

    :raises InvalidInput: naming the one that does not.
    """
    for name, value, least, most in (
        ("a rate", limits.rate_down, RATE_MIN, RATE_MAX),
        ("a rate", limits.rate_up, RATE_MIN, RATE_MAX),
        ("a rate", limits.slow_to, RATE_MIN, RATE_MAX),
        ("a time", limits.session_timeout, 1, DURATION_MAX),
        ("a time", limits.idle_timeout, 1, DURATION_MAX),
        ("a volume", limits.volume_day, 1, VOLUME_MAX),
        ("a volume", limits.volume_month, 1, VOLUME_MAX),
        ("the number of sessions", limits.sessions, 1, SESSIONS_MAX),
    ):
        if value is not None and not least <= value <= most:
            raise InvalidInput(f"{name} is {least} to {most}, not {value}")
    return limits


def to_json(limits: Limits) -> dict[str, Any]:
    """Return those that there are as a JSON object, the order of its keys fixed."""
    return {
        one.name: value
        for one in fields(limits)
        if (value := _plain(getattr(limits, one.name))) is not None
    }


def from_json(value: Mapping[str, Any]) -> Limits:
    """Return what :func:`to_json` has written."""
    return Limits(**_read(value))


def own_to_json(own: OwnLimits) -> dict[str, Any]:
    """Return a user's own as a JSON object; null where the user has no limit, whatever the profile.

    :raises InvalidInput: if one makes no sense.
    """
    checked(own.limits)
    return {name: _plain(value) for name, value in own.values().items()}


def own_from_json(value: Mapping[str, Any]) -> OwnLimits:
    """Return what :func:`own_to_json` has written."""
    return OwnLimits.of(_read(value))


def _plain(value: Any) -> Any:
    match value:
        case WhenFull():
            return value.value
        case Hours():
            return value.text
        case _:
            return value


def _read(value: Mapping[str, Any]) -> dict[str, Any]:
    found = {one.name: value[one.name] for one in fields(Limits) if one.name in value}
    if found.get("when_full") is not None:
        found["when_full"] = WhenFull(found["when_full"])
    if found.get("hours") is not None:
        found["hours"] = parse_hours(found["hours"])
    return found


def parse_end(text: str) -> float:
    """Return when an account is over whose last day is ``2026-12-31``: when that day is.

    :returns: seconds since 1970: midnight of the server's time zone.
    :raises InvalidInput: if it is no date.
    """
    try:
        return midnight(date.fromisoformat(text.strip()) + timedelta(days=1))
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{quoted(text)} is not the date of a last day",
            "for example: ",
            option("--ends"),
            " 2026-12-31",
        ) from None


def last_day(end: float) -> date:
    """Return the last day of an account that is over at ``end``, as :func:`parse_end` has read it."""
    return datetime.fromtimestamp(end - 1).date()


def day_of(now: float) -> date:
    """Return the day of the server's time zone that has the moment ``now``."""
    return datetime.fromtimestamp(now).date()


def number_of(day: date) -> int:
    """Return the number of a day since 1970-01-01."""
    return (day - _EPOCH).days


_EPOCH: Final = date(1970, 1, 1)


def midnight(day: date) -> float:
    """Return the first moment of a day of the server's time zone, seconds since 1970."""
    return datetime(day.year, day.month, day.day).timestamp()


def parse_when_full(text: str) -> WhenFull:
    """Return what becomes of a login beyond those that may be, of ``refuse`` or ``replace``.

    :raises InvalidInput: if it is neither.
    """
    try:
        return WhenFull(text.strip().lower())
    except ValueError:
        raise InvalidInput(
            f"{quoted(text)} is not what becomes of a login when there are enough",
            "for example: ",
            option("--when-full"),
            " refuse; or replace, the default",
        ) from None


def parse_when_used_up(text: str) -> int | None:
    """Return the rate that is left once a volume is used up; None for ``end``.

    :raises InvalidInput: if it is neither.
    """
    if text.strip().lower() == "end":
        return None
    try:
        return parse_rate(text)
    except InvalidInput:
        raise InvalidInput(
            f"{quoted(text)} is neither end nor a rate in bits a second",
            "for example: ",
            option("--when-used-up"),
            " 256k",
        ) from None


def parse_sessions(text: str) -> int:
    """Return how many sessions a user may have at a time.

    :raises InvalidInput: if it is no such number.
    """
    text = text.strip()
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= SESSIONS_MAX):
        raise InvalidInput(
            f"a user has 1 to {SESSIONS_MAX} sessions, not {quoted(text)}",
            "for example: ",
            option("--sessions"),
            " 2",
        )
    return int(text)
