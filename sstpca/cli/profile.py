"""``sstpca profile``: the addresses, DNS servers and routes that users are given."""

from dataclasses import dataclass, replace
from typing import Any, Final

import click

from ..access import connection_settings, ipv6
from ..access.connection_settings import ConnectionSettings
from ..access.ipv6 import Ipv6Settings
from ..access.limits import NO_LIMITS, to_json
from ..access.profiles import AccessProfile, Pool
from ..errors import InvalidInput, command
from .context import Context
from .limit_options import GivenLimits, limit_options, limit_rows
from .options import gathered
from .output import echo_json, pairs, table, talk
from .profile_doubts import agreed_to_sign_in, warn_of
from .profile_options import Given, profile_options
from .reach import reach_rows, say_when
from .usage import Group

_IN_BUNDLES: Final = frozenset({"routes", "dns_suffix", "full_tunnel", "client", "ipv6"})


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
@limit_options
@click.pass_obj
@gathered(GivenLimits, "limits")
@gathered(Given, "given")
def add(context: Context, name: str, given: Given, limits: GivenLimits) -> None:
    """Add the access profile NAME.

    \b
        sstpca profile add staff --local 10.98.0.1 --pool 10.98.0.10-10.98.0.250 --dns 10.1.0.53
        sstpca profile add office --local 10.97.0.1 --pool 10.97.0.10-10.97.0.99 \\
            --split-tunnel --route 10.1.0.0/16 --route 10.2.0.0/16
        sstpca profile add six --local 10.96.0.1 --pool 10.96.0.10-10.96.0.99 \\
            --ipv6 2001:db8:96::/48 --dns 10.1.0.53 --dns 2001:db8:1::53
        sstpca profile add guests --local 10.95.0.1 --pool 10.95.0.10-10.95.0.99 --sessions 1 \\
            --rate-down 10M --rate-up 2M --hours "mon-fri 07:00-19:00"
    """
    changes = given.changes(ConnectionSettings(), Ipv6Settings())
    for field, option in (("local_address", "--local"), ("pools", "--pool")):
        if field not in changes:
            raise InvalidInput(
                f"{option} is missing",
                "for example: --local 10.98.0.1 --pool 10.98.0.10-10.98.0.250",
            )
    held = limits.over(NO_LIMITS)
    added = context.vpn.profiles.add(AccessProfile(name=name, limits=held, **changes))
    warn_of(added, changes.keys(), given.routes)
    talk(f"access profile '{added.name}' added")


@dataclass(frozen=True, slots=True)
class _Taken:
    """What is to be taken away."""

    no_ipv6: bool
    no_dns: bool
    no_routes: bool

    def check(self, given: Given) -> None:
        """Refuse what is given and taken away at once.

        :raises InvalidInput: naming both options.
        """
        for taken, is_given, option in (
            (self.no_ipv6, given.ipv6 is not None, "--ipv6"),
            (self.no_dns, bool(given.dns), "--dns"),
            (self.no_routes, bool(given.routes), "--route"),
        ):
            if taken and is_given:
                raise InvalidInput(
                    f"{option} and --no-{option[2:].replace('route', 'routes')} exclude each other"
                )

    def added_to(self, changes: dict[str, Any], before: Ipv6Settings) -> dict[str, Any]:
        """Return ``changes`` with what is taken away."""
        changes = dict(changes)
        of_ipv6: Ipv6Settings = changes.get("ipv6", before)
        if self.no_dns:
            changes["dns"], of_ipv6 = (), replace(of_ipv6, dns=())
        if self.no_routes:
            changes["routes"], of_ipv6 = (), replace(of_ipv6, routes=())
        if self.no_ipv6:
            of_ipv6 = Ipv6Settings()
        return changes if of_ipv6 == before else changes | {"ipv6": of_ipv6}


