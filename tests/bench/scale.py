"""The bench's tables of many people: a thousand who log in at once, and thousands who stay."""

from collections.abc import Sequence
from typing import Final

from tests.bench import logins
from tests.bench.figures import Column, Table, percentile
from tests.bench.many import Held, many

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


def storm(clients: int) -> tuple[Table, dict[str, list[float]]]:
    """Measure logins at once, with each kind of key.

    :returns: the table; and when each client was up, in seconds, by key, for a picture.
    """
    table = Table("storm", "Logins at once, on a server of its own with two workers", STORM)
    times: dict[str, list[float]] = {}
    for key in logins.KEYS:
        with logins.prepared(key, clients) as vpn:
            found = logins.storm(vpn, key, clients)
        times[key] = list(found.arrival.seconds)
        table.rows.append(
            {
                "key": key,
                "clients": clients,
                "refused": clients - len(times[key]),
                "half": percentile(times[key], 0.5),
                "all": max(times[key], default=None),
                "login": 1000 * found.login.all / clients,
                "end": 1000 * found.end.all / clients,
                "both": found.per_client,
                "client": 1000 * found.arrival.cpu / clients,
                "yardstick": found.yardstick,
            }
        )
    table.notes = [
        f"From {len(logins.SOURCES)} addresses, {logins.OFFICE / logins.STORM:.0%} of them from one. "
        "CPU: of the workers for each client; yardstick: a fixed piece of Python.",
    ]
    return table, times


def sessions(counts: Sequence[int], watched: float) -> tuple[Table, list[Held]]:
    """Measure sessions that carry nothing.

    :returns: the table, and the same for a picture.
    """
    table = Table("sessions", "Sessions that carry nothing, two workers", SESSIONS)
    with logins.prepared("ecdsa", counts[-1] + 1000) as vpn:
        found = list(many(vpn, counts, watched))
    table.rows = [{column.key: getattr(held, column.key) for column in SESSIONS} for held in found]
    table.notes = [
        "Workers: Pss beyond an empty server's. Kernel: slab, page tables, per-CPU and vmalloc of the "
        f"whole machine, the clients' sockets with it. Idle: watched for {watched:.0f} s.",
    ]
    return table, found
