"""What the kernel remembers of an address's connections, forgotten when the address changes hands.

An entry of conntrack outlives the session that it came from, that of a TCP connection by days, and
what it has on record counts as established: without this, for the next holder of the address too.

By netlink (Linux uapi, linux/netfilter/nfnetlink_conntrack.h). Kernels of 2024 and later delete by a
filter, in one walk through their table: about a microsecond an entry. Earlier ones list by a filter,
those before 5.8 list all; each entry found is sent back as one to delete.
"""

import functools
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from ..log import LOGGER

_NETLINK_NETFILTER: Final = 12

# struct nlmsghdr: length, type, flags, sequence, port; struct nfgenmsg: family, version, resource
_HEADER: Final = struct.Struct("=IHHII")
_FAMILY: Final = struct.Struct("=BBH")
_HEADERS: Final = _HEADER.size + _FAMILY.size
# struct nlattr: length, type
_ATTRIBUTE: Final = struct.Struct("=HH")
_NESTED: Final = 0x8000
_FLAGS: Final = struct.Struct("=I")
_CODE: Final = struct.Struct("=i")

_ERROR, _DONE = 2, 3
_NEW, _GET, _DELETE = 0x100, 0x101, 0x102
_REQUEST, _ACK, _DUMP = 0x001, 0x004, 0x300

_TUPLE_ORIG, _TUPLE_REPLY, _FILTER = 1, 2, 25
_TUPLE_IP: Final = 1
_SRC, _DST = 1, 2

# The kernel answers a listing in pieces of at most 32 KiB.
_PIECE: Final = 32_768

# RFC 5737
_NOBODY: Final = IPv4Address("192.0.2.1")

#: Seconds for one answer; the kernel gives it at once.
_PATIENCE: Final = 5.0


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
        chosen = _nest(self.direction, _nest(_TUPLE_IP, _attribute(self.field, address)))
        # CTA_FILTER_ORIG_FLAGS and _REPLY_FLAGS have the tuples' numbers, each field has a bit
        return chosen + _nest(_FILTER, _attribute(self.direction, _FLAGS.pack(self.field)))


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
        for side in _SIDES:
            _forget(side, address.packed)
    except OSError as error:
        _warn(error.strerror or "no answer")


@functools.cache
def _warn(reason: str) -> None:
    LOGGER.warning(
        "connections of an address cannot be forgotten when it changes hands (module "
        "nf_conntrack_netlink): %s; answers to them reach the next client that has it",
        reason,
    )


def _forget(side: _Side, address: bytes) -> None:
    with _open() as asking, _open() as deleting:
        try:
            _delete(asking, side.attributes(address))
        except OSError:  # an earlier kernel wants the whole of an entry
            for piece in _list(asking, side.attributes(address)):
                # one that does not filter tells of others as well
                found = [one for one in piece if address in one]
                if found:  # that one has ended meanwhile is all that can go wrong
                    deleting.send(b"".join(map(_to_delete, found)))


def _delete(asking: socket.socket, attributes: bytes) -> None:
    """Delete what the attributes choose.

    :raises OSError: if the kernel refuses.
    """
    asking.send(_message(_DELETE, _REQUEST | _ACK, attributes))
    for _ in _answers(asking):
        pass


def _list(asking: socket.socket, attributes: bytes) -> Iterator[list[bytes]]:
    """Yield the entries that the attributes choose, in pieces.

    :raises OSError: if the kernel refuses.
    """
    asking.send(_message(_GET, _REQUEST | _DUMP, attributes))
    return _answers(asking)


def _to_delete(entry: bytes) -> bytes:
    """Return the message that deletes an entry: all that the kernel tells of it."""
    return _HEADER.pack(len(entry), _DELETE, _REQUEST, 0, 0) + entry[_HEADER.size :]


def _open() -> socket.socket:
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
    opened.settimeout(_PATIENCE)
    return opened


def _answers(asking: socket.socket) -> Iterator[list[bytes]]:
    """Yield the entries of an answer to its end, piece by piece.

    :raises OSError: if the kernel refuses.
    """
    while True:
        piece: list[bytes] = []
        for kind, message in _messages(asking.recv(_PIECE)):
            if kind == _NEW:
                piece.append(message)
            elif kind in (_ERROR, _DONE):
                (code,) = _CODE.unpack_from(message, _HEADER.size)
                if code:
                    raise OSError(-code, os.strerror(-code))
                yield piece
                return
        yield piece


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the messages in a piece: type, and the whole."""
    start = 0
    while start < len(data):
        length, kind, *_ = _HEADER.unpack_from(data, start)
        yield kind, data[start : start + length]
        start += _aligned(length)


def _message(kind: int, flags: int, attributes: bytes) -> bytes:
    length = _HEADERS + len(attributes)
    header = _HEADER.pack(length, kind, flags, 0, 0) + _FAMILY.pack(socket.AF_INET, 0, 0)
    return header + attributes


def _attribute(kind: int, content: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(content)
    return (_ATTRIBUTE.pack(length, kind) + content).ljust(_aligned(length), b"\0")


def _nest(kind: int, content: bytes) -> bytes:
    return _attribute(kind | _NESTED, content)


def _aligned(length: int) -> int:
    return (length + 3) & ~3
