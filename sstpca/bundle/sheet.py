"""A sheet of paper for one user: what has to be typed, and where. It never goes with the bundle."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..disk import folders
from ..disk.reading import MissingFile, open_file, read_file
from ..disk.writing import SECRET, write_file
from ..errors import Exists, InvalidInput, Unavailable, option
from .content.bundle import Bundle
from .content.render import Renderer

_TEMPLATE: Final = "secret-sheet.html.j2"
# by this a sheet is known, and may be replaced by a newer one; the template has it
_MARK: Final = b'<meta name="generator" content="sstpca sheet">'
_HEAD: Final = 4096
# all sheets of one run, to print; a user's sheet ends in .html, so none has this name
_BOUND: Final = "all-sheets.htm"
_BODY: Final = re.compile(b"<body[^>]*>(.*)</body>", re.DOTALL | re.IGNORECASE)
_NEXT_PAGE: Final = b'<div style="break-after: page"></div>'


def path(folder: Path, user: str) -> Path:
    """Return where the sheet of ``user`` is."""
    return folder / f"{user}.html"


def check_free(folder: Path, user: str, bundles: Path) -> None:
    """Make sure that a sheet of ``user``, and one of all, can be written beside no bundle.

    :raises InvalidInput: if the bundles are in that folder, too.
    :raises Exists: if another file has the name.
    :raises SstpcaError: if nobody can look.
    """
    if folder.resolve() == bundles.resolve():
        raise InvalidInput(
            "sheets with passwords do not go into the folder of the bundles",
            "name another one with ",
            option("--sheets"),
        )
    _check_ours(path(folder, user))
    _check_ours(folder / _BOUND)


def _check_ours(place: Path) -> None:
    try:
        with open_file(place, "what is there,") as file:
            ours = _MARK in file.read(_HEAD)
    except MissingFile:
        return
    if not ours:
        raise Exists(
            f"{place} is there, and is not a sheet made by sstpca",
            "move it away, or choose another folder with ",
            option("--sheets"),
        )


def make_folder(folder: Path) -> None:
    """Make the folder of the sheets, readable by its owner alone, if it is missing.

    :raises SstpcaError: if the file system refuses.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"cannot make the folder {folder}: {error.strerror}") from error


def bind(folder: Path, users: Sequence[str]) -> Path:
    """Write the sheets of ``users`` into one file to print, each on a page of its own; return it.

    :raises SstpcaError: if one cannot be read, or the file cannot be written.
    """
    pages = [read_file(path(folder, user), "the sheet") for user in users]
    found = [(page, _BODY.search(page)) for page in pages]
    bodies = _NEXT_PAGE.join(page if body is None else body[1] for page, body in found)
    first, body = found[0]
    whole = bodies if body is None else first[: body.start(1)] + bodies + first[body.end(1) :]
    place = folder / _BOUND
    write_file(place, whole, SECRET)
    return place


def remove(folder: Path, user: str) -> None:
    """Remove the sheet of ``user``, if there is one.

    :raises SstpcaError: if the file system refuses.
    """
    folders.remove(path(folder, user))


def render(renderer: Renderer, bundle: Bundle, password: str | None) -> bytes:
    """Return the sheet of the user of ``bundle`` as a page of HTML, one file.

    :param password: the user's, if it is known; that of a certificate is in the bundle's secrets.
    :raises SstpcaError: if the template is wrong.
    """
    return renderer.page(_TEMPLATE, bundle, password=password)
