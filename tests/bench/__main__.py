"""Everything that is said of speed, measured in one run: ``python -m tests.bench``, as root.

Runs the real server in network namespaces of its own, with the in-tree client and iperf3; a plain
TLS transfer and a one-packet pump are the yardsticks of the same run. Nothing is asserted.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.bench import datagrams, latency, loss, throughput, workers
from tests.bench.figures import Table
from tests.bench.stage import Stage, stage
from tests.support.requirements import missing

OUTPUT: Final = Path("out") / "bench"


class Run:
    """One run: what it has found so far.

    :param quick: whether it has less than two minutes.
    """

    def __init__(self, made: Stage, *, quick: bool) -> None:
        self._stage = made
        self._quick = quick
        self.tables: list[Table] = []
        self.times: dict[str, list[float]] = {}

    def throughput(self) -> None:
        """TCP."""
        rounds, seconds = (1, 2.0) if self._quick else (3, 3.0)
        self._show(throughput.measure(self._stage, rounds=rounds, seconds=seconds))

    def udp(self) -> None:
        """UDP."""
        rounds, seconds = (1, 1.0) if self._quick else (2, 2.0)
        self._show(datagrams.measure(self._stage, rounds=rounds, seconds=seconds))

    def latency(self) -> None:
        """Pings and a call."""
        table, self.times = latency.measure(self._stage, 1.5 if self._quick else 5.0)
        self._show(table)

    def loss(self) -> None:
        """TCP over TCP."""
        rounds, seconds = (1, 2.0) if self._quick else (2, 4.0)
        self._show(loss.measure(self._stage, rounds=rounds, seconds=seconds))

    def workers(self) -> None:
        """A second worker."""
        rounds, seconds = (1, 1.0) if self._quick else (2, 3.0)
        self._show(workers.measure(self._stage, rounds=rounds, seconds=seconds))

    def _show(self, table: Table) -> None:
        self.tables.append(table)
        print(f"\n{table.text()}", flush=True)


#: In this order; the last starts the server anew.
PARTS: Final[dict[str, Callable[[Run], None]]] = {
    "throughput": Run.throughput,
    "udp": Run.udp,
    "latency": Run.latency,
    "loss": Run.loss,
    "workers": Run.workers,
}


def main() -> None:
    """Measure, print, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="in less than 2 minutes: one round")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if why := missing(("ip", "nft", "iperf3"), tun=True):
        sys.exit(f"error: the bench {why}")
    began = time.monotonic()
    with stage() as made:
        run = Run(made, quick=arguments.quick)
        for name in arguments.parts or PARTS:
            at = time.monotonic()
            PARTS[name](run)
            print(f"({name}: {time.monotonic() - at:.0f} s)", flush=True)
    write(run, OUTPUT)
    print(f"\n{time.monotonic() - began:.0f} s; all figures are in {OUTPUT}")


def write(run: Run, folder: Path) -> None:
    """Write the figures as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {table.name: table.plain() for table in run.tables}
    (folder / "bench.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
