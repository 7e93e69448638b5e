"""Whether what a data plane writes means the same as what it was given.

What it writes goes through the kernel's rules (:mod:`tests.support.segmentation`), and what comes out
is compared with what was sent, packet by packet.
"""

import socket
import struct
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

from sstpca.server.dataplane.segments import Offload
from tests.support.engines import BOTH, Engine
from tests.support.flows import OURS, SOURCE
from tests.support.packets import TCP, UDP, checksum
from tests.support.segmentation import (
    DF,
    GSO_NONE,
    GSO_UDP_L4,
    NEEDS_CSUM,
    Ip,
    Udp,
    Vnet,
    segments,
    transport_sum,
)

VNET = 10
OVERHEAD = 8
LARGEST_SSTP = 4095
_LINK_MULTICAST = IPv6Network("ff02::/16")


def framed(packet: bytes, protocol: int = 0) -> bytes:
    """An SSTP data packet with an IP packet in it, of the PPP protocol that it is of, or this."""
    protocol = protocol or (0x57 if packet[0] >> 4 == 6 else 0x21)
    return struct.pack("!HHHH", 0x1000, OVERHEAD + len(packet), 0xFF03, protocol) + packet


@contextmanager
def tunnel() -> Iterator[tuple[int, socket.socket]]:
    """A descriptor that keeps writes apart like a TUN, and its far end."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far:
        near.setblocking(False)
        far.setblocking(False)
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        yield near.fileno(), far


def read_all(far: socket.socket) -> list[bytes]:
    found = []
    try:
        while message := far.recv(VNET + 65536):
            found.append(message)
    except BlockingIOError:
        pass
    return found


@dataclass(frozen=True, slots=True)
class Door:
    """What goes another way than to the TUN, and what passes beside the client's own packets.

    :param server: our address in the tunnel; None: nothing goes another way.
    :param multicast: whether multicast and broadcast pass.
    :param networks: behind the client.
    """

    server: bytes | None = None
    multicast: bool = False
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def is_behind(self, address: bytes) -> bool:
        """Whether an address, 4 or 16 bytes, is in one of the networks."""
        kind = IPv4Address if len(address) == 4 else IPv6Address
        return any(kind(address) in network for network in self.networks)

    def packed(self, version: int) -> bytes:
        """The networks of one family, as a data plane takes them."""
        some = [network for network in self.networks if network.version == version]
        return b"".join(one.network_address.packed + one.netmask.packed for one in some)


#: Nothing goes another way.
OPEN = Door()


class Written(NamedTuple):
    """What :func:`forward` returns: what was written; where it stopped, in the stream; the bytes that
    it says it has written; and the packets that went another way.
    """

    messages: list[bytes]
    stopped: int
    size: int
    diverted: list[bytes]


def forward(
    engine: Engine,
    stream: bytes,
    source: bytes | None = SOURCE,
    offload: Offload = BOTH,
    door: Door = OPEN,
) -> Written:
    """Have a stream forwarded, with other packets before and behind it in memory."""
    # what is before and behind is no concern of it: packets of ours, which it may not forward
    around = framed(Udp(Ip(OURS)).encode())
    view = memoryview(around + stream + around)
    with tunnel() as (tun, far):
        end = len(around) + len(stream)
        position, count, diverted = engine.forward(
            view,
            len(around),
            end,
            source,
            tun,
            offload,
            door.server,
            door.multicast,
            door.packed(4),
            door.packed(6),
        )
        return Written(read_all(far), position - len(around), count, diverted)


def _is_asked(packet: bytes, server: bytes) -> bool:
    """Whether a packet asks the server itself: DHCP, or of IPv6 what a client asks on its link."""
    if packet[0] >> 4 == 4:
        start = (packet[0] & 0x0F) * 4
        if packet[16:20] not in (server, bytes(4 * [255])) or packet[9] != UDP or start < 20:
            return False
        if int.from_bytes(packet[6:8]) & 0x3FFF or len(packet) < start + 8:
            return False
        return packet[start + 2 : start + 4] == (67).to_bytes(2)
    target = IPv6Address(packet[24:40])
    if len(packet) < 48 or not (target in _LINK_MULTICAST or target.is_link_local):
        return False
    solicitations = packet[6] == 58 and packet[40] in (133, 135)
    return solicitations or (packet[6] == UDP and packet[42:44] == (547).to_bytes(2))


def _is_for_all(packet: bytes) -> bool:
    if packet[0] >> 4 == 6:
        return IPv6Address(packet[24:40]).is_multicast
    target = IPv4Address(packet[16:20])
    return target.is_multicast or target == IPv4Address("255.255.255.255")


def unpacked(
    stream: bytes, source: bytes | None, door: Door = OPEN
) -> tuple[list[bytes], int, list[bytes]]:
    """Return the packets that may pass, where the first thing is that is no whole IP packet, and the
    packets that go another way.
    """
    passing, position, diverted = [], 0, []
    while len(stream) - position >= OVERHEAD + 20:
        head, size, ppp = struct.unpack_from("!HHI", stream, position)
        packet = stream[position + OVERHEAD : position + size]
        whole = OVERHEAD + 20 <= size <= min(LARGEST_SSTP, len(stream) - position)
        kinds = {0xFF030021: 4} | ({0xFF030057: 6} if source and len(source) > 4 else {})
        if head != 0x1000 or not whole or ppp not in kinds:
            break
        position += size
        if packet[0] >> 4 != kinds[ppp] or (kinds[ppp] == 6 and len(packet) < 40):
            continue
        if kinds[ppp] == 4:
            ours = source is None or packet[12:16] == source[:4] or door.is_behind(packet[12:16])
        else:
            ours = packet[8:24].startswith((source or b"")[4:]) or door.is_behind(packet[8:24])
        if door.server and (ours or kinds[ppp] == 6) and _is_asked(packet, door.server):
            diverted.append(packet)
        elif ours and (door.server is None or door.multicast or not _is_for_all(packet)):
            passing.append(packet)
    return passing, position, diverted[:8]


def flow_of(packet: bytes) -> bytes:
    """What keeps its order: packets with the same ports, or the same identification in fragments."""
    if packet[0] >> 4 == 6:
        ports = packet[40:44] if packet[6] in (TCP, UDP) else b""
        return packet[6:7] + packet[8:40] + ports
    fragmented = int.from_bytes(packet[6:8]) & 0x3FFF
    start = (packet[0] & 0x0F) * 4
    ports = packet[start : start + 4] if packet[9] in (TCP, UDP) else b""
    return packet[9:10] + packet[12:20] + (packet[4:6] if fragmented else ports)


def essence(packet: bytes) -> bytes:
    """What of a packet has a meaning.

    Not the identification where DF is set (RFC 6864 4.1), nor which of two checksums that mean the
    same it has: 0000 and ffff are the same number (RFC 1071). A wrong one stays what it is.
    """
    made = bytearray(packet)
    check = {TCP: 16, UDP: 6}
    if packet[0] >> 4 == 6:
        start, protocol = 40, packet[6]
    else:
        start, protocol = (packet[0] & 0x0F) * 4, packet[9]
        if len(packet) >= start >= 20 and not checksum(packet[:start]):
            made[10:12] = b"ok"
            if int.from_bytes(packet[6:8]) & 0x7FFF == DF:
                made[4:6] = b"--"
    if transport_sum(packet) == 0:
        made[start + check[protocol] : start + check[protocol] + 2] = b"ok"
    return bytes(made)


def assert_well_formed(message: bytes) -> None:
    """What the kernel takes as it is: it looks at these, or believes them."""
    vnet, packet = Vnet.decode(message), message[VNET:]
    if vnet.gso_type == GSO_NONE:
        assert vnet == Vnet()
        return
    assert vnet.flags == NEEDS_CSUM
    assert len(packet) <= 65535
    start = 40 if packet[0] >> 4 == 6 else 20
    if start == 20:
        assert int.from_bytes(packet[2:4]) == len(packet)
        assert checksum(packet[:20]) == 0
    else:
        assert int.from_bytes(packet[4:6]) == len(packet) - 40
    if vnet.gso_type == GSO_UDP_L4:
        assert int.from_bytes(packet[start + 4 : start + 6]) == len(packet) - start
        headers = start + 8
    else:
        headers = start + (packet[start + 12] >> 4) * 4
    assert (vnet.csum_start, vnet.hdr_len) == (start, headers)
    assert 1 < len(segments(message)) <= 64


def assert_transparent(
    engine: Engine,
    stream: bytes,
    source: bytes | None,
    offload: Offload = BOTH,
    door: Door = OPEN,
) -> int:
    """What was written is what was allowed to pass, in each flow in this order; return the writes."""
    written, stopped, count, diverted = forward(engine, stream, source, offload, door)
    expected, end, asked = unpacked(stream, source, door)
    assert stopped == end
    assert diverted == asked
    assert count == sum(len(message) - VNET for message in written)
    came: dict[bytes, list[bytes]] = defaultdict(list)
    for message in written:
        assert_well_formed(message)
        kinds = {GSO_NONE: offload, GSO_UDP_L4: Offload.UDP}
        assert kinds.get(Vnet.decode(message).gso_type, Offload.TCP) in offload
        for packet in segments(message):
            came[flow_of(packet)].append(essence(packet))
    sent: dict[bytes, list[bytes]] = defaultdict(list)
    for packet in expected:
        sent[flow_of(packet)].append(essence(packet))
    assert came == sent
    return len(written)
