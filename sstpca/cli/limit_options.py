"""The options for limits, of access profiles and of users, and what is shown of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Final, TypeAlias

import click

from ..access.hours import EXAMPLE, parse_hours
from ..access.limits import (
    NOTHING_OWN,
    Limits,
    OwnLimits,
    last_day,
    parse_end,
    parse_sessions,
    parse_when_full,
    parse_when_used_up,
)
from ..access.quantities import (
    duration_text,
    parse_duration,
    parse_rate,
    parse_volume,
    rate_text,
    volume_text,
)
from ..errors import InvalidInput
from ..vpn.users import User
from .output import warn

_Decorated = Callable[..., Any]
_NONE: Final = "none"

_LIMIT_OPTIONS: Final = (
    click.option(
        "--rate-down",
        metavar="RATE",
        help="The most that goes to each session, in bits a second: 10M, 512k.",
    ),
    click.option("--rate-up", metavar="RATE", help="The most that comes from each session."),
    click.option(
        "--session-timeout", metavar="TIME", help="How long a session may last: 8h, 30m, 2d."
    ),
    click.option(
        "--idle-timeout", metavar="TIME", help="How long it may be without a packet either way."
    ),
    click.option(
        "--when-full",
        metavar="replace|refuse",
        help="One session more than there may be ends the one that has been silent for the longest "
        "time (replace, the default), or is refused.",
    ),
    click.option(
        "--hours",
        metavar="HOURS",
        help=f'When users may be connected, by the server\'s clock: "{EXAMPLE}".',
    ),
    click.option(
        "--volume-per-day",
        metavar="BYTES",
        help="How much a user's sessions may carry on one day, both ways together: 500M, 5G.",
    ),
    click.option("--volume-per-month", metavar="BYTES", help="How much in one month."),
    click.option(
        "--when-used-up",
        metavar="end|RATE",
        help="Once a volume is used up, sessions end until the next day or month (end, the "
        "default), or go on with this rate.",
    ),
)


def limit_options(function: _Decorated) -> _Decorated:
    """Give a command the fields of :class:`GivenLimits`, for options.gathered."""
    for option in reversed(_LIMIT_OPTIONS):
        function = option(function)
    return function


def user_limit_options(function: _Decorated) -> _Decorated:
    """Give a command the fields of :class:`GivenOwn`, for options.gathered."""
    sessions = click.option("--sessions", metavar="N", help="How many sessions at a time.")
    ends = click.option("--ends", metavar="DATE", help="The last day of the account: 2026-12-31.")
    return limit_options(sessions(ends(function)))


@dataclass(frozen=True, slots=True)
class GivenLimits:
    """What was said of limits; None where nothing was."""

    rate_down: str | None
    rate_up: str | None
    session_timeout: str | None
    idle_timeout: str | None
    when_full: str | None
    hours: str | None
    volume_per_day: str | None
    volume_per_month: str | None
    when_used_up: str | None

    @property
    def given(self) -> bool:
        """Whether anything was."""
        return any(getattr(self, one.name) is not None for one in fields(self))

    def over(self, before: Limits) -> Limits:
        """Return the limits of an access profile as they are to be.

        :raises InvalidInput: naming the option that cannot be read.
        """
        return replace(before, **self._given())

    def _given(self) -> dict[str, Any]:
        """Return the fields of Limits that were given; None for no limit."""
        return {
            name: _read(option, text, parse)
            for name, option, text, parse in self._options()
            if text is not None
        }

    def _options(self) -> tuple["_Option", ...]:
        """Return each with the field it is for, what was said, and what reads that."""
        return (
            ("rate_down", "--rate-down", self.rate_down, parse_rate),
            ("rate_up", "--rate-up", self.rate_up, parse_rate),
            ("session_timeout", "--session-timeout", self.session_timeout, parse_duration),
            ("idle_timeout", "--idle-timeout", self.idle_timeout, parse_duration),
            ("when_full", "--when-full", self.when_full, parse_when_full),
            ("hours", "--hours", self.hours, parse_hours),
            ("volume_day", "--volume-per-day", self.volume_per_day, parse_volume),
            ("volume_month", "--volume-per-month", self.volume_per_month, parse_volume),
            ("slow_to", "--when-used-up", self.when_used_up, parse_when_used_up),
        )


_Option: TypeAlias = tuple[str, str, str | None, Callable[[str], Any]]


@dataclass(frozen=True, slots=True)
class GivenOwn(GivenLimits):
    """What was said of one user's limits, and of the end of the account."""

    sessions: str | None
    ends: str | None

    def over_own(self, before: OwnLimits) -> OwnLimits:
        """Return the user's own limits as they are to be; one that is given empty is not own any more.

        :raises InvalidInput: naming the option that cannot be read.
        """
        back = {
            name for name, _, text, _ in self._options() if text is not None and not text.strip()
        }
        kept = before.values() | self._given()
        return OwnLimits.of({name: value for name, value in kept.items() if name not in back})

    def changes(self) -> dict[str, Any]:
        """Return what Users.change takes to give a user this.

        :raises InvalidInput: naming the option that cannot be read.
        """
        self.over_own(NOTHING_OWN)  # what cannot be read is said before anything is changed
        some = any(text is not None for _, _, text, _ in self._options())
        changes: dict[str, Any] = {"limits": self.over_own} if some else {}
        if self.ends is not None:
            end = self.end()
            changes |= {"no_end": True} if end is None else {"ends": end}
        return changes

    def end(self) -> float | None:
        """Return when the account is to be over; None if nothing was said, or that it has no end.

        :raises InvalidInput: if it is no date.
        """
        return None if self.ends is None else _read("--ends", self.ends, parse_end)

    def _options(self) -> tuple[_Option, ...]:
        sessions = ("sessions", "--sessions", self.sessions, parse_sessions)
        # not super(): with slots, the class is made twice
        return (*GivenLimits._options(self), sessions)


