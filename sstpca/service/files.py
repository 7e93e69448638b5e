"""Puts the files of a service in place, and takes them away; and what both kinds of services have."""

import os
import stat
import subprocess
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ..disk import folders
from ..disk.writing import PUBLIC, File, write_files
from ..errors import SstpcaError, Unavailable
from ..names import quoted

#: seconds that a command of the service manager may take: an old server ends its sessions meanwhile
_PATIENCE: Final = 120

EXECUTABLE: Final = 0o755


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a service, as it is now.

    :param name: of its unit, script or file.
    :param what: "server", "renewal" or "backup".
    :param installed: whether there are its files.
    :param state: as its manager calls it: "active", "failed"; empty if it is unknown.
    :param detail: in one line: since when, or when next.
    """

    name: str
    what: str
    installed: bool
    running: bool
    state: str
    detail: str = ""


class Manager(Protocol):
    """What starts services on this machine.

    :ivar called: how people call it.
    """

    called: str

    def files(self) -> Sequence[File]:
        """Return what belongs on disk."""

    def obsolete(self) -> Sequence[Path]:
        """Return what may be on disk and does not belong there."""

    def owned(self) -> Sequence[Path]:
        """Return all files that there may be of this home."""

    def retire(self, paths: Collection[Path]) -> None:
        """End what these files are of, which are about to go."""

    def start(self, changed: Collection[Path]) -> bool:
        """Have everything started, now and with the machine; return whether the server runs on by an
        earlier version of its files.

        :param changed: files that were written or removed just now.
        :raises SstpcaError: if it does not start.
        """

    def stop(self) -> None:
        """End everything, and have nothing of it started with the machine."""

    def forget(self) -> None:
        """The files are gone."""

    def parts(self) -> Sequence[Part]:
        """Return how each part is."""


def changes(manager: Manager) -> tuple[list[File], list[Path]]:
    """Return which files are to be written, and which to be removed."""
    written = [file for file in manager.files() if _content(file.path) != (file.content, file.mode)]
    return written, [path for path in manager.obsolete() if os.path.lexists(path)]


def apply(written: Sequence[File], removed: Iterable[Path]) -> None:
    """Write and remove.

    :raises Unavailable: if the file system refuses.
    """
    for folder in {file.path.parent for file in written}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"cannot make the folder {folder}: {error.strerror}") from error
    write_files(written)
    for path in removed:
        folders.remove(path)


def public(path: Path, text: str, mode: int = PUBLIC) -> File:
    """Return a file that anybody may read, with ``text``."""
    return File(path, text.encode(), mode)


def call(*words: str) -> str:
    """Have a command of the service manager done; return what it prints.

    :raises SstpcaError: with its last line, if it fails.
    """
    done = ask(*words)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        reason = quoted(said[-1]) if said else f"exit code {done.returncode}"
        raise SstpcaError(f"{' '.join(words)} fails: {reason}")
    return done.stdout


def ask(*words: str) -> subprocess.CompletedProcess[str]:
    """Have such a command done, whatever comes of it.

    :raises Unavailable: if it cannot be run, or does not end.
    """
    try:
        return subprocess.run(
            words, capture_output=True, text=True, errors="replace", timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"cannot run {words[0]}: {quoted(str(error))}") from error


def _content(path: Path) -> tuple[bytes, int] | None:
    try:
        return path.read_bytes(), stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None
