"""``sstpca profile``: the addresses, DNS servers and routes that users are given."""

from typing import Any, Final

import click

from ..access import connection_settings
from ..access.connection_settings import ConnectionSettings
from ..access.profiles import AccessProfile, Pool
from ..errors import InvalidInput, command
from .context import Context
from .options import gathered
from .output import echo_json, pairs, table, talk
from .profile_doubts import agreed_to_sign_in, warn_of
from .profile_options import Given, profile_options
from .reach import reach_rows, say_when
from .usage import Group

_IN_BUNDLES: Final = frozenset({"routes", "dns_suffix", "full_tunnel", "client"})


@click.group(cls=Group)
def profile() -> None:
    """Add, show, change and remove access profiles.

    An access profile is the addresses, DNS servers and routes that users are given.

    \b
        sstpca profile list
        sstpca profile add office --local 10.98.0.1 --pool 10.98.0.10-10.98.0.99
    """


@profile.command()
@click.argument("name")
@profile_options
@click.pass_obj
@gathered(Given, "given")
def add(context: Context, name: str, given: Given) -> None:
    """Add the access profile NAME.

    \b
        sstpca profile add staff --local 10.98.0.1 --pool 10.98.0.10-10.98.0.250 --dns 10.1.0.53
        sstpca profile add office --local 10.97.0.1 --pool 10.97.0.10-10.97.0.99 \\
            --split-tunnel --route 10.1.0.0/16 --route 10.2.0.0/16
    """
    changes = given.changes(ConnectionSettings())
    for field, option in (("local_address", "--local"), ("pools", "--pool")):
        if field not in changes:
            raise InvalidInput(
                f"{option} is missing",
                "for example: --local 10.98.0.1 --pool 10.98.0.10-10.98.0.250",
            )
    added = context.vpn.profiles.add(AccessProfile(name=name, **changes))
    warn_of(added, changes.keys(), given.routes)
    talk(f"access profile '{added.name}' added")


@profile.command("set")
@click.argument("name")
@profile_options
@click.option("--no-dns", is_flag=True, help="Give no DNS server.")
@click.option("--no-routes", is_flag=True, help="Give no routes.")
@click.option("--yes", is_flag=True, help="Do not ask, even if users cannot log in then.")
@click.pass_obj
@gathered(Given, "given")
def set_(
    context: Context, name: str, given: Given, no_dns: bool, no_routes: bool, yes: bool
) -> None:
    """Change the access profile NAME.

    Addresses, DNS servers, sign-in, --sessions, --reach and --inbound count from the next login of
    its users. Routes, DNS suffix, tunnel, sign-in and the options below are in their bundles, which
    have to be made and installed again. Options that can be repeated replace what was there. An empty
    value takes away (--dns-suffix ""), but for --dns and --route there are --no-dns and --no-routes.

    \b
        sstpca profile set default --dns 10.1.0.53
        sstpca profile set default --split-tunnel --route 10.1.0.0/16
        sstpca profile set default --name-rule corp.example.com=10.1.0.53
        sstpca profile set default --sign-in eap-tls
        sstpca profile set default --sessions 1
        sstpca profile set admins --reach clients,server
        sstpca profile set default --reach "" --no-inbound
    """
    changes = given.changes(context.vpn.profiles.get(name).client)
    for flag, field in ((no_dns, "dns"), (no_routes, "routes")):
        if flag and field in changes:
            option = "--dns" if field == "dns" else "--route"
            raise InvalidInput(f"{option} and --no-{field} exclude each other")
        if flag:
            changes[field] = ()
    if not changes:
        raise InvalidInput("nothing to change", "see '", command("profile set --help"), "'")
    sign_in = changes["client"].sign_in if "client" in changes else None
    if not agreed_to_sign_in(context, name, sign_in, yes=yes):
        talk("nothing was changed")
        return
    changed = context.vpn.profiles.change(name, **changes)
    warn_of(changed, changes.keys(), given.routes)
    talk(f"access profile '{changed.name}' changed")
    say_when(context, changed, changes)
    _name_outdated(context, changed, changes)


