"""Writes a manual page for each command, from its help: man(7).

    python install/manual.py FOLDER

Which libraries do that was looked at: click-man (0.6) asks a group for the commands that are loaded
already, and ours are loaded when they are asked for; it knows no paragraphs that are to stay as they are.
"""

import os
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from sstpca import __version__
from sstpca.cli import main

_PLAIN = "\b"


def pages() -> dict[str, str]:
    """Return the pages by the names of their files."""
    return {f"{name.replace(' ', '-')}.1": _page(name, one, ctx) for name, one, ctx in _commands()}


def _commands() -> Iterator[tuple[str, click.Command, click.Context]]:
    waiting = [click.Context(main, info_name="sstpca")]
    while waiting:
        ctx = waiting.pop()
        yield ctx.command_path, ctx.command, ctx
        if isinstance(ctx.command, click.Group):
            for name in reversed(ctx.command.list_commands(ctx)):
                command = ctx.command.get_command(ctx, name)
                if command is not None and not command.hidden:
                    waiting.append(click.Context(command, ctx, info_name=name))


def _page(name: str, command: click.Command, ctx: click.Context) -> str:
    first, *rest = _paragraphs(command.help or "")
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    day = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
    dashed = name.replace(" ", "-")
    lines = [
        f'.TH "{dashed.upper()}" 1 "{day}" "sstpca {__version__}" "sstpca"',
        ".nh",
        ".ad l",
        ".SH NAME",
        f"{_escaped(dashed)} \\- {_escaped(' '.join(first).rstrip('.'))}",
        ".SH SYNOPSIS",
        f"\\fB{_escaped(name)}\\fR {_escaped(' '.join(command.collect_usage_pieces(ctx)))}",
        ".SH DESCRIPTION",
        *_described([first, *rest]),
        *_options(command, ctx),
        *_subcommands(name, command, ctx),
        *_seen(name, ctx),
    ]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> list[list[str]]:
    """Return the lines of each paragraph; one that begins with _PLAIN stays as it is."""
    return [block.splitlines() for block in re.split(r"\n\s*\n", text.strip("\n")) if block.strip()]


def _described(paragraphs: list[list[str]]) -> Iterator[str]:
    for place, lines in enumerate(paragraphs):
        if lines[0].strip() == _PLAIN or lines[0].startswith(_PLAIN):
            shown = [line.replace(_PLAIN, "") for line in lines]
            yield from (".PP", ".nf", *(_line(line) for line in shown if line), ".fi")
            continue
        if place:
            yield ".PP"
        yield from (_line(line.strip()) for line in lines)


def _options(command: click.Command, ctx: click.Context) -> Iterator[str]:
    options = (one for one in command.get_params(ctx) if isinstance(one, click.Option))
    records = [record for one in options if (record := one.get_help_record(ctx)) is not None]
    if records:
        yield ".SH OPTIONS"
    for names, text in records:
        yield from (".TP", f"\\fB{_escaped(names)}\\fR", _line(" ".join(text.split())))


def _subcommands(name: str, command: click.Command, ctx: click.Context) -> Iterator[str]:
    if not isinstance(command, click.Group):
        return
    yield ".SH COMMANDS"
    for one in command.list_commands(ctx):
        below = command.get_command(ctx, one)
        if below is not None and not below.hidden:
            first = " ".join(_paragraphs(below.help or "")[0])
            page = _escaped(f"{name} {one}".replace(" ", "-"))
            yield from (".TP", f"\\fB{page}\\fR(1)", _line(first))


def _seen(name: str, ctx: click.Context) -> Iterator[str]:
    if ctx.parent is None:
        yield from (
            ".SH EXIT STATUS",
            "0 if it is done, 1 if it cannot be, 2 if the command line or a value is none.",
        )
        return
    above = _escaped(name.rpartition(" ")[0].replace(" ", "-"))
    yield from (".SH SEE ALSO", f"\\fB{above}\\fR(1)")


def _line(text: str) -> str:
    escaped = _escaped(text)
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in pages().items():
        (folder / file).write_text(text, encoding="utf-8")
