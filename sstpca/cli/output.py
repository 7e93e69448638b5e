"""How results look: tables and JSON on standard output, talk on standard error."""

import contextlib
import csv
import itertools
import json
import os
import re
import shlex
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from ..errors import Command, Option

_Outcome = TypeVar("_Outcome")

#: of what is said
Part = str | Command | Option

#: fewer are done before a bar could be read, and their paths are no noise
MANY: Final = 10

#: what stands for a blank at which no line ends: a command is copied as a whole
UNBROKEN: Final = "\0"
#: columns of a terminal, if nothing else is said
_USUAL: Final = 80
#: Columns for words beside a margin, however narrow the terminal is.
_LEAST: Final = 24

#: columns of a table are not made narrower than a date
_NARROWEST: Final = 10
# in front of what is told below a row
_NOTE: Final = " " * 8
# what a formula begins with, for one spreadsheet or another
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
# with the blanks in front of it and the comma behind
_WORD: Final = re.compile(r" *[^ ,]+,*|[ ,]+")


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    empty: str,
    notes: Sequence[str] = (),
) -> str:
    """Return ``rows`` in aligned columns under ``headings``; ``empty`` when there are none.

    On a terminal it is no wider than that.

    :param notes: what is told of each row on a line below it; by default nothing is.
    """
    lines = list(rows)
    if not lines:
        return empty
    lines.insert(0, headings)
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    most = columns()
    folded = [[line] for line in lines]
    if most is not None:
        fitted = _fitting(widths, most)
        folded = [list(_folded(line, fitted)) for line in lines]
        widths = [
            max(map(_width, column)) for column in zip(*itertools.chain(*folded), strict=True)
        ]
    room = (most or _USUAL) - len(_NOTE)
    below = [[_NOTE + line for line in _lines(one, room)] for one in ("", *notes) if notes]
    shown: list[str] = []
    for index, row in enumerate(folded):
        shown += [_aligned(line, widths) for line in row]
        shown += below[index] if index and below else []
    return "\n".join(shown)


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(
        cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)
    ).rstrip()


