"""Files that count together or not at all: staged, recorded, placed, and recovered after a kill.

1. Stage: what is new is written where nobody takes it for the old, and reaches the disk.
2. Record: one act somewhere else says that it counts: a commit of the database, or the one file
   with which a folder is what it is for.
3. Place: what waits takes its place, in an order in which a reader never sees half of it.
4. Recover: whoever comes next, and finds what waits, asks "was this recorded?" and places it, or
   undoes it.

Placing is recovering without a kill: so there is one way through all of them, see :func:`recovering`.
All that is done may be done again, so that a kill on the way does no harm either.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from ..errors import SstpcaError, Unavailable
from . import sync
from .folders import remove
from .writing import File, write_files

_ENDING: Final = ".new"


class Move(NamedTuple):
    """A file that waits, and its place."""

    waiting: Path
    place: Path


@dataclass(frozen=True, slots=True)
class Change:
    """What counts together.

    :param is_recorded: whether it counts; None if that is to come, and it waits on.
    :param moves: what waits, in the order in which it takes its places. The last is still waiting
        as long as one is: it tells how far this was, and ``is_recorded`` may look into it.
    :param new: what is in its place already, where nothing was before.
    :param trace: says that this is under way; goes when all else is on disk.
    """

    is_recorded: Callable[[], bool | None]
    moves: tuple[Move, ...] = ()
    new: tuple[Path, ...] = ()
    trace: Path | None = None

    def is_there(self) -> bool:
        """Return whether anything is left to be finished or undone."""
        trace = () if self.trace is None else (self.trace,)
        return any(map(os.path.lexists, (*(one.waiting for one in self.moves), *self.new, *trace)))


def pending(path: Path) -> Path:
    """Return the name under which the next content of ``path`` waits."""
    return path.with_name(f".{path.name}{_ENDING}")


def to_place(path: Path) -> Move | None:
    """Return the move of what has a pending name; None if ``path`` is no such name."""
    if not path.name.startswith(".") or not path.name.endswith(_ENDING):
        return None
    return Move(path, path.with_name(path.name[1:].removesuffix(_ENDING)))


def stage(files: Sequence[File]) -> None:
    """Write ``files`` under the pending names of their paths, so that they are on disk.

    :raises Unavailable: if the file system refuses.
    """
    write_files([file._replace(path=pending(file.path)) for file in files])
    for folder in {file.path.parent for file in files}:
        try:
            sync.names(folder)
        except OSError as error:
            raise Unavailable(f"cannot write into {folder}: {error.strerror}") from error


@contextlib.contextmanager
def recovering(recover: Callable[[], None]) -> Iterator[None]:
    """Let the block stage and record; then place what is recorded, and undo what is not.

    :param recover: calls :func:`recover` for all that the block may have staged.
    :raises SstpcaError: if that is refused; the next command does it then.
    """
    try:
        yield
    except BaseException:
        # the error is what the block has said; where undoing fails as well, the next command does it
        with contextlib.suppress(SstpcaError):
            recover()
        raise
    recover()


def recover(*changes: Change) -> None:
    """Finish what is recorded of ``changes``, and undo what is not.

    :raises SstpcaError: if the file system refuses, or ``is_recorded`` raises it.
    """
    folders: set[Path] = set()
    traces = []
    for change in changes:
        recorded = change.is_recorded() if change.is_there() else None
        if recorded is None:
            continue
        if recorded:
            for move in change.moves:
                _place(move)
        else:
            _undo(change)
        folders |= {move.place.parent for move in change.moves} | {p.parent for p in change.new}
        traces += [change.trace] if change.trace is not None else []
    # what is in place is in place, whatever the disk says now; and a trace that stays does no harm:
    # nothing is left to be finished or undone
    for folder in sorted(folders):
        with contextlib.suppress(OSError):
            sync.names(folder)
    for trace in traces:
        with contextlib.suppress(SstpcaError):
            remove(trace)


def _undo(change: Change) -> None:
    # the last first: the others are nothing without it
    for move in reversed(change.moves):
        remove(move.waiting)
    for path in change.new:
        remove(path)


def _place(move: Move) -> None:
    try:
        move.waiting.rename(move.place)
    except FileNotFoundError:  # it was placed before the kill
        pass
    except OSError as error:
        raise Unavailable(f"cannot write {move.place}: {error.strerror}") from error
