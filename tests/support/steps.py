"""Break a command at the n-th thing that it changes on disk."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine.default import DefaultDialect

from sstpca.disk import sync

STEPS_MAX = 60


@contextmanager
def failing_at(number: int, fail: Callable[[], None]) -> Iterator[list[str]]:
    """Let ``fail`` happen in the place of the step of that number; gives the steps before it.

    A step is bytes that reach the disk, a new name, a removal, a folder, a commit.
    """
    steps: list[str] = []

    def step(name: str, original: Any) -> Any:
        def wrapped(*arguments: Any, **keywords: Any) -> Any:
            steps.append(name)
            if len(steps) == number + 1:
                fail()
            return original(*arguments, **keywords)

        return wrapped

    plain = DefaultDialect.do_commit
    counted = step("commit", plain)

    def commit(dialect: DefaultDialect, connection: Any) -> None:
        (counted if connection.total_changes else plain)(dialect, connection)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("fsync", "link"):
            patch.setattr(os, name, step(name, getattr(os, name)))
        for name in ("rename", "unlink", "mkdir"):
            patch.setattr(Path, name, step(name, getattr(Path, name)))
        patch.setattr(sync, "everything", step("sync", sync.everything))
        patch.setattr(DefaultDialect, "do_commit", commit)
        yield steps


def kill_me() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def in_a_child(action: Callable[[], object]) -> int:
    """Run ``action`` in a forked child and return its exit code, or minus its signal."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def tree(root: Path) -> dict[str, bytes | None]:
    """Return every path below ``root`` with its content; None for a folder."""
    return {
        str(path.relative_to(root)): None if path.is_dir() else path.read_bytes()
        for path in sorted(root.rglob("*"))
    }
