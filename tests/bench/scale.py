"""The bench's tables of many people: a thousand who log in at once, and thousands who stay."""

from collections.abc import Sequence
from typing import Final

from tests.bench import logins
from tests.bench.figures import Column, Table, percentile
from tests.bench.many import Held, many
from tests.support.netns import wait_for

STORM: Final = (
    Column("key", "server's key"),
    Column("clients", "clients", 0),
    Column("refused", "refused", 0),
    Column("half", "half up s", 1),
    Column("all", "all up s", 1),
    Column("login", "login CPU ms", 2),
    Column("end", "end CPU ms", 2),
    Column("both", "both", 2),
    Column("client", "client CPU ms", 2),
    Column("yardstick", "yardstick ms", 1),
)

SESSIONS: Final = (
    Column("sessions", "sessions", 0),
    Column("pss", "workers KB each", 1),
    Column("kernel", "kernel KB each", 1),
    Column("beat", "idle CPU %", 2),
    Column("listing", "session list s", 2),
    Column("end", "one's end CPU ms", 2),
)


def measure(
    clients: int, keys: Sequence[str], counts: Sequence[int], watched: float
) -> tuple[Table, Table, dict[str, list[float]], list[Held]]:
    """Measure logins at once with each kind of key, and then sessions that carry nothing.

    :param counts: sessions, fewer first.
    :param watched: seconds in which nothing happens.
    :returns: both tables; when each client was up, in seconds, by key; and the sessions.
    """
    storms: list[logins.Storm] = []
    held: list[Held] = []
    for key in keys:
        last = key == keys[-1]
        with logins.prepared(key, max(clients, counts[-1] + 1000) if last else clients) as vpn:
            if last:
                held = list(many(vpn, counts, watched))
                wait_for(vpn.idle, 60.0, "the end of all sessions")
            storms.append(logins.storm(vpn, key, clients))
    times = {found.key: list(found.arrival.seconds) for found in storms}
    return _storms(storms), _sessions(held, watched), times, held


def _storms(found: Sequence[logins.Storm]) -> Table:
    table = Table("storm", "Logins at once, on a server of its own with two workers", STORM)
    for one in found:
        up, each = one.arrival.seconds, 1000 / one.clients
        table.rows.append(
            {
                "key": one.key,
                "clients": one.clients,
                "refused": one.clients - len(up),
                "half": percentile(up, 0.5),
                "all": max(up, default=None),
                "login": each * one.login.all,
                "end": each * one.end.all,
                "both": one.per_client,
                "client": each * one.arrival.cpu,
                "yardstick": one.yardstick,
            }
        )
    table.notes = [
        f"From {len(logins.SOURCES)} addresses, {logins.OFFICE / logins.STORM:.0%} of them from one. "
        "CPU: of the workers for each client; yardstick: a fixed piece of Python.",
    ]
    return table


def _sessions(found: Sequence[Held], watched: float) -> Table:
    table = Table("sessions", "Sessions that carry nothing, two workers", SESSIONS)
    table.rows = [{column.key: getattr(held, column.key) for column in SESSIONS} for held in found]
    table.notes = [
        "Workers: Pss beyond an empty server's. Kernel: slab, page tables, per-CPU and vmalloc of the "
        f"whole machine, the clients' sockets with it. Idle: watched for {watched:.0f} s.",
    ]
    return table
