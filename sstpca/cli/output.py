"""How results look: tables and JSON on standard output, talk on standard error."""

import json
import shlex
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from click.core import ParameterSource


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> str:
    """Return ``rows`` in aligned columns under ``headings``; ``empty`` when there are none."""
    lines = list(rows)
    if not lines:
        return empty
    lines.insert(0, headings)
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


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


def echo_json(value: Any) -> None:
    """Print ``value`` as JSON for machines."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


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
    root = click.get_current_context().find_root()
    if root.get_parameter_source("home") is ParameterSource.COMMANDLINE:
        return f"sstpca --home {shlex.quote(str(root.params['home']))}"
    return "sstpca"


def talk(text: str) -> None:
    """Say something that is not the result, on standard error."""
    click.echo(text, err=True)


def warn(text: str) -> None:
    """Say on standard error what may not be meant."""
    click.echo(f"warning: {text}", err=True)
