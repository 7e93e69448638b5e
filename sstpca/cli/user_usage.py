"""``sstpca user usage``: what users have used."""

import dataclasses
import re
from datetime import date
from typing import Any, Final

import click

from ..errors import InvalidInput
from ..names import quoted
from ..vpn.sessions import Total
from .context import Context
from .output import echo_csv, echo_json, size, table
from .usage import Command

_MONTH: Final = re.compile(r"(\d{4})-(\d\d)", re.ASCII)

#: Months that are shown of one user.
_YEAR: Final = 12


@click.command("usage", cls=Command)
@click.argument("name", required=False)
@click.option("--month", metavar="YYYY-MM", help="That month; by default this one.")
@click.option("--json", "as_json", is_flag=True, help="A JSON array for machines.")
@click.option("--csv", "as_csv", is_flag=True, help="A table for spreadsheets.")
@click.pass_obj
def usage(
    context: Context, name: str | None, month: str | None, as_json: bool, as_csv: bool
) -> None:
    """Show what users have used in a month: bytes, time, sessions; who used the most comes first.

    Of the user NAME it is each of the last twelve months. DOWN is to the user, UP from there.

    \b
        sstpca user usage
        sstpca user usage --month 2026-11 --csv
        sstpca user usage alice
    """
    if as_json and as_csv:
        raise InvalidInput("--json and --csv exclude each other")
    first = date.today().replace(day=1) if month is None else _month(month)
    months = [first] if name is None or month is not None else list(_year(first))
    rows = context.vpn.sessions.totals(months, name)
    machines = [dataclasses.asdict(one) | {"month": f"{one.month:%Y-%m}"} for one in rows]
    if as_json:
        echo_json(machines)
    elif as_csv:
        names = [one.name for one in dataclasses.fields(Total)]
        echo_csv(names, (one.values() for one in machines))
    else:
        headings = ("MONTH", "USER", "DOWN", "UP", "HOURS", "SESSIONS")
        click.echo(table(headings, map(_cells, rows), empty="nothing was used"))


def _month(text: str) -> date:
    found = _MONTH.fullmatch(text)
    if found is None or not 1 <= int(found[2]) <= 12 or not 1970 <= int(found[1]) < 9999:
        raise InvalidInput(f"{quoted(text)} is not a month", "for example: --month 2026-11")
    return date(int(found[1]), int(found[2]), 1)


def _year(first: date) -> Any:
    """Yield the first days of a year that ends with this month, the last one first."""
    for _ in range(_YEAR):
        yield first
        first = date(first.year - (first.month == 1), (first.month - 2) % 12 + 1, 1)


def _cells(row: Total) -> tuple[str, ...]:
    traffic = (size(row.sent), size(row.received))
    user = row.user or "(gone)"
    return (f"{row.month:%Y-%m}", user, *traffic, f"{row.seconds / 3600:.1f}", str(row.sessions))
