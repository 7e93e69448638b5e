"""How a value gets into a generated file: one function a language, and nothing else.

In PowerShell a single-quoted string is taken as it stands, but for its quotes, of which there are
five: the tokenizer takes U+2018 to U+201B for an apostrophe (about_Quoting_Rules). A quote is
written twice. Batch files have no sound quoting at all, so only plain words go into them. HTML is
left to jinja2's autoescape.
"""

import re
import unicodedata
from typing import Final

from ..errors import InvalidInput
from ..names import quoted

_QUOTES: Final = re.compile("['\u2018\u2019\u201a\u201b]")
_PLAIN_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Literal(str):
    """Source text of a literal in the language of the file; not a value."""

    __slots__ = ()


def powershell(value: object) -> Literal:
    """Return the PowerShell literal for a text, a boolean, a number or a tuple of them.

    :raises InvalidInput: for text with a control character or half a surrogate pair: a line break
        in a name is an attack or an accident, and neither has a place on a user's machine.
    """
    match value:
        case bool():
            return Literal("$true" if value else "$false")
        case int():
            return Literal(str(value))
        case str():
            return Literal(_single_quoted(value))
        case tuple():
            return Literal("@(" + ", ".join(powershell(item) for item in value) + ")")
    raise TypeError(f"no PowerShell literal for {type(value).__name__}")


def _single_quoted(text: str) -> str:
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
        raise InvalidInput(f"{quoted(text)} has a control character, which no script may contain")
    return "'" + _QUOTES.sub(lambda quote: quote[0] * 2, text) + "'"


def batch(value: str) -> Literal:
    """Return ``value`` for a batch file, where it stands without quotes.

    :raises InvalidInput: if it is more than letters, digits, dots, hyphens and underscores.
    """
    if not _PLAIN_WORD.fullmatch(value):
        raise InvalidInput(f"{quoted(value)} cannot be put into a batch file")
    return Literal(value)
