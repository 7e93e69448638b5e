"""Sockets that a service manager hands over: sd_listen_fds(3)."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from sstpca.server.activation import handed_over
from sstpca.server.errors import ServerError

PROGRAM = """
import os, sys
from sstpca.server.activation import handed_over
from sstpca.server.errors import ServerError
said = dict(os.environ, LISTEN_PID=str(os.getpid()), LISTEN_FDS=sys.argv[1], LISTEN_FDNAMES="a:b")
try:
    found = handed_over(said)
except ServerError as error:
    print(error)
else:
    for one in found:
        print(*one.getsockname()[:2], one.get_inheritable(), one.getblocking())
"""


class HasDescriptor(Protocol):
    def fileno(self) -> int: ...


def in_a_child(given: Sequence[HasDescriptor], count: str | None = None) -> str:
    """Return what is said of what was ``given`` by a process that has it as descriptors from 3 on."""
    held = [os.dup(one.fileno()) for one in given]
    moves = "; ".join(f"os.dup2({number}, {place + 3})" for place, number in enumerate(held))
    done = subprocess.run(
        [sys.executable, "-c", f"import os; {moves}\n{PROGRAM}", count or str(len(held))],
        pass_fds=held,
        capture_output=True,
        text=True,
        check=True,
    )
    for number in held:
        os.close(number)
    return done.stdout


@pytest.fixture
def listening() -> Iterator[list[socket.socket]]:
    # far from 3, where they come to be
    fillers = [socket.socket() for _ in range(8)]
    made = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    yield made
    for one in (*fillers, *made):
        one.close()


def test_listening_sockets_are_taken(listening: list[socket.socket]) -> None:
    lines = in_a_child(listening).splitlines()
    assert lines == [f"127.0.0.1 {one.getsockname()[1]} False False" for one in listening]


def test_what_is_none_is_refused(listening: list[socket.socket]) -> None:
    one, _ = listening
    with socket.socket() as plain, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        assert "descriptor 4 (b) does not listen" in in_a_child([one, plain])
        assert "descriptor 3 (a) is no TCP socket" in in_a_child([datagram])
    near, far = socket.socketpair()
    with near, far:
        assert "descriptor 3 (a) is no TCP socket" in in_a_child([near])
    with Path(os.devnull).open("rb") as file:
        assert "descriptor 3 (a) is no socket" in in_a_child([file])
    assert "descriptor 3 (a) is no socket: Bad file descriptor" in in_a_child([], count="1")
    for count in ("-1", "x", "65", "²"):
        assert "LISTEN_FDS is" in in_a_child([], count=count)


@pytest.mark.parametrize("said", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_FDS": "1"}])
def test_others_sockets_are_left_alone(said: dict[str, str]) -> None:
    assert handed_over(said) == []


def test_nothing_was_handed_over() -> None:
    assert handed_over({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0"}) == []
    with pytest.raises(ServerError, match="LISTEN_FDS is ''") as refused:
        handed_over({"LISTEN_PID": str(os.getpid())})
    assert "ListenStream=" in refused.value.hint
