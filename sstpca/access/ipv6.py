"""IPv6 in the tunnel, as an access profile has it: off unless the profile has a prefix.

Each session gets a /64 of its own, told by router advertisements, and its client makes its addresses
in there itself (SLAAC, RFC 4862 5.5; RFC 8273 has the same for hosts of any link). That is what
clients do over PPP:

- Windows takes its interface identifier from IPV6CP, its prefix from a router advertisement and its
  DNS servers from stateless DHCPv6 (RRAS team, "How PPPv6 support works"). Beside that address it has
  temporary ones (RFC 8981), which change.
- pppd sets the link-local address alone; the rest is the kernel's or NetworkManager's, by router
  advertisements. Neither pppd nor the kernel has a client for DHCPv6.
- RouterOS gives PPP clients a prefix of a pool by router advertisements, and takes one the same way.
- accel-ppp gives each session a /64 of its pool, the same way.

A /128 for each session out of one shared prefix would take stateful DHCPv6, which of these none does
over PPP; and SLAAC takes a prefix of 64 bits, as the interface identifier has the other 64 (RFC 5072
4.1). With a /64 of its own, whatever address a client makes is the session's, and no other's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, IPv6Network
from itertools import combinations
from typing import Any, Final

from ..addresses import Kind, kind_of
from ..errors import InvalidInput, option
from ..names import quoted

#: Bits of the prefix of one session.
SESSION_PREFIX: Final = 64
#: What a registry gives to one organisation, at most (RFC 6177), and what leaves room for a session.
SHORTEST, LONGEST = 32, 63
# as many as PPP carries of IPv4
DNS_MAX: Final = 2
#: What fits into a router advertisement beside the rest: RFC 4861 has them in one packet of 1280 bytes.
ROUTES_MAX: Final = 32

_EVERYTHING: Final = IPv6Network("::/0")


@dataclass(frozen=True, slots=True)
class Ipv6Settings:
    """What users are given of IPv6.

    :param prefix: out of which each session gets a /64; None: no IPv6.
    :param dns: the DNS servers that are reached by IPv6.
    :param routes: what goes through the tunnel by IPv6 when it is not full.
    """

    prefix: IPv6Network | None = None
    dns: tuple[IPv6Address, ...] = ()
    routes: tuple[IPv6Network, ...] = ()

    @property
    def local_address(self) -> IPv6Address | None:
        """The server's own address in the tunnel: the first of the first /64, which no session gets."""
        return None if self.prefix is None else self.prefix.network_address + 1

    def through(self, *, full_tunnel: bool) -> tuple[IPv6Network, ...]:
        """Return where clients send packets through the tunnel: everywhere if it is full.

        Otherwise that is the routes, and the DNS servers that none of them leads to.
        """
        if full_tunnel:
            return (_EVERYTHING,)
        stray = (one for one in self.dns if not any(one in route for route in self.routes))
        return (*self.routes, *map(IPv6Network, stray))


def parse_prefix(text: str) -> IPv6Network:
    """Return the prefix ``2001:db8:98::/48``.

    :raises InvalidInput: if it is no IPv6 prefix, or has bits beyond its length.
    """
    try:
        return IPv6Network(text)
    except ValueError:
        pass
    try:
        meant = IPv6Network(text, strict=False)
    except ValueError:
        raise InvalidInput(
            f"{quoted(text)} is not an IPv6 prefix", "for example: 2001:db8:98::/48"
        ) from None
    raise InvalidInput(f"{quoted(text)} has bits set beyond its length", f"for example: {meant}")


def parse_static_prefix(text: str) -> IPv6Network:
    """Return the prefix that a user always gets: a /64.

    :raises InvalidInput: if it is none that a client can have.
    """
    return check_static_prefix(parse_prefix(text))


def check_static_prefix(prefix: IPv6Network) -> IPv6Network:
    """Return ``prefix`` if a session can have it.

    :raises InvalidInput: if it is no /64 of addresses that can be routed.
    """
    if prefix.prefixlen != SESSION_PREFIX:
        meant = IPv6Network((prefix.network_address, SESSION_PREFIX), strict=False)
        raise InvalidInput(
            f"the prefix of a user has {SESSION_PREFIX} bits, not {prefix.prefixlen}",
            f"for example: {meant}",
        )
    _check_unicast(prefix)
    return prefix


