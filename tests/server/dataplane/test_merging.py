"""From the client to the TUN: what is put together is, cut by the kernel's rules, what was sent.

For Python's data plane and the compiled one, and for both the same.
"""

import itertools
import os
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.dataplane.segments import Offload
from tests.support import flows
from tests.support.engines import BOTH, Engine
from tests.support.flows import OURS, OURS_V6, SERVER, SOURCE, FlowState
from tests.support.packets import ICMP
from tests.support.segmentation import Ip, Tcp, Udp
from tests.support.transparency import (
    OPEN,
    OVERHEAD,
    VNET,
    Door,
    assert_transparent,
    forward,
    framed,
    read_all,
    tunnel,
)

_offloads = st.sampled_from((BOTH, BOTH, Offload.TCP, Offload.UDP, Offload.NONE))
#: Behind the client: whoever is "spoofed" otherwise is in the second and in the last of them.
_BEHIND = tuple(
    map(ip_network, ("192.168.50.0/24", "10.99.0.11", "2001:db8:50::/48", "2001:db9::/32"))
)
_doors = st.sampled_from(
    (OPEN, Door(SERVER), Door(SERVER, multicast=True), Door(SERVER, networks=_BEHIND))
)


@given(
    packets=flows.mixed,
    offload=_offloads,
    source=st.sampled_from((SOURCE, OURS, SOURCE[:12], None)),
    door=_doors,
)
def test_what_was_put_together_is_cut_into_what_was_sent(
    engine: Engine, packets: list[bytes], offload: Offload, source: bytes | None, door: Door
) -> None:
    stream = b"".join(map(framed, packets))
    assert_transparent(engine, stream, source, offload, door)


@pytest.mark.parametrize("source", [b"", bytearray(), memoryview(b""), OURS[:3], SOURCE + b"\0"])
def test_a_source_that_is_none_lets_nothing_through(engine: Engine, source: bytes) -> None:
    stream = framed(Tcp(content=b"x").encode())
    with tunnel() as (tun, far):
        with pytest.raises(ValueError, match="source"):
            engine.forward(memoryview(stream), 0, len(stream), source, tun, BOTH)
        assert read_all(far) == []


@pytest.mark.parametrize(
    ("address", "passes"),
    [
        ("192.168.50.0", True),
        ("192.168.50.255", True),
        ("192.168.49.255", False),
        ("192.168.51.0", False),
        ("10.99.0.11", True),
        ("10.99.0.12", False),
        ("2001:db8:50::", True),
        ("2001:db8:50:ffff:ffff:ffff:ffff:ffff", True),
        ("2001:db8:51::", False),
        ("2001:db8:4f:ffff:ffff:ffff:ffff:ffff", False),
    ],
)
def test_what_is_behind_the_client_passes(engine: Engine, address: str, passes: bool) -> None:
    there = SIX.destination if ":" in address else Ip().destination
    packet = Udp(Ip(ip_address(address).packed, there)).encode()
    for offload in (BOTH, Offload.NONE):
        for door in (OPEN, Door(SERVER), Door(networks=_BEHIND), Door(SERVER, networks=_BEHIND)):
            assert assert_transparent(engine, framed(packet), SOURCE, offload, door) == (
                passes and bool(door.networks)
            )
    # without IPv6 of its own, none of theirs
    assert_transparent(engine, framed(packet), OURS, door=Door(SERVER, networks=_BEHIND))


def test_what_is_behind_the_client_is_put_together_as_well(engine: Engine) -> None:
    behind = Ip(ip_address("192.168.50.7").packed)
    runs = [run_of(Tcp(ip), 10, 200) for ip in (behind, Ip(OURS))]
    stream = b"".join(framed(packet) for beside in zip(*runs, strict=True) for packet in beside)
    assert assert_transparent(engine, stream, OURS, door=Door(SERVER, networks=_BEHIND)) == 2


@pytest.mark.parametrize(
    "networks", [(bytes(7), b""), (bytes(12), b""), (b"", bytes(8)), (b"", b"1")]
)
def test_networks_that_are_none_let_nothing_through(
    engine: Engine, networks: tuple[bytes, bytes]
) -> None:
    stream = framed(Tcp(content=b"x").encode())
    with tunnel() as (tun, far):
        with pytest.raises(ValueError, match="networks"):
            engine.forward(
                memoryview(stream), 0, len(stream), SOURCE, tun, BOTH, None, False, *networks
            )
        assert read_all(far) == []


