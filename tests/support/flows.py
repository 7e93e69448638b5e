"""Random flows of packets, as hypothesis draws them: what a client sends when all goes wrong.

A flow goes on by itself: sequence numbers, identifications. An event is one packet of a flow, or a
change that lasts, or a packet that is not as it should be.
"""

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from hypothesis import strategies as st

from tests.support.packets import UDP
from tests.support.segmentation import (
    ACK,
    CWR,
    DF,
    ECE,
    FIN,
    MORE,
    PSH,
    RST,
    SYN,
    URG,
    Ip,
    Tcp,
    Udp,
    ip_finished,
)

OURS = bytes((10, 99, 0, 10))
OURS_V6 = bytes.fromhex("20010db800000000 0000000000000010")
SOURCE = OURS + OURS_V6
#: The server's address in the tunnel.
SERVER = bytes((10, 99, 0, 1))

_THERE, _ELSEWHERE = bytes((198, 18, 1, 2)), bytes((198, 18, 1, 3))
_THERE_V6 = bytes.fromhex("20010db8000000ff 0000000000000002")
_EVERYBODY, _GROUP = bytes(4 * (255,)), bytes((224, 0, 0, 251))
_LINK_V6 = bytes.fromhex("fe80000000000000 0000000000000010")
_SERVER_LINK_V6 = bytes.fromhex("fe80000000000000 0000000000000001")
_DHCP_V6 = bytes.fromhex("ff02000000000000 0000000000010002")
_GROUP_V6 = bytes.fromhex("ff02000000000000 00000000000000fb")
_TIMES = bytes.fromhex("0101080a0000000100000002")

Any: TypeAlias = Tcp | Udp
Event: TypeAlias = tuple[int, str, int]

FLOWS: tuple[Any, ...] = (
    Tcp(Ip(OURS, _THERE)),
    Tcp(Ip(OURS, _THERE, identification=65533), (40001, 443), 2**32 - 250, options=_TIMES),
    Tcp(Ip(OURS, _ELSEWHERE, fragment=0, identification=65533)),
    Udp(Ip(OURS, _THERE)),
    Udp(Ip(OURS, _THERE, fragment=0), (40001, 53)),
    Tcp(Ip(OURS_V6, _THERE_V6)),
    Udp(Ip(OURS_V6, _THERE_V6, flow_label=77)),
    # to the server itself, and to everybody
    Udp(Ip(OURS, _EVERYBODY), (68, 67)),
    Udp(Ip(OURS, SERVER), (68, 67)),
    Udp(Ip(OURS, _GROUP), (5353, 5353)),
    Udp(Ip(OURS, _EVERYBODY), (138, 138)),
    Tcp(Ip(OURS, SERVER)),
    Udp(Ip(_LINK_V6, _DHCP_V6), (546, 547)),
    Udp(Ip(OURS_V6, _DHCP_V6), (546, 547)),
    Udp(Ip(OURS_V6, _GROUP_V6), (5353, 5353)),
    Udp(Ip(OURS_V6, _SERVER_LINK_V6), (546, 547)),
    Tcp(Ip(OURS_V6, _SERVER_LINK_V6)),
)


def _fragment(value: int) -> Callable[[Any], Any]:
    return lambda packet: replace(packet, ip=replace(packet.ip, fragment=value))


def _tcp(change: Callable[[Tcp], Tcp]) -> Callable[[Any], Any]:
    return lambda packet: change(packet) if isinstance(packet, Tcp) else packet


def _flags(flags: int) -> Callable[[Any], Any]:
    return _tcp(lambda packet: replace(packet, flags=flags))


#: The flow is another from here on.
LASTING: dict[str, Callable[[Any], Any]] = {
    "acknowledges": _tcp(lambda p: replace(p, acknowledgment=p.acknowledgment + 1000)),
    "opens its window": _tcp(lambda p: replace(p, window=p.window ^ 0x0101)),
    "has another time": _tcp(lambda p: replace(p, options=_TIMES[:-1] + b"\x07")),
    "has no options": _tcp(lambda p: replace(p, options=b"")),
    "has all options": _tcp(
        lambda p: replace(p, options=_TIMES + bytes.fromhex("0101050a0000000a0000001401010101"))
    ),
    "has an urgent pointer": _tcp(lambda p: replace(p, urgent=3)),
    "has another TOS": lambda p: replace(p, ip=replace(p.ip, tos=p.ip.tos ^ 3)),
    "has another TTL": lambda p: replace(p, ip=replace(p.ip, ttl=p.ip.ttl ^ 1)),
    "has another label": lambda p: replace(p, ip=replace(p.ip, flow_label=p.ip.flow_label ^ 1)),
    "may be fragmented": _fragment(0),
    "may not be fragmented": _fragment(DF),
    "skips identifications": lambda p: replace(
        p, ip=replace(p.ip, identification=(p.ip.identification + 3) % 2**16)
    ),
    "loses a segment": _tcp(lambda p: replace(p, sequence=(p.sequence + 100) % 2**32)),
    "goes back": _tcp(lambda p: replace(p, sequence=(p.sequence - 100) % 2**32)),
}

#: One packet is another.
ONCE: dict[str, Callable[[Any], Any]] = {
    "PSH": _flags(ACK | PSH),
    "FIN": _flags(ACK | PSH | FIN),
    "SYN": _flags(SYN),
    "RST": _flags(RST),
    "URG": _flags(ACK | URG),
    "ECE": _flags(ACK | ECE),
    "CWR": _flags(ACK | CWR),
    "no ACK": _flags(0),
    "AE": _tcp(lambda p: replace(p, reserved=1)),
    "nothing in it": lambda p: replace(p, content=b""),
    "IP options": lambda p: replace(
        p, ip=replace(p.ip, extra=bytes.fromhex("94040000" * (1 if len(p.ip.source) == 4 else 2)))
    ),
    "first fragment": _fragment(MORE),
    "later fragment": _fragment(100),
    "last fragment with DF": _fragment(DF | 5),
    "reserved bit": _fragment(0x8000 | DF),
    "spoofed": lambda p: replace(p, ip=replace(p.ip, source=_other(p.ip.source))),
    "no checksum": lambda p: replace(p, unsummed=True) if isinstance(p, Udp) else p,
}


