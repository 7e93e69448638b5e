"""UDP through the tunnel: how many datagrams a second pass, what one costs, and what is lost."""

from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.bench import iperf
from tests.bench.figures import Column, Series, Table
from tests.bench.iperf import DOWN, UP
from tests.bench.stage import Stage
from tests.bench.tunnel import Kind, User
from tests.support.netns import Namespace

#: Bytes of content: a call's, and with 28 bytes of headers all that MTU 1400 takes.
SIZES: Final = (200, 1372)

COLUMNS: Final = (
    Column("size", "bytes", 0),
    Column("direction", "to"),
    Column("most", "packets/s, all that go", 0, spread=True),
    Column("lost", "lost %", 1),
    Column("cost", "server CPU us/packet", 1),
    Column("half", "packets/s, half of it", 0),
    Column("lost_half", "lost % ", 3),
    Column("drops", "TUN drops then", 0),
    Column("full", "receiver's socket full", 0),
)


def measure(stage: Stage, *, rounds: int, seconds: float) -> Table:
    """Measure as many as the sender can, and then half of what had arrived."""
    table = Table("udp", "UDP through the tunnel, a record for each packet", COLUMNS)
    with ExitStack() as stack:
        (user,) = stage.users(stack, Kind.EACH)
        for size in SIZES:
            for direction in (UP, DOWN):
                found = [_round(stage, user, size, direction, seconds) for _ in range(rounds)]
                table.rows.append({"size": size, "direction": direction, **Series.by_key(found)})
    table.notes = [
        f"{rounds} rounds of {seconds:.0f} s. A sender that sends all it can loses in its own machine, "
        "too; at half of what had arrived nothing ought to be lost, but where iperf3 has to wait for a processor, "
        "and its socket is full meanwhile.",
    ]
    return table


def _round(stage: Stage, user: User, size: int, direction: str, seconds: float) -> dict[str, float]:
    before = stage.cpu()
    most = iperf.udp(user.namespace, direction, seconds, size=size)
    cost = (stage.cpu() - before) / max(1.0, most.rate * most.seconds)
    drops = stage.drops()
    receiver = stage.vpn.network.lan if direction == UP else user.namespace
    full = _full(receiver)
    half = iperf.udp(user.namespace, direction, seconds, size=size, rate=most.rate / 2)
    lost = stage.drops() - drops
    return {
        "most": most.rate,
        "lost": 100 * most.lost,
        "cost": 1e6 * cost,
        "half": half.rate,
        "lost_half": 100 * half.lost,
        "drops": lost.sent + lost.received,
        "full": _full(receiver) - full,
    }


def _full(host: Namespace) -> int:
    """Return how many datagrams the sockets of a host had no room for (RcvbufErrors, snmp_counter.rst)."""
    with host.entered():
        lines = Path("/proc/thread-self/net/snmp").read_text().splitlines()
    names, values = (line.split() for line in lines if line.startswith("Udp: "))
    return int(values[names.index("RcvbufErrors")])