@profile.command("set")
@click.argument("name")
@profile_options
@limit_options
@click.option("--no-ipv6", is_flag=True, help="Give no IPv6, nor what goes with it.")
@click.option("--no-dns", is_flag=True, help="Give no DNS server.")
@click.option("--no-routes", is_flag=True, help="Give no routes.")
@click.option("--yes", is_flag=True, help="Do not ask, even if users cannot log in then.")
@click.pass_obj
@gathered(_Taken, "taken")
@gathered(GivenLimits, "limits")
@gathered(Given, "given")
def set_(
    context: Context, name: str, given: Given, limits: GivenLimits, taken: _Taken, yes: bool
) -> None:
    """Change the access profile NAME.

    Addresses, IPv6, DNS servers, sign-in, --weak-sign-in, --sessions, --reach and --inbound count from
    the next login of its users, --allow within seconds. Rates, timeouts, hours and volumes count at
    once, for sessions that run as well; "none" takes one away. Routes, DNS suffix, tunnel, sign-in, whether there is IPv6, and the
    options below are in their bundles, which have to be made and installed again; with
    --routes-at-login, Windows has IPv4 routes without that. Options that can be repeated replace what
    was there. An empty value takes away (--dns-suffix ""), but for --ipv6, --dns and --route there are
    --no-ipv6, --no-dns and --no-routes.

    \b
        sstpca profile set default --dns 10.1.0.53
        sstpca profile set default --split-tunnel --route 10.1.0.0/16
        sstpca profile set default --routes-at-login
        sstpca profile set default --name-rule corp.example.com=10.1.0.53
        sstpca profile set default --sign-in eap-tls
        sstpca profile set default --ipv6 2001:db8:98::/48
        sstpca profile set old-phones --weak-sign-in pap
        sstpca profile set default --sessions 1
        sstpca profile set default --rate-down 20M --rate-up 5M --idle-timeout 30m
        sstpca profile set guests --volume-per-day 2G --when-used-up 512k
        sstpca profile set admins --reach clients,server
        sstpca profile set default --reach "" --no-inbound
        sstpca profile set staff --allow 10.0.0.0/8 --allow 192.168.7.5:443/tcp
    """
    before = context.vpn.profiles.get(name)
    taken.check(given)
    changes = taken.added_to(given.changes(before.client, before.ipv6), before.ipv6)
    if limits.given:
        changes["limits"] = limits.over(before.limits)
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
    headings = ("NAME", "LOCAL", "POOLS", "IPV6", "DNS", "TUNNEL")
    rows = [
        (
            one.name,
            str(one.local_address),
            _pools(one),
            "no" if one.ipv6.prefix is None else str(one.ipv6.prefix),
            _joined((*one.dns, *one.ipv6.dns)),
            _tunnel(one),
        )
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
                ("IPv6", _ipv6(found)),
                ("DNS servers", _joined((*found.dns, *found.ipv6.dns))),
                ("DNS suffix", found.dns_suffix or "none"),
                ("tunnel", _tunnel(found)),
                *_left_out(found),
                ("routes", _joined((*found.routes, *found.ipv6.routes))),
                *_at_login(found),
                *limit_rows(found.limits),
                *reach_rows(found),
                *_client_rows(found.client),
                *_weak_rows(found),
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
    changed = changes.keys() & told
    if count and changed:
        where = "bundles"
        if changed == {"routes"} and one.client.routes_at_login and not one.full_tunnel:
            where = "bundles for other systems"
            talk(
                "Windows has the routes of the server from its next login on, without a new bundle"
            )
        talk(
            f"next, as this is in the {where}, for {count} to install again:\n  ",
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


def _weak_rows(one: AccessProfile) -> list[tuple[str, str]]:
    weak = sorted(weak.value for weak in one.weak_sign_ins)
    return [("weaker sign-in", ", ".join(weak))] if weak else []


def _range(pool: Pool) -> str:
    first, last = pool
    return str(first) if first == last else f"{first}-{last}"


def _pools(one: AccessProfile) -> str:
    return ", ".join(map(_range, one.pools))


def _joined(values: tuple[Any, ...]) -> str:
    return ", ".join(map(str, values)) or "none"


def _tunnel(one: AccessProfile) -> str:
    return "full" if one.full_tunnel else "split"


def _ipv6(one: AccessProfile) -> str:
    prefix, local = one.ipv6.prefix, one.ipv6.local_address
    return (
        "none" if prefix is None else f"a /64 of {prefix} for each session; the server is {local}"
    )


def _left_out(one: AccessProfile) -> list[tuple[str, str]]:
    """Return what does not go through the tunnel although it is full."""
    if not one.full_tunnel or one.ipv6.prefix is not None:
        return []
    return [("", "IPv6 of the clients goes past it")]


def _at_login(one: AccessProfile) -> list[tuple[str, str]]:
    """Return from where Windows has the routes, if it is not from the bundle."""
    if one.full_tunnel or not one.client.routes_at_login:
        return []
    return [("", "Windows has them of the server, at each login")]


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
        "allow": list(map(str, one.allow)),
        "ipv6": ipv6.to_json(one.ipv6),
        "weak_sign_ins": sorted(weak.value for weak in one.weak_sign_ins),
        "limits": to_json(one.limits),
        **connection_settings.to_json(one.client),
    }
