"""From the client to the TUN: packets that follow each other in their flow become one."""

import os
import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from .diversion import LINK_V6, MULTICAST_V4, Diversion
from .segments import (
    ACK,
    GSO_TCPV4,
    GSO_TCPV6,
    GSO_UDP,
    MAX_PACKET,
    NEEDS_CHECKSUM,
    OVERHEAD,
    PLAIN,
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
    Offload,
    checksum,
)

#: Segments put together at most; the kernel takes no more of UDP (UDP_MAX_SEGMENTS of 6.2).
_MOST: Final = 64
_LARGEST: Final = 65535
#: Flows of which something waits for more.
_FLOWS: Final = 32

_DF: Final = 0x4000

# An SSTP data packet with an IP packet in it: version and C bit, length, PPP address, control and
# protocol, IP version, then source and destination of IPv4.
_DATA: Final = struct.Struct("!HHIB11x4s4s")

# RFC 791: version and header length, TOS, length, identification, fragment, TTL, protocol, checksum
_IPV4: Final = struct.Struct("!BBHHHBBH")
# RFC 8200: version, class and flow, length, next header, hop limit
_IPV6: Final = struct.Struct("!IHBB")
# RFC 9293: ports, sequence, acknowledgment, offset, flags, window, checksum, urgent pointer
_TCP_HEADER: Final = struct.Struct("!IIIBBHHH")
# RFC 768: ports, length, checksum
_UDP_HEADER: Final = struct.Struct("!IHH")


class _Segment(NamedTuple):
    """A packet that can be put together with others.

    :ivar same: what all of them have in common.
    :ivar headers: bytes before its payload.
    :ivar sequence: the number of its first byte; 0 in UDP.
    :ivar identification: of IPv4; -1 where it has no meaning.
    :ivar last: whether nothing may come behind it.
    """

    packet: memoryview
    kind: int
    same: tuple[int | bytes, ...]
    headers: int
    sequence: int
    identification: int
    last: bool

    @property
    def payload(self) -> memoryview:
        return self.packet[self.headers :]


@dataclass(slots=True)
class _Group:
    """Segments of one flow that follow each other.

    :ivar size: bytes of payload of each but the last, which may have fewer.
    :ivar total: bytes of the whole, with its headers.
    :ivar pushed: whether the last one says PSH.
    """

    first: _Segment
    payloads: list[memoryview]
    size: int
    total: int
    pushed: bool = False

    @classmethod
    def of(cls, first: _Segment) -> "_Group":
        return cls(first, [first.payload], len(first.payload), len(first.packet))

    def takes(self, segment: _Segment) -> bool:
        """Whether cutting would give this one behind the others, as it is."""
        first, count = self.first, len(self.payloads)
        size = len(segment.packet) - segment.headers
        return (
            segment.same == first.same
            and size <= self.size
            and self.total + size <= _LARGEST
            and (
                first.kind == GSO_UDP
                or segment.sequence == first.sequence + count * self.size & U32
            )
            and (
                first.identification < 0
                or segment.identification == first.identification + count & U16
            )
        )

    def add(self, segment: _Segment) -> bool:
        """Add it; return whether there may be more."""
        payload = segment.payload
        self.payloads.append(payload)
        self.total += len(payload)
        self.pushed = segment.last
        return not segment.last and len(payload) == self.size and len(self.payloads) < _MOST


