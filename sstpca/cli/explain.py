"""``sstpca explain``: what an error number of Windows means."""

import re
import textwrap
from collections.abc import Iterator
from typing import Any, Final

import click

from ..vpn import explaining
from ..vpn.explaining import Explanation, Unknown
from . import usage
from .output import columns, echo_json, heading

_WIDTH: Final = 80
_NEGATIVE: Final = re.compile(r"-\d+")
_COMMAND: Final = re.compile("`([^`]*)`")
# stands for a blank at which no line is broken, as whoever copies a command wants it whole
_UNBROKEN: Final = "\N{NO-BREAK SPACE}"


class _Command(usage.Command):
    """A command for which a negative number is no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the arguments."""
        return super().parse_args(
            ctx, [f" {one}" if _NEGATIVE.fullmatch(one) else one for one in args]
        )


@click.command("explain", cls=_Command)
@click.argument("words", nargs=-1, required=True, metavar="CODE")
@click.option("--language", metavar="XX", default="en", show_default=True, help="Of the texts.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object for machines.")
@click.pass_context
def explain(ctx: click.Context, words: tuple[str, ...], language: str, as_json: bool) -> None:
    """Say what an error of Windows means, why it comes, and what to do about it.

    CODE is the number in any form, alone or in a sentence, or Windows' message in English. Exit status 1
    means that it is not known here; the line says where to look it up.

    \b
        sstpca explain 0x800B0109
        sstpca explain error 691
        sstpca explain -2146762487 --language de
    """
    found = explaining.explain(" ".join(words), language)
    known = isinstance(found, Explanation)
    if as_json:
        echo_json({"known": known, **_as_json(found)})
    elif isinstance(found, Explanation):
        click.echo("\n".join(_lines(found)))
    else:
        click.echo(found.line)
    ctx.exit(0 if known else 1)


def _lines(found: Explanation) -> Iterator[str]:
    yield heading("  ".join(found.forms))
    yield from _wrapped(found.means)
    yield ""
    yield heading(found.headings["causes"])
    for number, cause in enumerate(found.causes, 1):
        yield from _wrapped(cause, f"{number:3}. ")
    for name, text in (("client", found.client), ("server", found.server)):
        yield ""
        yield heading(found.headings[name])
        yield from _wrapped(text)


def _wrapped(text: str, first: str = "  ") -> list[str]:
    width = min(columns() or _WIDTH, _WIDTH)
    whole = _COMMAND.sub(lambda found: found[1].replace(" ", _UNBROKEN), text)
    lines = textwrap.wrap(
        whole,
        width,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_on_hyphens=False,
        break_long_words=False,
    )
    return [line.replace(_UNBROKEN, " ") for line in lines]


def _as_json(found: Explanation | Unknown) -> dict[str, Any]:
    if isinstance(found, Unknown):
        return {"forms": list(found.forms), "means": found.line}
    return {
        "forms": list(found.forms),
        "means": found.means,
        "causes": list(found.causes),
        "client": found.client,
        "server": found.server.replace("`", ""),
    }
