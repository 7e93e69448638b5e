"""Gives both data planes damaged packets, for a while, and wants the same of both.

::

    python -m tests.support.fuzz _segments.so --seconds 10 --count 20000 --seed 1

It prints how many inputs there were. The compiled module is best one with AddressSanitizer: each
buffer is as large as it has to be and not a byte larger, so that what reads or writes beyond ends
the process.
"""

import argparse
import ctypes
import random
import time
from pathlib import Path

from tests.support import engines, flows
from tests.support.engines import Engine
from tests.support.flows import OURS, OURS_V6, SERVER, SOURCE
from tests.support.packets import TCP, UDP, checksum
from tests.support.segmentation import Tcp, Udp, ip_finished, offloaded, unfinished
from tests.support.transparency import framed, read_all, tunnel

_BYTES = (
    0,
    1,
    4,
    5,
    6,
    8,
    15,
    16,
    17,
    20,
    0x3F,
    0x40,
    0x45,
    0x46,
    0x4F,
    0x50,
    0x60,
    0x7F,
    0x80,
    0xFF,
)
_SIZES = (0, 1, 2, 19, 20, 21, 28, 39, 40, 41, 100, 100, 100, 1000, 1400, 4000)
_CHANGES = [*flows.LASTING, *flows.ONCE, *flows.DAMAGE, *[""] * 40]


def exact(data: bytes) -> memoryview:
    """A copy in memory of its own, without a byte behind it."""
    if len(data) < 32:
        # the end of some: so little is inside of ctypes' object, and nothing of a sanitizer's around it
        return exact(bytes(32) + data)[32:]
    return memoryview((ctypes.c_ubyte * len(data)).from_buffer_copy(data)).cast("B")


