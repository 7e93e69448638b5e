"""What a login is promised, as it is read from the access profile of its user."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any

from ..access import connection_settings, ipv6
from ..access.ipv6 import Ipv6Settings
from ..access.networks import Network
from ..access.profiles import beside
from ..access.reach import Reach
from . import leases, prefixes
from .limits import Held, held
from .prepared import Direct


@dataclass(frozen=True, slots=True)
class Promised:
    """What a login is given once its crypto binding holds.

    :param name_servers: whom the client asks for the names of some suffixes.
    :param routes: what goes through a split tunnel.
    :param prefix: of IPv6, a /64; None where the access profile has none, or none is free.
    :param ipv6: what else the access profile has of IPv6.
    :param full_tunnel: whether all of the client's traffic goes through the tunnel.
    :param profile: the number of the access profile.
    :param list: stands for its list of where users may go; 0 where there is none.
    :param networks: what is behind the client; of IPv6 where it has a prefix.
    :param profile_name: the access profile's name.
    :param held: what it is held to.
    """

    session: int
    address: IPv4Address
    local_address: IPv4Address
    dns: tuple[IPv4Address, ...]
    name_servers: tuple[IPv4Address, ...]
    reach: frozenset[Reach]
    inbound: bool
    routes: tuple[IPv4Network, ...]
    dns_suffix: str
    prefix: IPv6Network | None
    ipv6: Ipv6Settings
    full_tunnel: bool
    profile: int
    list: int
    networks: tuple[Network, ...]
    profile_name: str
    held: Held


def choose(transaction: Direct, user: int, row: Any) -> tuple[leases.Promise | None, str | None]:
    """Return address and prefix for a login of ``user``; None for what there is none of."""
    out_of = ipv6.from_json(row.ipv6).prefix
    static_prefix = None if out_of is None else row.static_prefix
    static_address = row.static_address
    if static_prefix is not None:
        if prefixes.held_by_another(transaction, static_prefix, user):
            return None, None
        if static_address is None:
            static_address = prefixes.address_with(transaction, static_prefix, user)
    most = held(row).sessions
    chosen = leases.choose(
        transaction, user, profile=row.id, most=most, static_address=static_address
    )
    if chosen is None or out_of is None:
        return chosen, None
    prefix = prefixes.choose(
        transaction, user, address=chosen.address, out_of=out_of, static=static_prefix
    )
    return chosen, prefix


def promised_of(address: int, prefix: str | None, row: Any) -> Promised:
    """Return what is promised, to a session that has no number yet.

    :param prefix: 16 hexadecimal digits, or None.
    :param row: the access profile, and limits.COLUMNS.
    """
    rules = connection_settings.from_json(row.client).name_rules
    dns = tuple(map(IPv4Address, row.dns))
    name_servers = tuple(server for rule in rules for server in rule.servers)
    routes = () if row.full_tunnel else tuple(map(IPv4Network, row.routes))
    more = () if row.full_tunnel else beside((*dns, *name_servers), routes)
    networks = map(ip_network, row.networks)
    of_ipv6 = ipv6.from_json(row.ipv6)
    return Promised(
        0,
        IPv4Address(address),
        IPv4Address(row.local_address),
        dns=dns,
        name_servers=name_servers,
        reach=frozenset(map(Reach, row.reach)),
        inbound=row.inbound,
        routes=routes + more,
        dns_suffix=row.dns_suffix,
        prefix=None if prefix is None else ipv6.from_digits(prefix),
        ipv6=of_ipv6,
        full_tunnel=row.full_tunnel,
        profile=row.id,
        list=_list(row.allow, dns, name_servers, of_ipv6.dns),
        networks=tuple(one for one in networks if one.version == 4 or prefix is not None),
        profile_name=row.name,
        held=held(row),
    )


def _list(allow: Sequence[str], *servers: Sequence[IPv4Address | IPv6Address]) -> int:
    """Return what stands for a list of where users may go, DNS servers among it; 0 for none."""
    return zlib.crc32(repr((allow, servers)).encode()) or 1 if allow else 0
