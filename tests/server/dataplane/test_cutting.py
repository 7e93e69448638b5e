"""From the TUN to the client: cutting gives what a network card would send.

For Python's data plane and the compiled one, and for both the same.
"""

import itertools
import os
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import flows, segmentation
from tests.support.engines import Engine
from tests.support.flows import OURS_V6
from tests.support.packets import UDP, checksum
from tests.support.segmentation import (
    ACK,
    CWR,
    DF,
    ECE,
    FIN,
    NEEDS_CSUM,
    PSH,
    Ip,
    Tcp,
    Udp,
    Vnet,
    offloaded,
    segments,
    transport_sum,
    unfinished,
)
from tests.support.transparency import (
    LARGEST_SSTP,
    OVERHEAD,
    VNET,
    essence,
    forward,
    framed,
    tunnel,
)


def cut(
    engine: Engine, message: bytes, first: int, room: int, limit: int
) -> tuple[list[bytes], int]:
    """Return the SSTP packets and the next number; what is around the room stays what it is."""
    around = random.Random(len(message)).randbytes(64)
    memory = bytearray(around + bytes(room) + around)
    with memoryview(memory) as view:
        ends, following = engine.cut(message, first, view[64 : 64 + room], limit)
    assert bytes(memory[:64]) == bytes(memory[64 + room :]) == around
    assert ends == sorted(set(ends))
    assert not ends or 0 < ends[0] <= ends[-1] <= room
    pairs = itertools.pairwise([0, *ends])
    return [bytes(memory[64 + start : 64 + end]) for start, end in pairs], following


def cut_all(engine: Engine, message: bytes, room: int, limit: int) -> list[bytes]:
    """Cut in as many calls as it takes."""
    made: list[bytes] = []
    following = 0
    while following >= 0:
        assert following == len(made)
        some, following = cut(engine, message, following, room, limit)
        made += some
        if following >= 0:
            assert some
            assert len(some) == 1 or sum(map(len, some)) <= limit
            there = len(framed(segments(message)[following]))
            assert sum(map(len, some)) + there > min(limit, room)
    return made


_v4 = st.builds(
    Ip,
    tos=st.integers(0, 255),
    ttl=st.integers(1, 255),
    identification=st.one_of(st.integers(0, 65535), st.integers(65530, 65535)),
    fragment=st.sampled_from((0, DF)),
    extra=st.sampled_from((b"", b"", bytes.fromhex("94040000"), bytes(40))),
)
# hop-by-hop options, then destination options, then TCP or UDP
_v6 = st.builds(
    Ip,
    source=st.just(OURS_V6),
    destination=st.binary(min_size=16, max_size=16),
    tos=st.integers(0, 255),
    flow_label=st.integers(0, 2**20 - 1),
    ttl=st.integers(1, 255),
    extra=st.sampled_from((b"", b"", bytes.fromhex("0600010400000000"))),
)
_content = st.builds(lambda size: random.Random(size).randbytes(size), st.integers(1, 6000))
_ports = st.tuples(st.integers(0, 65535), st.integers(0, 65535))
_tcp = st.builds(
    Tcp,
    ip=st.one_of(_v4, _v6),
    ports=_ports,
    sequence=st.one_of(st.integers(0, 2**32 - 1), st.integers(2**32 - 2000, 2**32 - 1)),
    acknowledgment=st.integers(0, 2**32 - 1),
    flags=st.integers(0, 255),
    window=st.integers(0, 65535),
    urgent=st.integers(0, 65535),
    reserved=st.integers(0, 15),
    options=st.integers(0, 10).map(lambda words: bytes(range(4 * words))),
    content=_content,
)
_udp = st.builds(Udp, ip=st.one_of(_v4, _v6), ports=_ports, content=_content)


