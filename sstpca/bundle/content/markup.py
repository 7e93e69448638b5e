"""Values and a few marks in the texts that users read.

``{name}`` stands for a value; ``{0}`` is filled in by PowerShell, when a script runs. On pages,
``**`` around words makes them bold, and a back quote around them sets them as code. Nothing else
means anything, and a brace that is neither is a mistake.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from markupsafe import Markup, escape

from ...names import quoted

_TOKEN: Final = re.compile(
    r"(?P<mark>\*\*|`)|\{(?:(?P<name>[a-z][a-z_]*)|(?P<number>\d)(?::\w+)?)\}|(?P<brace>[{}])"
)
_TAGS: Final = {"**": ("<b>", "</b>"), "`": ('<span class="code">', "</span>")}


def placeholders(text: str) -> frozenset[str]:
    """Return the names of the values that ``text`` asks for.

    :raises ValueError: if a brace is not part of a placeholder.
    """
    found = set()
    for token in _TOKEN.finditer(text):
        if token["brace"]:
            raise ValueError(f"{quoted(text)} has a brace that belongs to no placeholder")
        if token["name"] or token["number"]:
            found.add(token["name"] or token["number"])
    return frozenset(found)


def fill(text: str, **values: object) -> str:
    """Return ``text`` with its values in it, as plain text: marks stay as they are.

    :raises ValueError: if it asks for a value that is not given, or has a brace too many.
    """
    return "".join(
        str(_value(text, part, values)) if part[:1] == "{" else part for part in _parts(text)
    )


def markup(text: str, **values: object) -> Markup:
    """Return ``text`` as HTML: its marks as elements, all the rest escaped.

    Each value is in an element that keeps its direction of writing to itself.

    :raises ValueError: as :func:`fill`, or if a mark is not closed.
    """
    html, inside = [], ""
    for part in _parts(text):
        if part in _TAGS and inside in ("", part):
            html.append(Markup(_TAGS[part][bool(inside)]))  # noqa: S704 one of four constants
            inside = "" if inside else part
        elif part[:1] == "{":
            html.append(Markup("<bdi>{}</bdi>").format(_value(text, part, values)))
        else:
            html.append(escape(part))
    if inside:
        raise ValueError(f"{quoted(text)} does not close its {inside}")
    return Markup().join(html)


def _parts(text: str) -> Iterator[str]:
    """Yield marks, placeholders with their braces, and what is between them, in order."""
    placeholders(text)
    end = 0
    for token in _TOKEN.finditer(text):
        yield text[end : token.start()]
        yield token[0]
        end = token.end()
    yield text[end:]


def _value(text: str, placeholder: str, values: Mapping[str, object]) -> object:
    try:
        return values[placeholder[1:-1]]
    except KeyError:
        raise ValueError(f"{quoted(text)} asks for {placeholder}, which is not given") from None
