"""The networks behind a client, which the server reaches through that client's session."""

import itertools
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from ..addresses import Kind, kind_of
from ..errors import InvalidInput
from ..names import quoted

Network = IPv4Network | IPv6Network

#: Of one user: each is a route.
NETWORKS_MAX: Final = 64

#: Shorter ones are half the internet.
_SHORTEST: Final = {4: 8, 6: 16}
_EXAMPLE: Final = "for example: 192.168.50.0/24, 2001:db8:50::/48"


def parse_network(text: str) -> Network:
    """Return the network ``192.168.50.0/24`` or ``2001:db8:50::/48``.

    :raises InvalidInput: if it is none, or none that can be behind a client.
    """
    try:
        return check_network(ip_network(text.strip()))
    except ValueError:
        pass
    try:
        meant = ip_network(text.strip(), strict=False)
    except ValueError:
        raise InvalidInput(f"{quoted(text)} is not a network", _EXAMPLE) from None
    raise InvalidInput(f"{quoted(text)} has bits set beyond its length", f"for example: {meant}")


def check_network(network: Network) -> Network:
    """Return ``network`` if it can be behind a client.

    :raises InvalidInput: if it is a default route, or has addresses that cannot be routed.
    """
    if network.prefixlen < _SHORTEST[network.version]:
        least = _SHORTEST[network.version]
        what = "is a default route" if network.prefixlen == 0 else "is too much of the internet"
        raise InvalidInput(
            f"{network} {what}: a network behind a client has {least} bits at least", _EXAMPLE
        )
    if {kind_of(network[0]), kind_of(network[-1])} != {Kind.UNICAST}:
        raise InvalidInput(f"{network} has addresses that are not unicast, or not routed", _EXAMPLE)
    return network


def check_networks(networks: Iterable[Network]) -> tuple[Network, ...]:
    """Return the networks behind one client, each once and in order.

    :raises InvalidInput: if they are too many, or overlap.
    """
    found = sorted(set(map(check_network, networks)), key=lambda one: (one.version, one))
    if len(found) > NETWORKS_MAX:
        raise InvalidInput(f"{len(found)} networks are more than {NETWORKS_MAX}", _EXAMPLE)
    for one, other in itertools.pairwise(found):
        if overlap(one, other):
            raise InvalidInput(f"the networks {one} and {other} overlap", f"{one} has all of it")
    return tuple(found)


def overlap(one: Network, other: Network) -> bool:
    """Return whether two networks have addresses in common."""
    if isinstance(one, IPv4Network):
        return isinstance(other, IPv4Network) and one.overlaps(other)
    return isinstance(other, IPv6Network) and one.overlaps(other)
