"""Names and passwords that the clients of a platform cannot send, in words: said in time."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

from ..names import quoted, some


def _is_western(text: str) -> bool:
    """Return whether Windows' Western code page has all of it."""
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


# for a platform: what its clients cannot send, and what is to be said of those
_Rule = tuple[str, Callable[[str], bool], str]

_NAMES: Final[tuple[_Rule, ...]] = (
    # [MS-CHAP] 3.1.5.2: the client's ANSI code page
    (
        "windows",
        lambda name: not _is_western(name),
        "cannot log in from Windows, which sends names in an old code page: take a-z",
    ),
    (
        "windows",
        lambda name: _is_western(name) and not name.isascii(),
        "is not plain ASCII: Windows sends it in the code page of the user's machine, which has to "
        "be the Western one (1252)",
    ),
    # client/ppp/auth/MSCHAPV2Client.kt: Charsets.US_ASCII
    (
        "android",
        lambda name: not name.isascii(),
        "cannot log in from Android: Open SSTP Client sends names in ASCII only",
    ),
    (
        "routeros",
        lambda name: not name.isascii(),
        "is not plain ASCII, and RouterOS is not known to send anything else",
    ),
)
_PASSWORDS: Final[tuple[_Rule, ...]] = (
    # pppd/chap_ms.c, ascii2unicode: a byte becomes a letter of UTF-16
    (
        "linux",
        lambda password: not password.isascii(),
        "does not work on Linux: pppd takes each byte of what is not ASCII for a letter of its own",
    ),
    (
        "routeros",
        lambda password: not password.isascii(),
        "is not plain ASCII, and RouterOS is not known to send anything else",
    ),
)


def of_names(names: Iterable[str], platforms: Collection[str] = ()) -> Iterator[str]:
    """Yield a line for each platform that has trouble with some of ``names``.

    :param platforms: those that matter; empty: all.
    """
    found = [(name, name) for name in names]
    for whose, what in _of(_NAMES, found, platforms):
        yield f"{whose} {what}"


def of_passwords(
    passwords: Iterable[tuple[str, str]], platforms: Collection[str] = ()
) -> Iterator[str]:
    """Yield a line for each platform that has trouble with some passwords; none has them in it.

    :param passwords: the users' names, and theirs.
    :param platforms: as in :func:`of_names`.
    """
    for whose, what in _of(_PASSWORDS, list(passwords), platforms):
        yield f"the password of {whose} {what}"


def _of(
    rules: Iterable[_Rule], values: list[tuple[str, str]], platforms: Collection[str]
) -> Iterator[tuple[str, str]]:
    for platform, cannot, what in rules:
        names = [quoted(name) for name, value in values if cannot(value)]
        if names and (platform in platforms or not platforms):
            yield some(names), what
