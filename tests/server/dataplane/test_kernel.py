"""The kernel itself: what was put together goes through it, and what it puts together is cut.

Interfaces in a namespace of their own; the kernel forwards from one to the other, and sends segments
of their own where an interface takes no large ones.
"""

import contextlib
import itertools
import os
import random
import select
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import flows, requirements, tuns
from tests.support.engines import BOTH, Engine
from tests.support.flows import OURS, OURS_V6, SOURCE, FlowState
from tests.support.netns import Namespace, sweep
from tests.support.segmentation import (
    ACK,
    CWR,
    DF,
    ECE,
    FIN,
    GSO_NONE,
    PSH,
    Ip,
    Tcp,
    Udp,
    Vnet,
    ip_finished,
    offloaded,
    segments,
    unfinished,
)
from tests.support.transparency import OVERHEAD, VNET, essence, flow_of, framed
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.root

_NO_USO = "needs Linux 6.2 (large UDP in a TUN)"

# what is behind the router, by way of an interface that takes large segments, and one that does not
_LARGE, _PLAIN = bytes((198, 18, 2, 2)), bytes((198, 18, 1, 2))
_LARGE_V6 = bytes.fromhex("20010db80000fffe 0000000000000002")
_PLAIN_V6 = bytes.fromhex("20010db8000000ff 0000000000000002")


class Router(NamedTuple):
    """Descriptors of three interfaces of one kernel that forwards."""

    tun: int
    plain: int
    large: int


@pytest.fixture(scope="module")
def router() -> Iterator[Router]:
    requirements.require("ip", tun=True)
    sweep()
    with contextlib.ExitStack() as stack:
        namespace = stack.enter_context(Namespace("router"))
        namespace.set_switch("ip_forward", 1)
        namespace.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")
        made = (
            stack.enter_context(tuns.tun(namespace, name, *addresses, large=large))
            for name, large, *addresses in (
                ("tun", True, "10.99.0.1 peer 10.99.0.10", "2001:db8::1/64 nodad"),
                ("plain", False, "198.18.1.1/24", "2001:db8:0:ff::1/64 nodad"),
                ("large", True, "198.18.2.1/24", "2001:db8:0:fffe::1/64 nodad"),
            )
        )
        yield Router(*made)


def routed(packet: bytes) -> bytes:
    """The packet one hop on."""
    at = 7 if packet[0] >> 4 == 6 else 8
    made = packet[:at] + bytes((packet[at] - 1,)) + packet[at + 1 :]
    return made if packet[0] >> 4 == 6 else ip_finished(made)


def by_flow(found: list[bytes]) -> dict[bytes, list[bytes]]:
    """What a receiver sees: each flow in its order."""
    made: dict[bytes, list[bytes]] = defaultdict(list)
    for packet in found:
        made[flow_of(packet)].append(essence(packet))
    return made


def without_noise(found: list[bytes]) -> list[bytes]:
    """Without what the kernel says on its own."""
    return [one for one in found if one[12:16] == OURS or one[8:24] == OURS_V6]


#: What a router passes on as it is.
_what = st.one_of(
    st.just(""),
    st.just(""),
    st.sampled_from(
        [
            *(what for what in flows.LASTING if what != "has another TTL"),
            *("PSH", "FIN", "URG", "ECE", "CWR", "AE", "nothing in it", "no checksum"),
            *("first fragment", "bad content", "a bad TCP checksum, or acknowledgment"),
        ]
    ),
)
_events = st.lists(
    st.tuples(st.integers(0, 6), _what, st.sampled_from((100, 100, 99, 1, 1400))),
    min_size=4,
    max_size=40,
)


@settings(max_examples=40)
@given(events=_events)
def test_the_kernel_cuts_it_into_what_was_sent(
    engine: Engine, router: Router, events: list[flows.Event]
) -> None:
    sent = flows.packets(events, [])
    stream = b"".join(map(framed, sent))
    answer = engine.forward(memoryview(stream), 0, len(stream), SOURCE, router.tun, tuns.offload())
    assert answer[0] == len(stream)
    found = without_noise(tuns.packets(router.plain, len(sent)))
    assert by_flow(found) == by_flow(list(map(routed, sent)))


