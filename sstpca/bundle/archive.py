"""A bundle on disk: a folder and a zip, each of them replaced as a whole or not at all."""

import contextlib
import ctypes
import errno
import fcntl
import io
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from ..errors import SstpcaError
from ..home import SECRET, write_file, write_files

# linux/fcntl.h and linux/fs.h
_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
# the list of its files: every bundle has it
_SUMS: Final = "SHA256SUMS"
# what bundles had before they had the list, beside the certificate
_BEFORE: Final = frozenset(
    {"install.ps1", "install.cmd", "uninstall.ps1", "uninstall.cmd", "index.html"}
)
_ASIDE: Final = ".sstpca-bundle-"


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of ``files``; the same files give the same bytes.

    Nothing in it tells when it was made, and the entries have no folder before their names:
    Windows makes one when it extracts.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name)  # with the oldest date that a zip can have
            entry.create_system = 3  # Unix, so that the mode counts
            entry.external_attr = (stat.S_IFREG | SECRET) << 16
            archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED, compresslevel=9)
    return buffer.getvalue()


def write(where: Path, name: str, files: Mapping[str, bytes]) -> Path:
    """Write the folder ``where``/``name`` and the zip beside it; return the path of the zip.

    A run that is killed leaves the old or the new folder, and the old or the new zip. What is
    there is replaced only if it is a bundle.

    :param files: by name, which may have a folder before it; SHA256SUMS is among them.
    :raises SstpcaError: if something else has that name, or the file system refuses.
    """
    folder, archive = where / name, where / f"{name}.zip"
    with _errors_named(where), _held(where):
        _refuse_foreign(folder, archive)
        _clear_aside(where)
        made = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=where))
        for parent in {(made / file).parent for file in files} - {made}:
            parent.mkdir(mode=0o700)
        write_files([(made / file, content) for file, content in files.items()], SECRET)
        _put_in_place(made, folder)
        write_file(archive, zipped(files), SECRET)
        _clear_aside(where)
    return archive


@contextlib.contextmanager
def _errors_named(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SstpcaError(f"cannot write bundles in {where}: {error.strerror}") from error


@contextlib.contextmanager
def _held(where: Path) -> Iterator[None]:
    """Make the folder if it is missing, and keep other runs out of it."""
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(where, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_foreign(folder: Path, archive: Path) -> None:
    """Keep what is not a bundle: with ``--output``, it may be anybody's."""
    for path, ours in ((folder, _is_bundle(folder)), (archive, _is_zip(archive))):
        if os.path.lexists(path) and not ours:
            raise SstpcaError(
                f"{path} is there, and is not a bundle made by sstpca",
                "move it away, or choose another folder with --output",
            )


def _is_bundle(folder: Path) -> bool:
    """Return whether ``folder`` is empty, or a bundle to which nobody has added anything."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
    if not found:
        return True
    if _SUMS in found:
        return found <= {_SUMS, *_listed(folder / _SUMS)}
    return found >= _BEFORE and all(name.endswith(".cer") for name in found - _BEFORE)


def _listed(sums: Path) -> set[str]:
    text = sums.read_text("utf-8", errors="replace")
    return {line[66:] for line in text.splitlines()}


def _is_zip(archive: Path) -> bool:
    if archive.is_symlink() or not archive.is_file():
        return False
    try:
        with zipfile.ZipFile(archive) as content:
            names = set(content.namelist())
    except zipfile.BadZipFile:
        return False
    return _SUMS in names or names >= _BEFORE


def _clear_aside(where: Path) -> None:
    """Remove what this run has replaced, and what a killed one left; the lock is ours."""
    for left in where.glob(f"{_ASIDE}*"):
        shutil.rmtree(left)


def _put_in_place(made: Path, folder: Path) -> None:
    """Give ``made`` the name of ``folder``; what was there has the name of ``made`` afterwards."""
    if not folder.exists():
        made.rename(folder)
    elif not _exchange(made, folder):
        # A file system without exchange (NFS): for a moment, no folder has the name.
        old = made.with_name(f"{made.name}-old")
        folder.rename(old)
        made.rename(folder)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step (renameat2(2)); False if kernel or file system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.EXDEV, errno.EPERM):
        return False
    raise OSError(code, os.strerror(code), str(other))
