"""Reading a bundle that comes from anywhere: a zip or a folder, with bounds, and never unpacked."""

import contextlib
import hashlib
import io
import re
import stat
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ...disk.reading import read_file
from ...errors import Damaged, Unavailable
from ...names import quoted
from ..archive import NO_ZIP, zipped
from ..content.sums import SUMS

ZIP_MAX: Final = 8 << 20
FILE_MAX: Final = 4 << 20
TOTAL_MAX: Final = 16 << 20
FILES_MAX: Final = 200
"""Far more than any bundle has; the most is a logo and a few dozen texts."""

# the signature of a file header in the directory of a zip (APPNOTE 4.3.12)
_HEADER: Final = b"PK\x01\x02"
# of the general purpose bit flag, bit 0: encrypted (APPNOTE 4.4.4)
_ENCRYPTED: Final = 0x1
_SUM: Final = re.compile(r"([0-9a-f]{64})  (.+)")
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


@dataclass(frozen=True, slots=True)
class Found:
    """A bundle that was read.

    :param files: by name; some may hold a password.
    :param sha256: of the zip, or of what a zip of the folder would be; lower-case hexadecimal.
    """

    files: dict[str, bytes] = field(repr=False)
    sha256: str


def read(path: Path) -> Found:
    """Return what is in the bundle ``path``, a zip or a folder.

    :raises SstpcaError: if it is neither, cannot be read, or is not what a bundle can be.
    """
    with _refusals_named(path):
        if path.is_dir():
            files = dict(_of_folder(path))
            content = zipped(files)
        else:
            content = read_file(path, "the bundle", most=ZIP_MAX)
            files = dict(_of_zip(content))
    return Found(files, hashlib.sha256(content).hexdigest())


def check_sums(files: Mapping[str, bytes]) -> Iterator[str]:
    """Yield what is wrong with ``files`` by their own list, SHA256SUMS."""
    if SUMS not in files:
        yield f"there is no {SUMS}"
        return
    listed: dict[str, str] = {}
    for line in files[SUMS].decode("utf-8", errors="replace").splitlines():
        match = _SUM.fullmatch(line)
        if match is None or match[2] in listed:
            yield f"{SUMS} has a line that is none: {quoted(line)}"
            return
        listed[match[2]] = match[1]
    for name in sorted(set(files) - set(listed) - {SUMS}):
        yield f"{quoted(name)} does not belong to it"
    for name in sorted(listed):
        if name not in files:
            yield f"{quoted(name)} is missing"
        elif hashlib.sha256(files[name]).hexdigest() != listed[name]:
            yield f"{quoted(name)} was changed"


@contextlib.contextmanager
def _refusals_named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(f"cannot read {path}: {error.strerror or error}") from error
    except _Strange as error:
        raise Damaged(f"{path} is not a bundle: {error}") from None


class _Strange(Exception):
    """It is not what a bundle can be."""


def _of_zip(content: bytes) -> Iterator[tuple[str, bytes]]:
    if content.count(_HEADER) > FILES_MAX:
        raise _Strange(f"there are more than {FILES_MAX} files in it")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [one for one in archive.infolist() if not one.filename.endswith("/")]
            _check_names([one.filename for one in entries])
            left = TOTAL_MAX
            for entry in entries:
                file = _entry(archive, entry, min(left, FILE_MAX))
                left -= len(file)
                yield entry.filename, file
    except NO_ZIP as error:
        raise _Strange(f"it is no zip, or a damaged one ({error})") from None


def _entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    mode = entry.external_attr >> 16
    if entry.flag_bits & _ENCRYPTED or entry.compress_type not in _METHODS:
        raise _Strange(f"{quoted(entry.filename)} is encrypted, or compressed in another way")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise _Strange(f"{quoted(entry.filename)} is not a plain file")
    with archive.open(entry) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise _Strange(f"{quoted(entry.filename)} is too large")
    return content


def _of_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    left = TOTAL_MAX
    for count, path in enumerate(_files(folder)):
        name = path.relative_to(folder).as_posix()
        if count >= FILES_MAX:
            raise _Strange(f"there are more than {FILES_MAX} files in it")
        if path.is_symlink() or not path.is_file():
            raise _Strange(f"{quoted(name)} is not a plain file")
        _check_names([name])
        content = read_file(path, "the file", most=min(left, FILE_MAX))
        left -= len(content)
        yield name, content


def _files(folder: Path) -> Iterator[Path]:
    """Yield what is in ``folder`` and in the folders in it: a bundle goes no deeper."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            yield from path.iterdir()
        else:
            yield path


def _check_names(names: list[str]) -> None:
    if len(names) > FILES_MAX:
        raise _Strange(f"there are more than {FILES_MAX} files in it")
    for name in names:
        parts = name.split("/")
        if not name.isprintable() or "\\" in name or any(p in ("", ".", "..") for p in parts):
            raise _Strange(f"{quoted(name)} is no name in a bundle")
    if len(set(names)) < len(names):
        raise _Strange("a name is in it twice")
