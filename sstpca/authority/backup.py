"""The whole home in one file: written from a running VPN, restored into an empty folder.

A restore looks at everything before it writes anything: first whether the file is genuine to its
last byte, then whether every name in it can be in a home. Then it writes into a folder of its own
beside the home, and that takes the home's name. What one that is killed leaves, the next removes.
"""

import contextlib
import io
import os
import shutil
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from ..disk import folders, guard, staged, sync
from ..disk.folders import listed
from ..disk.reading import MissingFile, open_file, read_file
from ..disk.staged import Change
from ..disk.writing import SECRET, write_file, writing_new
from ..errors import Damaged, Exists, Unavailable, option
from ..home import Home
from ..names import quoted
from ..store import Store, database_files
from . import pairs
from .sealed import MAGIC, Sealed, Sealing

ENTRIES_MAX: Final = 500_000
DEPTH_MAX: Final = 8
# read into memory one at a time
FILE_MAX: Final = 1 << 30

_NAME_MAX: Final = 255
_TIME_MAX: Final = 1 << 40
_MODES: Final = 0o777
_FOLDER_MODE: Final = 0o700
# what a running server and interrupted commands leave, and what is said of a backup that is none of
# the next machine's; the database is copied in its own way
_LEFT_OUT: Final = frozenset({"serve.lock", "control.sock", "init.unfinished", "last-backup.json"})
# in the folder of a restore: the home, and the names of what was moved out of it
_CONTENT: Final = "home"
_NAMES: Final = "moved"
# what keeps an empty folder in git, as out/ of a fresh clone
_OF_THE_PLACE: Final = frozenset({".gitignore", ".gitkeep"})
# what tarfile may raise on an archive that it did not write
_UNREADABLE: Final = (
    tarfile.TarError,
    ValueError,
    OverflowError,
    EOFError,
    LookupError,
    RecursionError,
)


@dataclass(frozen=True, slots=True)
class Summary:
    """What is in a backup.

    :param skipped: paths of the home that are no files, nor folders.
    """

    files: int
    size: int
    skipped: tuple[Path, ...] = ()


