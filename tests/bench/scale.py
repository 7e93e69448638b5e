"""The bench's tables of many people: a thousand who log in at once, and thousands who stay."""

from collections.abc import Sequence
from typing import Final

from tests.bench import logins
from tests.bench.figures import Column, Table, percentile
from tests.bench.logins import Many

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
    Column("memory", "server KB each", 1),
    Column("kernel", "kernel KB each", 1),
    Column("share", "idle CPU %", 2),
    Column("listed", "session list s", 2),
    Column("login", "login CPU ms", 2),
    Column("end", "one's end CPU ms", 2),
)


def measure(
    clients: int, keys: Sequence[str], counts: Sequence[int], watched: float
) -> tuple[Table, Table, dict[str, list[float]], list[Many]]:
    """Measure logins at once with each kind of key, and then sessions that carry nothing.

    :param counts: sessions, fewer first.
    :param watched: seconds in which nothing happens, with the most of them.
    :returns: both tables; when each client was up, in seconds, by key; and the sessions.
    """
    storms: list[logins.Storm] = []
    held: list[Many] = []
    for key in keys:
        last = key == keys[-1]
        with logins.prepared(key, max(clients, *counts) if last else clients) as vpn:
            if last:
                for count in counts:
                    idle = watched if count == counts[-1] else 0.0
                    held.append(logins.many(vpn, count, watched=idle))
                    # what it keeps of so many would not be counted again
                    vpn.server.stop()
                    vpn.server.start()
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
        "CPU: of the workers and their keepers for each client; yardstick: a fixed piece of Python.",
        *(
            f"{one.key}: {count} were not let in: {why}"
            for one in found
            for why, count in one.arrival.failures.most_common(3)
        ),
    ]
    return table


def _sessions(found: Sequence[Many], watched: float) -> Table:
    table = Table("sessions", "Sessions that carry nothing, two workers", SESSIONS)
    table.rows = [
        {column.key: getattr(one, column.key) for column in SESSIONS}
        | {"share": None if one.share is None else 100 * one.share}
        for one in found
    ]
    table.notes = [
        f"Server: Pss of workers and keepers beyond that of a server which {logins.BEFORE} have left. Kernel: slab, "
        "stacks and per-CPU memory of the whole machine, the clients' sockets with it. Idle: watched for "
        f"{watched:.0f} s; each session has a keepalive in 60.",
    ]
    return table
