"""Files for others: written whole or not at all, and never over one that is there unless told."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from ..errors import SstpcaError
from ..home import SECRET

# what file systems without hard links say: FAT on a stick, some network shares
_NO_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EMLINK}


def refuse_existing(path: Path, *, force: bool) -> None:
    """Make sure that nothing is in the place of ``path``, unless ``force`` says to replace it.

    :raises SstpcaError: if there is, or nobody can look.
    """
    try:
        there = os.path.lexists(path)
    except OSError as error:
        raise _refusal(path, error) from error
    if there and not force:
        raise _existing(path)


def write_new(path: Path, content: bytes, mode: int, *, force: bool = False) -> None:
    """Write ``content`` to ``path``, with ``mode`` from the first byte.

    :param force: whether a file that is there may be replaced.
    :raises SstpcaError: if there is one, or the file system refuses; nothing has changed then.
    """
    with writing_new(path, mode, force=force) as file:
        file.write(content)


@contextlib.contextmanager
def writing_new(path: Path, mode: int, *, force: bool = False) -> Iterator[BinaryIO]:
    """Give a file that is at ``path`` once the block has ended well, and gone otherwise.

    :raises SstpcaError: as :func:`write_new` does.
    """
    refuse_existing(path, force=force)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:32]}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if mode != SECRET:  # which mkstemp has given already
                    os.fchmod(file.fileno(), mode)
                yield file
                file.flush()
                os.fsync(file.fileno())
            _put(Path(name), path, force=force)
        finally:
            with contextlib.suppress(OSError):
                Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise _refusal(path, error) from error


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
            return
    temporary.rename(path)


def write_new_folder(
    path: Path, files: Mapping[str, tuple[bytes, int]], *, force: bool = False
) -> None:
    """Write ``files``, each with its content and mode, into the folder ``path``, 0700.

    :param force: whether a folder with files of the same names, and no others, may be replaced.
    :raises SstpcaError: if there is one, or the file system refuses; nothing has changed then.
    """
    refuse_existing(path, force=force)
    try:
        if path.is_dir() and not {one.name for one in path.iterdir()} <= set(files):
            raise SstpcaError(
                f"the folder {path} has other files in it; nothing was changed",
                "name another folder, which need not exist",
            )
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name[:32]}.", dir=path.parent))
        try:
            for name, (content, mode) in files.items():
                # nobody else is in there
                write_new(temporary / name, content, mode, force=True)
            _put_folder(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise _refusal(path, error) from error


def _put_folder(temporary: Path, path: Path) -> None:
    try:
        temporary.rename(path)  # over an empty folder, too
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        _swap(temporary, path)


def _swap(temporary: Path, path: Path) -> None:
    """Put the folder ``temporary`` in the place of the folder ``path``."""
    old = Path(tempfile.mkdtemp(prefix=f".{path.name[:32]}.", dir=path.parent))
    try:
        path.rename(old)
        try:
            temporary.rename(path)
        except BaseException:
            old.rename(path)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _existing(path: Path) -> SstpcaError:
    return SstpcaError(
        f"{path} exists already; nothing was changed", "name another, or say --force to replace it"
    )


def _refusal(path: Path, error: OSError) -> SstpcaError:
    return SstpcaError(f"cannot write {path}: {error.strerror}")
