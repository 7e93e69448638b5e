"""What a session's client reaches, as the group of its interface.

A group is a number that the kernel keeps for each interface and that rules can match (``ip link
set group``, nft's ``iifgroup``). So a session brings its permissions along with its interface, and
no login has to change a rule. The number has :data:`MARK`, by which the sessions of all servers
on this machine know each other, the number of the access profile, by which rules find the list of
where its users may go (:mod:`.destinations`), and a bit for each permission. To an interface without
the mark nothing comes: it is not ready yet.
"""

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

from ..contracts import PROFILES, Lease

#: "S" in the upper byte; the lower one has the permissions, and the access profile is between them.
MARK: Final = 0x53000000
MARK_BITS: Final = 0xFF000000
_PROFILE: Final = 8
PROFILE_BITS: Final = PROFILES << _PROFILE

#: The access profile had a list of where its users may go. Where that is not known, they go nowhere.
LISTED: Final = 0x20

#: The client may ask resolvers that are this machine, or are link-local.
RESOLVER: Final = 0x80

#: Link-local (RFC 3927), and where clouds answer their machines beside that: 168.63.129.16 is
#: Azure's, 100.100.100.200 Alibaba's, and 192.0.0.0/24 (RFC 6890) has Oracle's.
LINK_LOCAL: Final = tuple(
    map(IPv4Network, ("169.254.0.0/16", "168.63.129.16", "100.100.100.200", "192.0.0.0/24"))
)

#: The same for IPv6 (RFC 4291 2.5.6), and where clouds answer by unique local addresses: Amazon's
#: metadata, time and names are in fd00:ec2::/64, Oracle's in fd00:c1::/64, Google's in fd20:ce::/64.
LINK_LOCAL_IPV6: Final = tuple(
    map(IPv6Network, ("fe80::/10", "fd00:ec2::/64", "fd00:c1::/64", "fd20:ce::/64"))
)


def group_of(lease: Lease) -> int:
    """Return the group for the interface of the session that has ``lease``."""
    closed = any(_is_closed(one, lease) for one in lease.resolvers)
    permissions = lease.access.value | RESOLVER * closed | LISTED * bool(lease.list)
    return MARK | of_profile(lease.profile) | permissions


def of_profile(number: int) -> int:
    """Return the part of a group that says which access profile it is, by its number."""
    return (number << _PROFILE) & PROFILE_BITS


def _is_closed(resolver: IPv4Address | IPv6Address, lease: Lease) -> bool:
    """Whether a resolver is closed to clients otherwise."""
    ours = (lease.local_address, lease.ipv6.local_address if lease.ipv6 else None)
    networks: tuple[IPv4Network | IPv6Network, ...] = (*LINK_LOCAL, *LINK_LOCAL_IPV6)
    return resolver in ours or any(resolver in network for network in networks) or _is_own(resolver)


def _is_own(address: IPv4Address | IPv6Address) -> bool:
    """Whether this machine has the address: only then a socket can be bound to it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
