"""From the TUN to the client: what came as one packet is cut into SSTP packets."""

import os
from dataclasses import dataclass
from typing import Final

from .segments import (
    CWR,
    FIN,
    GSO_ECN,
    GSO_NONE,
    GSO_TCPV4,
    GSO_TCPV6,
    GSO_UDP,
    HEAD,
    MAX_PACKET,
    NEEDS_CHECKSUM,
    OVERHEAD,
    PPP_IPV4,
    PPP_IPV6,
    PSH,
    TCP,
    U16,
    U32,
    UDP,
    VERSION_DATA,
    VNET,
    Bytes,
    checksum,
)

# One read of the TUN, in bytes
_PACKET: Final = VNET.size + 65535

#: The largest IPv6 packet, in bytes: its length does not count its header (RFC 8200 3).
_LONGEST: Final = 40 + 65535


def pull(
    tun: int, room: memoryview, limit: int, versions: int
) -> tuple[list[int], bytes | None, int]:
    """Read packets from the TUN, and cut them like :func:`cut`, one behind the other.

    :param tun: a descriptor that does not block.
    :param limit: bytes at which it stops; ``room`` has an SSTP packet more than that.
    :param versions: of IP that the client has opened; see segments.ONLY_IPV4.
    :returns: where each SSTP packet ends; then, if the TUN may have more, the packet at which it
        stopped, and the number of its next segment.
    :raises OSError: if the TUN is gone.
    """
    ends: list[int] = []
    end = 0
    while True:
        try:
            packet = os.read(tun, _PACKET)
        except BlockingIOError:
            packet = b""
        if not packet:
            return ends, None, 0
        # of what the client has not opened nothing is to come, if the machine lets us say so
        if len(packet) < VNET.size + 20 or not versions >> (packet[VNET.size] >> 4) & 1:
            continue
        if end >= limit:
            return ends, packet, 0
        found, following = cut(packet, 0, room[end:], limit - end)
        ends.extend(end + one for one in found)
        end = ends[-1] if ends else 0
        if following >= 0:
            return ends, packet, following


def cut(packet: Bytes, first: int, room: memoryview, limit: int) -> tuple[list[int], int]:
    """Cut a packet from the TUN, with its header, into SSTP data packets, one behind the other.

    :param first: the number of the segment to begin with.
    :param limit: bytes at which it stops; there is one packet at least, if ``room`` has it.
    :returns: where in ``room`` each of them ends; and the number of the next segment, -1 if that
        was the last. What the kernel would not give us is nothing: no end, and no next.
    """
    if not VNET.size + 20 <= len(packet) <= VNET.size + _LONGEST:
        return [], -1
    flags, kind, _, size, start, offset = VNET.unpack_from(packet)
    ip = memoryview(packet)[VNET.size :]
    if ip[0] >> 4 not in (4, 6):
        return [], -1
    if kind == GSO_NONE:
        return _whole(ip, room, (start, offset) if flags & NEEDS_CHECKSUM else None)
    large = _read_large(ip, kind & ~GSO_ECN, start, size)
    if large is None:
        return [], -1
    ends: list[int] = []
    end, number = 0, first
    while number < large.count:
        length = large.length(number)
        if end + length > len(room) or (ends and end + length > limit):
            return ends, number
        large.write(number, room[end : end + length])
        end += length
        ends.append(end)
        number += 1
    return ends, -1


def _whole(
    ip: memoryview, room: memoryview, unfinished: tuple[int, int] | None
) -> tuple[list[int], int]:
    """Pack a packet as it is, its checksum finished."""
    length = OVERHEAD + len(ip)
    if length > min(MAX_PACKET, len(room)):
        return [], -1
    packet = room[OVERHEAD:length]
    packet[:] = ip
    if unfinished:
        start, offset = unfinished
        if start + offset + 2 > len(ip):
            return [], -1
        check = checksum(packet[start:]) or U16
        packet[start + offset : start + offset + 2] = check.to_bytes(2)
    HEAD.pack_into(room, 0, VERSION_DATA, length, _ppp(ip))
    return [length], -1


def _ppp(ip: memoryview) -> int:
    return PPP_IPV6 if ip[0] >> 4 == 6 else PPP_IPV4


@dataclass(slots=True)
class _Large:
    """Segments in one packet.

    :ivar start: bytes of the IP header, and :ivar:`headers` of both.
    :ivar size: bytes of payload of each but the last.
    """

    ip: memoryview
    udp: bool
    start: int
    headers: int
    size: int

    @property
    def count(self) -> int:
        return -(-(len(self.ip) - self.headers) // self.size)

    def length(self, number: int) -> int:
        """Return the bytes of an SSTP packet."""
        rest = len(self.ip) - self.headers - number * self.size
        return OVERHEAD + self.headers + min(self.size, rest)

    def write(self, number: int, room: memoryview) -> None:
        """Write an SSTP packet to ``room``, which is as long as it."""
        HEAD.pack_into(room, 0, VERSION_DATA, len(room), _ppp(self.ip))
        packet, start = room[OVERHEAD:], self.start
        begin = self.headers + number * self.size
        packet[: self.headers] = self.ip[: self.headers]
        packet[self.headers :] = self.ip[begin : begin + len(packet) - self.headers]
        if packet[0] >> 4 == 4:
            identification = int.from_bytes(packet[4:6]) + number & U16
            packet[2:6] = len(packet).to_bytes(2) + identification.to_bytes(2)
            packet[10:12] = bytes(2)
            packet[10:12] = checksum(packet[:start]).to_bytes(2)
            addresses = packet[12:20]
        else:
            packet[4:6] = (len(packet) - 40).to_bytes(2)
            addresses = packet[8:40]
        if self.udp:
            protocol, at = UDP, start + 6
            packet[start + 4 : start + 6] = (len(packet) - start).to_bytes(2)
        else:
            protocol, at = TCP, start + 16
            sequence = int.from_bytes(packet[start + 4 : start + 8]) + number * self.size & U32
            packet[start + 4 : start + 8] = sequence.to_bytes(4)
            if number:
                packet[start + 13] &= ~CWR & 0xFF
            if number < self.count - 1:
                packet[start + 13] &= ~(FIN | PSH) & 0xFF
        packet[at : at + 2] = bytes(2)
        check = checksum(addresses, protocol + len(packet) - start, packet[start:])
        packet[at : at + 2] = (check or (U16 if self.udp else 0)).to_bytes(2)


def _read_large(ip: memoryview, kind: int, start: int, size: int) -> _Large | None:
    """Return what the kernel has put together, None if it is not what it says."""
    version = ip[0] >> 4
    if {GSO_TCPV4: 4, GSO_TCPV6: 6, GSO_UDP: version}.get(kind) != version:
        return None
    # behind IPv6's header there may be others, of extensions
    if start != (ip[0] & 0x0F) * 4 if version == 4 else start < 40:
        return None
    minimum = 8 if kind == GSO_UDP else 20
    if not 20 <= start <= len(ip) - minimum:
        return None
    headers = start + (8 if kind == GSO_UDP else (ip[start + 12] >> 4) * 4)
    if not start + minimum <= headers < len(ip) or not 0 < size <= MAX_PACKET - OVERHEAD - headers:
        return None
    return _Large(ip, kind == GSO_UDP, start, headers, size)
