"""A bundle on disk: a folder and a zip, each of them replaced as a whole or not at all."""

import contextlib
import hashlib
import io
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..disk import folders, locks, sync
from ..disk.reading import read_file
from ..disk.writing import SECRET
from ..errors import Exists, Unavailable, option
from .content.sums import SUMS

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
            for left in folders.left(where, _ASIDE):
                shutil.rmtree(left)
        yield
    finally:
        os.close(descriptor)


class Batch:
    """Some bundles that are written together: the disk is waited for once, not for each file.

    A folder ``NAME`` and a zip beside it for each; a run that is killed leaves the old or the new
    folder, and the old or the new zip. What is there is replaced only if it is a bundle.

    :param aside: a folder in ``where``, in which they are made.
    """

    def __init__(self, where: Path, aside: Path) -> None:
        self._where = where
        self._aside = aside
        self._digests: dict[str, str] = {}

    def add(self, name: str, files: Mapping[str, bytes]) -> None:
        """Write one bundle, not yet in its place.

        :param files: by name, which may have a folder before it; SHA256SUMS is among them.
        :raises SstpcaError: if something else has that name, or the file system refuses.
        """
        with _errors_named(self._where):
            _refuse_foreign(self._where / name, self._where / f"{name}.zip")
            content = zipped(files)
            folders.create(self._aside / f"{name}.zip", content)
            _write_folder(self._aside / name, files)
        self._digests[name] = hashlib.sha256(content).hexdigest()

    def put_in_place(self) -> dict[str, Written]:
        """Give the bundles their names, once all bytes have reached the disk.

        :returns: by name, those that were added.
        :raises SstpcaError: if the file system refuses; some may be in place then.
        """
        with _errors_named(self._where):
            sync.everything(self._aside)
            for name in self._digests:
                folders.put_in_place(self._aside / name, self._where / name)
                (self._aside / f"{name}.zip").rename(self._where / f"{name}.zip")
            sync.names(self._where)
        return {
            name: Written(self._where / f"{name}.zip", digest)
            for name, digest in self._digests.items()
        }


@contextlib.contextmanager
def writing(where: Path) -> Iterator[Batch]:
    """Give a batch for the folder ``where``, of which the caller is :func:`holding`.

    :raises SstpcaError: if the file system refuses.
    """
    with contextlib.ExitStack() as stack:
        with _errors_named(where):
            aside = stack.enter_context(folders.aside(where, _ASIDE))
        yield Batch(where, aside)


def write(where: Path, name: str, files: Mapping[str, bytes]) -> Written:
    """Write one bundle, see :class:`Batch`.

    :raises SstpcaError: if something else has that name, or the file system refuses.
    """
    with holding(where), writing(where) as batch:
        batch.add(name, files)
        return batch.put_in_place()[name]


def discard(written: Written) -> None:
    """Remove a bundle, folder and zip; the caller is :func:`holding` their folder.

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
        raise Unavailable(f"cannot write bundles in {where}: {error.strerror}") from error


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(mode=0o700)
    for parent in {(folder / file).parent for file in files} - {folder}:
        parent.mkdir(mode=0o700)
    for file, content in files.items():
        folders.create(folder / file, content)


def _refuse_foreign(folder: Path, archive: Path) -> None:
    """Keep what is not a bundle: with ``--output``, it may be anybody's."""
    for path, ours in ((folder, _is_bundle(folder)), (archive, _is_zip(archive))):
        if os.path.lexists(path) and not ours:
            raise Exists(
                f"{path} is there, and is not a bundle made by sstpca",
                "move it away, or choose another folder with ",
                option("--output"),
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
