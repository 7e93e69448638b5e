"""Fuzzes all parsers and whole sessions, some time each: ``make fuzz``.

    python -m tests.fuzz                          # two minutes, all targets
    python -m tests.fuzz session --seconds 3600   # an hour for one
    python -m tests.fuzz --keep                   # and put what was found new into the corpus

What a run has found stays in out/fuzz, and the next one begins with it. Which inputs are kept in
tests/fuzz/corpus, and why, says :mod:`tests.fuzz.keeping`. The first input that breaks a target is
named, and how to repeat it; the exit code is then 1.
"""

import argparse
import importlib.util
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from tests.fuzz.keeping import keep
from tests.fuzz.targets import TARGETS, kept
from tests.support import results

FOLDER: Final = Path("out") / "fuzz"
_INPUT_MOST: Final = 4096  # bytes; the longest that is worth trying
_SLOW: Final = 20  # seconds that no input may take
_MEMORY: Final = 2048  # MB
_EXECUTED: Final = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_COVERED: Final = re.compile(r"cov: (\d+) ft: \d+ corp: (\d+)")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one target."""

    target: str
    seconds: int
    executed: int
    covered: int
    inputs: int
    broken: str

    def __str__(self) -> str:
        line = (
            f"{self.target:12} {self.seconds:5} s  {self.executed:9} inputs  "
            f"{self.covered:5} edges  {self.inputs:4} worth keeping"
        )
        return f"{line}\n{self.broken}" if self.broken else line


def corpus(target: str) -> Path:
    """Return the folder in which a run collects inputs, with those that are kept."""
    folder = results.folder("fuzz") / target
    folder.mkdir(exist_ok=True)
    for data in kept(target):
        (folder / sha256(data).hexdigest()[:16]).write_bytes(data)
    return folder


def fuzz(target: str, seconds: int, seed: int) -> Result:
    """Fuzz one target for so long, or until something breaks it.

    :param seed: of the chance; 0: another one each time.
    """
    crash = FOLDER / f"{target}-"
    command = (
        *(sys.executable, "-m", "tests.fuzz.one", target),
        *(f"-max_total_time={seconds}", f"-artifact_prefix={crash}", f"-timeout={_SLOW}"),
        *(f"-rss_limit_mb={_MEMORY}", f"-max_len={_INPUT_MOST}", "-print_final_stats=1"),
        *(f"-seed={seed}", str(corpus(target))),
    )
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    said = done.stdout + done.stderr
    executed, covered = _EXECUTED.findall(said), _COVERED.findall(said)
    return Result(
        target,
        seconds,
        int(executed[-1]) if executed else 0,
        int(covered[-1][0]) if covered else 0,
        int(covered[-1][1]) if covered else 0,
        _explain(done, target) if done.returncode or not executed else "",
    )


def _explain(done: subprocess.CompletedProcess[str], target: str) -> str:
    """Return the end of what Python said, and how to see it again."""
    _, found, traceback = done.stdout.rpartition("Uncaught Python exception")
    why = traceback if found else done.stderr
    written = re.findall(r"Test unit written to (\S+)", done.stderr)
    again = f"again: {sys.executable} -m tests.fuzz.one {target} {written[0]}" if written else ""
    return f"{target} is broken:\n{why.strip()[-3000:]}\n{again}".strip()


def main() -> int:
    """Fuzz, print what came of it, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=120, help="for all of them together")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--seed", type=int, default=0, help="of the chance; 0: another each time")
    parser.add_argument("--keep", action="store_true", help="renew tests/fuzz/corpus")
    given = parser.parse_args()
    if stray := set(given.targets) - set(TARGETS):
        parser.error(f"there is no target {', '.join(sorted(stray))}")
    if importlib.util.find_spec("atheris") is None:
        print("error: atheris is not installed here: make fuzz installs it", file=sys.stderr)
        return 1
    chosen = given.targets or list(TARGETS)
    shares = {target: TARGETS[target][1] for target in chosen}
    whole = given.seconds * min(given.jobs, len(chosen)) / sum(shares.values())
    broken = False
    with ThreadPoolExecutor(given.jobs) as pool:
        runs = pool.map(
            lambda one: fuzz(one, max(1, round(whole * shares[one])), given.seed), chosen
        )
        for result in runs:
            print(result, flush=True)
            broken = broken or bool(result.broken)
    if given.keep and not broken:
        for target in chosen:
            found = (path.read_bytes() for path in (FOLDER / target).iterdir())
            print(f"{target}: {keep(target, found)} inputs are kept")
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
