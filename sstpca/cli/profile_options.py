"""The options of ``sstpca profile add`` and ``set``, and the changes that they ask for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import click

from ..access import ipv6
from ..access.connection_settings import ConnectionSettings, SignIn, parse_name_rule
from ..access.destinations import parse_destination
from ..access.ipv6 import Ipv6Settings
from ..access.profiles import SESSIONS, parse_pool, parse_route
from ..access.reach import Reach, parse_reach
from ..access.weak_sign_ins import WeakSignIn, parse_weak_sign_ins
from ..errors import InvalidInput, command
from ..names import check_ipv4, check_ipv6

Option = Callable[[Callable[..., Any]], Callable[..., Any]]

_SET: Final = command("profile set")


def profile_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the fields of :class:`Given`, for options.gathered."""
    options: tuple[Option, ...] = (
        click.option("--local", metavar="ADDR", help="The server's own address in the tunnel."),
        click.option("--pool", "pools", multiple=True, metavar="A-B", help="Addresses to give."),
        click.option(
            "--ipv6",
            metavar="PREFIX",
            help="IPv6 as well: each session gets a /64 of this prefix, the server the first.",
        ),
        click.option(
            "--dns",
            multiple=True,
            metavar="ADDR",
            help="A DNS server; two at most, and two of IPv6.",
        ),
        click.option(
            "--route", "routes", multiple=True, metavar="PREFIX", help="Goes through the tunnel."
        ),
        click.option("--dns-suffix", metavar="SUFFIX", help="Appended to short names."),
        click.option(
            "--full-tunnel/--split-tunnel",
            default=None,
            help="All traffic through the tunnel (default), or only that of the routes.",
        ),
        click.option(
            "--sessions",
            type=int,
            metavar="N",
            help=f"How many each user may have at a time ({SESSIONS}); one more ends the "
            "one that has been silent for the longest time.",
        ),
        click.option(
            "--reach",
            multiple=True,
            metavar="WHAT,...",
            help="What its users reach beside the networks behind the server: clients (other "
            "clients), server (the services of its own machine), link-local (with cloud metadata), "
            "multicast (with broadcast).",
        ),
        click.option(
            "--inbound/--no-inbound",
            default=None,
            help="Other hosts may open connections to the clients, or may not (default).",
        ),
        click.option(
            "--allow",
            multiple=True,
            metavar="DEST[:PORT][/tcp|/udp]",
            help="Where its users may go of the networks behind the server: 10.0.0.0/8, "
            "192.168.7.5:443/tcp, 10.1.0.5:8000-8099, [2001:db8::5]:53; everywhere without it. DNS "
            "servers and answers are open in any case.",
        ),
        *_client_options(),
    )
    for option in reversed(options):
        function = option(function)
    return function


def _client_options() -> tuple[Option, ...]:
    return (
        click.option(
            "--sign-in",
            type=click.Choice([one.value for one in SignIn]),
            help="How its users prove who they are; mschapv2 and eap-mschapv2 are by password, "
            "eap-tls is by certificate.",
        ),
        click.option(
            "--weak-sign-in",
            "weak_sign_ins",
            multiple=True,
            metavar="WHAT,...",
            help="How else clients may log in: pap, chap-md5. Both are weaker: the crypto binding "
            "proves the certificate alone, and chap-md5 needs the passwords kept.",
        ),
        click.option(
            "--name-rule",
            "name_rules",
            multiple=True,
            metavar="SUFFIX[=DNS,...]",
            help="Who is asked for names below SUFFIX; their use starts the VPN.",
        ),
        click.option(
            "--trigger-app",
            "trigger_apps",
            multiple=True,
            metavar="APP",
            help="A program (its path, or a package family name) that starts the VPN.",
        ),
        click.option(
            "--trusted-network",
            "trusted_networks",
            multiple=True,
            metavar="SUFFIX",
            help="A network, by its DNS suffix, in which nothing starts the VPN.",
        ),
        click.option(
            "--routes-at-login/--routes-in-bundle",
            "routes_at_login",
            default=None,
            help="Windows has the routes of a split tunnel of the server, by DHCP at each login, or of "
            "its bundle (default); the server is 'sstpca serve' then. The bundles for other systems "
            "have them either way.",
        ),
        click.option(
            "--proxy", metavar="PROXY", help="HOST:PORT, or the URL of a script; full tunnel only."
        ),
        click.option(
            "--proxy-bypass", multiple=True, metavar="NAME", help="What does not use the proxy."
        ),
    )


