"""New passwords between the moment in which they count and that in which somebody has been told.

A password is kept nowhere. So that one that counts is never one that nobody knows, it is in a file
of its own from before it counts until it has been told; a run that is killed in between leaves the
file, and the next one names it.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..disk.folders import remove
from ..disk.writing import SECRET, write_file
from ..errors import SstpcaError
from ..home import Home


@contextlib.contextmanager
def kept(home: Home, user: str, password: str | None) -> Iterator[None]:
    """Keep a new password in a file, which goes when the block has ended well.

    :param password: None: it is on paper or in the bundle, and need not be told.
    :raises SstpcaError: if it cannot be written or removed.
    """
    if password is None:
        yield
        return
    path = home.untold(user)
    write_file(path, f"{user}\t{password}\n".encode(), SECRET)
    try:
        yield
    except SstpcaError:
        remove(path)  # it does not count
        raise
    remove(path)


def left(home: Home) -> list[Path]:
    """Return the files that were left by runs that were killed."""
    return sorted(home.root.glob(home.untold("*").name))
