"""New passwords between the moment in which they count and that in which somebody has been told.

A password is kept nowhere. So that one that counts is never one that nobody knows, it is in a file
of its own from before it counts until it has been told; a run that is killed in between leaves the
file, and the next one names it.
"""

from pathlib import Path

from ..disk.folders import remove
from ..disk.writing import SECRET, write_file
from ..errors import SstpcaError
from ..home import Home


class Kept:
    """A new password in a file, which goes at the end of the block, if it was told or does not count.

    :param password: None: it is on paper or in the bundle, and need not be told.
    :raises SstpcaError: if it cannot be written or removed.
    """

    def __init__(self, home: Home, user: str, password: str | None) -> None:
        self._path = home.untold(user)
        self._content = None if password is None else f"{user}\t{password}\n".encode()
        self._told = True

    def __enter__(self) -> "Kept":
        if self._content is not None:
            write_file(self._path, self._content, SECRET)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_more: object) -> None:
        refused = kind is not None and issubclass(kind, SstpcaError)
        if self._content is not None and (refused or (kind is None and self._told)):
            remove(self._path)

    def not_told(self) -> None:
        """Note that whoever was to be told was interrupted."""
        self._told = False


def left(home: Home) -> list[Path]:
    """Return the files that were left by runs that were killed."""
    return sorted(home.root.glob(home.untold("*").name))
