"""How long packets wait: pings and a call beside a full download or upload, one's own and others'."""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from tests.bench import iperf, pings, probes
from tests.bench.figures import Column, Table
from tests.bench.iperf import DOWN, UP
from tests.bench.probes import Probe, Times
from tests.bench.relay import SERVER, Path, relay
from tests.bench.stage import Stage
from tests.bench.tunnel import Kind, User, user
from tests.support.netns import Network

#: Users who carry little beside the one who carries much.
LIGHT: Final = 10
#: Pings a second.
RATE: Final = 100.0
#: A way of 20 Mbit/s, as many have at home, with 10 ms there and back and 40 ms of queue.
NARROW: Final = Path(delay=0.005, rate=20e6, queue=0.04)
#: What may wait for the heavy user's own client.
_OWN: Final = {"own ping": pings.PING, "own call": pings.CALL}
# TCP is at its speed by then
_START: Final = 1.0

COLUMNS: Final = (
    Column("load", "beside"),
    Column("gigabits", "Gbit/s", 3),
    Column("what", "what"),
    Column("p50", "p50 ms", 1),
    Column("p99", "p99 ms", 1),
    Column("above", "p99 above idle", 1),
    Column("lost", "lost %", 2),
)


@dataclass(slots=True)
class Found:
    """What was seen beside one load: packets' times by what they were."""

    gigabits: float | None
    times: dict[str, Times] = field(default_factory=dict)


def measure(stage: Stage, seconds: float) -> tuple[Table, dict[str, list[float]]]:
    """Measure on a wide way and on a narrow one.

    :returns: the table; and all times in ms, by what and beside what, for a picture.
    """
    table = Table("latency", f"Waiting inside the tunnel, {LIGHT} light users beside one", COLUMNS)
    all_times: dict[str, list[float]] = {}
    with ExitStack() as stack:
        (heavy,) = stage.users(stack, Kind.EACH)

        def wide() -> dict[str, Probe]:
            return _own(stage, heavy) | {
                "a light user's ping": probes.lights(stage.vpn, LIGHT, Kind.EACH)
            }

        _fill(table, all_times, "", heavy, wide, seconds)
    with (
        relay(stage.vpn.network, NARROW),
        user(stage.vpn, Kind.EACH, name="narrow", server=SERVER) as heavy,
    ):

        def narrow() -> dict[str, Probe]:
            outside = probes.ping(stage.vpn.network.client, SERVER, RATE)
            return _own(stage, heavy) | {"ping outside the tunnel": outside}

        _fill(table, all_times, " at 20 Mbit/s", heavy, narrow, seconds)
    table.notes = [
        f"Pings of {pings.SIZE} bytes, {RATE:.0f} a second; a call is UDP of the same size to "
        f"the user, {probes.CALL:.0f} a second, one way.",
        "Without its client: without what it has waited for that, in the queue of the client's TUN and, at "
        "least, in its socket until it was read.",
        f"Light users send as much as a call each; p99 is over all {LIGHT}, the worst one beside it.",
        f"20 Mbit/s: a relay with {NARROW.delay * 2000:.0f} ms there and back and "
        f"{NARROW.queue * 1000:.0f} ms of queue; a ping outside the tunnel shows that queue alone.",
    ]
    return table, all_times


def _own(stage: Stage, heavy: User) -> dict[str, Probe]:
    return {
        "own ping": probes.ping(heavy.namespace, Network.host, RATE),
        "own call": probes.call(stage.vpn.network, heavy.namespace),
    }


def _fill(
    table: Table,
    all_times: dict[str, list[float]],
    where: str,
    heavy: User,
    made: Callable[[], dict[str, Probe]],
    seconds: float,
) -> None:
    """Measure idle, download and upload; add rows."""
    idle: dict[str, float | None] = {}
    for load in ("idle", "download", "upload"):
        found = _beside(heavy, load, made(), seconds)
        for what, times in found.times.items():
            p99 = times.milliseconds(0.99)
            if load == "idle":
                idle[what] = p99
            table.rows.append(
                {
                    "load": load + where,
                    "gigabits": found.gigabits,
                    "what": what,
                    "p50": times.milliseconds(0.5),
                    "p99": p99,
                    "above": _difference(p99, idle.get(what)),
                    "lost": 100 * times.lost,
                }
            )
            all_times[f"{load}{where}: {what}"] = [1000 * took for took in times.took.values()]


def _beside(heavy: User, load: str, made: dict[str, Probe], seconds: float) -> Found:
    """Measure beside one load."""
    heavy.waits()
    with _loaded(heavy, load, seconds + _START + 1.0) as rate:
        time.sleep(_START if load != "idle" else 0.2)
        for probe in made.values():
            probe.begin()
        time.sleep(seconds)
        times = {what: probe.end() for what, probe in made.items()}
        waits = heavy.waits()
        found = Found(rate())
    for what, each in times.items():
        found.times[what] = _together(each)
        if len(each) > 1:
            found.times[f"{what}, the worst one"] = max(
                each, key=lambda one: one.milliseconds(0.99) or float("inf")
            )
        if what in _OWN:
            found.times[f"{what}, without its client"] = each[0].without(waits[_OWN[what]])
    return found


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _together(each: list[Times]) -> Times:
    """Return what several users saw as if one had."""
    took = [took for one in each for took in one.took.values()]
    return Times(dict(enumerate(took)), sum(one.sent for one in each))


@contextlib.contextmanager
def _loaded(heavy: User, load: str, seconds: float) -> Iterator[Callable[[], float | None]]:
    """Have iperf3 run meanwhile; what is yielded waits for its end and says its Gbit/s."""
    if load == "idle":
        yield lambda: None
        return
    direction = DOWN if load == "download" else UP
    with iperf.beside(heavy.namespace, direction, seconds) as end:
        yield partial(_gigabits, end)


def _gigabits(end: Callable[[], iperf.Tcp]) -> float:
    return end().gigabits
