"""What the kernel remembers of an address's connections, forgotten when the address changes hands.

An entry of conntrack outlives the session that it came from, that of a TCP connection by days, and
what it has on record counts as established: without this, for the next holder of the address too.

By netlink (Linux uapi, linux/netfilter/nfnetlink_conntrack.h). Kernels of 2024 and later delete by a
filter, in one walk through their table: about a microsecond an entry. Earlier ones list by a filter,
those before 5.8 list all; each entry found is sent back as one to delete.
"""

import contextlib
import functools
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network
from typing import Final

from ..log import LOGGER
from . import netlink
from .netlink import Netlink, attribute, message, nest

_NETLINK_NETFILTER: Final = 12

# struct nfgenmsg: AF_INET or AF_INET6, version, resource
_FAMILY, _FAMILY_IPV6 = struct.pack("=BBH", 2, 0, 0), struct.pack("=BBH", 10, 0, 0)
_FLAGS: Final = struct.Struct("=I")

_GET, _DELETE = 0x101, 0x102

_TUPLE_ORIG, _TUPLE_REPLY, _FILTER = 1, 2, 25
_TUPLE_IP: Final = 1
_SRC, _DST = 1, 2

# RFC 5737
_NOBODY: Final = IPv4Address("192.0.2.1")


@dataclass(frozen=True, slots=True)
class _Side:
    """Where in an entry the address stands.

    :param direction: of the packets: as they were first sent, or as they are answered.
    :param field: their source or destination.
    """

    direction: int
    field: int

    def attributes(self, address: bytes) -> bytes:
        """Return the attributes that choose the entries that have ``address`` here."""
        chosen = nest(self.direction, nest(_TUPLE_IP, attribute(self.field, address)))
        # CTA_FILTER_ORIG_FLAGS and _REPLY_FLAGS have the tuples' numbers, each field has a bit
        return chosen + nest(_FILTER, attribute(self.direction, _FLAGS.pack(self.field)))


# What the client opened; what was opened to it; and that by way of another address (DNAT). The last
# is found by few kernels: since 5.8 most took the wrong flags for a reply, and nothing has those.
_SIDES: Final = (_Side(_TUPLE_ORIG, _SRC), _Side(_TUPLE_ORIG, _DST), _Side(_TUPLE_REPLY, _SRC))


def check() -> None:
    """Say now, once for all workers to come, if this machine cannot :func:`forget`."""
    forget(_NOBODY)


def forget(address: IPv4Address) -> None:
    """Delete the entries of all connections from and to ``address``, those under NAT as well.

    Where the kernel has no netlink for conntrack, that is said once, and the entries stay.
    """
    try:
        with contextlib.closing(_open()) as asking:
            for side in _SIDES:
                _forget(asking, side, address.packed)
    except OSError as error:
        _warn(error.strerror or "no answer")


def forget_prefix(prefix: IPv6Network) -> None:
    """Do the same for all addresses of a /64. No kernel filters by prefixes: each entry is looked at."""
    beginning = prefix.network_address.packed[: prefix.prefixlen // 8]
    try:
        with contextlib.closing(_open()) as asking:
            _find_and_delete(asking, _FAMILY_IPV6, beginning)
    except OSError as error:
        _warn(error.strerror or "no answer")


@functools.cache
def _warn(reason: str) -> None:
    LOGGER.warning(
        "connections of an address cannot be forgotten when it changes hands (module "
        "nf_conntrack_netlink): %s; answers to them reach the next client that has it",
        reason,
    )


def _forget(asking: Netlink, side: _Side, address: bytes) -> None:
    chosen = _FAMILY + side.attributes(address)
    try:
        _delete(asking, chosen)
    except OSError:  # an earlier kernel wants the whole of an entry
        _find_and_delete(asking, chosen, address)


def _delete(asking: Netlink, chosen: bytes) -> None:
    """Delete what the attributes choose.

    :raises OSError: if the kernel refuses.
    """
    asking.do(message(_DELETE, netlink.REQUEST | netlink.ACK, chosen))


def _find_and_delete(asking: Netlink, chosen: bytes, address: bytes) -> None:
    """List the entries that the attributes choose, and delete each.

    :raises OSError: if the kernel refuses to list.
    """
    with contextlib.closing(_open()) as deleting:
        for piece in asking.list(message(_GET, netlink.REQUEST | netlink.DUMP, chosen)):
            # one that does not filter tells of others as well
            found = [
                netlink.renamed(one, _DELETE, netlink.REQUEST) for one in piece if address in one
            ]
            if found:  # that one has ended meanwhile is all that can go wrong
                deleting.tell(*found)


def _open() -> Netlink:
    return Netlink(_NETLINK_NETFILTER)