@given(
    packet=st.one_of(_tcp, _udp),
    size=st.one_of(st.integers(100, 1460), st.sampled_from((150, 1400, 3900))),
    headroom=st.integers(0, 300),
    ecn=st.booleans(),
    room=st.integers(4095, 20_000),
    limit=st.integers(0, 20_000),
)
def test_cutting_gives_what_a_card_would_send(
    engine: Engine,
    packet: Tcp | Udp,
    size: int,
    headroom: int,
    ecn: bool,
    room: int,
    limit: int,
) -> None:
    ecn = ecn and isinstance(packet, Tcp)
    message = offloaded(packet, size, headroom=headroom, ecn=ecn)
    made = cut_all(engine, message, room, limit)
    assert [one[:OVERHEAD] for one in made] == [framed(one[OVERHEAD:])[:OVERHEAD] for one in made]
    packets = [one[OVERHEAD:] for one in made]
    assert list(map(essence, packets)) == list(map(essence, segments(message)))
    if not packet.ip.extra or len(packet.ip.source) == 4:
        assert {transport_sum(one) for one in packets} == {0}


@given(packet=st.one_of(_tcp, _udp).filter(lambda packet: len(packet.content) < 3900))
def test_a_checksum_is_finished(engine: Engine, packet: Tcp | Udp) -> None:
    made, following = cut(engine, unfinished(packet), 0, 4095, 0)
    assert following == -1
    assert list(map(essence, (one[OVERHEAD:] for one in made))) == [essence(packet.encode())]


@given(packet=st.binary(min_size=20, max_size=200))
def test_a_packet_that_is_right_stays_as_it_is(engine: Engine, packet: bytes) -> None:
    packet = bytes((0x45,)) + packet[1:]
    for flags in (0, 2):
        message = Vnet(flags).encode() + packet
        assert cut(engine, message, 0, 4095, 0) == ([framed(packet)], -1)


def test_the_largest(engine: Engine) -> None:
    packet = Tcp(
        Ip(identification=65000),
        sequence=2**32 - 30_000,
        flags=ACK | PSH | FIN | CWR | ECE,
        content=random.Random(1).randbytes(65495),
    )
    message = offloaded(packet, 1348, ecn=True)
    made = cut_all(engine, message, 70_000, 70_000)
    assert [one[OVERHEAD:] for one in made] == segments(message)
    assert made[0][OVERHEAD + 33] == ACK | CWR | ECE
    assert made[1][OVERHEAD + 33] == ACK | ECE
    assert made[-1][OVERHEAD + 33] == ACK | PSH | FIN | ECE


def test_datagrams_of_no_checksum(engine: Engine) -> None:
    """A UDP checksum that comes out as 0 is sent as ffff (RFC 768)."""
    packet = Udp(content=b"\0\0")
    content = checksum(packet.ip.pseudo(UDP, 10) + packet.header + b"\0\0").to_bytes(2)
    message = offloaded(Udp(content=content * 2), 2)
    whole = unfinished(Udp(content=content))
    for made in cut_all(engine, message, 4095, 0) + cut_all(engine, whole, 4095, 0):
        assert made[OVERHEAD + 26 : OVERHEAD + 28] == b"\xff\xff"


@pytest.mark.parametrize("room", [0, 1, 100, OVERHEAD + 40 + 99])
def test_too_little_room_is_not_written_beyond(engine: Engine, room: int) -> None:
    message = offloaded(Tcp(content=bytes(1000)), 100)
    assert cut(engine, message, 3, room, 5000)[0] == []
    assert cut(engine, Vnet().encode() + Tcp(content=bytes(100)).encode(), 0, room, 5000)[0] == []


def test_a_packet_larger_than_sstp_can_carry(engine: Engine) -> None:
    for size in (LARGEST_SSTP - OVERHEAD - 40, LARGEST_SSTP - OVERHEAD - 39):
        whole = Vnet().encode() + Tcp(content=bytes(size)).encode()
        large = offloaded(Tcp(content=bytes(10_000)), size)
        fits = size == LARGEST_SSTP - OVERHEAD - 40
        assert len(cut(engine, whole, 0, 5000, 0)[0]) == fits
        assert len(cut(engine, large, 0, 5000, 0)[0]) == fits