def _read(option: str, text: str, parse: Callable[[str], Any]) -> Any:
    """Return what was said with an option; None for no limit, which is ``none`` or nothing."""
    if text.strip().lower() in ("", _NONE):
        return None
    try:
        return parse(text)
    except InvalidInput as error:
        raise InvalidInput(f"{option}: {error}", *error.remedy) from error


def limit_rows(found: Limits, own: frozenset[str] | None = None) -> list[tuple[str, str]]:
    """Return the limits that there are, as ``show`` has them.

    :param own: of a user, those that are not the access profile's; None: nobody asks.
    """
    rows = (
        ("rate down", {"rate_down"}, _text(found.rate_down, rate_text)),
        ("rate up", {"rate_up"}, _text(found.rate_up, rate_text)),
        ("session timeout", {"session_timeout"}, _text(found.session_timeout, duration_text)),
        ("idle timeout", {"idle_timeout"}, _text(found.idle_timeout, duration_text)),
        ("sessions", {"sessions"}, "" if found.sessions is None else str(found.sessions)),
        ("one more", {"when_full"}, "is refused" if found.refuses else ""),
        ("hours", {"hours"}, "" if found.hours is None else found.hours.text),
        ("volume", {"volume_day", "volume_month", "slow_to"}, _volume(found)),
    )
    return [
        (label, text if own is None or own & names else f"{text}, of the access profile")
        for label, names, text in rows
        if text
    ]


def _text(value: int | None, shown: Callable[[int], str]) -> str:
    return "" if value is None else shown(value)


def _volume(found: Limits) -> str:
    if not found.by_volume:
        return ""
    volumes = (("a day", found.volume_day), ("a month", found.volume_month))
    text = ", ".join(f"{volume_text(most)} {per}" for per, most in volumes if most is not None)
    after = "sessions end" if found.slow_to is None else rate_text(found.slow_to)
    return f"{text}; after that, {after}"


def warn_of_end(ends: float | None) -> None:
    """Say that an account is over already, if it is."""
    if ends is not None and ends <= time.time():
        warn("the account is over already: its last day is past")


def end_text(one: User) -> str:
    """Return the last day of an account, as a date; empty if it has none."""
    return "" if one.ends is None else last_day(one.ends).isoformat()
