"""How a value gets into a generated file: one function a language, and nothing else.

In PowerShell a single-quoted string is taken as it stands, but for its quotes, of which there are
five: the tokenizer takes U+2018 to U+201B for an apostrophe (about_Quoting_Rules). A quote is
written twice. Batch files have no sound quoting at all, so only plain words go into them. HTML is
left to jinja2's autoescape.
"""

import re
import shlex
from collections.abc import Callable
from typing import Final

from ...errors import InvalidInput
from ...names import quoted
from ...x509.exporting import routeros_string

_QUOTES: Final = re.compile("['\u2018\u2019\u201a\u201b]")
# Unicode's general categories Cc and Cs
_FORBIDDEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_PLAIN_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# what cmd.exe prints as it is
_PLAIN_LINE: Final = re.compile(r"""[A-Za-z0-9"][A-Za-z0-9 .,:;?'"/-]*""")
_PPPD_SIGNS: Final = re.compile(r'[\\"]')
_END_BLANKS: Final = re.compile("^ +| +$")


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
    return "'" + _QUOTES.sub(lambda quote: quote[0] * 2, plain(text)) + "'"


def plain(text: str) -> Literal:
    """Return ``text`` as it is, for a comment or a file that only people read.

    :raises InvalidInput: for a control character or half a surrogate pair, as all others here do.
    """
    if _FORBIDDEN.search(text):
        raise InvalidInput(f"{quoted(text)} has a control character, which no script may contain")
    return Literal(text)


def shell(text: str) -> Literal:
    """Return ``text`` as one word of sh (POSIX.1-2017, Shell Command Language 2.2.2)."""
    return Literal(shlex.quote(plain(text)))


def pppd(text: str) -> Literal:
    """Return ``text`` as one word of a file of options or secrets that pppd reads (pppd(8))."""
    return Literal('"' + _PPPD_SIGNS.sub(r"\\\g<0>", plain(text)) + '"')


def keyfile(text: str) -> Literal:
    """Return ``text`` as a value in a GLib key file, which NetworkManager's connections are.

    A backslash escapes; blanks at the ends are written so that no reader drops them.
    """
    escaped = plain(text).replace("\\", "\\\\")
    return Literal(_END_BLANKS.sub(lambda blanks: "\\s" * len(blanks[0]), escaped))


def routeros(text: str) -> Literal:
    """Return ``text`` as a string of RouterOS' scripting language, in ASCII."""
    return Literal(routeros_string(plain(text)))


def batch(value: str) -> Literal:
    """Return ``value`` for a batch file, where it stands without quotes.

    :raises InvalidInput: if it is more than letters, digits, dots, hyphens and underscores.
    """
    if not _PLAIN_WORD.fullmatch(value):
        raise InvalidInput(f"{quoted(value)} cannot be put into a batch file")
    return Literal(value)


def echo(text: str) -> Literal:
    """Return a line of text for ``echo`` in a batch file.

    :raises InvalidInput: if it has a sign that is not ASCII, or means something to cmd.exe.
    """
    if not _PLAIN_LINE.fullmatch(text):
        raise InvalidInput(
            f"{quoted(text)} cannot be put into a batch file",
            "write it with plain ASCII letters, and without % & | < > ^ ! ( )",
        )
    return Literal(text)


FILTERS: Final[dict[str, Callable[..., Literal]]] = {
    "batch": batch,
    "echo": echo,
    "keyfile": keyfile,
    "plain": plain,
    "pppd": pppd,
    "ps": powershell,
    "ros": routeros,
    "sh": shell,
}
"""By the names they have in templates."""
