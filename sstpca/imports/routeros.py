"""What RouterOS exports: ``/ppp secret``, ``/ppp profile``, ``/ip pool`` and ``/ipv6 pool``, with their
secrets (``/export show-sensitive``; before RouterOS 7 plain ``/export``).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network
from typing import Any, Final

from ..access.ipv6 import Ipv6Settings, checked, parse_prefix, parse_static_prefix
from ..access.limits import Limits
from ..access.networks import Network, parse_network
from ..access.profiles import SESSIONS, AccessProfile, parse_pool
from ..access.quantities import parse_duration, parse_rate
from ..errors import InvalidInput
from .accounts import Account, Found, Profile, address

_MENU: Final = re.compile(r"/[a-z]")
# RouterOS 7 takes a menu either way: /ppp secret, /ppp/secret
_SLASH: Final = re.compile(r"(?<=.)/")
# one that users of the router cannot take away, and what it is called here
_BUILT_IN: Final = {"default-encryption": "default"}
_LETTERS: Final = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "_": " ",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
}
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_HEX: Final = re.compile(r"[0-9A-F]{2}")
_SERVICES: Final = frozenset({"", "any", "sstp"})
# fields whose loss users would notice
_LOST: Final = {
    "caller-id": "from where the user may come",
    "limit-bytes-in": "the limits of bytes",
    "limit-bytes-out": "the limits of bytes",
    "local-address": "the server's address for this user alone",
    "comment": "the comment",
}
_LOST_OF_PROFILES: Final = {
    "address-list": "the address list",
    "incoming-filter": "the filter",
    "outgoing-filter": "the filter",
    "bridge": "the bridge",
    "on-up": "the scripts",
    "on-down": "the scripts",
    "wins-server": "the WINS server",
}
_POOLS: Final = {"/ip pool": "ranges", "/ipv6 pool": "prefix"}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One ``add`` in a menu."""

    line: int
    menu: str
    fields: Mapping[str, str]


def is_export(text: str) -> bool:
    """Whether it says what it adds to /ppp."""
    return any(entry.menu.startswith("/ppp") for entry in _entries(text))


def read(text: str) -> Found:
    """Return the accounts and access profiles of an export."""
    entries = list(_entries(text))
    pools = {
        (entry.menu, entry.fields.get("name", "")): entry.fields.get(_POOLS[entry.menu], "")
        for entry in entries
        if entry.menu in _POOLS
    }
    return Found(
        "an export of RouterOS",
        tuple(_account(entry) for entry in entries if entry.menu == "/ppp secret"),
        tuple(_profile(entry, pools) for entry in entries if entry.menu == "/ppp profile"),
    )


def _account(entry: _Entry) -> Account:
    fields = entry.fields
    name, password = fields.get("name", ""), fields.get("password")
    service = fields.get("service", "")
    other, problem = service not in _SERVICES, ""
    if other:
        problem = f"it is for {service} alone"
    elif not password:
        problem = "it has no password: export with show-sensitive"
    remote = fields.get("remote-address", "")
    fixed = address(remote)
    lost = list(dict.fromkeys(_LOST[field] for field in fields if field in _LOST))
    if remote and fixed is None:
        lost.append(f"the pool {remote} for this user alone")
    prefix = _prefix(fields.get("remote-ipv6-prefix", ""))
    if prefix is None and "remote-ipv6-prefix" in fields:
        lost.append("the IPv6 prefix, which is no /64,")
    behind, strange = _networks(fields)
    lost += [f"the route {one}" for one in strange]
    profile = fields.get("profile", "default")
    return Account(
        entry.line,
        name,
        password or None,
        enabled=fields.get("disabled", "no") != "yes",
        profile=_name(_BUILT_IN.get(profile, profile)),
        static_address=fixed,
        static_prefix=prefix,
        networks=behind,
        problem=problem,
        other=other,
        lost=tuple(lost),
    )


def _profile(entry: _Entry, pools: Mapping[tuple[str, str], str]) -> Profile:
    """Return an access profile, as far as the router says enough."""
    fields = entry.fields
    name = _name(fields.get("name", ""))
    local, pool = address(fields.get("local-address", "")), fields.get("remote-address", "")
    ranges = pools.get(("/ip pool", pool), pool if address(pool) else "")
    if local is None or not ranges:
        lacking = "local address" if local is None else "pool of addresses"
        return Profile(entry.line, name, problem=f"the file has no {lacking} for it")
    lost = dict.fromkeys(_LOST_OF_PROFILES[field] for field in fields if field in _LOST_OF_PROFILES)
    ipv6 = _ipv6(fields.get("remote-ipv6-prefix-pool", "none"), pools)
    if ipv6 is None:
        lost["IPv6, as its pool is none that an access profile can have,"] = None
    limits, strange = _limits(fields)
    lost |= dict.fromkeys(strange)
    try:
        made = AccessProfile(
            name,
            local,
            tuple(parse_pool(one) for one in ranges.split(",")),
            dns=_dns(fields.get("dns-server", "")),
            sessions=1 if fields.get("only-one") == "yes" else SESSIONS,
            ipv6=ipv6 or Ipv6Settings(),
            limits=limits,
        )
    except InvalidInput as error:
        return Profile(entry.line, name, problem=str(error))
    return Profile(entry.line, name, made, lost=tuple(lost))


