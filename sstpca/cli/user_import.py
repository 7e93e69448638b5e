"""``sstpca user import``: the accounts of another program."""

from pathlib import Path

import click

from ..access.limits import last_day
from ..errors import InvalidInput, Option, option
from ..imports.reading import MOST
from ..names import quoted
from ..vpn.importing import Imported, Line, Outcome
from . import ask, usage
from .context import Context
from .output import counted, table, talk, warn


@click.command("import", cls=usage.Command)
@click.argument("source", metavar="FILE")
@click.option("--dry-run", is_flag=True, help="Only say what would come of each line.")
@click.option("--profile", metavar="NAME", help="The access profile of all, whatever FILE says.")
@click.option(
    "--short-passwords", is_flag=True, help="Take passwords of fewer than 8 characters as well."
)
@click.option(
    "--generate", is_flag=True, help="Make passwords for those who have none, and show them once."
)
@click.pass_obj
def import_(
    context: Context,
    source: str,
    dry_run: bool,
    profile: str | None,
    short_passwords: bool,
    generate: bool,
) -> None:
    """Add the accounts that another program's FILE has, with their passwords.

    FILE is a table (CSV) whose first line names its columns: name, password, profile, address, prefix,
    networks, ends and enabled, as user export writes it; pppd's or accel-ppp's chap-secrets; what RouterOS exports of
    /ppp, /ip pool and /ipv6 pool (with show-sensitive); or SoftEther's vpn_server.config. - is standard
    input. Access profiles of a RouterOS export are added where there are none of their names. If one
    account cannot be added, none is.

    \b
        sstpca user import chap-secrets --dry-run
        sstpca user import router.rsc --short-passwords
        sstpca user import staff.csv --profile staff --generate
    """
    users = context.vpn.users
    users.check_key()
    imported = users.take_over(
        ask.read_text(Path(source), "the file of accounts", MOST),
        profile=profile,
        short_passwords=short_passwords,
        generate=generate,
        really=not dry_run,
    )
    refused = [one for one in imported.lines if one.outcome is Outcome.REFUSED]
    if dry_run or not refused:
        _show(imported)
    if refused:
        raise _refusal(imported, refused, dry_run=dry_run, generate=generate)
    added = counted(imported.count(Outcome.ADDED), "user")
    talk(f"{added} added" if imported.done else f"{added} would be added; nothing was changed")


def _show(imported: Imported) -> None:
    talk(f"{imported.kind}:")
    for profile in imported.profiles:
        pools = ", ".join(f"{first}-{last}" for first, last in profile.pools)
        talk(f"access profile '{profile.name}': local {profile.local_address}, pool {pools}")
    for lost in imported.lost:
        warn(lost)
    added = "added" if imported.done else "would be added"
    rows: list[tuple[str, ...]] = [
        (str(one.account.line), one.name, one.profile, _said(one, added)) for one in imported.lines
    ]
    headings: tuple[str, ...] = ("LINE", "NAME", "PROFILE", "WHAT COMES OF IT")
    if imported.done and any(one.password for one in imported.lines):
        headings = (*headings[:3], "PASSWORD", headings[3])
        made = [one.password or "" for one in imported.lines]
        rows = [(*row[:3], password, row[3]) for row, password in zip(rows, made, strict=True)]
    click.echo(table(headings, rows, empty=""))


def _refusal(
    imported: Imported, refused: list[Line], *, dry_run: bool, generate: bool
) -> InvalidInput:
    first = refused[0]
    more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
    remedy: list[str | Option] = []
    if not dry_run:
        remedy += ["see what would come of each with ", option("--dry-run")]
    if any(one.short for one in refused):
        remedy += [
            "; " if remedy else "",
            "take short passwords with ",
            option("--short-passwords"),
        ]
    if not generate and any(one.without for one in refused):
        remedy += ["; " if remedy else "", "have passwords made with ", option("--generate")]
    return InvalidInput(
        f"of {counted(len(imported.lines), 'account')} not all can be added, so none is: line "
        f"{first.account.line}, {quoted(first.account.name)}: {first.why}{more}",
        *remedy,
    )


def _said(line: Line, added: str) -> str:
    if line.outcome is not Outcome.ADDED:
        return f"{line.outcome.value}: {line.why}"
    account = line.account
    said = [added]
    if account.static_address is not None:
        said.append(f"address {account.static_address}")
    if account.static_prefix is not None:
        said.append(f"prefix {account.static_prefix}")
    said += [f"network {one}" for one in account.networks]
    if account.ends is not None:
        said.append(f"last day {last_day(account.ends)}")
    if not account.enabled:
        said.append("disabled")
    return "; ".join((*said, *line.notes))
