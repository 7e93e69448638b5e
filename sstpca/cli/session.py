"""sstpca session."""

import dataclasses
from typing import Final

import click

from ..errors import InvalidInput, NotFound, Remedy, command
from ..vpn.sessions import SessionView
from .context import Context
from .output import echo_json, iso, local, size, table
from .usage import Group

_LIST: Final[Remedy] = ("'", command("session list"), "' shows them")


@click.group(cls=Group)
def session() -> None:
    """See and end the sessions of all workers, and see what was.

    \b
        sstpca session list
        sstpca session history --user alice
        sstpca session kill 17
    """


@session.command("list")
@click.option("--json", "as_json", is_flag=True, help="A JSON array for machines.")
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """Show who is connected.

    \b
        sstpca session list
        sstpca session list --json
    """
    rows = context.vpn.sessions.all()
    if as_json:
        echo_json([dataclasses.asdict(row) | {"started": iso(row.started)} for row in rows])
        return
    headings: tuple[str, ...] = (
        *("NUMBER", "USER", "ADDRESS", "IPV6", "FROM", "SINCE", "RECEIVED", "SENT", "INTERFACE"),
        *(("NETWORKS",) if any(row.networks for row in rows) else ()),
    )
    cells = [_cells(row)[: len(headings)] for row in rows]
    click.echo(table(headings, cells, empty="nobody is connected"))


def _cells(row: SessionView) -> tuple[str, ...]:
    traffic = (size(row.received), size(row.sent))
    since = local(row.started)
    addresses = (row.address, row.prefix or "none")
    return (
        *(str(row.id), row.user, *addresses, row.peer, since, *traffic, row.interface),
        " ".join(row.networks),
    )


@session.command()
@click.argument("numbers", nargs=-1, type=int, metavar="[NUMBER]...")
@click.option("--user", help="All sessions of this user.")
@click.option("--all", "everybody", is_flag=True, help="All sessions there are.")
@click.pass_obj
def kill(context: Context, numbers: tuple[int, ...], user: str | None, everybody: bool) -> None:
    """End sessions politely, and wait until they have ended.

    \b
        sstpca session kill 17 18
        sstpca session kill --user alice
    """
    if sum((bool(numbers), user is not None, everybody)) != 1:
        raise InvalidInput(
            "say which sessions: their numbers, or --user NAME, or --all",
            *_LIST,
        )
    sessions = context.vpn.sessions
    live = sessions.all()
    chosen = [
        row.id
        for row in live
        if everybody
        or row.id in numbers
        or (user is not None and row.user.casefold() == user.casefold())
    ]
    missing = sorted(set(numbers) - set(chosen))
    if missing or (user is not None and not chosen):
        who = f"the user '{user}'" if user is not None else f"number {', '.join(map(str, missing))}"
        raise NotFound(f"there is no session of {who}", *_LIST)
    sessions.end(chosen)
    click.echo(f"{len(chosen)} ended" if chosen else "nobody is connected")