def _limits(fields: Mapping[str, str]) -> tuple[Limits, list[str]]:
    """Return the limits of a profile, and what of them is not taken over.

    A rate is "rx[/tx] ..." as the router sees it: rx comes from the client. What follows is of bursts.
    """
    found: dict[str, Any] = {}
    strange: list[str] = []
    rate, _, burst = fields.get("rate-limit", "").partition(" ")
    up, _, down = rate.partition("/")
    for name, text, parse in (
        ("rate_up", up, parse_rate),
        ("rate_down", down or up, parse_rate),
        ("session_timeout", fields.get("session-timeout", ""), parse_duration),
        ("idle_timeout", fields.get("idle-timeout", ""), parse_duration),
    ):
        if text in ("", "none", "0s"):
            continue
        try:
            found[name] = parse(text)
        except InvalidInput:
            strange.append(f"the limit {text}")
    return Limits(**found), strange + ["what is said of bursts"] * bool(burst)


def _ipv6(pool: str, pools: Mapping[tuple[str, str], str]) -> Ipv6Settings | None:
    """Return what a profile gives of IPv6; None if it cannot be kept."""
    if pool == "none":
        return Ipv6Settings()
    try:
        return checked(Ipv6Settings(parse_prefix(pools.get(("/ipv6 pool", pool), ""))))
    except InvalidInput:
        return None


def _networks(fields: Mapping[str, str]) -> tuple[tuple[Network, ...], list[str]]:
    """Return the networks behind a client, and what is none of them.

    A route is "dst-address gateway metric", of which the first is enough; a comma is between two.
    """
    found: list[Network] = []
    strange: list[str] = []
    for name in ("routes", "ipv6-routes"):
        for route in filter(None, map(str.strip, fields.get(name, "").split(","))):
            try:
                found.append(parse_network(route.split()[0]))
            except InvalidInput:
                strange.append(route)
    return tuple(found), strange


def _prefix(text: str) -> IPv6Network | None:
    try:
        return parse_static_prefix(text)
    except InvalidInput:
        return None


def _name(called: str) -> str:
    """Return what an access profile is called here: RouterOS takes blanks and more in names."""
    return _NO_NAME.sub("-", called)


def _dns(text: str) -> tuple[IPv4Address, ...]:
    found = (address(one) for one in text.split(","))
    return tuple(one for one in found if one is not None)


def _entries(text: str) -> Iterator[_Entry]:
    menu = ""
    for line, said in _lines(text):
        words = _words(said)
        if _MENU.match(said):
            at = next((n for n, word in enumerate(words) if word in ("add", "set")), len(words))
            menu, words = (
                _SLASH.sub(" ", " ".join(words[:at])),
                words[at:],
            )
        if words[:1] == ["add"]:
            pairs = (word.partition("=") for word in words[1:])
            yield _Entry(line, menu, {key: value for key, equals, value in pairs if equals})


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield commands with the number of their first lines; a backslash at the end joins the next,
    without the blanks that it begins with.
    """
    begun, said = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        begun = begun or number
        said += line.lstrip() if said else line
        if said.endswith("\\") and not said.lstrip().startswith("#"):
            said = said[:-1]
            continue
        if said.strip() and not said.lstrip().startswith("#"):
            yield begun, said.strip()
        begun, said = 0, ""


def _words(said: str) -> list[str]:
    """Return the words of a command: blanks divide, quotes protect, a backslash escapes in them."""
    words, word, quoted, at = [], "", False, 0
    while at < len(said):
        sign = said[at]
        if quoted and sign == "\\":
            value, size = _escape(said[at + 1 : at + 3])
            word, at = word + value, at + size
        elif sign == '"':
            quoted = not quoted
        elif sign.isspace() and not quoted:
            words += [_text(word)] if word else []
            word = ""
        else:
            word += sign
        at += 1
    return [*words, _text(word)] if word else words


def _text(word: str) -> str:
    """Return a word with bytes in it as text: UTF-8 of a newer Winbox, or Latin-1."""
    try:
        return word.encode("latin-1").decode()
    except UnicodeError:
        return word


def _escape(behind: str) -> tuple[str, int]:
    """Return what a backslash and this stand for, and how many signs of it."""
    if _HEX.fullmatch(behind):
        return bytes.fromhex(behind).decode("latin-1"), 2
    return _LETTERS.get(behind[:1], behind[:1]), 1
