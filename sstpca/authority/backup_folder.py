"""A folder with the last backups of a home: dated, so many kept; and when the last one was made.

A new backup is written, read back to its last byte and noted before an older one goes: whatever
goes wrong in between leaves the older ones alone.
"""

import contextlib
import json
import os
import re
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from ..disk import folders, locks
from ..disk.reading import MissingFile, read_file, read_text
from ..disk.writing import SECRET, temporary_prefix, write_file, write_new
from ..errors import Refused, SstpcaError, Unavailable, command, option
from ..home import Home
from ..secrets import check_new_passphrase, generate_password
from ..settings import Settings
from ..store import Store
from .backup import Summary, back_up
from .sealed import HEADER_BYTES, MAGIC, TAG_BYTES, Sealed

#: where backups go that settings.toml names no folder for; each home has one of its own there
FOLDER: Final = Path("/var/backups/sstpca")

_STAMP: Final = "%Y-%m-%dT%H-%M-%SZ"
_STAMP_PATTERN: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}Z"
_ENDING: Final = ".backup"
# what mkstemp puts behind the prefix
_RANDOM: Final = r"[a-z0-9_]{8}"


@dataclass(frozen=True, slots=True)
class Kept:
    """A backup in a folder of them.

    :param removed: older ones that have gone for it.
    """

    path: Path
    summary: Summary
    removed: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class LastBackup:
    """The backup that was made last, wherever it is now.

    :param made: when, in seconds since 1970.
    """

    path: Path
    made: float


def folder_of(home: Home, settings: Settings) -> Path:
    """Return where the backups of ``home`` go by themselves."""
    named = settings.backup.folder
    return home.root.resolve() / named if named else FOLDER / home.label


def passphrase_file(home: Home, settings: Settings) -> Path:
    """Return the file with the passphrase of the backups that ``home`` makes by itself."""
    return home.root.resolve() / (settings.backup.passphrase_file or "backup.passphrase")


def passphrase_of(home: Home, settings: Settings) -> bytes:
    """Return what is in that file.

    :raises SstpcaError: if it cannot be read, others may read it too, or it is no passphrase.
    """
    path = passphrase_file(home, settings)
    try:
        text = read_text(path, "the backups' passphrase")
    except MissingFile:
        raise MissingFile(
            f"there is no {path} with a passphrase for the backups",
            "write one into it, have '",
            command("service install"),
            "' make one, or say ",
            option("--passphrase-file"),
        ) from None
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Refused(
            f"other users may read the backups' passphrase in {path}",
            f"take another one, or close it: chmod 600 {shlex.quote(str(path))}",
        )
    return check_new_passphrase(text.removesuffix("\n").removesuffix("\r"))


def make_passphrase(home: Home, settings: Settings) -> bool:
    """Make a passphrase for the backups, unless there is one; return whether there was none.

    :raises SstpcaError: if it cannot be written, or the one that is there is none.
    """
    path = passphrase_file(home, settings)
    if path.exists():
        passphrase_of(home, settings)
        return False
    write_new(path, f"{generate_password()}-{generate_password()}\n".encode(), SECRET)
    return True


def add(
    home: Home, store: Store, folder: Path, passphrase: bytes, *, keep: int, settings: Settings
) -> Kept:
    """Write a backup into ``folder``, which is made if it is not there, and keep the last ``keep``.

    :param keep: how many, this one included; those of homes for other hosts are not counted.
    :raises SstpcaError: if something cannot be read or written, or the new backup cannot be read
        back; the older ones are all there then.
    """
    stem = settings.host.replace(":", "-")
    _make(folder)
    with _alone(folder):
        _clear(folder, stem)
        path = _free_name(folder, stem, datetime.now(UTC))
        summary = back_up(home, store, path, passphrase)
        try:
            _verify(path, passphrase)
        except SstpcaError:
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        note(home, path)
        older = [one for one in _complete(folder, stem) if one != path]
        removed = tuple(older[: max(0, len(older) - (keep - 1))])
        for one in removed:
            folders.remove(one)
    return Kept(path, summary, removed)


def note(home: Home, path: Path) -> None:
    """Note that a backup was made just now.

    :raises Unavailable: if the home cannot be written.
    """
    said = {"file": os.fspath(path.resolve()), "made": datetime.now(UTC).timestamp()}
    write_file(home.last_backup, json.dumps(said).encode(), SECRET)


def last(home: Home) -> LastBackup | None:
    """Return which backup was made last; None if there was none, or nobody can tell."""
    try:
        said = json.loads(read_file(home.last_backup, "the note of the last backup"))
        return LastBackup(Path(str(said["file"])), float(said["made"]))
    except (SstpcaError, ValueError, KeyError, TypeError):
        return None


def _make(folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"cannot make the folder {folder}: {error.strerror}",
            "name another, behind the command or as folder below [backup] in settings.toml",
        ) from error
    folders.make_folder(folder)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold ``folder`` against another backup."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Unavailable(
            f"cannot write backups into {folder}: {error.strerror}",
            "name a folder that can be written; for a file, leave ",
            option("--keep"),
            " out",
        ) from error
    try:
        locks.take(descriptor, f"the backups in {folder}")
        yield
    finally:
        os.close(descriptor)


def _clear(folder: Path, stem: str) -> None:
    """Remove what runs that were killed have left: nobody else writes there now."""
    begin = re.escape(temporary_prefix(Path(f"{stem}-"))[:-1])
    pattern = re.compile(rf"{begin}[-0-9TZ]*\.{_RANDOM}")
    for path in folders.listed(folder):
        if pattern.fullmatch(path.name) and _is_plain(path):
            folders.remove(path)


def _free_name(folder: Path, stem: str, now: datetime) -> Path:
    """Return a name for a backup made now, behind those of the last hour: several may be of a second."""
    named = {_name(stem, now + timedelta(seconds=one)): one for one in range(3600)}
    taken = [named[one.name] for one in folders.listed(folder) if one.name in named]
    return folder / _name(stem, now + timedelta(seconds=max(taken, default=-1) + 1))


def _name(stem: str, when: datetime) -> str:
    return f"{stem}-{when.strftime(_STAMP)}{_ENDING}"


def _complete(folder: Path, stem: str) -> list[Path]:
    """Return the backups in ``folder``, the oldest first; what is none, or half of one, is not counted."""
    pattern = re.compile(rf"{re.escape(stem)}-{_STAMP_PATTERN}{re.escape(_ENDING)}")
    found = (one for one in folders.listed(folder) if pattern.fullmatch(one.name))
    return sorted(one for one in found if _is_plain(one) and _looks_whole(one))


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _looks_whole(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            begins = file.read(len(MAGIC)) == MAGIC
        return begins and path.stat().st_size > HEADER_BYTES + TAG_BYTES
    except OSError:
        return False


def _verify(path: Path, passphrase: bytes) -> None:
    with Sealed.open(path, passphrase) as sealed:
        sealed.verify()
