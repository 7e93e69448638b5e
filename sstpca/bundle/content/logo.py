"""The picture that an organisation puts on its users' page."""

import re
import struct
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ...disk.reading import read_file, without_mark
from ...errors import Refused
from ...home import Home
from ...settings import Settings

# every page carries it whole
SIZE_MAX: Final = 256 << 10

_PNG: Final = b"\x89PNG\r\n\x1a\n"
# the first chunk: its length, its name, width and height (PNG 11.2.1)
_HEADER: Final = struct.Struct(">8xI4sII")
# of one pixel four bytes come into being on every user's machine, whatever the file's size
_SIDE_MAX: Final = 4096
# entities of entities grow without end on the machine of whoever looks (billion laughs)
_NESTED: Final = re.compile(rb"<!ENTITY[^>]*&")


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture of the media type ``media_type``."""

    media_type: str
    content: bytes = field(repr=False)

    @property
    def url(self) -> str:
        """The picture itself as a data URL (RFC 2397)."""
        return f"data:{self.media_type};base64,{b64encode(self.content).decode()}"


def of_home(home: Home, settings: Settings) -> Logo | None:
    """Return the picture that the settings of ``home`` name, from their folder on; None: no name.

    :raises SstpcaError: as :func:`load` does.
    """
    name = settings.bundle.logo
    return load(home.settings.parent / name) if name else None


def load(path: Path) -> Logo:
    """Return the picture in the file ``path``, a PNG or an SVG.

    As an image of a page, an SVG runs no script and fetches nothing (SVG 2, 2.8: secure static
    mode).

    :raises SstpcaError: if it cannot be read, is too large, or is something else.
    """
    content = read_file(path, "the logo", most=SIZE_MAX)
    if content.startswith(_PNG):
        _check_size(path, content)
        return Logo("image/png", content)
    if path.suffix.lower() == ".svg" and b"<svg" in (text := without_mark(content)):
        if _NESTED.search(text):
            raise Refused(f"the logo {path} has entities within entities", "save it without")
        return Logo("image/svg+xml", content)
    raise Refused(f"the logo {path} is neither a PNG nor an SVG file")


def _check_size(path: Path, content: bytes) -> None:
    if len(content) >= _HEADER.size:
        _, kind, width, height = _HEADER.unpack_from(content)
        if kind == b"IHDR" and 0 < width <= _SIDE_MAX and 0 < height <= _SIDE_MAX:
            return
        if kind == b"IHDR":
            raise Refused(
                f"the logo {path} has {width} by {height} pixels; {_SIDE_MAX} by {_SIDE_MAX} is "
                "the most",
                "make it smaller",
            )
    raise Refused(f"the logo {path} is a damaged PNG file", "save it again")
