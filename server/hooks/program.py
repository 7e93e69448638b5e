"""One program, run once: who may have written it, what it is told, and for how long it may run."""

import contextlib
import os
import select
import signal
import stat
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

#: Seconds between SIGTERM and SIGKILL.
GRACE: Final = 2.0

#: Bytes that are kept of what it says on standard error, and characters of that in the log.
_KEPT: Final = 4096
_SHOWN: Final = 300

#: Seconds between two looks whether it has ended, though its children hold its standard error.
_LOOK: Final = 0.1

_ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}


def objection(path: Path) -> str:
    """Return why the program ``path`` is not run; empty if nothing speaks against it.

    It runs as we do, so that it is to be root's, or ours, and nobody else's to change or to swap.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return "it is no file"
        if not os.access(path, os.X_OK):
            return "it is not executable"
        for place in (path, *path.resolve().parents, *path.parents):
            if why := _of_others(place.stat()):
                return f"{place} {why}" if place != path else f"it {why}"
    except OSError as error:
        return str(error.strerror)
    return ""


def _of_others(status: os.stat_result) -> str:
    if status.st_uid not in (0, os.geteuid()):
        return "is not root's"
    sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky:
        return "may be written to by others than its owner"
    return ""


def run(path: Path, told: Mapping[str, str], seconds: float) -> str:
    """Run it and wait; return what went wrong, fit for a log, or nothing.

    :param told: its environment, beside PATH and LANG; its values are given as they are.
    :param seconds: after which it is ended, with all that it has started and that has not left its
        process group.
    """
    if why := objection(path):
        return f"is not run: {why}"
    try:
        process = subprocess.Popen(
            [path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_ENVIRONMENT | dict(told),
            cwd="/",
            start_new_session=True,
            restore_signals=True,
        )
    except (OSError, ValueError) as error:
        return f"cannot be run: {error}"
    with process:
        said = _follow(process, time.monotonic() + seconds)
        if process.poll() is None:
            _end(process)
            return f"was ended: it ran for longer than {seconds:g} s{_shown(said)}"
    if process.returncode:
        code = process.returncode
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        return f"failed with {how}{_shown(said)}"
    return ""


def _follow(process: subprocess.Popen[bytes], until: float) -> bytes:
    """Return the last of what it says, until it ends or its time is over."""
    assert process.stderr is not None
    descriptor, said, speaking = process.stderr.fileno(), b"", True
    os.set_blocking(descriptor, False)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while (left := until - time.monotonic()) > 0 and (speaking or process.poll() is None):
        if not speaking:
            time.sleep(min(left, _LOOK))
            continue
        ready = poll.poll(min(left, _LOOK) * 1000)
        if ready:
            data = os.read(descriptor, 65536)
            said, speaking = (said + data)[-_KEPT:], bool(data)
        elif process.poll() is not None:
            break  # a child of its own holds standard error
    return said


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
            if number == signal.SIGTERM:
                continue  # what it has started may not have heard it
            return


def _shown(said: bytes) -> str:
    """Return the last line of what it said, fit for a log."""
    lines = said.decode(errors="replace").strip().splitlines()
    last = "".join(filter(str.isprintable, lines[-1]))[:_SHOWN] if lines else ""
    return f": {last}" if last else ""
