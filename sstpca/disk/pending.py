"""Files that wait beside their place, under a pending name, until the inventory knows of them."""

import contextlib
import os
from pathlib import Path
from typing import Final

from ..errors import SstpcaError

_ENDING: Final = ".new"


def pending(path: Path) -> Path:
    """Return where the next content of ``path`` waits."""
    return path.with_name(f".{path.name}{_ENDING}")


def is_pending(path: Path) -> bool:
    """Return whether ``path`` is the pending name of another."""
    return path.name.startswith(".") and path.name.endswith(_ENDING)


def take_place(path: Path) -> None:
    """Give the file with the pending name ``path`` its own name.

    :raises SstpcaError: if the file system refuses.
    """
    place = path.with_name(path.name[1:].removesuffix(_ENDING))
    try:
        path.rename(place)
    except OSError as error:
        raise SstpcaError(f"cannot write {place}: {error.strerror}") from error


def remove(path: Path) -> None:
    """Remove ``path``, if it is there.

    :raises SstpcaError: if the file system refuses.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise SstpcaError(f"cannot remove {path}: {error.strerror}") from error


def listed(folder: Path) -> list[Path]:
    """Return what is in ``folder``; nothing if there is none.

    :raises SstpcaError: if it cannot be read.
    """
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SstpcaError(f"cannot read the folder {folder}: {error.strerror}") from error


def sync(folder: Path) -> None:
    """Let the new names in ``folder`` reach the disk, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # not every file system has this
            with contextlib.suppress(OSError):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
