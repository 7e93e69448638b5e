"""Whose folder a home is: nobody but its owner may look into it, and nobody else may own it.

Who can open the folder can lock it, who can write into it can put keys and settings of their own
in the place of ours.
"""

import logging
import os
import stat
from pathlib import Path
from typing import Final

from ..errors import Refused, Unavailable, option

_LOG: Final = logging.getLogger("sstpca")
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_OWN: Final = 0o700


def keep_to_owner(root: Path, *, new: bool = False) -> None:
    """Make sure that the home ``root`` is its owner's alone: close it to others, or refuse it.

    :param new: whether it is to become a home; what is in it is somebody's who may need it open.
    :raises Refused: if it belongs to somebody else, or is not to be closed just so.
    :raises Unavailable: if nobody can look.
    """
    try:
        status = root.stat()
    except OSError as error:
        raise Unavailable(f"cannot look into {root}: {error.strerror}") from error
    if status.st_uid not in _owners():
        raise Refused(
            f"the home {root} belongs to the user {status.st_uid}, who could change all of it",
            f"run this as that user, or take it over: chown -R {os.geteuid()} {root}",
        )
    if not status.st_mode & _OTHERS:
        return
    if _has_content(root):
        if new:
            raise Refused(
                f"{root} is open to other users (mode {_mode(status)}), and has files in it",
                "name another folder with ",
                option("--home"),
                ", which need not exist",
            )
        if status.st_mode & stat.S_IWOTH:
            raise Refused(
                f"every user of this machine can write into the home {root} (mode {_mode(status)})",
                f"make sure that its files are yours, then: chmod 700 {root}",
            )
    if _close(root, status) and not new:
        _LOG.warning("%s was open to other users (mode %s): closed it", root, _mode(status))


def _close(root: Path, status: os.stat_result) -> bool:
    """Take the rights of others, and return whether it was ours to do; otherwise none may write."""
    try:
        root.chmod(_OWN)
        closed = not root.stat().st_mode & _OTHERS
    except OSError:
        closed = False
    if not closed and status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Refused(
            f"other users can write into the home {root} (mode {_mode(status)}), and that cannot "
            "be changed from here",
            "put the home into a folder on a file system with owners and modes, mode 700",
        )
    return closed


def _owners() -> set[int]:
    """Return whose folder may be trusted: our own, root's, and whoever's this program is.

    Root also trusts the user who called sudo(8).
    """
    own = os.geteuid()
    trusted = {own, 0, Path(__file__).stat().st_uid}
    if own == 0 and os.environ.get("SUDO_UID", "").isdecimal():
        trusted.add(int(os.environ["SUDO_UID"]))
    return trusted


def _has_content(root: Path) -> bool:
    """Return whether something is in ``root`` that is not hidden, as .gitignore is."""
    return any(not path.name.startswith(".") for path in root.iterdir())


def _mode(status: os.stat_result) -> str:
    return f"{stat.S_IMODE(status.st_mode):o}"
