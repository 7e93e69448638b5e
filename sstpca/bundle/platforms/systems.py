"""Which systems a bundle can be for, and all files of one."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

from ...errors import InvalidInput, Refused, option
from ...names import quoted
from ..content.bundle import Bundle, Deployment
from ..content.render import Renderer
from ..content.sums import with_sums
from . import android, apple, linux, routeros, windows

_UNABLE: Final[dict[str, Callable[[Deployment], tuple[str, str] | None]]] = {
    "linux": linux.unable,
    "android": android.unable,
    "routeros": routeros.unable,
}
"""What says why there is no connection from a platform; those left out can do it all."""

_FILES: Final[dict[str, Callable[[Renderer, Bundle], dict[str, bytes]]]] = {
    "windows": windows.files,
    "linux": linux.files,
    "android": android.files,
    "apple": apple.files,
    "routeros": routeros.files,
}
PLATFORMS: Final = tuple(_FILES)

_FIRST: Final = {
    "linux": "linux/README.txt",
    "android": "android/index.html",
    "apple": "apple/index.html",
    "routeros": "routeros/client.rsc",
}
"""The file that a user begins with, beside the page for Windows."""


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


def check(deployment: Deployment, platforms: Collection[str]) -> None:
    """Make sure that the clients of ``platforms`` can do what ``deployment`` asks of them.

    :param deployment: a bundle's user is looked at as well.
    :raises Refused: saying what one cannot: files that lead nowhere are not handed out.
    """
    for platform in platforms:
        found = _UNABLE[platform](deployment) if platform in _UNABLE else None
        if found is not None:
            reason, remedy = found
            raise Refused(reason, f"{remedy}, or leave {platform} out of ", option("--for"))


def files(renderer: Renderer, bundle: Bundle, platforms: Collection[str]) -> dict[str, bytes]:
    """Return the files of a bundle by name; the same bundle gives the same bytes.

    A name may have a folder before it. SHA256SUMS has the others, as sha256sum(1) reads them.
    """
    first = (_FIRST[one] for one in PLATFORMS if one in platforms and one in _FIRST)
    bundle = replace(bundle, elsewhere=tuple(first))
    found: dict[str, bytes] = {}
    for platform in platforms:
        found |= _FILES[platform](renderer, bundle)
    return with_sums(found)
