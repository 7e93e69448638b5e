"""How words and paths are spelled in unit files: systemd.unit(5), systemd.syntax(7), systemd.service(5)."""

from collections.abc import Sequence
from typing import Final

_NO_PROGRAM: Final = "\"'\\"


def text(value: str) -> str:
    """Return a value for people: what would be a specifier is not one."""
    return value.replace("%", "%%")


def word(value: str) -> str:
    """Return one word of a command line, or a path of a list of them: always quoted."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text(escaped)}"'


def path(value: str) -> str:
    """Return a path that stands alone, and is not quoted."""
    return text(value)


def command(words: Sequence[str]) -> str:
    """Return a command line for ExecStart=, in which no $ is a variable (the prefix ':').

    The first word has to be a path without quotation marks and backslashes; where it is another, a
    shell becomes that program.
    """
    if any(sign in words[0] for sign in _NO_PROGRAM):
        words = ("/bin/sh", "-c", 'exec "$0" "$@"', *words)
    return ":" + " ".join(map(word, words))
