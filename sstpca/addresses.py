"""What an IP address is for, by the RFCs.

The properties of :mod:`ipaddress` (``is_reserved`` and the like) are no substitute: for some
addresses they change from one Python to the next.
"""

import enum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

IPAddress = IPv4Address | IPv6Address


@enum.unique
class Kind(enum.Enum):
    """What an address is for."""

    UNICAST = "unicast"
    UNSPECIFIED = "unspecified"
    LOOPBACK = "loopback"
    LINK_LOCAL = "link-local"
    MULTICAST = "multicast"
    #: An IPv4 address in the form of an IPv6 address; it never is on the wire.
    MAPPED = "IPv4-mapped"
    RESERVED = "reserved"


# The first network that an address is in says its kind.
_KINDS: Final = tuple(
    (ip_network(prefix), kind)
    for prefix, kind in (
        # "this network", RFC 1122 3.2.1.3 (a) and (b)
        ("0.0.0.0/8", Kind.UNSPECIFIED),
        # RFC 1122 3.2.1.3 (g)
        ("127.0.0.0/8", Kind.LOOPBACK),
        # RFC 3927 2.1
        ("169.254.0.0/16", Kind.LINK_LOCAL),
        # RFC 5771 3
        ("224.0.0.0/4", Kind.MULTICAST),
        # RFC 1112 4; with the limited broadcast, RFC 919 7
        ("240.0.0.0/4", Kind.RESERVED),
        ("0.0.0.0/0", Kind.UNICAST),
        # RFC 4291 2.5.2, 2.5.3, 2.5.5.2
        ("::/128", Kind.UNSPECIFIED),
        ("::1/128", Kind.LOOPBACK),
        ("::ffff:0:0/96", Kind.MAPPED),
        # IPv4 hosts as IPv6 hosts reach them, RFC 6052 2.1 and RFC 8215
        ("64:ff9b::/96", Kind.UNICAST),
        ("64:ff9b:1::/48", Kind.UNICAST),
        # all that IANA gives out as global unicast, RFC 3587 3
        ("2000::/3", Kind.UNICAST),
        # RFC 4193 3.1
        ("fc00::/7", Kind.UNICAST),
        # RFC 4291 2.5.6, 2.7
        ("fe80::/10", Kind.LINK_LOCAL),
        ("ff00::/8", Kind.MULTICAST),
        # with what was given up (IPv4-compatible, site-local) and what leads nowhere (RFC 6666)
        ("::/0", Kind.RESERVED),
    )
)


def kind_of(address: IPAddress) -> Kind:
    """Return what ``address`` is for; a zone (RFC 4007 11) does not matter."""
    return next(kind for network, kind in _KINDS if address in network)


def endpoint(text: str) -> tuple[str, int] | None:
    """Return address and port of ``127.0.0.1:80`` or ``[::1]:80``; None if it is no such thing."""
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal()) or not 0 < int(port[:6]) < 65536:
        return None
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        return None
    return (str(address), int(port)) if bracketed == (address.version == 6) else None
