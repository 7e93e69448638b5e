"""``sstpca`` commands, each in a process of its own that is forked from one with all modules loaded.

To load them, SQLAlchemy's above all, is nine tenths of what a short command takes, and the tests run
more than a thousand. Beside that a command begins as ``python -P -m sstpca`` does, with arguments,
environment, folder and streams of its own.
"""

import atexit
import functools
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

_LARGEST_ORDER: Final = 1 << 17


def run(
    arguments: Sequence[str], *, environment: Mapping[str, str], typed: str, patience: float
) -> subprocess.CompletedProcess[str]:
    """Run ``sstpca`` to its end.

    :param typed: its standard input.
    :raises TimeoutError: if it takes longer than ``patience`` seconds; it is killed then.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with (
        ours,
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as said,
        tempfile.TemporaryFile() as complained,
    ):
        given.write(typed.encode())
        given.seek(0)
        order = json.dumps([list(arguments), dict(environment), str(Path.cwd())])
        with theirs:
            handed = [one.fileno() for one in (given, said, complained, theirs)]
            socket.send_fds(_parent(), [order.encode()], handed)
        ours.settimeout(patience)
        pid = int(ours.recv(16))
        try:
            code = int(ours.recv(16))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise TimeoutError(f"{arguments} takes more than {patience} s") from None
        return subprocess.CompletedProcess(arguments, code, _text(said), _text(complained))


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode()


@functools.cache
def _parent() -> socket.socket:
    """Start the process that all are forked from; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-P", __file__, str(theirs.fileno())]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
        )
    atexit.register(process.wait)
    atexit.register(ours.close)  # before that: the last comes first
    return ours


def _load() -> None:
    """Load all that a command may, and run nothing of it."""
    package = importlib.import_module("sstpca")
    for module in pkgutil.walk_packages(package.__path__, "sstpca."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _take_orders(orders: socket.socket) -> None:
    """Fork a command for each order, until nobody is left to give one.

    The process in between tells its number, and how it ended.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        order, handed, _, _ = socket.recv_fds(orders, _LARGEST_ORDER, 4)
        if not order:
            return None
        if not os.fork():
            orders.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if not (command := os.fork()):
                return _become(handed, *json.loads(order))
            os.write(handed[3], str(command).encode())
            _, status = os.waitpid(command, 0)
            os.write(handed[3], str(os.waitstatus_to_exitcode(status)).encode())
            os._exit(0)
        for number in handed:
            os.close(number)


def _become(
    handed: list[int], arguments: list[str], environment: dict[str, str], folder: str
) -> None:
    for stream, number in enumerate(handed[:3]):
        os.dup2(number, stream)
    for number in handed:
        os.close(number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["sstpca", *arguments]
    runpy.run_module("sstpca", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _load()
    _take_orders(socket.socket(fileno=int(sys.argv[1])))
