"""Files are written whole or not at all: in the place of the one before, or as new ones.

The bytes go to a temporary name in the same folder, with the file's mode from the first of them,
reach the disk, and get the file's name. A temporary name begins with a dot and the file's own.
"""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from ..errors import Exists, Unavailable, option

SECRET: Final = 0o600
PUBLIC: Final = 0o644

# of a file name's 255 bytes, the temporary one has some more
_NAME_MAX: Final = 32
# what file systems without hard links say: FAT on a stick, some network shares
_NO_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EMLINK}


class File(NamedTuple):
    """A file to be written: where, with what, and who may read it."""

    path: Path
    content: bytes
    mode: int


def temporary_prefix(path: Path) -> str:
    """Return how the temporary names of ``path`` begin."""
    return f".{path.name[:_NAME_MAX]}."


def write_file(path: Path, content: bytes, mode: int) -> None:
    """Write ``content`` to ``path``, in the place of the file that is there.

    :raises Unavailable: if the file system refuses; nothing has changed then.
    """
    write_files([File(path, content, mode)])


def write_files(files: Sequence[File]) -> None:
    """Write each of ``files`` as :func:`write_file` does.

    They reach the disk together, which takes much less time than one after the other. A run that
    is killed may leave some of them old and some new.

    :raises Unavailable: if the file system refuses; nothing has changed then, or, if it refuses
        only to rename, some are new.
    """
    with contextlib.ExitStack() as stack:
        temporary = []
        for file in files:
            name, opened = stack.enter_context(_temporary(file.path, file.mode))
            with _refusal_named(file.path):
                opened.write(file.content)
                opened.flush()
            temporary.append((file.path, name, opened))
        for path, _, opened in temporary:
            with _refusal_named(path):
                os.fsync(opened.fileno())
                opened.close()
        for path, name, _ in temporary:
            with _refusal_named(path):
                name.rename(path)


def refuse_existing(path: Path, *, force: bool) -> None:
    """Make sure that nothing is in the place of ``path``, unless ``force`` says to replace it.

    :raises Exists: if there is.
    :raises Unavailable: if nobody can look.
    """
    with _refusal_named(path):
        there = os.path.lexists(path)
    if there and not force:
        raise _existing(path)


def _existing(path: Path) -> Exists:
    return Exists(
        f"{path} exists already; nothing was changed",
        "name another, or say ",
        option("--force"),
        " to replace it",
    )


def write_new(path: Path, content: bytes, mode: int, *, force: bool = False) -> None:
    """Write ``content`` to ``path``, where nothing is.

    :param force: whether a file that is there may be replaced.
    :raises Exists: if there is one; it has not changed then.
    :raises Unavailable: if the file system refuses; nothing has changed then.
    """
    with writing_new(path, mode, force=force) as file:
        file.write(content)


@contextlib.contextmanager
def writing_new(path: Path, mode: int, *, force: bool = False) -> Iterator[BinaryIO]:
    """Give a file that is at ``path`` once the block has ended well, and gone otherwise.

    :raises SstpcaError: as :func:`write_new` does.
    """
    refuse_existing(path, force=force)
    with _refusal_named(path), _temporary(path, mode) as (name, file):
        yield file
        file.flush()
        os.fsync(file.fileno())
        file.close()
        _put(name, path, force=force)


def _put(temporary: Path, path: Path, *, force: bool) -> None:
    """Give ``temporary`` the name ``path``; without ``force``, only if nobody else has it."""
    if not force:
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise _existing(path) from None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            refuse_existing(path, force=False)
        else:
            with contextlib.suppress(OSError):
                temporary.unlink()
            return
    temporary.rename(path)


@contextlib.contextmanager
def _temporary(path: Path, mode: int) -> Iterator[tuple[Path, BinaryIO]]:
    """Give a new file beside ``path``, for the block to rename; an exception removes it."""
    with _refusal_named(path):
        descriptor, name = tempfile.mkstemp(prefix=temporary_prefix(path), dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode != SECRET:  # which mkstemp has given already
                with _refusal_named(path):
                    os.fchmod(file.fileno(), mode)
            yield Path(name), file
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _refusal_named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(f"cannot write {path}: {error.strerror}") from error


def unwritable(path: Path) -> tuple[str, str]:
    """Return why ``path`` may not be written, as far as can be seen, and what to do about it."""
    with contextlib.suppress(OSError):
        if os.statvfs(path.parent).f_flag & os.ST_RDONLY:
            return (
                "its file system is read-only",
                "mount it writable, or restore a backup of the home elsewhere",
            )
    return "it is not yours to write", "run this as the user who owns the home (often root)"
