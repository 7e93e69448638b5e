"""Locks of files and folders (flock(2)): who waits says so, and gives up in the end."""

import fcntl
import logging
import os
import time
from pathlib import Path
from typing import Final

from ..errors import InUse, Unavailable
from ..names import quoted

#: seconds after which somebody who waits is told
SAY_AFTER: Final = 1.0
#: seconds after which nobody waits any longer
GIVE_UP_AFTER: Final = 30.0
_PAUSE: Final = 0.05

_LOG: Final = logging.getLogger("sstpca")


def try_take(descriptor: int) -> bool:
    """Take the lock of the open file ``descriptor``; return whether it was free.

    :raises Unavailable: if its file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        what = Path(f"/proc/self/fd/{descriptor}").readlink()
        raise Unavailable(f"cannot lock {what}: {error.strerror}") from error
    return True


def take(descriptor: int, what: str) -> None:
    """Take the lock of the open file ``descriptor``, once whoever has it lets it go.

    :param what: what the lock is of, for people: "the certificates of /srv/vpn".
    :raises InUse: if that takes longer than GIVE_UP_AFTER.
    """
    begin, said = time.monotonic(), False
    while not try_take(descriptor):
        waited = time.monotonic() - begin
        if waited >= GIVE_UP_AFTER:
            raise InUse(
                f"{what} are locked by {holder(descriptor)}, for {GIVE_UP_AFTER:.0f} seconds now",
                "let it finish, or end it if it hangs; then try again",
            )
        if waited >= SAY_AFTER and not said:
            said = True
            _LOG.warning("waiting: %s are locked by %s", what, holder(descriptor))
        time.sleep(_PAUSE)


def holder(descriptor: int) -> str:
    """Return who has the lock of the open file ``descriptor``, as far as the kernel tells.

    ``process 4711 ("sstpca")``, or ``another process``.
    """
    pid = holding(descriptor)
    return "another process" if pid is None else _process(pid)


def holding(descriptor: int) -> str | None:
    """Return the number of the process that took the lock of the open file ``descriptor``.

    None if nobody has it, as far as the kernel tells.
    """
    wanted = f"{_device(descriptor)}:{os.fstat(descriptor).st_ino}"
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        # proc_locks(5): "1: FLOCK ADVISORY WRITE 4711 fd:01:1234567 0 EOF"; "->" is one who waits
        fields = line.split()
        if len(fields) == 8 and fields[1] == "FLOCK" and fields[5] == wanted:
            return fields[4]
    return None


def _device(descriptor: int) -> str:
    """Return the device of an open file as /proc/locks writes it, ``fd:01``.

    That is its file system's. fstat(2) has another one on overlayfs, as in a container, and btrfs.
    """
    try:
        # proc_pid_fdinfo(5), proc_pid_mountinfo(5): "36 35 98:0 / /srv rw ..."
        about = Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines()
        mount = next(line.split()[1] for line in about if line.startswith("mnt_id:"))
        mounts = map(str.split, Path("/proc/self/mountinfo").read_text().splitlines())
        major, minor = next(fields[2].split(":") for fields in mounts if fields[0] == mount)
    except (OSError, StopIteration):
        status = os.fstat(descriptor)
        major, minor = str(os.major(status.st_dev)), str(os.minor(status.st_dev))
    return f"{int(major):02x}:{int(minor):02x}"


def _process(pid: str) -> str:
    try:
        name = Path("/proc", pid, "comm").read_text(errors="replace").strip()
    except OSError:
        return "another process"
    return f"process {pid} ({quoted(name)})"
