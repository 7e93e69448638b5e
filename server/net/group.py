"""What a session's client reaches, as the group of its interface.

A group is a number that the kernel keeps for each interface and that rules can match (``ip link
set group``, nft's ``iifgroup``). So a session brings its permissions along with its interface, and
no login has to change a rule. The number has :data:`MARK`, by which the sessions of all servers
on this machine know each other, and a bit for each permission. To an interface without the mark
nothing comes: it is not ready yet.
"""

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from ..contracts import Lease

#: "SST" in the upper three bytes; the lower byte has the permissions.
MARK: Final = 0x53535400
MARK_BITS: Final = 0xFFFFFF00

#: The client may ask resolvers that are this machine, or are link-local.
RESOLVER: Final = 0x80

#: Link-local (RFC 3927), and where clouds answer their machines beside that: 168.63.129.16 is
#: Azure's, 100.100.100.200 Alibaba's, and 192.0.0.0/24 (RFC 6890) has Oracle's.
LINK_LOCAL: Final = tuple(
    map(IPv4Network, ("169.254.0.0/16", "168.63.129.16", "100.100.100.200", "192.0.0.0/24"))
)


def group_of(lease: Lease) -> int:
    """Return the group for the interface of the session that has ``lease``."""
    closed = _is_closed(lease.resolvers, lease.local_address)
    return MARK | lease.access.value | (RESOLVER if closed else 0)


def _is_closed(resolvers: Iterable[IPv4Address], local: IPv4Address) -> bool:
    """Whether one of the resolvers is closed to clients otherwise."""
    return any(
        one == local or any(one in network for network in LINK_LOCAL) or _is_own(one)
        for one in resolvers
    )


def _is_own(address: IPv4Address) -> bool:
    """Whether this machine has the address: only then a socket can be bound to it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
