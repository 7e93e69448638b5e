"""DHCPINFORM as a client asks it (RFC 2131 4.4.3, [MS-DHCPE])."""

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from sstpca.server.responders.dhcp import SHORTEST, DhcpOption

# RFC 2131 2, up to the options: sname and file are empty; the cookie of RFC 2131 3
_BOOTP: Final = struct.Struct("!BBBBIHH4s4s4s4s16s192s4s")
_COOKIE: Final = bytes((99, 130, 83, 99))
_INFORM: Final = 8
_ASKED: Final = bytes(
    (
        DhcpOption.DNS,
        DhcpOption.SUFFIX,
        DhcpOption.ROUTES,
        DhcpOption.MICROSOFT_ROUTES,
    )
)


def inform(source: IPv4Address, number: int) -> bytes:
    """Return the question that Windows asks after a login ([MS-DHCPE]).

    :param number: that the answer has as well, 32 bits.
    """
    head = _BOOTP.pack(
        1, 8, 6, 0, number, 0, 0, source.packed, *3 * (bytes(4),), bytes(16), bytes(192), _COOKIE
    )
    asked = bytes((DhcpOption.ASKED, len(_ASKED))) + _ASKED
    options = bytes((DhcpOption.MESSAGE_TYPE, 1, _INFORM)) + asked + b"\xff"
    return (head + options).ljust(SHORTEST, b"\0")


def told(content: bytes, number: int) -> dict[int, bytes] | None:
    """Return the options of the answer to :func:`inform`; None if it is none."""
    if len(content) < _BOOTP.size or content[4:8] != number.to_bytes(4, "big"):
        return None
    return dict(_options(content[_BOOTP.size :]))


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 1 < len(data) and data[at] != 0xFF:
        if data[at] == 0:
            at += 1
            continue
        size = data[at + 1]
        yield data[at], data[at + 2 : at + 2 + size]
        at += 2 + size


def routes(value: bytes) -> list[IPv4Network]:
    """Return the destinations of option 121 or 249 (RFC 3442)."""
    found, at = [], 0
    while at < len(value) and value[at] <= 32:
        size = (value[at] + 7) // 8
        network = value[at + 1 : at + 1 + size].ljust(4, b"\0")
        found.append(IPv4Network((network, value[at]), strict=False))
        at += 1 + size + 4
    return found
