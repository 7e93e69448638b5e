"""How fast bundles are made, and in how much memory: ``python tests/bench/bundles.py [10000]``.

Makes a home with so many users in a temporary folder and runs ``sstpca bundle`` on it, as an
administrator does. First a part of them in turn by one process on one processor and by one on
each, several rounds; what is printed are the rates and their ratio. Then all of them at once, with
the peak of the memory after the first 1000 and at the end.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sstpca.home import Home
from sstpca.names import parse_hosts
from sstpca.secrets import Sealer
from sstpca.store import Store, users
from sstpca.vpn.setup import Plan, make_home

SAMPLE = 1000
PART = 1000
ROUNDS = 3


@dataclass(frozen=True)
class Memory:
    """Peaks of resident memory, in MiB: of the parent, and of each process it has forked.

    What a fork shares with its parent counts in both.
    """

    parent: int
    workers: tuple[int, ...]

    def __str__(self) -> str:
        workers = ", ".join(map(str, self.workers)) or "none"
        return f"parent {self.parent} MiB, workers {workers}"


def populate(root: Path, count: int) -> Home:
    """Make a home with ``count`` users of the first access profile."""
    home = make_home(root, Plan(parse_hosts(["vpn.example.com"])), None).home
    store, sealer = Store.open(home.database), Sealer.load(home)
    with store.writing() as connection:
        for number in range(count):
            users.insert(connection, sealer, f"user{number:06}", "correct horse battery")
    store.close()
    return home


def peak(pid: int) -> int:
    """Return the most resident memory that a process has had, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) >> 10


def children(pid: int) -> Iterator[int]:
    """Yield the processes that ``pid`` has forked."""
    yield from map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def memory(pid: int) -> Memory:
    """Return the peaks of ``pid`` and its children until now."""
    return Memory(peak(pid), tuple(peak(child) for child in children(pid)))


def one_processor() -> None:
    """Keep this process on one processor; it then makes all bundles itself."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def run(
    home: Home, names: list[str], before: Callable[[], None] | None = None
) -> tuple[float, dict[int, Memory]]:
    """Make bundles for ``names``, all if there are none; return the rate, and memory by count."""
    output = Path(tempfile.mkdtemp(dir=home.root))
    command = [sys.executable, "-m", "sstpca", "--home", str(home.root), "bundle"]
    began, found, count = time.monotonic(), {}, 0
    with subprocess.Popen(
        [*command, "--output", str(output), *(names or ["--all"])],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=before,
    ) as process:
        assert process.stdout is not None
        for count, _line in enumerate(process.stdout, 1):
            if count % SAMPLE == 0:
                found[count] = memory(process.pid)
    took = time.monotonic() - began
    if process.returncode:
        raise SystemExit("the command failed")
    shutil.rmtree(output)
    return count / took, found


def compare(home: Home, part: list[str]) -> None:
    """Print the rates of one process and of several, measured in turn, and their ratio."""
    rates: dict[str, list[float]] = {"one": [], "several": []}
    for _ in range(ROUNDS):
        rates["one"].append(run(home, part, one_processor)[0])
        rates["several"].append(run(home, part)[0])
    one, several = (statistics.median(rates[name]) for name in ("one", "several"))
    print(f"{len(part)} bundles, the median of {ROUNDS} rounds in turn:")
    print(f"  one process, one processor  {one:6.0f} bundles/s")
    print(f"  a process on each of {len(os.sched_getaffinity(0)):2}     {several:6.0f} bundles/s")
    print(f"  ratio                       {several / one:6.2f}")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("count", nargs="?", type=int, default=10_000, help="how many bundles")
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory() as folder:
        home = populate(Path(folder) / "home", count)
        compare(home, [f"user{number:06}" for number in range(min(PART, count))])
        rate, found = run(home, [])
        print(f"{count} bundles at once: {rate:.0f} bundles/s")
        for number in sorted({min(found), max(found)} if found else ()):
            print(f"  peak memory until {number:6}: {found[number]}")


if __name__ == "__main__":
    main()
