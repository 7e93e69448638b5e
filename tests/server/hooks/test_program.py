"""One program: who may have written it, what it is told, and for how long it may run."""

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sstpca.server.hooks.program import objection, run
from tests.support.waiting import PATIENCE, wait_for

Write = Callable[[str], Path]

TOLD = {"SSTPCA_USER": 'O\'Reilly; $(touch x) "ü" *\n', "SSTPCA_EVENT": "up"}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a program of one line of the shell's."""

    def write(line: str) -> Path:
        path = tmp_path / "hook"
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o700)
        return path

    return write


def test_what_it_is_told_reaches_it_as_it_is(write: Write, tmp_path: Path) -> None:
    said = tmp_path / "said"
    os.environ["SSTPCA_SECRET"] = "of the server's"
    try:
        assert run(write(f"/usr/bin/env -0 > {said}; pwd >> {said}"), TOLD, 10) == ""
    finally:
        del os.environ["SSTPCA_SECRET"]
    *pairs, where = said.read_bytes().decode().split("\0")
    environment = dict(pair.split("=", 1) for pair in pairs)
    assert where == "/\n"
    assert environment | TOLD == environment
    # PWD is the shell's own
    assert set(environment) - set(TOLD) == {"PATH", "LANG", "PWD"}


def test_one_that_fails_says_so_with_its_last_line(write: Write) -> None:
    program = write("echo first >&2; printf 'no \\033[31mroute\\n' >&2; exit 3")
    assert run(program, TOLD, 10) == "failed with exit code 3: no [31mroute"
    assert run(write("kill -9 $$"), TOLD, 10) == "failed with signal 9"


def test_what_it_says_is_bounded(write: Write) -> None:
    program = write("head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 1")
    assert run(program, TOLD, 20) == "failed with exit code 1: " + "x" * 300


def test_one_that_takes_too_long_is_ended_with_its_children(write: Write, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = write(
        f"trap '' TERM; echo $$ > {pids}; sleep 600 & echo $! >> {pids}; wait; sleep 600"
    )
    began = time.monotonic()
    assert run(program, TOLD, 0.5) == "was ended: it ran for longer than 0.5 s"
    # it would have run for ten minutes
    assert time.monotonic() - began < PATIENCE
    wait_for(lambda: not any(map(_runs, pids.read_text().split())), "the end of both")


def _runs(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_what_it_leaves_behind_is_not_waited_for(write: Write) -> None:
    began = time.monotonic()
    assert run(write("sleep 600 & exit 0"), TOLD, 20) == ""
    assert time.monotonic() - began < PATIENCE


def test_standard_input_and_output_are_nobodys(write: Write) -> None:
    assert run(write('read x; test -z "$x" && echo much'), TOLD, 5) == ""


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        (0o600, "it is not executable"),
        (0o770, "it may be written to by others than its owner"),
        (0o707, "it may be written to by others than its owner"),
    ],
)
def test_one_that_others_may_write_is_not_run(write: Write, mode: int, why: str) -> None:
    program = write("exit 0")
    program.chmod(mode)
    assert objection(program) == why
    assert run(program, TOLD, 5) == f"is not run: {why}"


def test_a_folder_that_others_may_write(write: Write, tmp_path: Path) -> None:
    program = write("exit 0")
    tmp_path.chmod(0o777)
    assert objection(program) == f"{tmp_path} may be written to by others than its owner"
    tmp_path.chmod(0o777 | stat.S_ISVTX)  # nobody can swap what is another's there
    assert objection(program) == ""


def test_another_owner(write: Write) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    program = write("exit 0")
    os.chown(program, 65534, 65534)
    assert objection(program) == "it is not root's"


def test_what_is_no_program(write: Write, tmp_path: Path) -> None:
    assert objection(tmp_path / "none") == "No such file or directory"
    assert objection(tmp_path) == "it is no file"
    program = write("exit 0")
    program.write_text("no interpreter")
    assert run(program, TOLD, 5).startswith("cannot be run: ")
    link = tmp_path / "link"
    link.symlink_to(program)
    assert objection(link) == ""
