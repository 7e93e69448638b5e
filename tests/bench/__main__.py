"""Everything that is said of speed, measured in one run: ``python -m tests.bench``, as root.

Runs the real server in network namespaces of its own, with the in-tree client and iperf3; a plain
TLS transfer and a one-packet pump are the yardsticks of the same run. Nothing is asserted.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import platform
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from sstpca.server.dataplane.engine import COMPILED
from tests.bench import connect, datagrams, latency, logins, loss, scale, throughput, workers
from tests.bench.figures import Table
from tests.bench.logins import Many
from tests.bench.stage import Stage, stage
from tests.support import results as left
from tests.support.requirements import missing

OUTPUT: Final = Path("out") / "bench"
#: What TCP connections have in all namespaces, where nothing else is said.
CONTROL: Final = Path("/proc/sys/net/ipv4/tcp_congestion_control")


class Run:
    """One run: what it has found so far.

    :param quick: whether it has less than two minutes.
    """

    def __init__(self, *, quick: bool) -> None:
        self._quick = quick
        self.tables: list[Table] = []
        self.waits: dict[str, list[float]] = {}
        self.storms: dict[str, list[float]] = {}
        self.held: list[Many] = []
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Note how long a part takes."""
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began

    def throughput(self, made: Stage) -> None:
        """TCP."""
        rounds, seconds = (1, 1.0) if self._quick else (3, 2.0)
        self._show(throughput.measure(made, rounds=rounds, seconds=seconds))

    def udp(self, made: Stage) -> None:
        """UDP."""
        self._show(datagrams.measure(made, rounds=1, seconds=1.0))

    def latency(self, made: Stage) -> None:
        """Pings and a call."""
        table, self.waits = latency.measure(made, 1.0 if self._quick else 3.0)
        self._show(table)

    def loss(self, made: Stage) -> None:
        """TCP over TCP."""
        losses, seconds, start = (
            (loss.LOSSES[2:], 2.0, 1.0) if self._quick else (loss.LOSSES, 3.0, loss.START)
        )
        self._show(loss.measure(made, losses, rounds=1, seconds=seconds, start=start))

    def workers(self, made: Stage) -> None:
        """A second worker."""
        rounds, seconds = (1, 1.0) if self._quick else (2, 2.0)
        self._show(workers.measure(made, rounds=rounds, seconds=seconds))

    def connect(self, made: Stage) -> None:
        """Our own client."""
        rounds, seconds = (1, 1.0) if self._quick else (2, 2.0)
        self._show(connect.measure(made, rounds=rounds, seconds=seconds))

    def logins(self) -> None:
        """Logins at once, and sessions that carry nothing."""
        found = (
            scale.measure(200, ("rsa",), (300,), 2.0)
            if self._quick
            else scale.measure(logins.STORM, ("ecdsa", "rsa"), logins.MANY, logins.WATCHED)
        )
        storm, sessions, self.storms, self.held = found
        self._show(storm)
        self._show(sessions)

    def _show(self, table: Table) -> None:
        self.tables.append(table)
        print(f"\n{table.text()}", flush=True)


#: In this order; the last of them starts the server anew.
STAGED: Final[dict[str, Callable[[Run, Stage], None]]] = {
    "throughput": Run.throughput,
    "udp": Run.udp,
    "latency": Run.latency,
    "loss": Run.loss,
    "connect": Run.connect,
    "workers": Run.workers,
}
#: With servers of their own.
ALONE: Final[dict[str, Callable[[Run], None]]] = {"logins": Run.logins}
PARTS: Final = (*STAGED, *ALONE)


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
    print(", ".join(f"{name}: {value}" for name, value in machine().items()), flush=True)
    run = Run(quick=arguments.quick)
    parts = arguments.parts or PARTS
    if staged := [name for name in STAGED if name in parts]:
        with stage() as made:
            for name in staged:
                with run.timed(name):
                    STAGED[name](run, made)
    for name in ALONE:
        if name in parts:
            with run.timed(name):
                ALONE[name](run)
    write(run, left.folder("bench"))
    took = ", ".join(f"{name} {seconds:.0f}" for name, seconds in run.seconds.items())
    print(f"\n{time.monotonic() - began:.0f} s ({took}); figures and pictures are in {OUTPUT}")


def write(run: Run, folder: Path) -> None:
    """Write the figures as JSON, the tables as Markdown, and the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {table.name: table.plain() for table in run.tables}
    text = json.dumps({"machine": machine(), **found}, indent=1)
    (folder / "bench.json").write_text(text)
    for table in run.tables:
        (folder / f"{table.name}.md").write_text(table.markdown() + "\n")
    if importlib.util.find_spec("matplotlib") is None:
        print("\nno pictures: matplotlib is not installed (make bench installs it)")
        return
    # not before it is needed: a second of imports would be in each process that is forked
    from tests.bench import plots

    tables = {table.name: table for table in run.tables}
    plots.draw(folder, tables, run.waits, run.storms, run.held)


def machine() -> dict[str, str | int]:
    """Return what the figures hang on."""
    return {
        "processors": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "data plane": "compiled" if COMPILED else "Python",
        "congestion control": CONTROL.read_text().strip(),
    }


if __name__ == "__main__":
    main()
