"""One program takes over from another, in a process of the test's own."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sstpca.server.errors import ServerError
from sstpca.server.takeover import VARIABLE, Handover, Left, take_over, taken_over

HANDOVER = Handover(
    process=0,
    lock=-1,
    presence=-1,
    listeners=(),
    activated=False,
    metrics=-1,
    board=-1,
    layout="of now",
    asker=-1,
    within=60.0,
    interface="sstp",
    left=(Left(11, 12, 3, float("inf")), Left(13, 14, -1, 5.5)),
    keepers=((15, 6.5),),
    lost=(16,),
    begun=1.5,
    failed=2,
)

# becomes SECOND, with a socket that listens and a file that does not go along
FIRST = """
import dataclasses, os, socket, sys
from sstpca.server.takeover import take_over
from tests.server.test_takeover import HANDOVER
listener = socket.create_server(("127.0.0.1", 0))
other = os.open("/etc/passwd", os.O_RDONLY)
print(os.getpid(), listener.getsockname()[1], flush=True)
handover = dataclasses.replace(HANDOVER, process=os.getpid(), listeners=(listener.fileno(),))
take_over([sys.executable, "-c", sys.argv[1]], handover)
"""
SECOND = """
import os, socket, sys
from pathlib import Path
from sstpca.server.takeover import VARIABLE, taken_over
found = taken_over()
(number,) = found.listeners
listener = socket.socket(fileno=number)
print(os.getpid(), listener.getsockname()[1], flush=True)
print(os.get_inheritable(number), VARIABLE in os.environ, taken_over())
print([str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.exists()])
print(found)
"""


def test_what_is_open_goes_along_and_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST, SECOND],
        capture_output=True,
        text=True,
        check=True,
        timeout=60.0,
        cwd=Path(__file__).resolve().parents[2],
    )
    before, after, rest, descriptors, found = done.stdout.splitlines()
    assert after == before
    assert rest == "False False None"
    assert "socket:" in descriptors and "passwd" not in descriptors and "memfd" not in descriptors
    assert "Left(worker=11, keeper=12, slot=3, until=inf)" in found
    assert "keepers=((15, 6.5),), lost=(16,)" in found


def test_a_program_that_is_not_there_changes_nothing() -> None:
    reader, writer = os.pipe()
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(ServerError, match="cannot run /nowhere/python: No such file"):
        take_over(["/nowhere/python"], dataclasses.replace(HANDOVER, lock=writer))
    assert not os.get_inheritable(writer)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    for one in (reader, writer):
        os.close(one)


def written(text: str) -> dict[str, str]:
    file = os.memfd_create("test")
    os.write(file, text.encode())
    return {VARIABLE: str(file)}


def test_what_is_another_process_is_not_taken() -> None:
    environment = written(json.dumps(dataclasses.asdict(HANDOVER)))
    assert taken_over(environment) is None
    assert environment == {}
    assert taken_over({}) is None


def test_what_a_later_release_says_beside_that_is_no_mistake() -> None:
    said = dataclasses.asdict(HANDOVER) | {"process": os.getpid(), "colour": "blue"}
    found = taken_over(written(json.dumps(said)))
    assert found == dataclasses.replace(HANDOVER, process=os.getpid())


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"left": 3}', "x"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ServerError, match="cannot take over from the program before"):
        taken_over(written(text))
    with pytest.raises(ServerError, match="cannot take over"):
        taken_over({VARIABLE: "nonsense"})