_large = offloaded(Tcp(content=bytes(1000)), 100)
_SIX = Ip(OURS_V6, bytes(15) + b"\1")
_SEEMING = Ip(OURS_V6, b"\x50" * 16)


def _starting(packet: Tcp, start: int, *, first: int) -> bytes:
    """Segments whose TCP header is said to be at ``start``; the first byte of IP is this."""
    message = offloaded(packet, 10)
    return message[:6] + struct.pack("=HHB", start, 16, first) + message[11:]


@pytest.mark.parametrize(
    "message",
    [
        b"",
        _large[:29],
        Vnet().encode(),
        # header: kinds of segments that were not asked for, or of another version
        *(_large[:1] + bytes((kind,)) + _large[2:] for kind in (2, 3, 4, 6, 7, 0x80, 0x83, 0xFF)),
        # segments of no size; headers that end behind the packet, or before themselves
        _large[:4] + bytes(2) + _large[6:],
        _large[:6] + struct.pack("=H", 19) + _large[8:],
        _large[:6] + struct.pack("=H", 0xFFFF) + _large[8:],
        _large[:6] + struct.pack("=H", 24) + _large[8:],
        # where a TCP header seems to be, in an IP header that is too short
        _starting(Tcp(acknowledgment=0x50000000, content=bytes(100)), 16, first=0x44),
        *(
            _starting(Tcp(_SEEMING, content=bytes(100)), start, first=0x60)
            for start in (20, 28, 39)
        ),
        _large[:42] + b"\x40" + _large[43:],
        _large[: VNET + 40],
        _large[: VNET + 39],
        # a checksum that goes where nothing is
        Vnet(NEEDS_CSUM, csum_start=40, csum_offset=0).encode() + bytes((0x45,)) + bytes(39),
        Vnet(NEEDS_CSUM, csum_start=20, csum_offset=19).encode() + bytes((0x45,)) + bytes(39),
        Vnet(NEEDS_CSUM, csum_start=0xFFFF, csum_offset=0xFFFF).encode() + bytes((0x45,)) * 40,
        # neither IPv4 nor IPv6, in each of the ways
        *(
            message[:VNET] + bytes((first,)) + message[VNET + 1 :]
            for first in (0x05, 0x35, 0x55, 0x75, 0xF5)
            for message in (
                _large,
                offloaded(Udp(_SIX, content=bytes(40)), 10),
                Vnet().encode() + bytes(60),
            )
        ),
        # more than IP can say
        Vnet().encode() + bytes((0x45,)) * 65576,
        _large + bytes(65576 - 1040),
    ],
    ids=lambda message: f"{len(message)}:{message[:12].hex()}",
)
def test_what_the_kernel_would_not_give_is_nothing(engine: Engine, message: bytes) -> None:
    assert cut(engine, message, 0, 5000, 5000) == ([], -1)


@given(
    message=st.one_of(
        st.binary(max_size=200),
        st.builds(offloaded, st.one_of(_tcp, _udp), st.integers(50, 4000)),
    ),
    damage=st.lists(st.tuples(st.integers(0, 79), st.integers(0, 255)), max_size=3),
    first=st.integers(0, 200),
    room=st.integers(0, 6000),
    limit=st.integers(0, 6000),
)
def test_damaged_or_not_both_cut_the_same(
    both: tuple[Engine, Engine],
    message: bytes,
    damage: list[tuple[int, int]],
    first: int,
    room: int,
    limit: int,
) -> None:
    changed = bytearray(message)
    for at, value in damage:
        if at < len(changed):
            changed[at] = value
    python, compiled = (cut(one, bytes(changed), first, room, limit) for one in both)
    assert python == compiled
    for packet in python[0]:
        assert packet[:OVERHEAD] == framed(packet[OVERHEAD:])[:OVERHEAD]


#: Versions of IP, a bit for each number: none, IPv4, IPv6, both
VERSIONS = (0, 1 << 4, 1 << 6, 1 << 4 | 1 << 6)
ONLY_IPV4 = VERSIONS[1]


