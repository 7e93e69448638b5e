"""The last lines of the server's log, where systemd's journal has it."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ..errors import Unavailable

_PATIENCE: Final = 20.0


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line.

    :param at: UTC, to the second.
    :param user: who it is about; ``claimed``, who said to be that.
    """

    at: str
    text: str
    user: str = ""
    claimed: str = ""


def recent(root: Path, most: int) -> list[LogLine]:
    """Return the newest lines about the home in ``root``, the oldest of them first.

    :raises Unavailable: if there is no journal, or nobody can read it.
    """
    program = shutil.which("journalctl")
    if program is None:
        raise Unavailable("this machine has no systemd journal")
    command = [program, "--quiet", "--no-pager", "--output=json", f"--lines={most}"]
    command.append(f"SSTPCA_HOME={root.resolve()}")
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"journalctl does not answer: {error}") from error
    if done.returncode:
        raise Unavailable(f"journalctl failed ({done.returncode}): is the journal yours to read?")
    return list(_lines(done.stdout))


def _lines(output: bytes) -> Iterator[LogLine]:
    for line in output.splitlines():
        try:
            fields: dict[str, Any] = json.loads(line)
            at = datetime.fromtimestamp(int(fields["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
            text = fields["MESSAGE"]
        except (ValueError, KeyError, TypeError):
            continue
        # of what is no text, the journal gives bytes
        if isinstance(text, str):
            user, claimed = (str(fields.get(f"SSTPCA_{name}", "")) for name in ("USER", "CLAIMED"))
            yield LogLine(f"{at:%Y-%m-%d %H:%M:%S}", text, user, claimed)