def forward(
    view: memoryview,
    position: int,
    end: int,
    source: bytes | None,
    tun: int,
    offload: int,
    server: bytes | None = None,
    multicast: bool = False,
    networks: bytes = b"",
    networks_v6: bytes = b"",
) -> tuple[int, int, list[bytes]]:
    """Give the TUN the IP packets in the SSTP data packets at the beginning of ``view[position:end]``.

    Those that come neither from ``source`` nor from one of the networks are left out. In a flow, order
    is kept.

    :param source: 4 bytes of the client's IPv4 address; and, if it has IPv6, up to 16 of its prefix.
        None, if IPv4 packets may come from anywhere.
    :param tun: a descriptor; one write takes one packet, with its header.
    :param offload: what may be put together, as in :class:`.Offload`.
    :param server: 4 bytes of our IPv4 address in the tunnel: then what asks the server itself is
        diverted (:mod:`.diversion`), and multicast and broadcast are left out. None: neither is.
    :param multicast: whether multicast and broadcast pass all the same.
    :param networks: what is behind the client: 4 bytes of address and 4 of mask for each network.
    :param networks_v6: the same of IPv6, 16 and 16 bytes; it counts only where there is a prefix.
    :returns: where it stopped, as what is there is no such packet or not whole; the bytes of IP
        packets that were written; and the IP packets that were diverted, a few at most. What the
        TUN does not take is lost: IP may lose packets.
    :raises ValueError: if ``source``, ``server`` or the networks are of another size.
    """
    merging = _Merging(tun, offload)
    if source is not None and not 4 <= len(source) <= 20:
        raise ValueError("no such source")
    if server is not None and len(server) != 4:
        raise ValueError("no such server")
    behind, behind_v6 = _networks(networks, 4), _networks(networks_v6, 16)
    diversion = Diversion(server, multicast=multicast)
    address, prefix = (None, b"") if source is None else (source[:4], source[4:])
    while end - position >= OVERHEAD + 20:
        head, length, ppp, version, sender, target = _DATA.unpack_from(view, position)
        following = position + length
        if head != VERSION_DATA or not OVERHEAD + 20 <= length <= MAX_PACKET or following > end:
            break
        packet = view[position + OVERHEAD : following]
        if ppp == PPP_IPV4:
            # the TUN would take IPv6 as well, where this is no source address
            ours = version >> 4 == 4 and (address in (sender, None) or _is_in(behind, sender))
            if ours and server is not None and (target >= MULTICAST_V4 or target == server):
                ours = diversion.passes_v4(packet)
        elif ppp == PPP_IPV6 and prefix:
            whole = version >> 4 == 6 and len(packet) >= 40
            ours = whole and (
                packet[8 : 8 + len(prefix)] == prefix or _is_in(behind_v6, packet[8:24])
            )
            # also under a link-local address, or none yet
            if whole and server is not None and packet[24] >= LINK_V6:
                ours = diversion.passes_v6(packet) and ours
        else:
            break
        if ours:
            merging.add(packet)
        position = following
    merging.finish()
    return position, merging.written, diversion.packets


def _networks(networks: bytes, size: int) -> list[tuple[int, int]]:
    """Return address and mask of each network; an address has ``size`` bytes."""
    if len(networks) % (2 * size):
        raise ValueError("no such networks")
    numbers = [
        int.from_bytes(networks[start : start + size]) for start in range(0, len(networks), size)
    ]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _is_in(networks: list[tuple[int, int]], address: Bytes) -> bool:
    """Whether an address is in one of the networks."""
    if not networks:
        return False
    number = int.from_bytes(address)
    return any(number & mask == network for network, mask in networks)


class _Merging:
    """Puts packets together, as far as they come one behind the other in their flow."""

    def __init__(self, tun: int, offload: int) -> None:
        self._tun = tun
        self._offload = offload
        self._groups: dict[bytes, _Group] = {}
        self.written = 0

    def add(self, packet: memoryview) -> None:
        if not self._offload:
            self._give(PLAIN, packet)
            return
        flow = _flow(packet)
        segment = _segment(packet, self._offload)
        if segment is not None and (group := self._groups.get(flow)) and group.takes(segment):
            if not group.add(segment):
                self._write(self._groups.pop(flow))
            return
        self.finish(flow)
        if segment is None or segment.last:
            self._give(PLAIN, packet)
        else:
            if len(self._groups) == _FLOWS:
                self._write(self._groups.pop(next(iter(self._groups))))
            self._groups[flow] = _Group.of(segment)

    def finish(self, flow: bytes = b"") -> None:
        """Write what there is of ``flow``: all, if it is of none."""
        for one in [one for one in self._groups if one.startswith(flow)]:
            self._write(self._groups.pop(one))

    def _write(self, group: _Group) -> None:
        if len(group.payloads) == 1:
            self._give(PLAIN, group.first.packet)
        else:
            self._give(*_large(group), *group.payloads)

    def _give(self, *parts: Bytes) -> None:
        try:
            self.written += os.writev(self._tun, parts) - VNET.size
        except OSError:
            # the interface is down, or its queue is full
            return