def _other(address: bytes) -> bytes:
    return address[:3] + bytes((address[3] ^ 1,)) + address[4:]


def _changed(at: int, mask: int, *, finish: bool = False) -> Callable[[bytes], bytes]:
    def change(packet: bytes) -> bytes:
        made = bytearray(packet)
        made[min(at, len(made) - 1)] ^= mask
        return ip_finished(bytes(made)) if finish and packet[0] >> 4 == 4 else bytes(made)

    return change


#: One packet has other bytes.
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "a bad IP header": _changed(10, 0x40),
    "bad content": _changed(-1, 0x40),
    "a bad TCP checksum, or acknowledgment": _changed(36, 0x40),
    "another IP length": _changed(3, 0x04, finish=True),
    "an IP header of 24 bytes": _changed(0, 0x03, finish=True),
    "an IP header of 16 bytes": _changed(0, 0x01, finish=True),
    "another IP version": _changed(0, 0x50),
    "another protocol": _changed(9, 0x10, finish=True),
    "a UDP length or sequence that lies": _changed(25, 0x04),
    "another data offset": _changed(32, 0xF0),
    "something behind it": lambda packet: packet + b"\0\0",
    "an end": lambda packet: packet[:-1],
    "a UDP length that lies, and was summed": lambda packet: _lying(packet),
    "a UDP checksum of 0 that is right": lambda packet: _zero(packet),
    "just the IP header": lambda packet: packet[: 20 if packet[0] >> 4 == 4 else 40],
    "half a port": lambda packet: ip_finished(_shorter(packet)) if packet[0] == 0x45 else packet,
}


def _shorter(packet: bytes) -> bytes:
    return packet[:2] + (23).to_bytes(2) + packet[4:23]


def _lying(packet: bytes) -> bytes:
    """Take from UDP's length what is added to its checksum."""
    at = 20 if packet[0] >> 4 == 4 else 40
    if packet[9 if at == 20 else 6] != UDP or len(packet) < at + 10:
        return packet
    length, check = struct.unpack_from("!HH", packet, at + 4)
    if length < 10 or check > 0xFFF0:
        return packet
    return packet[: at + 4] + struct.pack("!HH", length - 2, check + 2) + packet[at + 8 :]


def _zero(packet: bytes) -> bytes:
    """Have the content such that UDP's checksum comes out as 0, which means that there is none."""
    at = 20 if packet[0] >> 4 == 4 else 40
    if packet[9 if at == 20 else 6] != UDP or len(packet) < at + 10:
        return packet
    check, word = struct.unpack_from("!HH", packet, at + 6)
    word = (check + word) % 0xFFFF
    return packet[: at + 6] + struct.pack("!HH", 0, word) + packet[at + 10 :]


@dataclass
class FlowState:
    """A flow as far as it has come."""

    packet: Any

    def next(self, what: str, size: int, number: int) -> bytes:
        """Return the next packet, and go on."""
        if what in LASTING:
            self.packet = LASTING[what](self.packet)
        content = random.Random(number).randbytes(size)
        packet = replace(self.packet, content=content)
        if what in ONCE:
            packet = ONCE[what](packet)
        self._go_on(len(packet.content))
        made = packet.encode()
        return DAMAGE[what](made) if what in DAMAGE else made

    def _go_on(self, size: int) -> None:
        ip = self.packet.ip
        ip = replace(ip, identification=(ip.identification + 1) % 2**16)
        if isinstance(self.packet, Tcp):
            sequence = (self.packet.sequence + size) % 2**32
            self.packet = replace(self.packet, ip=ip, sequence=sequence)
        else:
            self.packet = replace(self.packet, ip=ip)


def packets(events: list[Event], swaps: list[tuple[int, int]]) -> list[bytes]:
    """Return the IP packets of these events; ``swaps`` are places that are exchanged after that.

    A place with itself: this packet comes twice.
    """
    flows = [FlowState(packet) for packet in FLOWS]
    made = [flows[flow].next(what, size, i) for i, (flow, what, size) in enumerate(events)]
    for one, other in swaps:
        if one == other and one < len(made):
            made.insert(one, made[one])
        elif max(one, other) < len(made):
            made[one], made[other] = made[other], made[one]
    return made


_usual = st.just("")
_what = st.one_of(_usual, _usual, _usual, st.sampled_from([*LASTING, *ONCE, *DAMAGE]))
_sizes = st.sampled_from((100, 100, 100, 100, 99, 101, 1, 0, 1400, 4000))
#: Flows of few: those of many are rarely the same one again.
_flows = st.sampled_from((0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 6, *range(7, len(FLOWS))))
_event = st.tuples(_flows, _what, _sizes)

_one_flow = st.builds(
    lambda flow, whats: [(flow, what, 100) for what in whats],
    _flows,
    st.lists(st.one_of(_usual, _usual, _what), min_size=6, max_size=12),
)

#: IP packets of several flows at once.
mixed: st.SearchStrategy[list[bytes]] = st.builds(
    packets,
    st.one_of(st.lists(_event, max_size=6), st.lists(_event, min_size=12, max_size=24), _one_flow),
    st.lists(st.tuples(st.integers(0, 23), st.integers(0, 23)), max_size=2),
)
