"""What 10^9 bytes of TCP cost the server, and how fast they pass: beside plain TLS and a pump."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from tests.bench import iperf
from tests.bench.figures import Column, Series, Table
from tests.bench.iperf import DOWN, UP
from tests.bench.plain import Transfer
from tests.bench.processes import Part
from tests.bench.pump import pump
from tests.bench.stage import Stage
from tests.bench.tunnel import Kind, User

STREAMS: Final = (1, 8)
_WARM_UP: Final = 1.0

COLUMNS: Final = (
    Column("way", "what"),
    Column("direction", "to"),
    Column("streams", "streams", 0),
    Column("gigabits", "Gbit/s", 2, spread=True),
    Column("cost", "server CPU s/GB", 2, spread=True),
    Column("times", "x plain TLS", 2),
    Column("client", "client CPU s/GB", 2),
    Column("drops", "TUN drops", 0),
    Column("retransmissions", "TCP resent", 0),
)


@dataclass(frozen=True, slots=True)
class Way:
    """One thing to measure: by which way, in which direction, with how many streams.

    :ivar run: measures it for so many seconds.
    :ivar once: whether one round is enough.
    """

    name: str
    direction: str
    streams: int
    run: Callable[[float], "Found"] = field(compare=False)
    once: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One round: per second, and processor seconds for 10^9 bytes of payload."""

    gigabits: float
    cost: float
    client: float
    drops: float | None = None
    retransmissions: float | None = None


def measure(stage: Stage, *, rounds: int, seconds: float) -> Table:
    """Measure all ways in turn, round after round."""
    with ExitStack() as stack:
        each, many = stage.users(stack, Kind.EACH, Kind.MANY)
        server, pumped = stack.enter_context(pump(stage.vpn.network, stage.folder))
        ways = [
            *_plain(stage),
            *_tcp(stage, each, Kind.EACH),
            *_tcp(stage, many, Kind.MANY),
            *_pumped(server, pumped),
        ]
        for way in ways:
            if way.streams <= 1:
                way.run(_WARM_UP)
        found: dict[Way, list[Found]] = {way: [] for way in ways}
        for number in range(rounds):
            for way in ways:
                if not (number and way.once):
                    found[way].append(way.run(seconds))
    return _table(found, rounds, seconds)


def _plain(stage: Stage) -> Iterator[Way]:
    def run(direction: str, seconds: float) -> Found:
        passed: Transfer = stage.plain.transfer(direction, seconds)
        return Found(passed.gigabits, passed.cost, passed.client / passed.bytes * 1e9)

    for direction in (UP, DOWN):
        yield Way("plain TLS, 64 KB writes", direction, 1, partial(run, direction))


def _tcp(stage: Stage, user: User, kind: Kind) -> Iterator[Way]:
    def run(direction: str, streams: int, seconds: float) -> Found:
        drops = stage.drops()
        found = _run(user, stage.cpu, direction, streams, seconds)
        lost = stage.drops() - drops
        return Found(
            found.gigabits,
            found.cost,
            found.client,
            lost.sent + lost.received,
            found.retransmissions,
        )

    for direction in (UP, DOWN):
        for streams in STREAMS:
            yield Way(kind.value, direction, streams, partial(run, direction, streams))


def _pumped(server: Part, user: User) -> Iterator[Way]:
    def run(direction: str, seconds: float) -> Found:
        return _run(user, lambda: server.cpu, direction, 1, seconds)

    for direction in (UP, DOWN):
        yield Way("one-packet pump", direction, 1, partial(run, direction), once=True)


def _run(
    user: User, cpu: Callable[[], float], direction: str, streams: int, seconds: float
) -> Found:
    server, client = cpu(), user.process.cpu
    passed = iperf.tcp(user.namespace, direction, seconds, streams=streams)
    time.sleep(0.05)  # what is still under way
    per = 1e9 / passed.bytes
    return Found(
        passed.gigabits,
        (cpu() - server) * per,
        (user.process.cpu - client) * per,
        None,
        passed.retransmissions,
    )


def _table(found: dict[Way, list[Found]], rounds: int, seconds: float) -> Table:
    table = Table("throughput", "TCP through the tunnel (MTU 1400, NAT, TLS 1.3)", COLUMNS)
    rule = {
        way.direction: Series(tuple(one.cost for one in runs))
        for way, runs in found.items()
        if way.name.startswith("plain")
    }
    for way, runs in found.items():
        cost = Series(tuple(one.cost for one in runs))
        base = rule[way.direction]
        table.rows.append(
            {
                "way": way.name,
                "direction": way.direction,
                "streams": way.streams,
                "gigabits": Series(tuple(one.gigabits for one in runs)),
                "cost": cost,
                "times": cost.median / base.median,
                "client": Series(tuple(one.client for one in runs)),
                "drops": _sum(one.drops for one in runs),
                "retransmissions": _sum(one.retransmissions for one in runs),
            }
        )
    table.notes = [
        f"{rounds} rounds of {seconds:.0f} s, one of the pump, all ways in turn; median ± half the range; before them "
        f"{_WARM_UP:.0f} s of each with one stream, not counted.",
        "CPU: user and system of all the server's processes, for 10^9 bytes of TCP payload.",
    ]
    return table


def _sum(values: Iterator[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
