"""Packets of a trace on their way from a worker to whoever writes them down."""

import enum
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_HEAD: Final = struct.Struct("!dIBHH")


@enum.unique
class Direction(enum.IntEnum):
    """Where a packet goes; or that it is none, but a note about its connection: the peer."""

    FROM_CLIENT = 0
    TO_CLIENT = 1
    PEER = 2


@dataclass(frozen=True, slots=True)
class Record:
    """One packet, or a note.

    :param time: seconds since 1970.
    :param connection: a number that no other connection of the worker has in this trace.
    :param size: bytes that it had, of which ``data`` has the first.
    :param data: an SSTP packet without its secrets; for a note, text.
    """

    time: float
    connection: int
    direction: Direction
    size: int
    data: bytes

    def encode(self) -> bytes:
        """Return it as bytes, to be followed by others."""
        head = _HEAD.pack(self.time, self.connection, self.direction, self.size, len(self.data))
        return head + self.data


def decode(records: bytes) -> Iterator[Record]:
    """Yield what was encoded, as far as it is whole and makes sense."""
    at = 0
    while at + _HEAD.size <= len(records):
        time, connection, direction, size, length = _HEAD.unpack_from(records, at)
        at += _HEAD.size
        data = records[at : at + length]
        at += length
        known = direction in tuple(Direction) and 0 <= time < 2**40
        if len(data) == length and known and length <= size:
            yield Record(time, connection, Direction(direction), size, data)