class Fuzzer:
    """Makes inputs; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def damaged(self, data: bytes, where: int) -> bytes:
        """Change some bytes, mostly of the first ``where``, and sometimes the end."""
        rng, made = self._random, bytearray(data)
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
            at = rng.randrange(max(1, min(len(made), rng.choice((where, where, len(made))))))
            made[at : at + 1] = bytes((rng.choice((*_BYTES, rng.randrange(256))),))
        cut = rng.choice((0, 0, 0, 0, 1, 2, rng.randrange(len(made) + 1)))
        return bytes(made[: len(made) - cut])

    def stream(self) -> bytes:
        """SSTP data packets: of flows, damaged, some of them with their checksums put right."""
        rng = self._random
        size, flow = rng.choice(_SIZES), rng.randrange(len(flows.FLOWS))
        events = [
            (
                rng.choice((flow, flow, flow, rng.randrange(len(flows.FLOWS)))),
                rng.choice(_CHANGES),
                rng.choice((size, size, size, rng.choice(_SIZES))),
            )
            for _ in range(rng.randrange(1, 20))
        ]
        packets = flows.packets(events, [])
        if rng.randrange(2):
            at = rng.randrange(len(packets))
            packets[at] = self._put_right(self.damaged(packets[at], 64)) or b"\x45"
        stream = b"".join(map(framed, packets))
        return stream if rng.randrange(3) else self.damaged(stream, len(stream))

    def _put_right(self, packet: bytes) -> bytes:
        """With lengths and checksums right, that one wrong byte is not all that is seen."""
        if len(packet) < 20 or not self._random.randrange(3):
            return packet
        made = bytearray(packet)
        if made[0] >> 4 == 4:
            made[2:4] = len(made).to_bytes(2)
            made = bytearray(ip_finished(bytes(made)))
            start, protocol, addresses = 20, made[9], made[12:20]
        else:
            made[4:6] = max(0, len(made) - 40).to_bytes(2)
            start, protocol, addresses = 40, made[6], made[8:40]
        at = start + (6 if protocol == UDP else 16)
        if protocol in (TCP, UDP) and len(made) >= at + 2:
            made[at : at + 2] = bytes(2)
            size = len(made) - start
            head = bytes((0, protocol)) + size.to_bytes(2)
            made[at : at + 2] = checksum(bytes(addresses) + head + made[start:]).to_bytes(2)
        return bytes(made)

    def message(self) -> bytes:
        """What a TUN could give, and what it would not."""
        rng = self._random
        if not rng.randrange(8):
            return rng.randbytes(rng.randrange(100))
        flow = flows.FlowState(rng.choice(flows.FLOWS)).packet
        content = rng.randbytes(rng.choice((*_SIZES, 20_000, 65_000)))
        packet: Tcp | Udp = type(flow)(flow.ip, content=content)
        size = rng.choice((1, 8, 100, 536, 1348, 1400, 4000, rng.randrange(65536)))
        if len(content) > 5000:
            size = max(size, 1000)
        made = offloaded(packet, size) if rng.randrange(4) else unfinished(packet)
        return self.damaged(made, rng.choice((10, 80)))

    def _networks(self, size: int) -> bytes:
        """Some networks of addresses of ``size`` bytes, among them what the flows come from."""
        rng, made = self._random, b""
        for _ in range(rng.choice((0, 0, 1, 2, 5))):
            own = rng.choice((OURS if size == 4 else OURS_V6, rng.randbytes(size)))
            mask = -1 << rng.randrange(8 * size + 1) & (1 << 8 * size) - 1
            made += (int.from_bytes(own) & mask).to_bytes(size) + mask.to_bytes(size)
        return made

    def forward(self, engine: Engine) -> None:
        """Both write the same, and count the same."""
        stream = self.stream()
        start = self._random.choice((0, 0, self._random.randrange(len(stream) + 1)))
        source = self._random.choice((SOURCE, SOURCE, OURS, None))
        offload = self._random.randrange(4)
        door = self._random.choice(((None, False), (SERVER, False), (SERVER, True)))
        networks = [exact(self._networks(size)) for size in (4, 16)]
        answers = []
        for one in (engine, engines.PYTHON):
            with tunnel() as (tun, far):
                answer = one.forward(
                    *(exact(stream), start, len(stream), source, tun, offload, *door, *networks)
                )
                answers.append((answer, read_all(far)))
        assert answers[0] == answers[1], (stream.hex(), start, source, offload, door, networks)

    def cut(self, engine: Engine) -> None:
        """Both cut the same, in as many calls as it takes."""
        message = self.message()
        size = self._random.choice((0, 20, 1400, 4095, 9000, self._random.randrange(10_000)))
        limit = self._random.choice((0, 1, 1400, 16_384))
        first = self._random.choice((0, 0, 1, 5, 1000, 2**40))
        for _ in range(3):
            rooms = exact(bytes(size)), exact(bytes(size))
            given = exact(message)
            one = engine.cut(given, first, rooms[0], limit)
            other = engines.PYTHON.cut(given, first, rooms[1], limit)
            end = one[0][-1] if one[0] else 0
            same = one == other and rooms[0][:end] == rooms[1][:end]
            assert same, (message.hex(), first, size, limit)
            if one[1] < 0:
                break
            first = one[1]

    def pull(self, engine: Engine) -> None:
        """Both pull the same from a TUN, and leave the same."""
        messages = [self.message() or b"-" for _ in range(self._random.randrange(6))]
        limit = self._random.choice((0, 1, 1400, 16_384, self._random.randrange(20_000)))
        size = self._random.choice((limit + 4095, limit + 4095, self._random.randrange(6000)))
        answers = []
        for one in (engine, engines.PYTHON):
            room = exact(bytes(size))
            with tunnel() as (tun, far):
                for message in messages:
                    far.send(message)
                ends, packet, following = one.pull(tun, room, limit, 1 << 4 | 1 << 6)
                left = read_all(far)
            answers.append((ends, bytes(room[: ends[-1] if ends else 0]), packet, following, left))
        assert answers[0] == answers[1], ([one.hex() for one in messages], limit, size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    engine = engines.load(given.module)
    end = time.monotonic() + given.seconds
    done = 0
    while done < given.count and time.monotonic() < end:
        # an input is repeated by its own seed
        fuzzer = Fuzzer(given.seed * 1_000_003 + done)
        fuzzer.forward(engine)
        fuzzer.cut(engine)
        fuzzer.pull(engine)
        done += 1
    print(f"{done} inputs of each kind")


if __name__ == "__main__":
    main()
