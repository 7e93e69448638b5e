"""A reader of PowerShell source that knows no more than strings, comments and the rest.

It follows Windows PowerShell's own tokenizer in what a quote is (about_Quoting_Rules), which the
tree-sitter grammar does not: that one knows the ASCII quotes only.
"""

import re
from dataclasses import dataclass, field

QUOTES = "'\u2018\u2019\u201a\u201b"
DOUBLE_QUOTES = '"\u201c\u201d\u201e'
_PLAIN = re.compile(f"[^#{QUOTES}{DOUBLE_QUOTES}]+")


def read_literal(text: str, start: int) -> tuple[str, int]:
    """Return the value of the single-quoted string at ``start``, and where it ends."""
    assert text[start] in QUOTES
    value: list[str] = []
    at = start + 1
    while True:
        if text[at] in QUOTES:
            if text[at + 1 : at + 2] == "" or text[at + 1] not in QUOTES:
                return "".join(value), at + 1
            at += 1  # of two quotes, PowerShell keeps the second
        value.append(text[at])
        at += 1


@dataclass
class Source:
    """A script taken apart.

    :param skeleton: the source with a ``'`` for each string, and comments as they are.
    :param literals: the values of the strings, in their order.
    """

    skeleton: str = ""
    literals: list[str] = field(default_factory=list)


def read(text: str) -> Source:
    """Take a script apart; a string that expands variables is an AssertionError."""
    source, at = Source(), 0
    while at < len(text):
        if text[at] == "#":
            end = text.index("\n", at)
            source.skeleton += text[at:end]
            at = end
        elif text[at] in QUOTES:
            value, at = read_literal(text, at)
            source.literals.append(value)
            source.skeleton += "'"
        else:
            assert text[at] not in DOUBLE_QUOTES, f"an expandable string at {at}"
            rest = _PLAIN.match(text, at)
            assert rest is not None
            source.skeleton += rest[0]
            at = rest.end()
    return source
