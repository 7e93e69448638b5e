"""Who listens at a port of this machine, as /proc tells it (proc(5)); without root, only of one's own."""

import contextlib
from pathlib import Path
from typing import Final

_TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTEN: Final = "0A"
_PROC: Final = Path("/proc")


def holder_of(port: int) -> str:
    """Return the program that listens there: ``nginx (process 812)``; empty if that cannot be told."""
    sockets = {f"socket:[{inode}]" for table in _TABLES for inode in _listening(table, port)}
    if not sockets:
        return ""
    for process in _PROC.glob("[0-9]*"):
        if any(one in sockets for one in _open(process / "fd")):
            return f"{_name(process)} (process {process.name})"
    return ""


def _listening(table: Path, port: int) -> list[str]:
    """Return the inodes of the sockets that listen at a port."""
    try:
        lines = table.read_text("ascii", "replace").splitlines()[1:]
    except OSError:
        return []
    rows = [line.split() for line in lines]
    return [
        row[9] for row in rows if row[3] == _LISTEN and int(row[1].rpartition(":")[2], 16) == port
    ]


def _open(folder: Path) -> list[str]:
    """Return what a process has open; of somebody else's, nothing."""
    found = []
    with contextlib.suppress(OSError):
        for one in folder.iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                found.append(str(one.readlink()))
    return found


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return "a program"
