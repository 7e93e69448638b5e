"""Large segments in place of many packets: what passes between us and the TUN costs by the piece.

With each packet go ten bytes, ``struct virtio_net_hdr`` (linux/virtio_net.h): the kernel gives TCP
segments of up to 64 KiB, which are cut to the size that their sender had in mind (:mod:`.cutting`),
and takes such, which are put together of what a client sends (:mod:`.merging`). Nothing else changes:
the kernel or a network card cuts them again into the packets that came, but for the IP identification
of those that must not be fragmented, which has no meaning (RFC 6864 4.1).
"""

import enum
import struct
from typing import Final, TypeAlias

#: The SSTP header and the PPP header that precede an IP packet, in bytes ([MS-SSTP] 2.2.1, RFC 1662).
OVERHEAD: Final = 8
#: The largest SSTP packet, in bytes ([MS-SSTP] 2.2.1).
MAX_PACKET: Final = 4095

#: ``struct virtio_net_hdr``: flags, kind of segments, size of the headers, size of a segment's
#: payload, where a checksum begins to count, and where it goes, seen from there.
VNET: Final = struct.Struct("=BBHHHH")
#: The header of a packet that is what it seems, its checksums right.
PLAIN: Final = bytes(VNET.size)

NEEDS_CHECKSUM: Final = 0x01
GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP = 0, 1, 4, 5
GSO_ECN: Final = 0x80

TCP, UDP = 6, 17
FIN, PSH, ACK, CWR = 0x01, 0x08, 0x10, 0x80
U16, U32 = 0xFFFF, 0xFFFFFFFF

#: The head of an SSTP data packet: version and C bit, length; PPP's address, control and protocol.
HEAD: Final = struct.Struct("!HHI")
VERSION_DATA: Final = 0x1000
#: Versions of IP, a bit for each number.
ONLY_IPV4, ONLY_IPV6 = 1 << 4, 1 << 6
PPP_IPV4, PPP_IPV6 = 0xFF030021, 0xFF030057


class Offload(enum.IntFlag):
    """Of what the kernel takes, and gives, many segments in one packet."""

    NONE = 0
    TCP = 1
    UDP = 2


Bytes: TypeAlias = bytes | bytearray | memoryview


def framed(packet: bytes) -> bytes:
    """Return the SSTP data packet that carries an IP packet."""
    ppp = PPP_IPV6 if packet[0] >> 4 == 6 else PPP_IPV4
    return HEAD.pack(VERSION_DATA, OVERHEAD + len(packet), ppp) + packet


def checksum(*parts: Bytes | int) -> int:
    """Return the Internet checksum (RFC 1071) of ``parts``; all but the last are of even size.

    Over a whole packet with its checksum in it, 0.
    """
    total = 0
    for part in parts:
        if isinstance(part, int):
            total += part
        else:
            total += int.from_bytes(part, "big") << 8 * (len(part) & 1)
    return -total % 0xFFFF
