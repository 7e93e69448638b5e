"""Access profiles: the addresses, DNS servers and routes that users are given."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_network
from typing import Final

from ..addresses import Kind, kind_of
from ..errors import InvalidInput, option
from ..names import check_host_name, check_ipv4, check_profile_name, quoted
from . import connection_settings, destinations, ipv6, limits
from .connection_settings import ConnectionSettings, SignIn
from .destinations import Destination
from .ipv6 import Ipv6Settings
from .limits import NO_LIMITS, SESSIONS_MAX, Limits
from .reach import Reach
from .weak_sign_ins import WeakSignIn

Pool = tuple[IPv4Address, IPv4Address]

DEFAULT: Final = "default"
POOL_MAX: Final = 1 << 20
POOLS_MAX: Final = 64
ROUTES_MAX: Final = 256
# IPCP has options for a primary and a secondary server, RFC 1877
DNS_MAX: Final = 2
# More than a person has devices, and little of a pool. RouterOS (only-one), accel-ppp
# (single-session) and RRAS set no limit unless told; Cisco's ASA allows three.
SESSIONS: Final = 10

_EVERYTHING: Final = IPv4Network("0.0.0.0/0")
_NOBODY: Final = IPv4Network("0.0.0.0/32")


@dataclass(frozen=True, slots=True)
class AccessProfile:
    """What users are given.

    :param local_address: the server's own address in the tunnel.
    :param pools: ranges of addresses to lease, first and last included.
    :param routes: what goes through the tunnel when it is not full.
    :param full_tunnel: whether all traffic of the client goes through the tunnel.
    :param client: what else the client is told, in the bundles.
    :param sessions: how many sessions one user may have at a time. One more ends the one that has
        been silent for the longest time, unless ``limits`` say that it is refused.
    :param reach: what clients reach beside the networks behind the server.
    :param inbound: whether other hosts may open connections to the clients.
    :param allow: where clients may go of the networks behind the server; empty: everywhere.
    :param ipv6: what they are given of IPv6; ``dns`` and ``routes`` are of IPv4.
    :param weak_sign_ins: how clients may log in beside the sign-in of ``client``.
    :param limits: what their sessions are held to.
    """

    name: str
    local_address: IPv4Address
    pools: tuple[Pool, ...]
    dns: tuple[IPv4Address, ...] = ()
    routes: tuple[IPv4Network, ...] = ()
    dns_suffix: str = ""
    full_tunnel: bool = True
    client: ConnectionSettings = field(default_factory=ConnectionSettings)
    sessions: int = SESSIONS
    reach: frozenset[Reach] = frozenset()
    inbound: bool = False
    allow: tuple[Destination, ...] = ()
    ipv6: Ipv6Settings = field(default_factory=Ipv6Settings)
    weak_sign_ins: frozenset[WeakSignIn] = frozenset()
    limits: Limits = NO_LIMITS

    @property
    def by_certificate(self) -> bool:
        """Whether its users sign in with a certificate in place of a password."""
        return self.client.sign_in is SignIn.EAP_TLS

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """Where its users may go, if that is not everywhere: its DNS servers are among it."""
        if not self.allow:
            return ()
        ruled = (server for rule in self.client.name_rules for server in rule.servers)
        servers: tuple[IPv4Address | IPv6Address, ...] = (*self.dns, *ruled, *self.ipv6.dns)
        names = (Destination(ip_network(one), ports=(53, 53)) for one in dict.fromkeys(servers))
        return *self.allow, *names

    @property
    def dns_routes(self) -> tuple[str, ...]:
        """Routes to the DNS servers that no other route through the VPN leads to.

        Without, the names of a split tunnel are asked for on the wrong side, if at all.
        """
        if self.full_tunnel:
            return ()
        ruled = (server for rule in self.client.name_rules for server in rule.servers)
        return tuple(map(str, beside((*self.dns, *ruled), self.routes)))

    @property
    def routes_ipv6(self) -> tuple[str, ...]:
        """What goes through a split tunnel by IPv6: the routes, and a route to each DNS server."""
        if self.full_tunnel or self.ipv6.prefix is None:
            return ()
        return tuple(map(str, self.ipv6.through(full_tunnel=False)))


def beside(
    servers: Iterable[IPv4Address], routes: tuple[IPv4Network, ...]
) -> tuple[IPv4Network, ...]:
    """Return a route to each of ``servers`` that none of ``routes`` leads to."""
    return tuple(
        IPv4Network(server)
        for server in dict.fromkeys(servers)
        if not any(server in route for route in routes)
    )


def parse_pool(text: str) -> Pool:
    """Return the range ``A-B``; ``A`` alone is a range of one.

    :raises InvalidInput: if it is no range of IPv4 addresses.
    """
    first, dash, last = text.partition("-")
    try:
        start = check_ipv4(first.strip())
        return start, check_ipv4(last.strip()) if dash else start
    except InvalidInput:
        raise InvalidInput(
            f"{quoted(text)} is not a range of IPv4 addresses", "for example: 10.98.0.10-10.98.0.99"
        ) from None


def parse_route(text: str) -> IPv4Network:
    """Return the prefix ``10.1.0.0/16``.

    :raises InvalidInput: if it is no IPv4 prefix, or has bits beyond its length.
    """
    try:
        return IPv4Network(text)
    except ValueError:
        pass
    try:
        meant = IPv4Network(text, strict=False)
    except ValueError:
        raise InvalidInput(
            f"{quoted(text)} is not an IPv4 prefix", "for example: 10.1.0.0/16"
        ) from None
    raise InvalidInput(f"{quoted(text)} has bits set beyond its length", f"for example: {meant}")


def check_client_address(address: IPv4Address, what: str) -> IPv4Address:
    """Return ``address`` if an end of a tunnel can have it.

    Windows gets no netmask over PPP and reads one from the address' class, so the first and the
    last address of that network are not usable.

    :param what: names it in the error.
    :raises InvalidInput: if it is not a unicast address of one machine.
    """
    if kind_of(address) is not Kind.UNICAST:
        raise InvalidInput(f"{what} {address} is not a unicast address that can be routed")
    network = _classful(address)
    if address in (network.network_address, network.broadcast_address):
        raise InvalidInput(
            f"{what} {address} is the network or broadcast address of {network}",
            "Windows reads the netmask from the address' class; take another address",
        )
    return address


def _classful(address: IPv4Address) -> IPv4Network:
    """Return the network of ``address`` by its class, RFC 791 3.2."""
    first = int(address) >> 24
    length = 8 if first < 128 else 16 if first < 192 else 24
    return IPv4Network((int(address), length), strict=False)


def _check_pool(pool: Pool) -> None:
    first, last = pool
    if last < first:
        raise InvalidInput(
            f"the pool {first}-{last} ends before it begins", f"for example: {last}-{first}"
        )
    size = int(last) - int(first) + 1
    if size > POOL_MAX:
        raise InvalidInput(f"the pool {first}-{last} has {size} addresses, more than {POOL_MAX}")
    check_client_address(first, "the pool's first address")
    check_client_address(last, "the pool's last address")
    network = _classful(first)
    if last not in network:
        raise InvalidInput(
            f"the pool {first}-{last} crosses the border of {network}",
            "Windows reads the netmask from the address' class; give one ",
            option("--pool"),
            " for each network",
        )


def _check_dns(dns: tuple[IPv4Address, ...]) -> None:
    if len(dns) > DNS_MAX:
        raise InvalidInput(f"{len(dns)} DNS servers are more than the {DNS_MAX} that PPP carries")
    for server in dns:
        kind = kind_of(server)
        if kind is Kind.LOOPBACK:
            raise InvalidInput(
                f"the DNS server {server} is the client itself",
                "give the address of the resolver as clients reach it",
            )
        if kind in (Kind.MULTICAST, Kind.RESERVED, Kind.UNSPECIFIED):
            raise InvalidInput(f"the DNS server {server} is not the address of one machine")


def checked(profile: AccessProfile) -> AccessProfile:
    """Return ``profile`` with its texts normalised, if it makes sense for itself.

    :raises InvalidInput: saying what does not.
    """
    check_profile_name(profile.name)
    check_client_address(profile.local_address, "the local address")
    if not 1 <= len(profile.pools) <= POOLS_MAX:
        raise InvalidInput(
            f"an access profile has 1 to {POOLS_MAX} pools, not {len(profile.pools)}",
            "for example: ",
            option("--pool"),
            " 10.99.0.10-10.99.0.250",
        )
    for pool in profile.pools:
        _check_pool(pool)
    _check_dns(profile.dns)
    if len(profile.routes) > ROUTES_MAX:
        raise InvalidInput(f"{len(profile.routes)} routes are more than {ROUTES_MAX}")
    # without a length, 0.0.0.0 means the same to people, and no machine has it
    if any(route in (_EVERYTHING, _NOBODY) for route in profile.routes):
        raise InvalidInput(
            "a route to everything is a full tunnel", "use ", option("--full-tunnel"), " instead"
        )
    if not 1 <= profile.sessions <= SESSIONS_MAX:
        raise InvalidInput(
            f"a user has 1 to {SESSIONS_MAX} sessions, not {profile.sessions}",
            "for example: ",
            option("--sessions"),
            f" {SESSIONS}",
        )
    if profile.weak_sign_ins and profile.by_certificate:
        raise InvalidInput(
            "users who sign in with a certificate have no weaker way to log in",
            "say ",
            option("--weak-sign-in"),
            ' "", or another ',
            option("--sign-in"),
        )
    suffix = check_host_name(profile.dns_suffix) if profile.dns_suffix else ""
    return replace(
        profile,
        pools=tuple(sorted(profile.pools)),
        dns=tuple(dict.fromkeys(profile.dns)),
        routes=tuple(sorted(set(profile.routes))),
        dns_suffix=suffix,
        client=connection_settings.checked(profile.client, full_tunnel=profile.full_tunnel),
        ipv6=ipv6.checked(profile.ipv6),
        allow=destinations.check_destinations(profile.allow),
        limits=limits.checked(profile.limits),
    )


def check_disjoint(profiles: list[AccessProfile]) -> None:
    """Check that no address could be given twice: to two clients, or to a client and the server.

    :raises InvalidInput: if pools or prefixes overlap, or a pool contains a local address.
    """
    ipv6.check_disjoint(
        (profile.name, profile.ipv6.prefix) for profile in profiles if profile.ipv6.prefix
    )
    ranges = sorted(_named_pools(profiles))
    for (first, last, name), (second, end, other) in itertools.pairwise(ranges):
        if second <= last:
            whose = "" if name == other else f" of the access profiles '{name}' and '{other}'"
            raise InvalidInput(
                f"the pools {first}-{last} and {second}-{end}{whose} overlap",
                "each address belongs to one pool",
            )
    for holder, (first, last, _) in itertools.product(profiles, ranges):
        if first <= holder.local_address <= last:
            raise InvalidInput(
                f"the pool {first}-{last} contains {holder.local_address}, the local address of "
                f"the access profile '{holder.name}'"
            )


def _named_pools(
    profiles: Iterable[AccessProfile],
) -> Iterator[tuple[IPv4Address, IPv4Address, str]]:
    for profile in profiles:
        for first, last in profile.pools:
            yield first, last, profile.name