@dataclass(frozen=True, slots=True)
class Given:
    """What was said of an access profile; None and empty where nothing was."""

    local: str | None
    pools: tuple[str, ...]
    ipv6: str | None
    dns: tuple[str, ...]
    routes: tuple[str, ...]
    dns_suffix: str | None
    full_tunnel: bool | None
    sessions: int | None
    reach: tuple[str, ...]
    inbound: bool | None
    allow: tuple[str, ...]
    sign_in: str | None
    weak_sign_ins: tuple[str, ...]
    name_rules: tuple[str, ...]
    trigger_apps: tuple[str, ...]
    trusted_networks: tuple[str, ...]
    routes_at_login: bool | None
    proxy: str | None
    proxy_bypass: tuple[str, ...]

    def changes(self, client: ConnectionSettings, of_ipv6: Ipv6Settings) -> dict[str, Any]:
        """Return the fields of an access profile that were given.

        :param client: as it is until now; so is ``of_ipv6``.
        :raises InvalidInput: if one cannot be used.
        """
        for name, values, hint in (
            (
                "--local",
                [] if self.local is None else [self.local],
                ("for example: --local 10.98.0.1",),
            ),
            ("--pool", self.pools, ("for example: --pool 10.98.0.10-10.98.0.250",)),
            (
                "--ipv6",
                [] if self.ipv6 is None else [self.ipv6],
                ("leave it out, or say --no-ipv6 with '", _SET, "' to give none"),
            ),
            ("--dns", self.dns, ("leave it out, or say --no-dns with '", _SET, "' to give none")),
            ("--route", self.routes, ("leave it out, or say --no-routes with '", _SET, "'")),
        ):
            if any(not value.strip() for value in values):
                raise InvalidInput(f"{name} is empty", *hint)
        changes: dict[str, Any] = {}
        client_changes = self._of_client()
        if client_changes:
            changes["client"] = replace(client, **client_changes)
        if self.local is not None:
            changes["local_address"] = check_ipv4(self.local)
        if self.pools:
            changes["pools"] = tuple(map(parse_pool, self.pools))
        if self.dns:
            changes["dns"] = tuple(check_ipv4(one) for one in self.dns if not _is_ipv6(one))
        if self.routes:
            changes["routes"] = tuple(parse_route(one) for one in self.routes if not _is_ipv6(one))
        of_ipv6_changes = self._of_ipv6(of_ipv6)
        if of_ipv6_changes:
            changes["ipv6"] = replace(of_ipv6, **of_ipv6_changes)
        if self.dns_suffix is not None:
            changes["dns_suffix"] = self.dns_suffix
        if self.full_tunnel is not None:
            changes["full_tunnel"] = self.full_tunnel
        if self.sessions is not None:
            changes["sessions"] = self.sessions
        if self.reach:
            changes["reach"] = frozenset[Reach]().union(*map(parse_reach, self.reach))
        if self.weak_sign_ins:
            weak = map(parse_weak_sign_ins, self.weak_sign_ins)
            changes["weak_sign_ins"] = frozenset[WeakSignIn]().union(*weak)
        if self.inbound is not None:
            changes["inbound"] = self.inbound
        if self.allow:
            changes["allow"] = tuple(parse_destination(one) for one in self.allow if one)
        return changes

    def _of_ipv6(self, before: Ipv6Settings) -> dict[str, Any]:
        """Return what was given of IPv6; what was given of the other family alone takes it away."""
        changes: dict[str, Any] = {}
        if self.ipv6 is not None:
            changes["prefix"] = ipv6.parse_prefix(self.ipv6)
        dns = tuple(check_ipv6(one) for one in self.dns if _is_ipv6(one))
        if self.dns and dns != before.dns:
            changes["dns"] = dns
        routes = tuple(ipv6.parse_prefix(one) for one in self.routes if _is_ipv6(one))
        if self.routes and routes != before.routes:
            changes["routes"] = routes
        return changes

    def _of_client(self) -> dict[str, Any]:
        """Return the fields of its client that were given; one that is given empty takes it away."""
        changes: dict[str, Any] = {}
        if self.sign_in is not None:
            changes["sign_in"] = SignIn(self.sign_in)
        if self.routes_at_login is not None:
            changes["routes_at_login"] = self.routes_at_login
        if self.proxy is not None:
            changes["proxy"] = self.proxy
        if self.name_rules:
            changes["name_rules"] = tuple(parse_name_rule(rule) for rule in self.name_rules if rule)
        for field, values in (
            ("trigger_apps", self.trigger_apps),
            ("trusted_networks", self.trusted_networks),
            ("proxy_bypass", self.proxy_bypass),
        ):
            if values:
                changes[field] = tuple(value for value in values if value)
        return changes


def _is_ipv6(text: str) -> bool:
    """Return whether an address or a prefix is meant to be of IPv6."""
    return ":" in text