def _flow(packet: memoryview) -> bytes:
    """Return what keeps flows apart: version, addresses, protocol, ports; of what has no ports just
    the first two, with which all flows between those addresses begin.
    """
    version = packet[0] >> 4
    if version == 6:
        ports, addresses = packet[6] in (TCP, UDP), packet[8:40]
        kind, numbers = packet[6:7], packet[40:44]
    else:
        whole = packet[0] == 0x45 and not (packet[6] & 0x3F or packet[7])
        ports, addresses = whole and packet[9] in (TCP, UDP), packet[12:20]
        kind, numbers = packet[9:10], packet[20:24]
    return b"".join((bytes((version,)), addresses, *((kind, numbers) if ports else ())))


def _segment(packet: memoryview, offload: int) -> _Segment | None:
    """Return the packet as a segment, None if it cannot be one of several."""
    size = len(packet)
    identification = -1
    if packet[0] == 0x45:
        _, tos, length, number, fragment, ttl, protocol, _ = _IPV4.unpack_from(packet)
        if length != size or fragment & ~_DF or checksum(packet[:20]):
            return None
        if not fragment:
            identification = number
        same: tuple[int | bytes, ...] = (tos, fragment, ttl)
        start, addresses = 20, packet[12:20]
    elif packet[0] >> 4 == 6:
        flow, length, protocol, hops = _IPV6.unpack_from(packet)
        if length != size - 40:
            return None
        same = (flow, hops)
        start, addresses = 40, packet[8:40]
    else:
        return None
    if protocol == TCP and offload & Offload.TCP and size >= start + 20:
        _, sequence, acknowledgment, offset, flags, window, _, urgent = _TCP_HEADER.unpack_from(
            packet, start
        )
        headers = start + (offset >> 4) * 4
        if offset & 0x0F or not start + 20 <= headers < size or flags & ~PSH != ACK:
            return None
        same += (acknowledgment, offset, window, urgent, bytes(packet[start + 20 : headers]))
        kind = GSO_TCPV4 if start == 20 else GSO_TCPV6
    elif protocol == UDP and offload & Offload.UDP and size > start + 8:
        _, length, check = _UDP_HEADER.unpack_from(packet, start)
        headers, sequence, flags = start + 8, 0, 0
        if length != size - start or not check:
            return None
        kind = GSO_UDP
    else:
        return None
    if checksum(addresses, protocol + size - start, packet[start:]):
        return None
    return _Segment(packet, kind, same, headers, sequence, identification, bool(flags & PSH))


def _large(group: _Group) -> tuple[bytes, bytes]:
    """Return both headers, of virtio and of IP, for all segments of ``group`` in one packet."""
    first, total = group.first, group.total
    headers = bytearray(first.packet[: first.headers])
    if headers[0] >> 4 == 4:
        start, addresses = 20, headers[12:20]
        headers[2:4] = total.to_bytes(2)
        headers[10:12] = bytes(2)
        headers[10:12] = checksum(headers[:20]).to_bytes(2)
    else:
        start, addresses = 40, headers[8:40]
        headers[4:6] = (total - 40).to_bytes(2)
    if first.kind == GSO_UDP:
        protocol, at = UDP, 6
        headers[start + 4 : start + 6] = (total - start).to_bytes(2)
    else:
        protocol, at = TCP, 16
        headers[start + 13] |= PSH if group.pushed else 0
    # what is there now is the sum of the pseudo header alone; the kernel, or a card, does the rest
    pseudo = 0xFFFF - checksum(addresses, protocol + total - start)
    headers[start + at : start + at + 2] = pseudo.to_bytes(2)
    vnet = VNET.pack(NEEDS_CHECKSUM, first.kind, first.headers, group.size, start, at)
    return vnet, bytes(headers)