@pytest.mark.parametrize(
    "first", [Tcp(), Tcp(Ip(OURS_V6, _PLAIN_V6)), Udp()], ids=["TCP", "TCP in IPv6", "UDP"]
)
@pytest.mark.parametrize("size", [1, 7, 536, 1400])
def test_as_much_as_there_can_be_in_one_write(
    engine: Engine, router: Router, first: Tcp | Udp, size: int
) -> None:
    if isinstance(first, Udp) and not tuns.has_uso():
        pytest.skip(_NO_USO)
    ip = replace(first.ip, fragment=0, identification=65530)
    flow = FlowState(replace(first, ip=ip))
    # 64 of them, or the 65535 bytes that an IP packet may have
    count = min(64, (65535 - ip.size - len(first.header)) // size)
    rest = (65535 - ip.size - len(first.header) - count * size) % size
    sent = [flow.next("", size, number) for number in range(count)]
    if count < 64 and rest:
        sent.append(flow.next("", rest, count))
    stream = b"".join(map(framed, sent))
    # the kernel has taken all of it as one packet
    answer = engine.forward(memoryview(stream), 0, len(stream), SOURCE, router.tun, BOTH)
    assert answer == (
        len(stream),
        sum(map(len, sent)) - (len(sent) - 1) * (len(sent[0]) - size),
        [],
    )
    found = without_noise(tuns.packets(router.plain, len(sent)))
    assert list(map(essence, found)) == list(map(essence, map(routed, sent)))


_addresses = st.sampled_from([(OURS, _PLAIN, _LARGE), (OURS_V6, _PLAIN_V6, _LARGE_V6)])
_flags = st.sampled_from((ACK, ACK | PSH, ACK | FIN, ACK | CWR | ECE, ACK | PSH | CWR))


@settings(max_examples=60)
@given(
    addresses=_addresses,
    udp=st.booleans(),
    flags=_flags,
    sequence=st.integers(2**32 - 9000, 2**32 - 1),
    identification=st.integers(65500, 65535),
    fragment=st.sampled_from((0, DF)),
    options=st.sampled_from((b"", bytes.fromhex("0101080a0000000100000002"))),
    length=st.integers(2, 9000),
    size=st.integers(150, 1400),
)
def test_we_cut_as_the_kernel_does(
    engine: Engine,
    router: Router,
    addresses: tuple[bytes, bytes, bytes],
    udp: bool,
    flags: int,
    sequence: int,
    identification: int,
    fragment: int,
    options: bytes,
    length: int,
    size: int,
) -> None:
    if udp and not tuns.has_uso():
        pytest.skip(_NO_USO)
    content = random.Random(length).randbytes(length)
    messages = []
    for destination in addresses[1:]:
        ip = Ip(addresses[0], destination, identification=identification, fragment=fragment)
        packet: Tcp | Udp = Udp(ip, content=content)
        if not udp:
            packet = Tcp(ip, sequence=sequence, flags=flags, options=options, content=content)
        cwr = not udp and bool(flags & CWR)
        large = offloaded(packet, size, ecn=cwr) if length > size else unfinished(packet)
        messages.append(large)
        os.write(router.tun, large)
    # the yardstick: the kernel cuts as we believe it does
    sent = list(map(routed, segments(messages[0])))
    found = without_noise(tuns.packets(router.plain, len(sent)))
    assert list(map(essence, found)) == list(map(essence, sent))
    # and we cut what it leaves whole
    (message,) = [one for one in tuns.packets(router.large, 1) if without_noise([one[VNET:]])]
    assert (Vnet.decode(message).gso_type != GSO_NONE) == (length > size)
    room = memoryview(bytearray(20_000))
    ends, following = engine.cut(message, 0, room, len(room))
    assert following == -1
    pairs = itertools.pairwise([0, *ends])
    made = [bytes(room[start + OVERHEAD : end]) for start, end in pairs]
    sent = list(map(routed, segments(messages[1])))
    assert list(map(essence, made)) == list(map(essence, sent))


class Pump(threading.Thread):
    """A client with an interface of one packet each, and the server's with large ones."""

    def __init__(self, engine: Engine, client: int, server: int) -> None:
        super().__init__(daemon=True)
        self._engine = engine
        self._client, self._server = client, server
        self._ending, self._end = os.pipe()
        self.up = self.down = self.writes = 0

    def run(self) -> None:
        while True:
            ready, _, _ = select.select([self._client, self._server, self._ending], [], [])
            if self._ending in ready:
                return
            if self._client in ready:
                self._forward()
            if self._server in ready:
                self._cut()

    def _forward(self) -> None:
        stream = b""
        with contextlib.suppress(BlockingIOError):
            for _ in range(48):
                stream += framed(os.read(self._client, 2000))
                self.up += 1
        view = memoryview(stream)
        self._engine.forward(view, 0, len(stream), OURS, self._server, tuns.offload())

    def _cut(self) -> None:
        room = memoryview(bytearray(9000))
        message = os.read(self._server, 70_000)
        following = 0
        while following >= 0:
            ends, following = self._engine.cut(message, following, room, len(room))
            assert ends
            for start, end in itertools.pairwise([0, *ends]):
                os.write(self._client, room[start + OVERHEAD : end])
                self.down += 1

    def stop(self) -> None:
        os.close(self._end)
        self.join()
        os.close(self._ending)


class Ends(NamedTuple):
    """Two machines with a tunnel between them."""

    client: Namespace
    server: Namespace
    pump: Pump

    def received(self) -> int:
        """How many packets, large or not, the server's interface took."""
        words = self.server.run("cat", "/proc/net/dev").split("tun:")[1].split()
        return int(words[1])

    def errors(self) -> dict[str, int]:
        """What both count of bad checksums and headers."""
        found = {}
        for role, namespace in (("client", self.client), ("server", self.server)):
            lines = namespace.run("cat", "/proc/net/snmp").splitlines()
            for names, values in zip(lines[::2], lines[1::2], strict=True):
                kind = names.split()[0]
                for name, value in zip(names.split()[1:], values.split()[1:], strict=True):
                    if name in ("InCsumErrors", "InHdrErrors", "InErrs", "InErrors"):
                        found[f"{role} {kind} {name}"] = int(value)
        return {name: count for name, count in found.items() if count}


@pytest.fixture
def ends(engine: Engine) -> Iterator[Ends]:
    requirements.require("ip", tun=True)
    sweep()
    with (
        Namespace("client") as client,
        Namespace("server") as server,
        tuns.tun(client, "tun", "10.99.0.10 peer 10.99.0.1", large=False) as one,
        tuns.tun(server, "tun", "10.99.0.1 peer 10.99.0.10", large=True) as other,
    ):
        pump = Pump(engine, one, other)
        pump.start()
        yield Ends(client, server, pump)
        pump.stop()


def test_tcp_both_ways(ends: Ends) -> None:
    content = random.Random(1).randbytes(4 << 20)
    up = writes = 0
    with ends.server.entered():
        listener = socket.create_server(("10.99.0.1", 5001))
    with ends.client.entered():
        client = socket.create_connection(("10.99.0.1", 5001), PATIENCE)
    server, _ = listener.accept()
    with listener, client, server:
        for sender, receiver in ((client, server), (server, client)):
            receiver.settimeout(PATIENCE)
            thread = threading.Thread(target=sender.sendall, args=(content,))
            thread.start()
            found = bytearray()
            while len(found) < len(content):
                found += receiver.recv(1 << 16)
            thread.join()
            assert found == content
            if sender is client:
                up, writes = ends.pump.up, ends.received()
    assert ends.errors() == {}
    # what was sent up was put together, as far as it came together; what came down was cut
    assert up > 2500
    assert writes < up
    assert ends.pump.down > 2500


def test_udp_both_ways(ends: Ends) -> None:
    datagrams = [random.Random(i).randbytes(1000 if i % 10 else 1 + i % 1400) for i in range(200)]
    with ends.server.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        server = made.dup()
    with ends.client.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        client = made.dup()
    with server, client:
        server.bind(("10.99.0.1", 5002))
        client.bind(("10.99.0.10", 5002))
        for sender, receiver in ((client, server), (server, client)):
            receiver.settimeout(PATIENCE)
            there = receiver.getsockname()
            found = []
            for start in range(0, len(datagrams), 50):
                for datagram in datagrams[start : start + 50]:
                    sender.sendto(datagram, there)
                found += [receiver.recv(2000) for _ in range(50)]
            assert found == datagrams
            # UDP_SEGMENT (linux/udp.h): what the sender gives as one, the network sees as ten
            if tuns.has_uso():
                size = [(socket.IPPROTO_UDP, 103, struct.pack("=H", 1000))]
                whole = random.Random(3).randbytes(9_500)
                sender.sendmsg([whole], size, 0, there)
                found = [receiver.recv(2000) for _ in range(10)]
                assert found == [whole[i : i + 1000] for i in range(0, 9_500, 1000)]
    assert ends.errors() == {}
