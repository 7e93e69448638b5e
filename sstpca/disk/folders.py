"""Folders are written whole or not at all: made beside their place, and swapped into it."""

import contextlib
import ctypes
import errno
import glob
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from ..errors import Exists, Unavailable
from . import locks, sync
from .writing import SECRET, File, refuse_existing, temporary_prefix, write_files

# linux/fcntl.h and linux/fs.h
_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
# what kernels and file systems say that cannot exchange two names, as NFS
_NO_EXCHANGE: Final = {errno.EINVAL, errno.ENOSYS, errno.EXDEV, errno.EPERM}


def listed(folder: Path) -> list[Path]:
    """Return what is in ``folder``; nothing if there is none.

    :raises Unavailable: if it cannot be read.
    """
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Unavailable(f"cannot read the folder {folder}: {error.strerror}") from error


def make_folder(folder: Path) -> None:
    """Make ``folder``, its owner's alone, if it is not there.

    :raises Unavailable: if the file system refuses.
    """
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o700)
            sync.names(folder.parent)
    except OSError as error:
        raise Unavailable(f"cannot make the folder {folder}: {error.strerror}") from error


def remove(path: Path) -> None:
    """Remove ``path``, a file or a folder with all that is in it, if it is there.

    :raises Unavailable: if the file system refuses.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable(f"cannot remove {path}: {error.strerror}") from error


@contextlib.contextmanager
def aside(where: Path, prefix: str) -> Iterator[Path]:
    """Give a new folder in ``where``, 0700; what has its name after the block goes.

    It is held until then, also by processes that are forked in the block, until they end.

    :param prefix: how its name begins.
    :raises OSError: if the file system refuses.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=where))
    try:
        with _held(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def left(where: Path, prefix: str) -> Iterator[Path]:
    """Yield our folders of :func:`aside` that runs which were killed have left; each is held.

    :raises OSError: if the file system refuses.
    """
    for folder in where.glob(f"{glob.escape(prefix)}*"):
        status = folder.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
            with _held(folder) as free:
                if free:
                    yield folder


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold the lock of ``folder``; gives whether it was free, as far as the file system has locks."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    free = False
    try:
        with contextlib.suppress(Unavailable):
            free = locks.try_take(descriptor)
        yield free
    finally:
        os.close(descriptor)


def create(path: Path, content: bytes, mode: int = SECRET) -> None:
    """Write a file in a folder that is :func:`aside`: nobody looks at it before all are on disk.

    :raises OSError: if the file system refuses, or it is there.
    """
    with creating(path, mode) as file:
        file.write(content)


@contextlib.contextmanager
def creating(path: Path, mode: int = SECRET) -> Iterator[BinaryIO]:
    """Give such a file to be written.

    :raises OSError: as :func:`create` does.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, SECRET), "wb") as file:
        yield file
        if mode != SECRET:
            os.fchmod(file.fileno(), mode)


def put_in_place(made: Path, place: Path) -> None:
    """Give the folder ``made`` the name ``place``.

    A folder that was there has the name of ``made`` afterwards.

    :raises OSError: if the file system refuses; nothing has changed then.
    """
    try:
        made.rename(place)  # over an empty folder, too
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        if not exchange(made, place):
            _exchange_slowly(made, place)


def _exchange_slowly(made: Path, place: Path) -> None:
    """Swap two names where that takes three steps: for a moment, no folder has the name."""
    old = made.with_name(f".{made.name}")  # no user is called so
    place.rename(old)
    try:
        made.rename(place)
    except BaseException:
        old.rename(place)
        raise
    old.rename(made)


def exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step (renameat2(2)); False if kernel or file system cannot.

    :raises OSError: if the file system refuses.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NO_EXCHANGE:
        return False
    raise OSError(code, os.strerror(code), str(other))


def write_new_folder(
    path: Path, files: Mapping[str, tuple[bytes, int]], *, force: bool = False
) -> None:
    """Write ``files``, each with its content and mode, into the folder ``path``, 0700.

    :param force: whether a folder with files of the same names, and no others, may be replaced.
    :raises Exists: if there is one; it has not changed then.
    :raises Unavailable: if the file system refuses; nothing has changed then.
    """
    refuse_existing(path, force=force)
    try:
        if path.is_dir() and not {one.name for one in path.iterdir()} <= set(files):
            raise Exists(
                f"the folder {path} has other files in it; nothing was changed",
                "name another folder, which need not exist",
            )
        with aside(path.parent, temporary_prefix(path)) as made:
            write_files([File(made / name, *file) for name, file in files.items()])
            put_in_place(made, path)
    except OSError as error:
        raise Unavailable(f"cannot write {path}: {error.strerror}") from error
