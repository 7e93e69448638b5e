"""DHCPINFORM: what a client with an address asks beside it (RFC 2131 4.3.5 and 4.4.3, [MS-DHCPE]).

Windows asks in each connection of its own, with the user class "RRAS.Microsoft" ([MS-DHCPE] 2.2.6.1),
and takes the routes of a split tunnel from the answer. It is told what it asks for (RFC 2132 9.8):

- 6, DNS servers (RFC 2132 3.8); 15, the DNS suffix (RFC 2132 3.17); 119, the same as a search list
  (RFC 3397 2);
- 121 and 249, routes through our address (RFC 3442, [MS-DHCPE] 2.2.8).

Nobody is given an address: the session has one, and every other message of DHCP is not heard.
"""

import enum
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from ..contracts import Lease
from . import udp
from .known import Known
from .names import labels
from .udp import Datagram

SERVER_PORT, CLIENT_PORT = 67, 68  # RFC 2131 4.1
_BROADCAST: Final = IPv4Address("255.255.255.255")

# op, htype, hlen, hops, xid, secs, flags, ciaddr, yiaddr, siaddr, giaddr, chaddr; RFC 2131 2
_FIXED: Final = struct.Struct("!BBBBIHH4s4s4s4s16s")
_NAMES: Final = 64 + 128  # sname and file
_COOKIE: Final = bytes((99, 130, 83, 99))  # RFC 2131 3
_OPTIONS: Final = _FIXED.size + _NAMES + len(_COOKIE)
#: The shortest message, in bytes: BOOTP's (RFC 1542 2.1).
SHORTEST: Final = 300
#: What a client has to take, in bytes of an IP packet (RFC 2131 2).
_TAKEN: Final = 576

_REQUEST, _REPLY = 1, 2
_ACK, _INFORM = 5, 8  # RFC 2132 9.6

_PAD, _END = 0, 255
_LONGEST: Final = 255


@enum.unique
class DhcpOption(enum.IntEnum):
    """The options that are read or written here."""

    DNS = 6
    SUFFIX = 15
    MESSAGE_TYPE = 53
    SERVER = 54
    ASKED = 55
    LARGEST = 57
    CLIENT_ID = 61
    SEARCH = 119
    ROUTES = 121
    MICROSOFT_ROUTES = 249


_TOLD: Final = (
    DhcpOption.DNS,
    DhcpOption.SUFFIX,
    DhcpOption.SEARCH,
    DhcpOption.ROUTES,
    DhcpOption.MICROSOFT_ROUTES,
)


@dataclass(frozen=True, slots=True)
class _Inform:
    """A DHCPINFORM.

    :param head: its fixed fields, as they came.
    :param options: their values, by code.
    """

    head: tuple[int | bytes, ...]
    options: dict[int, bytes]

    @property
    def asked(self) -> tuple[int, ...]:
        """What it asks for, each once and in its order; everything if it does not say."""
        return tuple(dict.fromkeys(self.options.get(DhcpOption.ASKED, bytes(_TOLD))))

    @property
    def largest(self) -> int | None:
        """The largest IP packet that it takes, in bytes; None if it does not say (RFC 2132 9.10)."""
        value = self.options.get(DhcpOption.LARGEST, b"")
        return max(_TAKEN, int.from_bytes(value)) if len(value) == 2 else None


def respond(packet: bytes, known: Known) -> list[bytes]:
    """Answer a DHCPINFORM of the session's own address; see :data:`.known.Responder`."""
    lease = known.lease
    asking = udp.decode(packet)
    if asking is None or asking.destination not in (
        (_BROADCAST, SERVER_PORT),
        (lease.local_address, SERVER_PORT),
    ):
        return []
    inform = _decode(asking.content)
    if (
        inform is None
        or asking.source[0] != lease.address
        or inform.head[7] != lease.address.packed
    ):
        return []
    room = min(known.mtu, inform.largest or known.mtu) - udp.HEADERS
    answer = Datagram(
        (lease.local_address, SERVER_PORT),
        # whatever port it asks from (RFC 2131 4.1), and to its address alone (RFC 2131 4.3.5)
        (lease.address, CLIENT_PORT),
        _acknowledgment(inform, lease, room),
    )
    return [udp.encode(answer)]


