"""sstpca lockout."""

import dataclasses
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import click

from ..errors import InvalidInput, command
from ..names import quoted
from ..vpn.lockouts import Lockout
from .context import Context
from .output import counted, echo_json, iso, local, table, talk
from .usage import Group


@click.group(cls=Group)
def lockout() -> None:
    """See and forget wrong passwords.

    \b
        sstpca lockout list
        sstpca lockout clear alice
    """


@lockout.command("list")
@click.option("--json", "as_json", is_flag=True, help="A JSON array for machines.")
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """Show whose wrong passwords are not forgotten, and who is locked for them.

    Who is locked is let in by no password from there, until the time that is shown. How many wrong
    passwords there may be, settings.toml says, below [lockout].

    \b
        sstpca lockout list
        sstpca lockout list --json
    """
    rows = context.vpn.lockouts.all()
    if as_json:
        echo_json([_as_json(row) for row in rows])
        return
    click.echo(
        table(
            ("USER", "FROM", "WRONG", "LOCKED"),
            [_cells(row) for row in rows],
            empty="there are no wrong passwords",
        )
    )


def _cells(row: Lockout) -> tuple[str, ...]:
    until = "no" if row.until is None else f"until {local(row.until)}"
    return (row.user or "(all)", row.source or "(everywhere)", str(row.wrong), until)


def _as_json(row: Lockout) -> dict[str, object]:
    until = None if row.until is None else iso(row.until)
    return dataclasses.asdict(row) | {"until": until}


@lockout.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--from", "addresses", multiple=True, metavar="ADDRESS", help="Those from this address, or /64."
)
@click.pass_obj
def clear(context: Context, names: tuple[str, ...], addresses: tuple[str, ...]) -> None:
    """Forget wrong passwords: those of users, those from an address, or all.

    \b
        sstpca lockout clear
        sstpca lockout clear alice bob
        sstpca lockout clear --from 203.0.113.9
    """
    sources = [_address(one) for one in addresses]
    lockouts = context.vpn.lockouts
    known = {one.user.casefold() for one in lockouts.all()}
    for name in names:
        if name.casefold() not in known:
            context.vpn.users.get(name)  # who is nobody may be a slip of the hand
    click.echo(f"{counted(lockouts.clear(names, sources), 'count')} forgotten")
    left = [one.source for one in lockouts.all() if not one.user and one.until is not None]
    if left:
        what = f"still locked for all users who do not come from there: {', '.join(left)}; '"
        talk(what, command("lockout clear"), "' forgets all")


def _address(text: str) -> IPv4Address | IPv6Address:
    """Return an address, of a network the first.

    :raises InvalidInput: if it is neither.
    """
    try:
        return ip_address(text)
    except ValueError:
        pass
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise InvalidInput(f"{quoted(text)} is not an IP address") from None
    if network.prefixlen != (32 if network.version == 4 else 64):
        raise InvalidInput(
            f"{quoted(text)} is not one address, nor an IPv6 prefix of 64 bits",
            "name one as '",
            command("lockout list"),
            "' shows it",
        )
    return network.network_address
