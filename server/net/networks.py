"""The networks behind a client: routed to the interface of its session, and known to the rules.

The routes are the kernel's, and gone with the interface. Each has a metric that no other has: where a
user has several sessions, the newest has the lowest and so the traffic; when that one ends, the one
before has it again. All of them are beyond the metrics of others, so that what the machine is in itself,
or has been given a route to, stays where it is.

The rules find them in a set, by the number of the interface, which no later one has again. The routes
are the record of it: whoever makes the rules anew takes the set from them.
"""

import contextlib
import socket
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from pyroute2 import IPRoute

from ..errors import ServerError, quotation
from ..log import LOGGER
from .netlink import Netlink
from .nft import nft
from .tun import IPNetwork, route_to

#: Who made a route, as ``ip route show proto 83`` has it: "S".
PROTOCOL: Final = 83

_LEAST: Final = 0xFFFF_FFFF

#: The sets in a server's table, for the rules.
SETS: Final = """\
    set networks {
        type iface_index . ipv4_addr
        flags interval
    }
    set networks_ipv6 {
        type iface_index . ipv6_addr
        flags interval
    }
"""


def lead_to(name: str, networks: Iterable[IPNetwork], *, table: str, kernel: Netlink) -> None:
    """Have the networks behind the interface ``name``, and let the rules of ``table`` know.

    :param kernel: of :func:`.tun.open_kernel`.
    :raises ServerError: if the kernel refuses.
    """
    found = tuple(networks)
    if not found:
        return
    try:
        index = socket.if_nametoindex(name)
        kernel.do(
            *(route_to(one, index, protocol=PROTOCOL, metric=_LEAST - index) for one in found)
        )
    except OSError as error:
        reason = error.strerror or quotation(error)
        raise ServerError(f"{name} cannot have the networks behind it: {reason}") from error
    try:
        nft(added(table, ((index, one) for one in found)))
    except ServerError as error:  # where the table is missing just now, it is made by the routes
        LOGGER.warning("the rules do not know the networks behind %s yet: %s", name, error)


def forget(name: str, networks: Iterable[IPNetwork], *, table: str) -> None:
    """Take the networks behind the interface ``name`` out of the rules' sets, before it goes."""
    found = tuple(networks)
    # made anew meanwhile, the table may not have them; they would do no harm if they stayed
    with contextlib.suppress(ServerError, OSError):
        if found:
            index = socket.if_nametoindex(name)
            nft(_elements("delete", table, ((index, one) for one in found)))


def added(table: str, behind: Iterable[tuple[int, IPNetwork]]) -> str:
    """Return what adds networks to the sets of ``table``, for nft.

    :param behind: numbers of interfaces, and what is behind each.
    """
    return _elements("add", table, behind)


def standing(prefix: str) -> Iterator[tuple[int, IPNetwork]]:
    """Yield what is behind the interfaces that begin with ``prefix``, as the routes have it."""
    names = dict(socket.if_nameindex())
    with IPRoute() as kernel:
        for family, kind in ((socket.AF_INET, IPv4Network), (socket.AF_INET6, IPv6Network)):
            for route in kernel.get_routes(family=family, proto=PROTOCOL):
                index, address = route.get("oif"), route.get("dst")
                if index and address and names.get(index, "").startswith(prefix):
                    yield index, kind((address, route["dst_len"]))


def _elements(verb: str, table: str, behind: Iterable[tuple[int, IPNetwork]]) -> str:
    return "".join(
        f"{verb} element inet {table} networks{'_ipv6' * (one.version == 6)} {{ {index} . {one} }}\n"
        for index, one in behind
    )
