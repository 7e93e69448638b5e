"""Names and texts of a client: bytes as text, fit for a log, and how else a name may be spelt."""

import functools
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final

MAX_NAME: Final = 256  # RFC 2759 4


def printable(text: str, limit: int = 64) -> str:
    """Return the printable characters of ``text``, at most ``limit`` of them, fit for a log.

    What stands between quotes there cannot end them: quotes and backslashes get a backslash.
    """
    kept = "".join(filter(str.isprintable, text))[:limit]
    return kept.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"')


def decode_name(name: bytes) -> str:
    """Return a name as text, and nothing but that.

    Windows sends it in the client's ANSI code page ([MS-CHAP] 3.1.5.2), other clients in UTF-8.
    """
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("cp1252", "replace")


def shown_name(name: bytes) -> str:
    """Return the user's name for a log: without its domain and the blanks around it."""
    return printable(decode_name(name).rpartition("\\")[2].strip())


def spellings(sent: bytes, user: str) -> Iterator[str]:
    """Yield how else a name may be spelt: what a client may have made its proof of.

    :param sent: the name in the Response.
    :param user: the user's own; empty if there is none.
    """
    whole = decode_name(sent)
    bare = whole.rpartition("\\")[2]
    texts = (user, whole, bare, bare.strip(), bare.strip().rpartition("@")[0])
    forms: tuple[Callable[[str], str], ...] = (
        str,
        str.lower,
        str.upper,
        str.capitalize,
        functools.partial(unicodedata.normalize, "NFC"),
        functools.partial(unicodedata.normalize, "NFD"),
    )
    yield from dict.fromkeys(form(text) for text in texts for form in forms)