@given(packets=flows.mixed, offload=_offloads, length=st.integers(4, 20), door=_doors)
def test_both_write_the_same(
    both: tuple[Engine, Engine], packets: list[bytes], offload: Offload, length: int, door: Door
) -> None:
    stream = b"".join(map(framed, packets))
    python, compiled = (forward(one, stream, SOURCE[:length], offload, door) for one in both)
    assert python == compiled


@given(
    packets=flows.mixed,
    damage=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=4),
    end=st.integers(0, 60),
)
def test_damage_changes_nothing_else(
    both: tuple[Engine, Engine], packets: list[bytes], damage: list[tuple[int, int]], end: int
) -> None:
    stream = bytearray(b"".join(map(framed, packets)))
    for at, value in damage:
        if stream:
            stream[at % len(stream)] = value
    whole = bytes(stream[: max(0, len(stream) - end)])
    for door in (OPEN, Door(SERVER), Door(SERVER, networks=_BEHIND)):
        for one in both:
            assert_transparent(one, whole, SOURCE, door=door)
        assert forward(both[0], whole, door=door) == forward(both[1], whole, door=door)


@given(junk=st.binary(max_size=300))
def test_junk_is_where_it_stops(engine: Engine, junk: bytes) -> None:
    assert_transparent(engine, junk, SOURCE)
    packet = framed(Tcp(content=b"one").encode())
    assert forward(engine, packet + junk)[1] >= len(packet)


@pytest.mark.parametrize("size", [20, 24, 39, 40, 41, 44, 60])
@pytest.mark.parametrize("first", [0x45, 0x4F, 0x60, 0x6F])
@pytest.mark.parametrize("protocol", [0x21, 0x57])
def test_what_ppp_calls_it_is_what_it_has_to_be(
    engine: Engine, size: int, first: int, protocol: int
) -> None:
    """IPv6 that says it is IPv4, IPv4 that says it is IPv6, and less than a header."""
    for source, door in itertools.product((OURS, SOURCE), (OPEN, Door(SERVER))):
        four = bytes((first,)) + bytes(8) + b"\6" + bytes(2) + OURS + bytes(44)
        six = bytes((first,)) + bytes(5) + b"\6\0" + OURS_V6 + bytes(36)
        stream = b"".join(framed(one[:size], protocol) for one in (four, six, four, six))
        assert_transparent(engine, stream, source, door=door)


def run_of(first: Tcp | Udp, count: int, size: int) -> list[bytes]:
    """Packets of one flow that follow each other."""
    flow = FlowState(first)
    return [flow.next("", size, number) for number in range(count)]


SIX = Ip(OURS_V6, bytes(15) + b"\1")


@pytest.mark.parametrize(
    ("first", "count", "size", "writes"),
    [
        (Tcp(), 10, 1360, 1),
        (Tcp(), 1, 1360, 1),
        (Tcp(), 64, 600, 1),
        (Tcp(), 65, 600, 2),
        (Tcp(), 128, 1, 2),
        (Tcp(), 48, 1365, 1),  # 48 * 1365 is 65520, with headers of 40 more than 65535
        (Tcp(options=bytes.fromhex("0101080a0000000100000002")), 20, 1348, 1),
        (Tcp(sequence=2**32 - 3000), 20, 1000, 1),
        (Tcp(Ip(fragment=0, identification=65530)), 20, 1000, 1),
        (Tcp(Ip(identification=65530)), 20, 1000, 1),
        (Tcp(SIX), 20, 1000, 1),
        (Udp(), 64, 200, 1),
        (Udp(), 65, 200, 2),
        (Udp(SIX), 10, 1000, 1),
        (Udp(Ip(fragment=0, identification=65530)), 20, 1000, 1),
    ],
)
def test_a_stream_is_few_writes(
    engine: Engine, first: Tcp | Udp, count: int, size: int, writes: int
) -> None:
    stream = b"".join(map(framed, run_of(first, count, size)))
    expected = writes + (count * size + len(first.header) + 20 > 65535)
    assert assert_transparent(engine, stream, SOURCE) == expected
    # and none of what the kernel does not take
    other = Offload.TCP if isinstance(first, Udp) else Offload.UDP
    assert assert_transparent(engine, stream, SOURCE, other) == count
    assert assert_transparent(engine, stream, SOURCE, Offload.NONE) == count


