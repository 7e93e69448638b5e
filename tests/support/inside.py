"""What a process finds that has given up what a worker gives up: ``python -m tests.support.inside``.

It tries what is named on its command line, confined by the server's own function, and says of each
whether it could: a JSON object.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from sstpca.server.confinement import confine, load
from sstpca.server.errors import ServerError
from sstpca.server.net.tun import open_tun


def _read(path: str) -> None:
    Path(path).read_bytes()


def _list(path: str) -> None:
    list(Path(path).iterdir())


def _write(path: str) -> None:
    Path(path).write_text("x")


def _interface(name: str) -> None:
    try:
        os.close(open_tun(name).descriptor)
    except ServerError as error:
        raise PermissionError(str(error)) from error


def _signal(pid: str) -> None:
    os.kill(int(pid), 0)


def _trace(pid: str) -> None:
    Path(f"/proc/{pid}/mem").open("rb").close()


def _connect(address: str) -> None:
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), 2.0).close()


def _root(_: str) -> None:
    os.setresuid(0, 0, 0)


def _descriptors(count: str) -> None:
    found = len(list(Path("/proc/self/fd").iterdir())) - 1  # without that of the listing
    if found <= int(count):
        raise PermissionError("no more than that")


TRIES: dict[str, Callable[[str], None]] = {
    "read": _read,
    "list": _list,
    "write": _write,
    "interface": _interface,
    "signal": _signal,
    "trace": _trace,
    "connect": _connect,
    "root": _root,
    "descriptors": _descriptors,
}


def main(user: int, tries: list[str]) -> None:
    """Be confined, and say what can be done."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    load()  # as the server does
    leak = Path(__file__).open("rb")  # noqa: SIM115 to be closed by what is tried
    found: dict[str, object] = {"missing": confine(user, ()), "leak": leak.name}
    for one in tries:
        what, _, where = one.partition("=")
        try:
            TRIES[what](where)
        except OSError as error:
            found[one] = type(error).__name__
        else:
            found[one] = "done"
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
