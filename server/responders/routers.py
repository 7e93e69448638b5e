"""Neighbor Discovery as the router of the tunnel does it (RFC 4861): what the client has of IPv6.

A Router Advertisement has the prefix of the session, of which the client makes its addresses (RFC 4862
5.5), the MTU, DNS servers and suffix (RFC 8106), and where to send packets: everywhere, or the routes of
a split tunnel (RFC 4191 2.3), of which clients of type C in RFC 4191 3.1 take notice, as Windows does.
It comes when IPv6 opens, now and then (:class:`Advertiser`), and to whoever asks.

A Neighbor Solicitation asks whether we are still there (RFC 4861 7.3.3), as some clients do of a router
even where there are no link-layer addresses to be learnt; or whether somebody has our address already.
"""

import struct
from ipaddress import IPv6Address, IPv6Network
from typing import Final

from ..contracts import Ipv6Lease
from .ipv6 import ALL_NODES, UNSPECIFIED, Message, decode_message, encode_message, link_local
from .known import Known
from .names import labels

# RFC 4861 4
_ROUTER_SOLICITATION, _ROUTER_ADVERTISEMENT = 133, 134
_NEIGHBOR_SOLICITATION, _NEIGHBOR_ADVERTISEMENT = 135, 136

# hop limit, flags, router lifetime, reachable time, retransmission timer; RFC 4861 4.2
_ADVERTISEMENT: Final = struct.Struct("!BBHII")
_HOP_LIMIT: Final = 64
#: Other configuration is to be had by DHCPv6, and no addresses.
_OTHER: Final = 0x40
# type, length, prefix length, flags, valid and preferred lifetime, prefix; RFC 4861 4.6.2
_PREFIX: Final = struct.Struct("!BBBBIII16s")
_ON_LINK_AUTONOMOUS: Final = 0xC0
# type, length, mtu; RFC 4861 4.6.4
_MTU: Final = struct.Struct("!BBHI")
# type, length, prefix length, preference, lifetime; RFC 4191 2.3
_ROUTE: Final = struct.Struct("!BBBBI")
# type, length, lifetime; RFC 8106 5.1, 5.2
_DNS: Final = struct.Struct("!BBHI")
_PREFIX_TYPE, _MTU_TYPE, _ROUTE_TYPE, _DNS_TYPE, _SUFFIX_TYPE = 3, 5, 24, 25, 31
_EIGHTS: Final = 8

# router, solicited, override; RFC 4861 4.4
_ROUTER, _SOLICITED, _OVERRIDE = 0x80000000, 0x40000000, 0x20000000

#: Seconds between two advertisements that nobody asked for: RFC 4861 6.2.1 has 600 at most, and a
#: third of that at least. Each session has an interval of its own, so that not all come at once.
MAX_INTERVAL: Final = 600
MIN_INTERVAL: Final = 200
#: RFC 4861 6.2.4: the first come faster, as the client may not listen yet.
INITIAL: Final = 3
INITIAL_INTERVAL: Final = 4.0
#: Seconds that routes and DNS servers last without another word: three intervals (RFC 8106 5.1).
LIFETIME: Final = 3 * MAX_INTERVAL
#: The same for the prefix: valid, and preferred for new connections.
VALID, PREFERRED = 86_400, 14_400

_EVERYWHERE: Final = IPv6Network("::/0")


def respond(packet: bytes, known: Known) -> list[bytes]:
    """Answer a Router or Neighbor Solicitation; see :data:`.known.Responder`."""
    asking = decode_message(packet)
    if asking is None or not known.identifier:
        return []
    to = ALL_NODES if asking.source == UNSPECIFIED else asking.source
    if asking.type == _ROUTER_SOLICITATION and len(asking.body) >= 4:
        return [advertisement(known, to)] if to == ALL_NODES or to.is_link_local else []
    if asking.type == _NEIGHBOR_SOLICITATION and len(asking.body) >= 20:
        return _there(asking.body[4:20], to, link_local(known.identifier))
    return []


class Advertiser:
    """Says when the next advertisement is due that nobody asked for. No I/O, no clock."""

    def __init__(self, known: Known, now: float) -> None:
        self._known = known
        self._said = 0
        #: When to call :meth:`tick`.
        self.deadline = now
        self._interval = MAX_INTERVAL - known.lease.session % (MAX_INTERVAL - MIN_INTERVAL + 1)

    def tick(self, now: float) -> list[bytes]:
        """Return the packets that are due."""
        if now < self.deadline:
            return []
        self._said += 1
        self.deadline = now + (INITIAL_INTERVAL if self._said < INITIAL else self._interval)
        return [advertisement(self._known, ALL_NODES)]


def advertisement(known: Known, to: IPv6Address) -> bytes:
    """Return the packet that tells the client what it has; its MTU is 1280 at least (RFC 8200 5)."""
    lease = known.lease.ipv6
    if lease is None or not known.identifier:
        raise LookupError("a session without IPv6 has nothing to advertise")
    lifetime = LIFETIME if _EVERYWHERE in lease.routes else 0
    body = _ADVERTISEMENT.pack(_HOP_LIMIT, _OTHER, lifetime, 0, 0)
    prefix = lease.prefix
    ends = prefix.prefixlen, _ON_LINK_AUTONOMOUS, VALID, PREFERRED, 0
    body += _PREFIX.pack(_PREFIX_TYPE, 4, *ends, prefix.network_address.packed)
    body += _MTU.pack(_MTU_TYPE, 1, 0, known.mtu)
    body += _dns(lease) + _suffix(known.lease.dns_suffix)
    body += b"".join(_route(one) for one in lease.routes if one != _EVERYWHERE)
    source = link_local(known.identifier)
    return encode_message(Message(source, to, _ROUTER_ADVERTISEMENT, body))


def _there(wanted: bytes, to: IPv6Address, ours: IPv6Address) -> list[bytes]:
    """Answer whoever asks for our address (RFC 4861 7.2.4): all, if it only tries whether somebody has
    the address that it would have (RFC 4862 5.4.3).
    """
    if wanted != ours.packed:
        return []
    flags = _ROUTER | _OVERRIDE | (0 if to == ALL_NODES else _SOLICITED)
    body = flags.to_bytes(4) + ours.packed
    return [encode_message(Message(ours, to, _NEIGHBOR_ADVERTISEMENT, body))]


def _dns(lease: Ipv6Lease) -> bytes:
    servers = b"".join(server.packed for server in lease.dns)
    return _option(_DNS.pack(_DNS_TYPE, 0, 0, LIFETIME) + servers) if servers else b""


def _suffix(suffix: str) -> bytes:
    return _option(_DNS.pack(_SUFFIX_TYPE, 0, 0, LIFETIME) + labels(suffix)) if suffix else b""


def _route(route: IPv6Network) -> bytes:
    half = 8 if route.prefixlen <= 64 else 16
    head = _ROUTE.pack(_ROUTE_TYPE, 0, route.prefixlen, 0, LIFETIME)
    return _option(head + route.network_address.packed[: half if route.prefixlen else 0])


def _option(content: bytes) -> bytes:
    """Return an option with its length in the second byte, in units of eight bytes."""
    size = -(-len(content) // _EIGHTS)
    return (content[:1] + bytes((size,)) + content[2:]).ljust(size * _EIGHTS, b"\0")
