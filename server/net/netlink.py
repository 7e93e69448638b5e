"""Netlink (RFC 3549, netlink(7)) for what every login asks of the kernel.

pyroute2 builds a message and reads its answer attribute by attribute, most of a millisecond each.
Whoever asks once, as at a start, asks by that; what each login needs are a few messages, always the
same but for an address or a number: :mod:`.tun` and :mod:`.conntrack` build them with these.
"""

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from typing import Final

# struct nlmsghdr: length, type, flags, sequence, port
_HEADER: Final = struct.Struct("=IHHII")
# struct nlattr: length, type
_ATTRIBUTE: Final = struct.Struct("=HH")
_NESTED: Final = 0x8000
_CODE: Final = struct.Struct("=i")

REQUEST: Final = 0x001
ACK: Final = 0x004
DUMP: Final = 0x300
_ERROR, _DONE = 2, 3

# The kernel answers a listing in pieces of at most 32 KiB.
_PIECE: Final = 32_768

# struct timeval: seconds for one answer, which the kernel gives at once
_PATIENCE: Final = struct.pack("ll", 5, 0)


def attribute(kind: int, content: bytes) -> bytes:
    """Return one attribute, padded."""
    length = _ATTRIBUTE.size + len(content)
    return (_ATTRIBUTE.pack(length, kind) + content).ljust(_aligned(length), b"\0")


def nest(kind: int, content: bytes) -> bytes:
    """Return an attribute that consists of attributes."""
    return attribute(kind | _NESTED, content)


def message(kind: int, flags: int, content: bytes) -> bytes:
    """Return one message.

    :param content: the family's own header, and attributes.
    """
    return _HEADER.pack(_HEADER.size + len(content), kind, flags, 0, 0) + content


def renamed(whole: bytes, kind: int, flags: int) -> bytes:
    """Return a message of the kernel's as one of ours."""
    return message(kind, flags, whole[_HEADER.size :])


class Netlink:
    """A socket for one thread; closed with it, if not before.

    :param protocol: of linux/netlink.h.
    :raises OSError: if the kernel has none of it.
    """

    def __init__(self, protocol: int) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol
        )
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _PATIENCE)

    def do(self, *messages: bytes) -> None:
        """Have the kernel do what the messages say, one after the other; each asks for an ACK.

        :raises OSError: for the first that it refuses; it has tried the others as well.
        """
        self._socket.send(b"".join(messages))
        codes = [self._code() for _ in messages]
        for code in codes:
            if code:
                raise OSError(-code, os.strerror(-code))

    def tell(self, *messages: bytes) -> None:
        """Have the kernel do something that it does not answer, unless it refuses."""
        self._socket.send(b"".join(messages))

    def list(self, request: bytes) -> Iterator[list[bytes]]:
        """Yield what the kernel lists, message by message, in pieces.

        :raises OSError: if it refuses.
        """
        self._socket.send(request)
        while True:
            piece: list[bytes] = []
            for kind, whole in _messages(self._socket.recv(_PIECE)):
                if kind not in (_ERROR, _DONE):
                    piece.append(whole)
                    continue
                (code,) = _CODE.unpack_from(whole, _HEADER.size)
                if code:
                    raise OSError(-code, os.strerror(-code))
                yield piece
                return
            yield piece

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # there was none to be had
            self._socket.close()

    def _code(self) -> int:
        """Return what one ACK says: 0, or the negative number of an error."""
        answer = self._socket.recv(_PIECE)
        code: int = _CODE.unpack_from(answer, _HEADER.size)[0]
        return code


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the messages in a piece: type, and the whole."""
    start = 0
    while start < len(data):
        length, kind, *_ = _HEADER.unpack_from(data, start)
        yield kind, data[start : start + length]
        start += _aligned(length)


def _aligned(length: int) -> int:
    return (length + 3) & ~3
