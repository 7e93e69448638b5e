"""Stateless DHCPv6: DNS servers and suffix for a client that has its addresses (RFC 8415 6.1).

Windows asks once a router advertisement has told it to, and takes DNS servers from here. Addresses and
prefixes are not given: messages that ask for those are not heard, as of a server that is stateless
alone (RFC 8415 18.3).
"""

import enum
import uuid
from collections.abc import Iterator
from ipaddress import IPv6Address
from typing import Final

from ..contracts import Lease
from .ipv6 import DatagramV6, decode_datagram, encode_datagram, link_local
from .known import Known
from .names import labels

# RFC 8415 7.1, 7.2
_SERVERS: Final = IPv6Address("ff02::1:2")
_SERVER_PORT, _CLIENT_PORT = 547, 546

# RFC 8415 7.3
_REPLY, _INFORMATION_REQUEST = 7, 11
#: RFC 8415 11.5, RFC 6355: a DUID of type UUID.
_DUID_UUID: Final = (4).to_bytes(2)
_DUID_MAX: Final = 130  # bytes, RFC 8415 11.1
#: Seconds until the client asks again (RFC 8415 21.23): what is told stays for a session.
_REFRESH: Final = 86_400


@enum.unique
class DhcpV6Option(enum.IntEnum):
    """The options that are read or written here."""

    CLIENT_ID = 1  # RFC 8415 21.2
    SERVER_ID = 2  # RFC 8415 21.3
    IA_NA = 3  # RFC 8415 21.4
    IA_TA = 4  # RFC 8415 21.5
    REQUESTED = 6  # RFC 8415 21.7
    DNS = 23  # RFC 3646 3
    SEARCH = 24  # RFC 3646 4
    IA_PD = 25  # RFC 8415 21.21
    REFRESH = 32  # RFC 8415 21.23


_ADDRESSES: Final = frozenset((DhcpV6Option.IA_NA, DhcpV6Option.IA_TA, DhcpV6Option.IA_PD))


def respond(packet: bytes, known: Known) -> list[bytes]:
    """Answer an Information-Request; see :data:`.known.Responder`."""
    asking = decode_datagram(packet)
    if asking is None or known.lease.ipv6 is None or not known.identifier:
        return []
    ours = link_local(known.identifier)
    # RFC 8415 18.4 lets a client ask one server alone, if it was told so; by then it knows us
    if asking.destination not in ((_SERVERS, _SERVER_PORT), (ours, _SERVER_PORT)):
        return []
    if not asking.source[0].is_link_local or len(asking.content) < 4:
        return []
    server = _server_id(known.lease)
    options = _read(asking.content[4:])
    if asking.content[0] != _INFORMATION_REQUEST or options is None:
        return []
    # RFC 8415 16.12
    if options.keys() & _ADDRESSES or options.get(DhcpV6Option.SERVER_ID, server) != server:
        return []
    reply = bytes((_REPLY,)) + asking.content[1:4] + b"".join(_told(options, server, known.lease))
    return [
        encode_datagram(DatagramV6((ours, _SERVER_PORT), (asking.source[0], _CLIENT_PORT), reply))
    ]


def _told(options: dict[int, bytes], server: bytes, lease: Lease) -> Iterator[bytes]:
    """Yield what a Reply has (RFC 8415 18.3.6): what was asked for, and in any case DNS."""
    client = options.get(DhcpV6Option.CLIENT_ID, b"")
    if 0 < len(client) <= _DUID_MAX:
        yield _option(DhcpV6Option.CLIENT_ID, client)
    yield _option(DhcpV6Option.SERVER_ID, server)
    if lease.ipv6 is not None and lease.ipv6.dns:
        yield _option(DhcpV6Option.DNS, b"".join(one.packed for one in lease.ipv6.dns))
    if lease.dns_suffix:
        yield _option(DhcpV6Option.SEARCH, labels(lease.dns_suffix))
    requested = options.get(DhcpV6Option.REQUESTED, b"")
    if DhcpV6Option.REFRESH in (
        int.from_bytes(requested[n : n + 2]) for n in range(0, len(requested), 2)
    ):
        yield _option(DhcpV6Option.REFRESH, _REFRESH.to_bytes(4))


def _server_id(lease: Lease) -> bytes:
    """Return our DUID: the same for all sessions of an access profile, and after a restart."""
    address = lease.ipv6.local_address if lease.ipv6 else ""
    return _DUID_UUID + uuid.uuid5(uuid.NAMESPACE_URL, f"dhcpv6://[{address}]/").bytes


def _read(data: bytes) -> dict[int, bytes] | None:
    """Return the first value of each option; None if one is cut off."""
    options: dict[int, bytes] = {}
    position = 0
    while position < len(data):
        code, size = (int.from_bytes(data[n : n + 2]) for n in (position, position + 2))
        start = position + 4
        position = start + size
        if position > len(data):
            return None
        options.setdefault(code, data[start:position])
    return options


def _option(code: int, value: bytes) -> bytes:
    return code.to_bytes(2) + len(value).to_bytes(2) + value