def back_up(
    home: Home, store: Store, target: Path, passphrase: bytes, *, force: bool = False
) -> Summary:
    """Write the home into the encrypted file ``target``; the VPN may be running.

    Files whose names begin with a dot are left out, and earlier backups.

    :param force: whether a file that is there may be replaced.
    :raises SstpcaError: if something cannot be read or written; there is no file then.
    """
    with pairs.changing(home, store), writing_new(target, SECRET, force=force) as file:
        sealing = Sealing(file, passphrase)
        with tarfile.open(fileobj=sealing, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            summary = _add_all(home, store, archive)
        sealing.seal()
    return summary


def _add_all(home: Home, store: Store, archive: tarfile.TarFile) -> Summary:
    files = size = 0
    skipped = []
    for path, status in _walk(home):
        name = path.relative_to(home.root).as_posix()
        if stat.S_ISDIR(status.st_mode):
            _add(archive, name, None, status)
        elif not stat.S_ISREG(status.st_mode):
            skipped.append(path)
        elif not _is_backup(path):
            content = _content(path)
            _add(archive, name, content, status)
            files, size = files + 1, size + len(content)
    # last, so that it knows of every certificate among the files
    content = store.copy()
    _add(archive, home.database.name, content, home.database.stat())
    return Summary(files + 1, size + len(content), tuple(skipped))


def _walk(home: Home) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield what is in the home, each folder before what is in it."""
    left_out = set(database_files(home.database))
    left_out |= {home.root / name for name in _LEFT_OUT}
    waiting = [home.root]
    while waiting:
        folder = waiting.pop()
        for path in sorted(listed(folder)):
            if path.name.startswith(".") or path in left_out:
                continue
            # a link to a file, as to a certificate kept elsewhere, is followed; one to a folder not
            status = path.stat() if path.is_symlink() and path.is_file() else path.lstat()
            if stat.S_ISDIR(status.st_mode):
                waiting.append(path)
            yield path, status


def _is_backup(path: Path) -> bool:
    try:
        with open_file(path, "the file") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise Unavailable(f"cannot read {path}: {error.strerror}") from error


def _content(path: Path) -> bytes:
    return read_file(path, "the file", most=FILE_MAX)


def _add(
    archive: tarfile.TarFile, name: str, content: bytes | None, status: os.stat_result
) -> None:
    """Add a file, or a folder if it has no ``content``."""
    entry = tarfile.TarInfo(name)
    entry.mode = stat.S_IMODE(status.st_mode) & _MODES
    entry.mtime = int(status.st_mtime)
    if content is None:
        entry.type = tarfile.DIRTYPE
        archive.addfile(entry)
    else:
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    _forget(archive)


def _forget(archive: tarfile.TarFile) -> None:
    """Drop what tarfile keeps of each entry that it has seen: there may be very many."""
    archive.members = []  # type: ignore[attr-defined]


def refuse_occupied(root: Path) -> None:
    """Make sure that nobody's files are in the folder ``root``, which need not exist.

    What a restore that was killed has left there and beside it is removed first.

    :raises SstpcaError: if something is, or nobody can look.
    """
    try:
        place = root.resolve()
        for where in (place, place.parent):
            for folder in folders.left(where, _prefix(place)):
                staged.recover(_half_made(folder, place))
        found = sorted(root.iterdir())
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise Exists(
            f"the home {root} is not a folder",
            "name another with ",
            option("--home"),
            " or SSTPCA_HOME",
        ) from None
    except OSError as error:
        raise Unavailable(f"cannot look into {root}: {error.strerror}") from error
    found = [path for path in found if path.name not in _OF_THE_PLACE]
    if found:
        raise Exists(
            f"{root} is not empty, it has {quoted(found[0].name)} in it; nothing was restored",
            "name another folder with ",
            option("--home"),
            ", which need not exist",
        )


def restore(source: Path, root: Path, passphrase: bytes) -> Summary:
    """Make the home ``root`` from the backup ``source``.

    :raises SstpcaError: if something is there already, the passphrase is wrong, the file is
        damaged, or something cannot be written; nothing has changed then.
    """
    root = root.resolve()
    refuse_occupied(root)
    with Sealed.open(source, passphrase) as sealed:
        sealed.verify()
        names = [name for name, _, _ in entries(sealed)]
        if Home(root).settings.name not in map(str, names):
            raise _foreign(source, "it has no settings.toml")
        with _taking_place(root) as folder:
            return _extract(sealed, folder)


def entries(
    sealed: Sealed,
) -> Iterator[tuple[PurePosixPath, tarfile.TarInfo, tarfile.TarFile]]:
    """Yield what is in a backup, each name checked, and its archive to read the content from.

    :raises SstpcaError: if it is no archive, or has something in it that cannot be in a home.
    """
    content = sealed.content()
    seen: dict[PurePosixPath, bool] = {PurePosixPath(): True}
    try:
        with tarfile.open(fileobj=content, mode="r|") as archive:
            for entry in archive:
                name = _checked(sealed.path, entry, seen)
                yield name, entry, archive
                _forget(archive)
    except _UNREADABLE:
        raise _foreign(sealed.path, "what is in it cannot be read") from None
    # the last bytes are what shows that the others are genuine
    while content.read(1 << 16):
        pass


def _checked(
    source: Path, entry: tarfile.TarInfo, seen: dict[PurePosixPath, bool]
) -> PurePosixPath:
    """Return the name of ``entry`` once it is sure to stay below the home, and to be new there.

    :param seen: the names until now, and whether they are folders.
    """
    name, parts = PurePosixPath(entry.name), entry.name.split("/")
    folder = entry.type == tarfile.DIRTYPE
    if (
        not (folder or entry.type in (tarfile.REGTYPE, tarfile.AREGTYPE))
        or getattr(entry, "sparse", None) is not None
        or not 1 <= len(parts) <= DEPTH_MAX
        or any(not part or part in (".", "..") or "\0" in part for part in parts)
        or any(len(os.fsencode(part)) > _NAME_MAX for part in parts)
        or name in seen
        or not seen.get(name.parent, False)
        or not 0 <= entry.size <= FILE_MAX
        or not 0 <= entry.mtime < _TIME_MAX
        or len(seen) > ENTRIES_MAX
    ):
        raise _foreign(source, "it has an entry that cannot be in a home")
    seen[name] = folder
    return name


def _foreign(source: Path, why: str) -> Damaged:
    return Damaged(f"{source} is no backup of a home: {why}; nothing was restored")


def _extract(sealed: Sealed, folder: Path) -> Summary:
    files = size = 0
    for name, entry, archive in entries(sealed):
        path = folder / name
        if entry.type == tarfile.DIRTYPE:
            path.mkdir(mode=_FOLDER_MODE)
            path.chmod(entry.mode & _MODES | _FOLDER_MODE)
        else:
            try:
                _write(path, entry, archive)
            except tarfile.TarError:
                raise _foreign(sealed.path, "it ends in the middle of a file") from None
            files, size = files + 1, size + entry.size
    return Summary(files, size)


def _write(path: Path, entry: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
    with folders.creating(path, entry.mode & _MODES) as file:
        content = archive.extractfile(entry)
        if content is not None:
            shutil.copyfileobj(content, file)
    os.utime(path, (entry.mtime, entry.mtime))


@contextlib.contextmanager
def _taking_place(root: Path) -> Iterator[Path]:
    """Give a folder that becomes ``root`` once the block has ended well, and is gone otherwise."""
    # a mount point, as in a container, cannot be renamed over, nor can what is not quite empty, as
    # out/ of a fresh clone: the files are moved into it then
    try:
        inside = root.is_dir() and (root.is_mount() or any(root.iterdir()))
        root.parent.mkdir(parents=True, exist_ok=True)
        if inside:
            guard.keep_to_owner(root, new=True)
        with folders.aside(root if inside else root.parent, _prefix(root)) as folder:
            made = folder / _CONTENT
            made.mkdir(mode=_FOLDER_MODE)
            yield made
            sync.everything(folder)
            if inside:
                _move(folder, root)
            else:
                made.rename(root)
    except OSError as error:
        raise Unavailable(
            f"cannot restore into {root}: {error.strerror}", "nothing was restored"
        ) from error


def _prefix(root: Path) -> str:
    return f".{root.name}.restore."


def _move(folder: Path, root: Path) -> None:
    """Move what is in ``folder`` into ``root``; with settings.toml, the last, the home exists."""
    settings = Home(folder / _CONTENT).settings
    paths = [*(one for one in settings.parent.iterdir() if one != settings), settings]
    names = b"\0".join(os.fsencode(path.name) for path in paths)
    write_file(folder / _NAMES, names, SECRET)
    with staged.recovering(lambda: staged.recover(_half_made(folder, root))):
        for path in paths:
            path.rename(root / path.name)


def _half_made(folder: Path, root: Path) -> Change:
    """Return what a restore does from ``folder`` into ``root``: with settings.toml it is done."""
    try:
        names = read_file(folder / _NAMES, "the names", most=FILE_MAX).split(b"\0")
    except MissingFile:  # nothing has been moved until now
        names = []
    moved = [
        root / name
        for name in map(os.fsdecode, names)
        # whoever wrote the list, it is of what is in the home
        if name not in ("", ".", "..") and "/" not in name
        if not os.path.lexists(folder / _CONTENT / name)
    ]
    return Change(lambda: Home(root).exists, new=tuple(moved), trace=folder)
