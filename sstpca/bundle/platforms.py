"""Which systems a bundle can be for, and all files of one."""

import hashlib
from collections.abc import Callable, Collection
from typing import Final

from ..errors import InvalidInput
from ..names import quoted
from . import windows
from .context import Bundle
from .render import Renderer

SUMS: Final = "SHA256SUMS"

_FILES: Final[dict[str, Callable[[Renderer, Bundle], dict[str, bytes]]]] = {
    "windows": windows.files,
}
PLATFORMS: Final = tuple(_FILES)


def parse(text: str) -> tuple[str, ...]:
    """Return the platforms in ``windows,linux``, in their usual order.

    :raises InvalidInput: if one is unknown.
    """
    asked = {one.strip() for one in text.split(",")}
    strange = sorted(asked - set(PLATFORMS))
    if strange:
        raise InvalidInput(
            f"there are no bundles for {quoted(strange[0])}", f"there are: {', '.join(PLATFORMS)}"
        )
    return tuple(one for one in PLATFORMS if one in asked)


def files(renderer: Renderer, bundle: Bundle, platforms: Collection[str]) -> dict[str, bytes]:
    """Return the files of a bundle by name; the same bundle gives the same bytes.

    A name may have a folder before it. SHA256SUMS has the others, as sha256sum(1) reads them.
    """
    found: dict[str, bytes] = {}
    for platform in platforms:
        found |= _FILES[platform](renderer, bundle)
    sums = (f"{hashlib.sha256(found[name]).hexdigest()}  {name}\n" for name in sorted(found))
    return found | {SUMS: "".join(sums).encode()}
