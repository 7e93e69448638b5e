"""A bundle on disk: a folder and a zip, each of them replaced as a whole or not at all."""

import contextlib
import ctypes
import errno
import hashlib
import io
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..disk import locks
from ..disk.reading import read_file
from ..errors import SstpcaError
from ..home import SECRET
from .sums import SUMS

#: What zipfile raises at a file that is no zip, damaged, or of a kind it does not know. It promises
#: the first and the last two; the others come out of what it uses.
NO_ZIP: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)

# linux/fcntl.h and linux/fs.h
_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
# what bundles had before they had the list, beside the certificate
_BEFORE: Final = frozenset(
    {"install.ps1", "install.cmd", "uninstall.ps1", "uninstall.cmd", "index.html"}
)
# 9 makes a bundle smaller by two thousandths, and takes half as long again
_LEVEL: Final = 6
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
            archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED, _LEVEL)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Written:
    """A bundle on disk.

    :param path: of the zip.
    :param sha256: of its bytes, lower-case hexadecimal.
    """

    path: Path
    sha256: str


@contextlib.contextmanager
def holding(where: Path) -> Iterator[None]:
    """Make the folder ``where`` if it is missing, and keep other runs out of it.

    What a run that was killed has left half-made in it is removed. Processes that are forked in
    the meantime hold it as well, until they end.

    :raises SstpcaError: if the file system refuses, or another run does not end.
    """
    with _errors_named(where):
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(where, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        locks.take(descriptor, f"the bundles in {where}")
        with _errors_named(where):
            for left in where.glob(f"{_ASIDE}*"):
                shutil.rmtree(left)
        yield
    finally:
        os.close(descriptor)


class Batch:
    """Some bundles that are written together: the disk is waited for once, not for each file.

    A folder ``NAME`` and a zip beside it for each; a run that is killed leaves the old or the new
    folder, and the old or the new zip. What is there is replaced only if it is a bundle. The
    caller is :func:`holding` the folder ``where``.
    """

    def __init__(self, where: Path) -> None:
        self._where = where
        with _errors_named(where):
            self._aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=where))
        self._digests: dict[str, str] = {}

    def __enter__(self) -> "Batch":
        return self

    def __exit__(self, *_error: object) -> None:
        shutil.rmtree(self._aside, ignore_errors=True)

    def add(self, name: str, files: Mapping[str, bytes]) -> None:
        """Write one bundle, not yet in its place.

        :param files: by name, which may have a folder before it; SHA256SUMS is among them.
        :raises SstpcaError: if something else has that name, or the file system refuses.
        """
        with _errors_named(self._where):
            _refuse_foreign(self._where / name, self._where / f"{name}.zip")
            content = zipped(files)
            _write_plainly(self._aside / f"{name}.zip", content)
            _write_folder(self._aside / name, files)
        self._digests[name] = hashlib.sha256(content).hexdigest()

    def put_in_place(self) -> dict[str, Written]:
        """Give the bundles their names, once all bytes have reached the disk.

        :returns: by name, those that were added.
        :raises SstpcaError: if the file system refuses; some may be in place then.
        """
        with _errors_named(self._where):
            _sync(self._aside)
            for name in self._digests:
                _put_in_place(self._aside / name, self._where / name)
                (self._aside / f"{name}.zip").rename(self._where / f"{name}.zip")
            _sync_names(self._where)
        return {
            name: Written(self._where / f"{name}.zip", digest)
            for name, digest in self._digests.items()
        }


def write(where: Path, name: str, files: Mapping[str, bytes]) -> Written:
    """Write one bundle, see :class:`Batch`.

    :raises SstpcaError: if something else has that name, or the file system refuses.
    """
    with holding(where), Batch(where) as batch:
        batch.add(name, files)
        return batch.put_in_place()[name]


def discard(written: Written) -> None:
    """Remove a bundle, folder and zip; the caller is :func:`holding` the folder they are in.

    :raises SstpcaError: if the file system refuses.
    """
    with _errors_named(written.path.parent):
        shutil.rmtree(written.path.with_suffix(""))
        written.path.unlink()


@contextlib.contextmanager
def _errors_named(where: Path) -> Iterator[None]:
    """Turn what the file system refuses into one clear line about the folder ``where``."""
    try:
        yield
    except OSError as error:
        raise SstpcaError(f"cannot write bundles in {where}: {error.strerror}") from error


def _write_plainly(path: Path, content: bytes) -> None:
    """Write a file that has no place yet: nobody looks at it before all are on disk."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, SECRET), "wb") as file:
        file.write(content)


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(mode=0o700)
    for parent in {(folder / file).parent for file in files} - {folder}:
        parent.mkdir(mode=0o700)
    for file, content in files.items():
        _write_plainly(folder / file, content)


def _sync(folder: Path) -> None:
    """Wait until all that was written in this file system is on disk (syncfs(2)).

    For some bundles that takes a tenth of the time of fsync(2) for each file.
    """
    sync = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if sync is None:
        os.sync()
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if sync(descriptor):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(descriptor)


def _sync_names(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
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
    if SUMS in found:
        return found <= {SUMS, *_listed(folder / SUMS)}
    return found >= _BEFORE and all(name.endswith(".cer") for name in found - _BEFORE)


def _listed(sums: Path) -> set[str]:
    text = read_file(sums, "the list of a bundle,").decode("utf-8", errors="replace")
    return {line[66:] for line in text.splitlines()}


def _is_zip(archive: Path) -> bool:
    if archive.is_symlink() or not archive.is_file():
        return False
    try:
        with zipfile.ZipFile(archive) as content:
            names = set(content.namelist())
    except NO_ZIP:
        return False
    return SUMS in names or names >= _BEFORE


def _put_in_place(made: Path, folder: Path) -> None:
    """Give ``made`` the name of ``folder``; what was there has the name of ``made`` afterwards."""
    if not folder.exists():
        made.rename(folder)
    elif not _exchange(made, folder):
        # A file system without exchange (NFS): for a moment, no folder has the name.
        old = made.with_name(f".{made.name}")  # no user is called so
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
