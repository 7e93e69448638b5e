"""The real fail2ban-regex, over a log and the filter that comes with sstpca."""

import re
import subprocess
from importlib import resources
from pathlib import Path

from tests.support.requirements import require
from tests.support.waiting import PATIENCE


def guesses(log: Path) -> list[str]:
    """Return the address of each line of ``log`` that the filter takes for a guess, in their order.

    Skips the test where there is no fail2ban.
    """
    return _run("--out", "ip", log=log).split()


def dated(log: Path) -> int:
    """Return in how many lines of ``log`` the filter finds the time."""
    _, _, hits = _run(log=log).partition("Date template hits:")
    return sum(map(int, re.findall(r"^\|  \[(\d+)\] ", hits, re.MULTILINE)))


def _run(*options: str, log: Path) -> str:
    require("fail2ban-regex")
    shipped = resources.files("sstpca.templates") / "fail2ban" / "sstpca.conf"
    with resources.as_file(shipped) as path:
        done = subprocess.run(
            ["fail2ban-regex", *options, str(log), str(path)],
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
    return done.stdout
