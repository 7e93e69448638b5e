"""Pings and a call's packets that say when they set out, and which they are, so that who passes them on can
tell how long they waited.
"""

import re
import struct
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Final

from tests.support import packets
from tests.support.netns import Network

#: Bytes of content, as in a call; of the whole packet.
SIZE: Final = 200
LENGTH: Final = 28 + SIZE
#: A number, and the time (monotonic).
STAMP: Final = struct.Struct("!Id")

#: What a packet is, behind its stamp.
PING, CALL = b"a ping of ours", b"a call of ours"
_MARKS: Final = re.compile(b"|".join((PING, CALL)))


def request(
    target: IPv4Address, number: int, source: IPv4Address = Network.client_address
) -> packets.Packet:
    """Return a ping that says when it set out, in its first bytes, for who passes it on."""
    return packets.echo(source, target, number & 0xFFFF, content(PING, number))


def content(mark: bytes, number: int) -> bytes:
    """Return what a packet that sets out now carries."""
    return (STAMP.pack(number, time.monotonic()) + mark).ljust(SIZE, b"\0")


def marked(buffer: bytearray, start: int, end: int) -> Iterator[tuple[bytes, int]]:
    """Yield of each such packet in a part of a buffer what it is, and its number."""
    for found in _MARKS.finditer(buffer, start, end):
        if (at := found.start() - STAMP.size) >= start:
            yield found.group(), STAMP.unpack_from(buffer, at)[0]


def number_of(packet: bytes) -> int:
    """Return the number of the ping that an IPv4 packet answers; -1 if it is something else."""
    if len(packet) != LENGTH or packet[9] != packets.ICMP or packet[20] != 0:
        return -1
    number: int = STAMP.unpack_from(packet, 28)[0]
    return number


def wait_of(packet: bytes | memoryview) -> tuple[int, float] | None:
    """Return the number of a ping on its way out, and how long ago it set out, in seconds."""
    if len(packet) != LENGTH or packet[9] != packets.ICMP or packet[20] != 8:
        return None
    number, began = STAMP.unpack_from(packet, 28)
    return number, time.monotonic() - began