def pull(
    engine: Engine, messages: list[bytes], limit: int, versions: int
) -> tuple[list[bytes], bytes | None, int, list[bytes]]:
    """Return the SSTP packets, the packet at which it stopped, its next segment, and what is left."""
    around = random.Random(limit).randbytes(64)
    size = limit + 4095
    memory = bytearray(around + bytes(size) + around)
    with tunnel() as (tun, far):
        for message in messages:
            far.send(message)
        with memoryview(memory) as view:
            ends, packet, following = engine.pull(tun, view[64 : 64 + size], limit, versions)
        left = []
        none = memoryview(bytearray(0))
        while (rest := engine.pull(tun, none, 0, versions)[1]) is not None:
            left.append(rest)
    assert bytes(memory[:64]) == bytes(memory[64 + size :]) == around
    assert ends == sorted(set(ends))
    pairs = itertools.pairwise([0, *ends])
    return [bytes(memory[64 + one : 64 + end]) for one, end in pairs], packet, following, left


_message = st.one_of(
    st.builds(offloaded, st.one_of(_tcp, _udp), st.integers(100, 1400)),
    st.builds(unfinished, st.builds(Udp, content=st.just(b"one"))),
    st.binary(min_size=1, max_size=60),
)


@given(
    messages=st.lists(_message, max_size=8),
    limit=st.integers(0, 12_000),
    versions=st.sampled_from(VERSIONS),
)
def test_pulling_is_cutting_one_after_the_other(
    both: tuple[Engine, Engine], messages: list[bytes], limit: int, versions: int
) -> None:
    python, compiled = (pull(one, messages, limit, versions) for one in both)
    assert python == compiled
    made, packet, following, left = python
    there = [one for one in messages if len(one) >= VNET + 20 and versions >> (one[VNET] >> 4) & 1]
    expected = [cut_all(both[0], one, 5000, 5000) for one in there]
    # what it stopped at is not lost, and what is behind that was not read
    if packet is None:
        assert (made, left, following) == ([one for part in expected for one in part], [], 0)
        return
    at = len(there) - len(left) - 1
    assert [packet, *left] == there[at:]
    assert made == [one for part in expected[:at] for one in part] + expected[at][:following]
    assert sum(map(len, made)) <= limit + 4095


@pytest.mark.parametrize("size", [0, 7, 900, 950, 1900, 2000, 2900])
def test_pulling_into_less_room_than_it_was_told(engine: Engine, size: int) -> None:
    """What does not fit is lost or waits, and is not written behind the room."""
    plain = Vnet().encode() + Udp(content=bytes(900)).encode()
    memory = bytearray(size + 5000)
    with tunnel() as (tun, far), memoryview(memory) as view:
        for message in (plain, plain, _large, plain):
            far.send(message)
        ends, _, _ = engine.pull(tun, view[:size], 5000, ONLY_IPV4)
    assert all(end <= size for end in ends)
    assert not any(memory[size:])


def test_pulling_from_what_is_gone(engine: Engine) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    with pytest.raises(OSError, match="Bad file descriptor"):
        engine.pull(reading, memoryview(bytearray(5000)), 100, ONLY_IPV4)


@given(packets=flows.mixed)
def test_what_was_put_together_can_be_cut_by_us(engine: Engine, packets: list[bytes]) -> None:
    written, *_ = forward(engine, b"".join(map(framed, packets)))
    for message in written:
        made = cut_all(engine, message, 5000, 5000)
        assert [essence(one[OVERHEAD:]) for one in made] == list(map(essence, segments(message)))


def test_the_kernel_s_rules_refuse() -> None:
    """The yardstick itself: what is not right is not cut."""
    for message in (b"", _large[:1] + b"\3" + _large[2:], b"\0" + _large[1:]):
        with pytest.raises(segmentation.Refused):
            segments(message)
    damaged = _large[:-1] + b"\1"
    assert [transport_sum(one) for one in segments(damaged)] == [0] * 10
    lying = _large[:46] + b"\0\1" + _large[48:]
    assert 0 not in [transport_sum(one) for one in segments(lying)]
