"""TCP over TCP: a download in the tunnel and a plain TLS download, over a way that loses packets."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Final

from tests.bench import iperf
from tests.bench.figures import Cell, Column, Series, Table
from tests.bench.iperf import DOWN
from tests.bench.relay import SERVER, Path, relay
from tests.bench.stage import Stage
from tests.bench.tunnel import Kind, user

LOSSES: Final = (0.0, 0.001, 0.01)
CONTROLS: Final = ("cubic", "bbr")
#: TCP finds its speed, and the TCP inside it after it: CUBIC takes the first packets that come late for
#: a full queue, and from then on sends 5 % more with each round trip.
START: Final = 4.0
#: The last words of a run are on their way, and may be lost and sent again.
_END: Final = 1.0
#: 100 Mbit/s, 40 ms there and back, a queue for as long.
WAY: Final = Path(delay=0.02, rate=100e6, queue=0.04)

COLUMNS: Final = (
    Column("loss", "lost %", 1),
    Column("control", "server's TCP"),
    Column("plain", "plain TLS Mbit/s", 1, spread=True),
    Column("tunnel", "tunnel Mbit/s", 1, spread=True),
    Column("ratio", "tunnel / plain", 2),
)


def measure(
    stage: Stage, losses: Sequence[float], *, rounds: int, seconds: float, start: float = START
) -> Table:
    """Measure each loss with each congestion control of the server's connections.

    :param start: seconds of each that do not count.
    """
    title = f"Downloads over 40 ms and {WAY.rate / 1e6:.0f} Mbit/s that lose packets by chance"
    table = Table("loss", title, COLUMNS)
    net = stage.vpn.network
    with ExitStack() as stack:
        stack.enter_context(net.lan.congestion("cubic"))
        process = stack.enter_context(relay(net, WAY))
        for loss in losses:
            ways = [replace(WAY, loss=loss, seed=number) for number in range(rounds)]
            for control in CONTROLS:
                with net.server.congestion(control):
                    found = _row(
                        stage, [partial(process.tell, way) for way in ways], seconds, start
                    )
                table.rows.append({"loss": 100 * loss, "control": control, **found})
    table.notes = [
        f"{rounds} rounds of {seconds:.0f} s in turn, after {start:.0f} s that do not count; each packet "
        f"lost by chance in each direction, the same ones of both; a queue of {WAY.queue * 1000:.0f} ms in front of the {WAY.rate / 1e6:.0f} Mbit/s.",
        "The sender inside the tunnel has CUBIC. The server's TCP: what its machine has as "
        "net.ipv4.tcp_congestion_control.",
    ]
    return table


def _row(
    stage: Stage, ways: Sequence[Callable[[], None]], seconds: float, start: float
) -> dict[str, Cell]:
    """Measure both over each way: the same packets are lost.

    :param ways: begin one from its first packet on.
    """
    plain: list[float] = []
    tunnel: list[float] = []
    for number, begin in enumerate(ways):
        begin()
        passed = stage.plain.transfer(DOWN, seconds, server=str(SERVER), omitted=start)
        plain.append(1000 * passed.gigabits)
        begin()
        # each time a new connection: what TCP has learned of the way is no help
        with user(stage.vpn, Kind.EACH, name=f"lossy{number}", server=SERVER) as one:
            found = iperf.tcp(one.namespace, DOWN, seconds, omitted=start)
            tunnel.append(1000 * found.gigabits)
            time.sleep(_END)  # or iperf3's server would wait for the end of this run for long
    both = Series(tuple(plain)), Series(tuple(tunnel))
    return {
        "plain": both[0],
        "tunnel": both[1],
        "ratio": both[1].median / both[0].median,
    }
