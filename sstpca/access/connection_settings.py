"""What an access profile tells a Windows client beside addresses: sign-in, names, proxy, triggers."""

import enum
import ipaddress
import re
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Any, Final
from urllib.parse import urlsplit

from ..errors import InvalidInput, option
from ..names import check_host_name, check_ipv4, quoted

RULES_MAX: Final = 64
TRIGGERS_MAX: Final = 64
TEXT_MAX: Final = 512

# PowerShell's module for VPN connections (Add-VpnConnectionTriggerApplication) takes both
_PROGRAM: Final = re.compile(r'[A-Za-z]:\\[^\x00-\x1f<>:"|?*/]+\.[A-Za-z]{3}')
_PACKAGE: Final = re.compile(r"[A-Za-z0-9.-]{3,50}_[a-z0-9]{13}")


@enum.unique
class SignIn(enum.Enum):
    """How a user proves who they are."""

    MSCHAPV2 = "mschapv2"
    EAP_MSCHAPV2 = "eap-mschapv2"
    EAP_TLS = "eap-tls"

    @property
    def with_password(self) -> bool:
        """Whether it is by password; else by certificate."""
        return self is not SignIn.EAP_TLS


@dataclass(frozen=True, slots=True)
class NameRule:
    """Who is asked for names below a suffix, while the VPN is up.

    :param suffix: a domain, without a dot before it.
    :param servers: the DNS servers; without any, the suffix is asked of those outside the tunnel.
    """

    suffix: str
    servers: tuple[IPv4Address, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """What the installer sets up beside the connection itself.

    :param proxy: "host:port", or the URL of a proxy script; empty: none.
    :param proxy_bypass: what does not go through the proxy: names, ``*.suffix``, addresses.
    :param trigger_apps: what starts the VPN: paths of programs, or package family names.
    :param trusted_networks: the DNS suffixes of networks where nothing starts it.
    :param routes_at_login: whether Windows has the routes of a split tunnel of the server, which it
        asks at each login (DHCPINFORM), and not of its bundle.
    """

    sign_in: SignIn = SignIn.MSCHAPV2
    name_rules: tuple[NameRule, ...] = ()
    proxy: str = ""
    proxy_bypass: tuple[str, ...] = ()
    trigger_apps: tuple[str, ...] = ()
    trusted_networks: tuple[str, ...] = ()
    routes_at_login: bool = False

    @property
    def triggered(self) -> bool:
        """Whether something starts the VPN by itself."""
        return bool(self.trigger_apps or any(rule.servers for rule in self.name_rules))


def parse_name_rule(text: str) -> NameRule:
    """Return the rule ``corp.example.com=10.0.0.53,10.0.0.54``; without servers, an exception.

    :raises InvalidInput: if it is none.
    """
    suffix, equals, servers = text.partition("=")
    try:
        name = check_host_name(suffix.strip().removeprefix("."))
        addresses = tuple(check_ipv4(one.strip()) for one in servers.split(",")) if equals else ()
    except InvalidInput as error:
        raise InvalidInput(
            f"{quoted(text)} is not a rule for names: {error}",
            "for example: corp.example.com=10.0.0.53,10.0.0.54",
        ) from None
    return NameRule(name, tuple(dict.fromkeys(addresses)))


def checked(client: ConnectionSettings, *, full_tunnel: bool) -> ConnectionSettings:
    """Return ``client`` with its texts normalised, if Windows takes it.

    :raises InvalidInput: saying what it would refuse.
    """
    _check_counts(client)
    if client.proxy and not full_tunnel:
        raise InvalidInput(
            "Windows uses the proxy of a VPN connection only in a full tunnel",
            "say ",
            option("--full-tunnel"),
            ", or take the proxy away",
        )
    if client.proxy_bypass and not client.proxy:
        raise InvalidInput("--proxy-bypass without --proxy means nothing")
    if client.triggered and full_tunnel:
        raise InvalidInput(
            "Windows starts a VPN connection by itself only with a split tunnel",
            "say ",
            option("--split-tunnel"),
            ", or take ",
            option("--trigger-app"),
            " and ",
            option("--name-rule"),
            " away",
        )
    suffixes = [rule.suffix for rule in client.name_rules]
    if len(set(suffixes)) < len(suffixes):
        raise InvalidInput("one suffix has two rules for names", "give each suffix once")
    return replace(
        client,
        proxy=_proxy(client.proxy) if client.proxy else "",
        proxy_bypass=tuple(dict.fromkeys(map(_bypass, client.proxy_bypass))),
        trigger_apps=tuple(dict.fromkeys(map(_app, client.trigger_apps))),
        trusted_networks=tuple(dict.fromkeys(map(check_host_name, client.trusted_networks))),
    )


def _check_counts(client: ConnectionSettings) -> None:
    for what, values, most in (
        ("rules for names", client.name_rules, RULES_MAX),
        ("exceptions from the proxy", client.proxy_bypass, RULES_MAX),
        ("programs", client.trigger_apps, TRIGGERS_MAX),
        ("trusted networks", client.trusted_networks, TRIGGERS_MAX),
    ):
        if len(values) > most:
            raise InvalidInput(f"{len(values)} {what} are more than {most}")


def _proxy(text: str) -> str:
    """Return a proxy as Set-VpnConnectionProxy takes it."""
    problem = InvalidInput(
        f"{quoted(text)} is not a proxy",
        "for example: proxy.example.com:3128, or http://proxy.example.com/proxy.pac",
    )
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > TEXT_MAX:
        raise problem
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise problem from None
    script = parts.scheme in ("http", "https")
    if not host or parts.username is not None or not (script or (not parts.scheme and port)):
        raise problem
    if not script and (parts.path or parts.query or parts.fragment):
        raise problem
    if not _is_address(host):
        check_host_name(host)
    return text


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _bypass(text: str) -> str:
    """Return an exception from the proxy."""
    if _is_address(text):
        return text
    star = "*." if text.startswith("*.") else ""
    return star + check_host_name(text.removeprefix("*."))


def _app(text: str) -> str:
    """Return what Add-VpnConnectionTriggerApplication takes as an ApplicationID."""
    if len(text) <= TEXT_MAX and (_PROGRAM.fullmatch(text) or _PACKAGE.fullmatch(text)):
        return text
    raise InvalidInput(
        f"{quoted(text)} is neither the path of a program nor a package family name",
        r"for example: C:\Program Files\Office\mail.exe, or Contoso.Mail_8wekyb3d8bbwe",
    )


def to_json(client: ConnectionSettings) -> dict[str, Any]:
    """Return ``client`` as JSON has it, for the database and for machines."""
    return {
        "sign_in": client.sign_in.value,
        "name_rules": [
            {"suffix": rule.suffix, "servers": [str(server) for server in rule.servers]}
            for rule in client.name_rules
        ],
        "proxy": client.proxy,
        "proxy_bypass": list(client.proxy_bypass),
        "trigger_apps": list(client.trigger_apps),
        "trusted_networks": list(client.trusted_networks),
        "routes_at_login": client.routes_at_login,
    }


def from_json(value: dict[str, Any]) -> ConnectionSettings:
    """Return what :func:`to_json` has written; what an older release did not write is the default."""
    return ConnectionSettings(
        sign_in=SignIn(value.get("sign_in", SignIn.MSCHAPV2.value)),
        name_rules=tuple(
            NameRule(rule["suffix"], tuple(map(IPv4Address, rule["servers"])))
            for rule in value.get("name_rules", ())
        ),
        proxy=value.get("proxy", ""),
        proxy_bypass=tuple(value.get("proxy_bypass", ())),
        trigger_apps=tuple(value.get("trigger_apps", ())),
        trusted_networks=tuple(value.get("trusted_networks", ())),
        routes_at_login=value.get("routes_at_login", False),
    )