def carried(lease: Lease, mtu: int) -> int:
    """Return how many of its routes a client is told that asks as Windows does.

    :param mtu: the largest IP packet that the client takes, in bytes.
    """
    asked = bytes((DhcpOption.SUFFIX, DhcpOption.DNS, DhcpOption.ROUTES))
    hardware = bytes(7)
    options = {int(DhcpOption.ASKED): asked, int(DhcpOption.CLIENT_ID): hardware}
    head = (_REQUEST, 0, 0, 0, 0, 0, 0, *(4 * (bytes(4),)), bytes(16))
    message = _acknowledgment(_Inform(head, options), lease, mtu - udp.HEADERS)
    told = (_read_options(message[_OPTIONS:]) or {}).get(DhcpOption.ROUTES, b"")
    count = 0
    while told:
        count += 1
        told = told[1 + _significant(told[0]) + 4 :]
    return count


def _decode(message: bytes) -> _Inform | None:
    """Return the DHCPINFORM that ``message`` is; None if it is anything else."""
    if len(message) < _OPTIONS or message[_OPTIONS - len(_COOKIE) : _OPTIONS] != _COOKIE:
        return None
    head = _FIXED.unpack_from(message)
    op, _, hardware_size = head[:3]
    relayed = any(head[10])
    if op != _REQUEST or hardware_size > 16 or relayed:
        return None
    options = _read_options(message[_OPTIONS:])
    if options is None or options.get(DhcpOption.MESSAGE_TYPE) != bytes((_INFORM,)):
        return None
    return _Inform(head, options)


def _read_options(data: bytes) -> dict[int, bytes] | None:
    """Return the values by their codes, pieces put together (RFC 3396 7); None if one is cut off."""
    options: dict[int, bytes] = {}
    position = 0
    while position < len(data) and data[position] != _END:
        code = data[position]
        position += 1
        if code == _PAD:
            continue
        start = position + 1
        position = start + data[position] if start <= len(data) else start
        if position > len(data):
            return None
        options[code] = options.get(code, b"") + data[start:position]
    return options


def _acknowledgment(inform: _Inform, lease: Lease, room: int) -> bytes:
    """Return a DHCPACK without address and lease time (RFC 2131 4.3.5), of ``room`` bytes at most."""
    _, hardware, hardware_size, _, xid, _, flags, client, *_, chaddr = inform.head
    nobody = bytes(4)
    head = (_REPLY, hardware, hardware_size, 0, xid, 0, flags, client, nobody, nobody, nobody)
    message = _FIXED.pack(*head, chaddr) + bytes(_NAMES) + _COOKIE
    message += _option(DhcpOption.MESSAGE_TYPE, bytes((_ACK,)))
    message += _option(DhcpOption.SERVER, lease.local_address.packed)
    if identifier := inform.options.get(DhcpOption.CLIENT_ID, b"")[:_LONGEST]:
        message += _option(DhcpOption.CLIENT_ID, identifier)  # RFC 6842 3
    for code in inform.asked:
        message += _fitting(code, lease, room - len(message) - 1)
    return (message + bytes((_END,))).ljust(min(SHORTEST, room), b"\0")


def _fitting(code: int, lease: Lease, room: int) -> bytes:
    """Return the option ``code`` with as much of its value as ``room`` bytes take."""
    value = b""
    for piece in _pieces(code, lease):
        if len(_option(code, value + piece)) > room:
            break
        value += piece
    return _option(code, value)


def _pieces(code: int, lease: Lease) -> Iterable[bytes]:
    """Return the parts of an option's value, each of which means something without those behind."""
    match code:
        case DhcpOption.DNS:
            return (server.packed for server in lease.dns)
        case DhcpOption.SUFFIX:
            return (lease.dns_suffix.encode("ascii"),)
        case DhcpOption.SEARCH:
            return (labels(lease.dns_suffix),)
        case DhcpOption.ROUTES | DhcpOption.MICROSOFT_ROUTES:
            return _routes(lease)
        case _:
            return ()


def _option(code: int, value: bytes) -> bytes:
    """Return an option; one that is too long for one, in pieces (RFC 3396 5); nothing of nothing."""
    pieces = (value[start : start + _LONGEST] for start in range(0, len(value), _LONGEST))
    return b"".join(bytes((code, len(piece))) + piece for piece in pieces)


def _routes(lease: Lease) -> Iterator[bytes]:
    """Yield routes: the length of the prefix, its significant bytes, the router (RFC 3442)."""
    for route in lease.routes:
        yield _descriptor(route) + lease.local_address.packed


def _descriptor(route: IPv4Network) -> bytes:
    """Return the destination descriptor of a route (RFC 3442)."""
    significant = route.network_address.packed[: _significant(route.prefixlen)]
    return bytes((route.prefixlen,)) + significant


def _significant(length: int) -> int:
    """Return of how many bytes a prefix of ``length`` bits is."""
    return -(-length // 8)