@pytest.mark.parametrize("total", [65534, 65535, 65536])
def test_a_packet_is_not_larger_than_ip_can_say(engine: Engine, total: int) -> None:
    # three bytes more or less at the end: the last segment is shorter
    count, size = 16, 4047
    packets = run_of(Tcp(), count, size)
    last = FlowState(Tcp(sequence=1 + count * size)).next("", total - 40 - count * size, 99)
    stream = b"".join(map(framed, [*packets, last]))
    assert assert_transparent(engine, stream, OURS) == 1 + (total > 65535)


#: What is none of TCP in IPv4 that must not be fragmented.
_UNAFFECTED = {
    *("", "may not be fragmented", "skips identifications", "has another label", "no checksum"),
    *("a UDP length that lies, and was summed", "a UDP checksum of 0 that is right"),
}
_ALL = ("", *flows.LASTING, *flows.ONCE, *flows.DAMAGE)


@pytest.mark.parametrize("what", _ALL)
def test_what_ends_a_run(engine: Engine, what: str) -> None:
    flow = FlowState(flows.FLOWS[1])
    packets = [flow.next(what if number == 5 else "", 100, number) for number in range(10)]
    stream = b"".join(map(framed, packets))
    if what in _UNAFFECTED:
        writes = 1
    elif what == "PSH" or what in flows.LASTING:
        writes = 2
    else:
        # the packet itself, if it may pass
        writes = 2 + (what not in ("spoofed", "another IP version"))
    assert assert_transparent(engine, stream, OURS) == writes


@pytest.mark.parametrize("what", _ALL)
def test_what_a_run_of_any_kind_can_meet(engine: Engine, what: str) -> None:
    for first, place in itertools.product(flows.FLOWS, (0, 5, 9)):
        flow = FlowState(first)
        packets = [flow.next(what if i == place else "", 100, i) for i in range(10)]
        for door in (OPEN, Door(SERVER)):
            assert_transparent(engine, b"".join(map(framed, packets)), SOURCE, door=door)


def test_flows_beside_each_other_are_put_together_apart(engine: Engine) -> None:
    runs = [run_of(Tcp(ports=(port, 443)), 10, 200) for port in range(30)]
    stream = b"".join(framed(packet) for beside in zip(*runs, strict=True) for packet in beside)
    assert assert_transparent(engine, stream, OURS) == 30


def test_any_number_of_flows(both: tuple[Engine, Engine]) -> None:
    runs = [run_of(Tcp(ports=(port, 443)), 3, 20) for port in range(70)]
    stream = b"".join(framed(packet) for beside in zip(*runs, strict=True) for packet in beside)
    for one in both:
        assert_transparent(one, stream, OURS)
    assert forward(both[0], stream) == forward(both[1], stream)


@pytest.mark.parametrize("between", ["ping", "fragment", "options"])
def test_what_has_no_ports_does_not_overtake(engine: Engine, between: str) -> None:
    one, *more = run_of(Tcp(), 3, 100)
    other = {
        "ping": Ip().encode(ICMP, bytes(8)),
        "fragment": Tcp(Ip(fragment=0x2000), content=bytes(80)).encode(),
        "options": Tcp(Ip(extra=bytes.fromhex("94040000")), content=b"x").encode(),
    }[between]
    written, *_ = forward(engine, b"".join(map(framed, [one, other, *more])), OURS)
    assert [message[VNET:] for message in written][:2] == [one, other]
    assert len(written) == 3


def test_a_full_interface_loses_packets_and_nothing_else(engine: Engine) -> None:
    packet = framed(Udp(content=bytes(1000), unsummed=True).encode())
    stream = packet * 2000
    written, stopped, count, _ = forward(engine, stream, OURS)
    assert stopped == len(stream)
    assert count == sum(len(message) - VNET for message in written) < len(stream)
    assert {message[VNET:] for message in written} == {packet[OVERHEAD:]}


def test_an_interface_that_is_gone(engine: Engine) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    stream = b"".join(map(framed, run_of(Tcp(), 5, 100)))
    answer = engine.forward(memoryview(stream), 0, len(stream), OURS, writing, BOTH)
    assert answer == (len(stream), 0, [])


def test_what_was_forwarded_is_let_go(engine: Engine) -> None:
    # the scratch memory can be resized again: nothing holds on to it
    stream = bytearray(b"".join(map(framed, run_of(Tcp(), 5, 100))))
    with tunnel() as (tun, _), memoryview(stream) as view:
        engine.forward(view, 0, len(stream), OURS, tun, BOTH)
    stream.extend(b"more")