def fits(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether a table has each row on one line of the terminal, if there is one."""
    most = columns()
    widths = (max(map(_width, column)) for column in zip(headings, *rows, strict=True))
    return most is None or sum(widths) + 2 * (len(headings) - 1) <= most


def columns() -> int | None:
    """Return how wide a table may be; None if nobody looks, and each row is to stay one line."""
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        return None
    return shutil.get_terminal_size().columns


def _fitting(widths: Sequence[int], most: int) -> list[int]:
    """Return ``widths`` made narrower, the widest first, until a line of ``most`` holds them."""
    fitted = list(widths)
    while sum(fitted) + 2 * (len(fitted) - 1) > most and max(fitted) > _NARROWEST:
        fitted[fitted.index(max(fitted))] -= 1
    return fitted


def _folded(row: Sequence[str], widths: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """Yield ``row``, with a line of its own for what is too long in a cell."""
    pieces = (_lines(cell, width) for cell, width in zip(row, widths, strict=True))
    yield from itertools.zip_longest(*pieces, fillvalue="")


def _lines(text: str, width: int) -> list[str]:
    """Return ``text`` in lines of at most ``width`` columns, cut at blanks and commas if it can be."""
    lines = [""]
    for word in _WORD.findall(text):
        if _width(lines[-1] + word) <= width:
            lines[-1] += word
            continue
        if lines[-1]:
            lines.append("")
        for sign in word.lstrip():
            if lines[-1] and _width(lines[-1] + sign) > width:
                lines.append("")
            lines[-1] += sign
    return lines


def pairs(rows: Iterable[tuple[str, str]], indent: str = "") -> str:
    """Return labels and values, one pair a line, the values aligned.

    A label that is empty continues the one above.
    """
    rows = list(rows)
    width = max(_width(label) for label, _ in rows) + 2
    return "\n".join(
        f"{indent}{label}{' ' * (width - _width(label))}{value}".rstrip() for label, value in rows
    )


def _width(text: str) -> int:
    """Return the columns ``text`` takes in a terminal."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )


@contextlib.contextmanager
def progress(length: int, *, shown: bool | None = None) -> Iterator[Callable[[int], None]]:
    """Give what moves a bar on standard error by so many steps.

    :param shown: by default, if there are many and somebody is there to look.
    """
    if shown is None:
        shown = length >= MANY and sys.stderr.isatty()
    if not shown:
        yield lambda _steps: None
        return
    with click.progressbar(length=length, file=sys.stderr, show_pos=True) as bar:
        yield bar.update


def echo_json(value: Any) -> None:
    """Print ``value`` as JSON for machines."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def echo_csv(headings: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """Print rows for spreadsheets (RFC 4180), none of which takes a text for a formula.

    A text that could be one gets an apostrophe in front (OWASP, CSV Injection).
    """
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(map(_csv_cell, row) for row in rows)


def _csv_cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def size(count: float) -> str:
    """Show a number of bytes in the decimal units of the network world."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def iso(moment: float | datetime) -> str:
    """Return a time as ISO 8601 in UTC, to the second, for machines."""
    if isinstance(moment, float):
        moment = datetime.fromtimestamp(moment, UTC)
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def local(moment: float) -> str:
    """Return a time as people read it, in this machine's zone."""
    return datetime.fromtimestamp(moment, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def program() -> str:
    """Return how to call this program for the same home, for a hint of what to do next."""
    context = click.get_current_context(silent=True)
    root = context.find_root() if context is not None else None
    if root is not None and root.get_parameter_source("home") is ParameterSource.COMMANDLINE:
        return f"sstpca --home {shlex.quote(str(root.params['home']))}"
    return "sstpca"


def rendered(parts: Iterable[Part], *, blank: str = " ") -> str:
    """Return a remedy, or another text, with each command in it as it is called for this home.

    Without the home, "sstpca user list" would be about another VPN than the rest of the line.

    :param blank: what stands for the blanks in a command.
    """
    name = program()
    return "".join(
        f"{name} {part.words}".replace(" ", blank) if isinstance(part, Command) else str(part)
        for part in parts
    )


def in_columns(head: str, texts: Iterable[str], margin: int) -> Iterator[str]:
    """Yield texts behind a head, in lines of a terminal's usual width, or its own if it has less.

    Commands stay whole.

    :param head: of the first line, that takes ``margin`` columns; the others are blank there.
    :param texts: in which :data:`UNBROKEN` stands for the blanks of commands.
    """
    width = max(min(columns() or _USUAL, _USUAL) - margin, _LEAST)
    wrapper = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
    for text in texts:
        for line in wrapper.wrap(text):
            yield head + line.replace(UNBROKEN, " ")
            head = " " * margin


def follow(outcomes: Generator[_Outcome, None, None], show: Callable[[_Outcome], None]) -> None:
    """Show what is done as it gets done; on an interrupt also what was begun, which is finished.

    :raises KeyboardInterrupt: after that.
    """
    try:
        for one in outcomes:
            show(one)
    except KeyboardInterrupt as interrupt:
        try:
            show(outcomes.throw(interrupt))
        except StopIteration:
            raise interrupt from None
        for one in outcomes:
            show(one)
        raise


def talk(*parts: Part) -> None:
    """Say something that is not the result, on standard error."""
    click.echo(rendered(parts), err=True)


def warn(*parts: Part) -> None:
    """Say on standard error what may not be meant."""
    talk("warning: ", *parts)


def heading(text: str) -> str:
    """Return ``text`` in bold for a terminal, unless there are to be no colours (https://no-color.org).

    Where nobody looks, click takes that away again.
    """
    return text if _is_plain() else click.style(text, bold=True)


def coloured(text: str, colour: str) -> str:
    """Return ``text`` in a colour, as :func:`heading` does in bold."""
    return text if _is_plain() else click.style(text, fg=colour)


def _is_plain() -> bool:
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def counted(number: int, noun: str) -> str:
    """Return a number of things in words: 1 certificate, 2 certificates."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
