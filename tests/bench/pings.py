"""Pings that say when they set out, so that who passes them on can tell how long they waited."""

import struct
import time
from ipaddress import IPv4Address
from typing import Final

from tests.support import packets
from tests.support.netns import Network

#: Bytes of content, as in a call; of the whole packet.
SIZE: Final = 200
LENGTH: Final = 28 + SIZE
#: A number, and the time (monotonic).
STAMP: Final = struct.Struct("!Id")


def request(
    target: IPv4Address, number: int, source: IPv4Address = Network.client_address
) -> packets.Packet:
    """Return a ping that says when it set out, in its first bytes, for who passes it on."""
    stamp = STAMP.pack(number, time.monotonic())
    return packets.echo(source, target, number & 0xFFFF, stamp.ljust(SIZE, b"\0"))


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
