"""sstpca session history, and session failures: what was."""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Final

import click

from ..errors import InvalidInput
from ..names import quoted
from ..times import EXAMPLES, Span, parse_time
from ..vpn.sessions import Failure, PastSession, Wanted
from .context import Context
from .options import gathered
from .output import counted, echo_csv, echo_json, fits, iso, local, size, table, talk
from .session import session

#: Rows that are shown where nothing is said of that, to people and to machines.
_MOST: Final = 100
_MOST_FOR_MACHINES: Final = 100_000


@dataclass(frozen=True, slots=True)
class _Asked:
    """The options that both commands have."""

    user: str | None
    since: str | None
    until: str | None
    limit: int | None
    as_json: bool
    as_csv: bool

    def check(self) -> None:
        """Refuse what contradicts itself.

        :raises InvalidInput: if it does.
        """
        if self.as_json and self.as_csv:
            raise InvalidInput("--json and --csv exclude each other")

    @property
    def most(self) -> int:
        """How many rows are shown."""
        return self.limit or (_MOST_FOR_MACHINES if self.as_json or self.as_csv else _MOST)

    def times(self) -> tuple[float | None, float | None]:
        """Return since when, and until when.

        :raises InvalidInput: if one is no time, or there is nothing between them.
        """
        since = None if self.since is None else _time(self.since).start
        until = None if self.until is None else _time(self.until).end
        if since is not None and until is not None and since > until:
            raise InvalidInput("--since is later than --until", EXAMPLES)
        return since, until


def _time(text: str) -> Span:
    return parse_time(text, datetime.now(UTC))


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of :class:`_Asked`."""
    for option in reversed(
        (
            click.option("--user", help="Those of this user, also of one who is gone."),
            click.option("--since", metavar="TIME", help="Those of that time or later."),
            click.option("--until", metavar="TIME", help="Those of that time or before."),
            click.option(
                "--limit",
                type=click.IntRange(1),
                metavar="N",
                help=f"The newest so many.  [default: {_MOST}]",
            ),
            click.option("--json", "as_json", is_flag=True, help="A JSON array for machines."),
            click.option("--csv", "as_csv", is_flag=True, help="A table for spreadsheets."),
        )
    ):
        function = option(function)
    return function


@session.command()
@_options
@click.option("--at", metavar="TIME", help="Those that went on at that time.")
@click.option("--address", help="Those that had this address in the tunnel.")
@click.pass_obj
@gathered(_Asked, "asked")
def history(context: Context, asked: _Asked, at: str | None, address: str | None) -> None:
    """Show who was connected, from where, from when to when, and why it ended.

    The newest are shown first. TIME is local: "2026-11-24 10:00", "tuesday 10:00", yesterday, 10:00,
    or how long ago, such as 2h or 30d. For how long sessions are remembered, settings.toml says,
    below [history].

    \b
        sstpca session history --address 10.99.0.17 --at "tuesday 10:00"
        sstpca session history --user alice --since 30d
        sstpca session history --since 2026-11-01 --until 2026-11-30 --csv
    """
    asked.check()
    since, until = asked.times()
    if at is not None:
        if since is not None or until is not None:
            raise InvalidInput("--at excludes --since and --until")
        span = _time(at)
        since, until = span.start, span.end
    where = None if address is None else _address(address)
    wanted = Wanted(asked.user, since, until, where, asked.most + 1)
    rows = context.vpn.sessions.history(wanted)
    _show(asked, rows, _past, _PAST, _past_cells, empty="there was no such session")


def _address(text: str) -> Any:
    try:
        return ip_address(text)
    except ValueError:
        raise InvalidInput(f"{quoted(text)} is not an IP address") from None


@session.command()
@_options
@click.pass_obj
@gathered(_Asked, "asked")
def failures(context: Context, asked: _Asked) -> None:
    """Show which logins failed: who was claimed, from where, with what program, and why.

    The newest are shown first; of a flood, many together are one row. TIME is as in 'sstpca session
    history'.

    \b
        sstpca session failures
        sstpca session failures --user alice --since yesterday
    """
    asked.check()
    since, until = asked.times()
    find = functools.partial(context.vpn.sessions.failures, user=asked.user)
    rows = find(since=since, until=until, most=asked.most + 1)
    _show(asked, rows, _failure, _FAILED, _failure_cells, empty="no login failed")


_PAST: Final = ("NUMBER", "USER", "ADDRESS", "FROM", "BEGAN", "ENDED", "RECEIVED", "SENT", "WHY")
_FAILED: Final = ("TIME", "USER", "FROM", "CLIENT", "WHY")
#: Columns that go below their row where the terminal is too narrow for all.
_BELOW: Final = {_PAST: ("FROM", "WHY"), _FAILED: ("CLIENT", "WHY")}


def _show(
    asked: _Asked,
    rows: list[Any],
    for_machines: Callable[[Any], dict[str, Any]],
    headings: tuple[str, ...],
    cells: Callable[[Any], tuple[str, ...]],
    *,
    empty: str,
) -> None:
    """Print the rows as they are asked for; say if there are more."""
    shown = rows[: asked.most]
    if asked.as_json:
        echo_json([for_machines(one) for one in shown])
    elif asked.as_csv:
        echo_csv(list(_NAMES[headings]), (for_machines(one).values() for one in shown))
    else:
        click.echo(_table(headings, [cells(one) for one in shown], empty))
    if len(rows) > len(shown):
        talk(f"there are more: these are the newest {len(shown)}; --limit shows others as well")


def _table(headings: tuple[str, ...], rows: list[tuple[str, ...]], empty: str) -> str:
    if fits(headings, rows):
        return table(headings, rows, empty=empty)
    below = [headings.index(name) for name in _BELOW[headings]]
    notes = [": ".join(filter(None, (row[index] for index in below))) for row in rows]
    short = [_without(row, below) for row in rows]
    return table(_without(headings, below), short, empty=empty, notes=notes)


def _without(row: tuple[str, ...], places: list[int]) -> tuple[str, ...]:
    return tuple(cell for place, cell in enumerate(row) if place not in places)


def _past(row: PastSession) -> dict[str, Any]:
    ended = None if row.ended is None else iso(row.ended)
    return dataclasses.asdict(row) | {"started": iso(row.started), "ended": ended}


def _past_cells(row: PastSession) -> tuple[str, ...]:
    addresses = ", ".join(filter(None, (row.address, row.prefix)))
    when = (local(row.started), _end(row))
    traffic = (size(row.received), size(row.sent))
    return (str(row.id), row.user, addresses, row.peer, *when, *traffic, row.reason)


def _end(row: PastSession) -> str:
    """Return when it ended: the time of day, if it is that of its beginning."""
    if row.ended is None:
        return "goes on"
    began, ended = local(row.started), local(row.ended)
    return ended.removeprefix(began.partition(" ")[0]).lstrip()


def _failure(row: Failure) -> dict[str, Any]:
    return dataclasses.asdict(row) | {"at": iso(row.at)}


def _failure_cells(row: Failure) -> tuple[str, ...]:
    several = f"({counted(row.count, 'login')})"
    who = f"'{row.user}'" if row.user or row.count == 1 else several
    return (local(row.at), who, row.peer or "(many)", row.client, row.reason)


_NAMES: Final = {
    _PAST: tuple(one.name for one in dataclasses.fields(PastSession)),
    _FAILED: tuple(one.name for one in dataclasses.fields(Failure)),
}