def checked(settings: Ipv6Settings) -> Ipv6Settings:
    """Return ``settings`` in order, if they make sense for themselves.

    :raises InvalidInput: saying what does not.
    """
    if settings.prefix is None:
        for what, values in (("DNS server", settings.dns), ("route", settings.routes)):
            if values:
                raise InvalidInput(
                    f"the {what} {values[0]} is of IPv6, and the access profile has no prefix for it",
                    "give one, such as ",
                    option("--ipv6"),
                    " 2001:db8:98::/48",
                )
        return settings
    _check_prefix(settings.prefix)
    _check_dns(settings.dns)
    if _EVERYTHING in settings.routes:
        raise InvalidInput(
            "a route to everything is a full tunnel", "use ", option("--full-tunnel"), " instead"
        )
    if len(settings.routes) > ROUTES_MAX:
        raise InvalidInput(
            f"{len(settings.routes)} routes of IPv6 are more than the {ROUTES_MAX} that a router "
            "advertisement carries"
        )
    return replace(
        settings,
        dns=tuple(dict.fromkeys(settings.dns)),
        routes=tuple(sorted(set(settings.routes))),
    )


def check_disjoint(prefixes: Iterable[tuple[str, IPv6Network]]) -> None:
    """Check that no two sessions could get the same prefix.

    :param prefixes: of access profiles, each with its name.
    :raises InvalidInput: if two of them overlap.
    """
    for (name, one), (other, second) in combinations(prefixes, 2):
        if one.overlaps(second):
            raise InvalidInput(
                f"the prefixes {one} and {second} of the access profiles '{name}' and '{other}' "
                "overlap",
                "each prefix belongs to one access profile",
            )


def _check_prefix(prefix: IPv6Network) -> None:
    if not SHORTEST <= prefix.prefixlen <= LONGEST:
        raise InvalidInput(
            f"the prefix of an access profile has {SHORTEST} to {LONGEST} bits, not "
            f"{prefix.prefixlen}: its first /64 is the server's, and each session gets another one",
            "for example: 2001:db8:98::/48, or /56 for 255 sessions",
        )
    _check_unicast(prefix)


def _check_unicast(prefix: IPv6Network) -> None:
    if {kind_of(prefix[0]), kind_of(prefix[-1])} != {Kind.UNICAST}:
        raise InvalidInput(
            f"the prefix {prefix} is not of unicast addresses that can be routed",
            "take one of your own, or make a private one (RFC 4193), such as fd12:3456:789a::/48",
        )


def _check_dns(dns: tuple[IPv6Address, ...]) -> None:
    if len(dns) > DNS_MAX:
        raise InvalidInput(f"{len(dns)} DNS servers of IPv6 are more than {DNS_MAX}")
    for server in dns:
        if kind_of(server) is not Kind.UNICAST:
            raise InvalidInput(
                f"the DNS server {server} is not the address of one machine that clients reach"
            )


def first_of(prefix: IPv6Network) -> IPv6Network:
    """Return the first /64 of an access profile's prefix: the server's."""
    return IPv6Network((prefix.network_address, SESSION_PREFIX))


def digits(prefix: IPv6Network) -> str:
    """Return a /64 as the database has it: 16 hexadecimal digits, which sort as the numbers do."""
    return f"{int(prefix.network_address) >> SESSION_PREFIX:016x}"


def from_digits(text: str) -> IPv6Network:
    """Return the /64 that :func:`digits` has written so."""
    return IPv6Network((int(text, 16) << SESSION_PREFIX, SESSION_PREFIX))


def to_json(settings: Ipv6Settings) -> dict[str, Any]:
    """Return ``settings`` as JSON has them, for the database and for machines."""
    return {
        "prefix": None if settings.prefix is None else str(settings.prefix),
        "dns": list(map(str, settings.dns)),
        "routes": list(map(str, settings.routes)),
    }


def from_json(value: dict[str, Any]) -> Ipv6Settings:
    """Return what :func:`to_json` has written; what an older release did not write is off."""
    prefix = value.get("prefix")
    return Ipv6Settings(
        prefix=None if prefix is None else IPv6Network(prefix),
        dns=tuple(map(IPv6Address, value.get("dns", ()))),
        routes=tuple(map(IPv6Network, value.get("routes", ()))),
    )
