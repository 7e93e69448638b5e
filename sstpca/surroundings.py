"""What is around this machine: the networks it is in, and its resolvers. Read-only, fails softly."""

import contextlib
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any, Final

from .addresses import Kind, kind_of

_RESOLV_CONF: Final = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
_ROUTES: Final = Path("/proc/net/route")
_ADDRESSES: Final = Path("/proc/net/if_inet6")
_AF_INET: Final = 2
# addresses that are nobody's in the internet: RFC 1918, 3927, 6598, 4193, 4291 2.5.6
_PRIVATE: Final = tuple(
    map(
        ip_network,
        (
            *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"),
            *("fc00::/7", "fe80::/10"),
        ),
    )
)
# names that are nobody's in the internet: RFC 6761, 6762, 8375, ICANN's .internal, and habits
_INSIDE: Final = (".local", ".home.arpa", ".internal", ".lan", ".home", ".corp", ".test")


def networks() -> list[IPv4Network]:
    """Return the IPv4 networks of this machine's interfaces and routes, without default routes.

    They come from the kernel over netlink; where that is not allowed, from /proc/net/route; and
    where that is missing too, the list is empty.
    """
    found = _from_netlink()
    if found is None:
        found = set()
        with contextlib.suppress(OSError):
            found = set(parse_routes(_ROUTES.read_text("ascii", "replace")))
    return sorted(network for network in found if network.prefixlen)


def _from_netlink() -> set[IPv4Network] | None:
    # a fifth of a second to import, and only init needs it
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    found: set[IPv4Network] = set()
    try:
        with IPRoute() as netlink:
            for message in netlink.get_addr(family=_AF_INET):
                _collect(found, message.get("address"), message["prefixlen"])
            for message in netlink.get_routes(family=_AF_INET):
                _collect(found, message.get("dst"), message["dst_len"])
    except (OSError, NetlinkError):
        return None
    return found


def _collect(found: set[IPv4Network], address: Any, length: Any) -> None:
    with contextlib.suppress(ValueError):
        found.add(IPv4Network((str(address), int(length)), strict=False))


def parse_routes(text: str) -> list[IPv4Network]:
    """Return the destinations in the text of /proc/net/route; lines that are none are left out.

    Addresses there are hexadecimal in the machine's byte order, which is little-endian wherever
    this runs; destination and mask are the columns 1 and 7.
    """
    found = []
    for line in text.splitlines()[1:]:
        with contextlib.suppress(ValueError, IndexError):
            columns = line.split()
            destination, mask = (
                IPv4Address(bytes.fromhex(columns[index])[::-1]) for index in (1, 7)
            )
            found.append(IPv4Network(f"{destination}/{mask}"))
    return found


def addresses_ipv6() -> list[IPv6Address]:
    """Return the IPv6 addresses of this machine's interfaces, as /proc/net/if_inet6 has them."""
    try:
        lines = _ADDRESSES.read_text("ascii", "replace").splitlines()
    except OSError:  # there is no IPv6
        return []
    return [IPv6Address(bytes.fromhex(line.split()[0])) for line in lines]


def resolvers(files: Iterable[Path] = _RESOLV_CONF) -> list[IPv4Address]:
    """Return the IPv4 resolvers of this machine that others could ask: none of its loopback.

    :param files: resolv.conf files; the first with a usable resolver counts.
    """
    for path in files:
        text = ""
        with contextlib.suppress(OSError):
            text = path.read_text("utf-8", "replace")
        found = parse_resolvers(text)
        if found:
            return found
    return []


def parse_resolvers(text: str) -> list[IPv4Address]:
    """Return the usable IPv4 name servers in the text of a resolv.conf, resolv.conf(5)."""
    found: dict[IPv4Address, None] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            with contextlib.suppress(ValueError):
                address = IPv4Address(words[1])
                if kind_of(address) in (Kind.UNICAST, Kind.LINK_LOCAL):
                    found[address] = None
    return list(found)


def own_hosts() -> list[str]:
    """Return what others may reach this machine by: its full name, then its addresses.

    A name without a domain is left out: it means nothing elsewhere. Of the addresses, the one
    towards the default route comes first; loopback and link-local ones count only when there is
    nothing else.
    """
    name = _full_name()
    found: dict[str, None] = {name: None} if name else {}
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        # connecting a UDP socket chooses a route and an address, and sends nothing
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            address = ip_address(probe.getsockname()[0].partition("%")[0])
            if kind_of(address) is Kind.UNICAST:
                found[str(address)] = None
    return list(found) or ["127.0.0.1"]


def reach(host: str) -> str:
    """Return why not everybody reaches ``host``, in words; empty if nothing speaks against it.

    :param host: a host name in lower case, or an address.
    """
    try:
        address = ip_address(host)
    except ValueError:
        name = f".{host}"
        if name.endswith(".localhost"):
            return "is this machine itself"
        inside = "." not in host or name.endswith(_INSIDE)
        return "is a name that only its own network knows" if inside else ""
    if address.is_loopback or address.is_unspecified:
        return "is this machine itself"
    inside = any(address in network for network in _PRIVATE)
    return "is a private address, which only its own network reaches" if inside else ""


def _full_name() -> str:
    name = socket.gethostname()
    if "." not in name:
        with contextlib.suppress(OSError):
            name = socket.getaddrinfo(name, None, flags=socket.AI_CANONNAME)[0][3]
    return name if "." in name and not name.startswith("localhost") else ""
