"""What a second worker brings: two users at once, both in one worker or each in one.

Each worker has a share of a processor, so small that clients and iperf3 have enough beside it: where they
share the processors with the server, a second worker can bring no more than they leave.
"""

import os
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.bench import iperf
from tests.bench.figures import Column, Series, Table
from tests.bench.iperf import DOWN, UP
from tests.bench.quota import limited
from tests.bench.stage import WORKERS, Stage, set_workers
from tests.bench.tunnel import Kind, User, user

#: Of a processor, for each worker.
SHARE: Final = 0.12

COLUMNS: Final = (
    Column("direction", "to"),
    Column("workers", "workers", 0),
    Column("gigabits", "Gbit/s of both", 2, spread=True),
    Column("times", "x one worker", 2),
    Column("cost", "server CPU s/GB", 2, spread=True),
    Column("share", "processors the server had", 2),
    Column("others", "and all others", 2),
)


def measure(stage: Stage, *, rounds: int, seconds: float) -> Table:
    """Measure with one worker and with two; the server is started anew for each."""
    table = Table("workers", "Two users at once", COLUMNS)
    alone: dict[str, float] = {}
    table.notes = [f"Each worker has {SHARE:.0%} of a processor."]
    for workers in (1, WORKERS):
        stage.vpn.server.stop()
        set_workers(stage.vpn.home, workers)
        stage.vpn.server.start()
        with ExitStack() as stack:
            both = _apart(stage, stack, workers)
            try:
                stack.enter_context(limited(stage.vpn.server.children(), SHARE))
            except OSError as error:
                table.notes = [
                    f"The workers have all of {len(os.sched_getaffinity(0))} processors, which they share with "
                    f"the users' clients and iperf3: this machine cannot limit them ({error.strerror})."
                ]
            for direction in (UP, DOWN):
                found = [_both(stage, both, direction, seconds) for _ in range(rounds)]
                series = Series.by_key(found)
                rate = series["gigabits"].median
                table.rows.append(
                    {
                        "direction": direction,
                        "workers": workers,
                        "times": rate / alone.setdefault(direction, rate),
                        **series,
                    }
                )
    return table


def _apart(stage: Stage, stack: ExitStack, workers: int) -> list[User]:
    """Return two users, in as many workers as there are."""
    found: dict[int, User] = {}
    for number in range(30):
        one = stack.enter_context(user(stage.vpn, Kind.EACH, name=f"apart{number}"))
        [session] = [s for s in stage.vpn.home.sessions() if s.address == str(one.address)]
        found.setdefault(session.worker if workers > 1 else number, one)
        if len(found) == 2:
            return [*found.values()]
    raise AssertionError("30 connections, and a worker got none")


def _both(stage: Stage, users: list[User], direction: str, seconds: float) -> dict[str, float]:
    everyone, server = _all_cpu(), stage.cpu()
    found: list[iperf.Tcp] = []

    def one(port: int, user: User) -> None:
        found.append(iperf.tcp(user.namespace, direction, seconds, port=port))

    threads = [
        threading.Thread(target=one, args=pair) for pair in zip(iperf.PORTS, users, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used, others = stage.cpu() - server, _all_cpu() - everyone
    took = max(run.seconds for run in found)
    return {
        "gigabits": sum(run.gigabits for run in found),
        "cost": used / sum(run.bytes for run in found) * 1e9,
        "share": used / took,
        "others": (others - used) / took,
    }


def _all_cpu() -> float:
    """Return the processor time that all of this machine has used: user, nice, system, soft IRQ."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(int(fields[at]) for at in (0, 1, 2, 6)) / os.sysconf("SC_CLK_TCK")