@profile.command("list")
@click.option("--json", "as_json", is_flag=True, help="A JSON array for machines.")
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """List the access profiles.

    \b
        sstpca profile list
        sstpca profile list --json
    """
    found = context.vpn.profiles.all()
    if as_json:
        echo_json([_as_json(one) for one in found])
        return
    headings = ("NAME", "LOCAL", "POOLS", "DNS", "TUNNEL")
    rows = [
        (one.name, str(one.local_address), _pools(one), _joined(one.dns), _tunnel(one))
        for one in found
    ]
    click.echo(table(headings, rows, empty="there are no access profiles"))


@profile.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="A JSON object for machines.")
@click.pass_obj
def show(context: Context, name: str, as_json: bool) -> None:
    """Show the access profile NAME.

    \b
        sstpca profile show default
    """
    found = context.vpn.profiles.get(name)
    if as_json:
        echo_json(_as_json(found))
        return
    click.echo(
        pairs(
            [
                ("name", found.name),
                ("local address", str(found.local_address)),
                ("pools", _pools(found)),
                ("sessions", f"{found.sessions} of each user"),
                ("DNS servers", _joined(found.dns)),
                ("DNS suffix", found.dns_suffix or "none"),
                ("tunnel", _tunnel(found)),
                *_left_out(found),
                ("routes", _joined(found.routes)),
                *reach_rows(found),
                *_client_rows(found.client),
            ]
        )
    )


@profile.command()
@click.argument("name")
@click.pass_obj
def remove(context: Context, name: str) -> None:
    """Remove the access profile NAME, which no user may have.

    \b
        sstpca profile remove office
    """
    context.vpn.profiles.remove(name)
    talk(f"access profile '{name}' removed")


def _name_outdated(context: Context, one: AccessProfile, changes: dict[str, Any]) -> None:
    """Say whose bundles no longer fit: what Windows has to know comes in them, not at login."""
    count = sum(user.profile == one.name for user in context.vpn.users.all())
    told = set(_IN_BUNDLES)
    if any(rule.servers for rule in one.client.name_rules):
        told.add("dns")
    # the certificates that are missing are issued in the same go
    issue = [] if one.client.sign_in.with_password else ["--issue"]
    if count and changes.keys() & told:
        talk(
            f"next, as this is in the bundles, for {count} to install again:\n  ",
            command(f"bundle --profile {{}}{' {}' * len(issue)}", one.name, *issue),
        )


def _client_rows(client: ConnectionSettings) -> list[tuple[str, str]]:
    """Return what is set; of the sign-in always."""
    rules = (
        f"{rule.suffix} = {_joined(rule.servers)}" if rule.servers else f"{rule.suffix} not"
        for rule in client.name_rules
    )
    rows = [
        ("names", "; ".join(rules)),
        ("started by", _joined(client.trigger_apps)),
        ("but not in", _joined(client.trusted_networks)),
        ("proxy", client.proxy or "none"),
        ("proxy not for", _joined(client.proxy_bypass)),
    ]
    shown = [(label, value) for label, value in rows if value not in ("", "none")]
    return [("sign-in", client.sign_in.value), *shown]


def _range(pool: Pool) -> str:
    first, last = pool
    return str(first) if first == last else f"{first}-{last}"


def _pools(one: AccessProfile) -> str:
    return ", ".join(map(_range, one.pools))


def _joined(values: tuple[Any, ...]) -> str:
    return ", ".join(map(str, values)) or "none"


def _tunnel(one: AccessProfile) -> str:
    return "full" if one.full_tunnel else "split"


def _left_out(one: AccessProfile) -> list[tuple[str, str]]:
    """Return what does not go through the tunnel although it is full."""
    return [("", "IPv6 of the clients goes past it")] if one.full_tunnel else []


def _as_json(one: AccessProfile) -> dict[str, Any]:
    return {
        "name": one.name,
        "local": str(one.local_address),
        "pools": [list(map(str, pool)) for pool in one.pools],
        "dns": list(map(str, one.dns)),
        "routes": list(map(str, one.routes)),
        "dns_suffix": one.dns_suffix,
        "full_tunnel": one.full_tunnel,
        "sessions": one.sessions,
        "reach": sorted(reach.value for reach in one.reach),
        "inbound": one.inbound,
        **connection_settings.to_json(one.client),
    }
