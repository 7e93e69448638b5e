"""sstpca session watch."""

import contextlib
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import click

from ..vpn.sessions import SessionView
from .context import Context
from .output import counted, size
from .session import session

#: Seconds between two looks: the workers write as often what their sessions carried.
_BEAT: Final = 1.0

# by the key that sorts by it; rates and bytes are of both ways together
_ORDERS: Final = {"rate": "r", "bytes": "b", "user": "u", "since": "s"}


@dataclass(frozen=True, slots=True)
class _Line:
    """A session, and what it carries a second."""

    view: SessionView
    down: float
    up: float


class _Rates:
    """What sessions carry a second, between one look and the next."""

    def __init__(self) -> None:
        self._before: dict[int, tuple[float, int, int]] = {}

    def lines(self, views: list[SessionView], now: float) -> list[_Line]:
        """Return the sessions with their rates; a new one has none yet."""
        lines = []
        for one in views:
            at, received, sent = self._before.get(one.id, (now, one.received, one.sent))
            seconds = max(now - at, 0.001)
            lines.append(
                _Line(one, (one.sent - sent) / seconds, (one.received - received) / seconds)
            )
        self._before = {one.id: (now, one.received, one.sent) for one in views}
        return lines


def _sorted(lines: list[_Line], order: str) -> list[_Line]:
    keys: dict[str, Callable[[_Line], Any]] = {
        "rate": lambda one: (-(one.down + one.up), one.view.id),
        "bytes": lambda one: (-(one.view.received + one.view.sent), one.view.id),
        "user": lambda one: (one.view.user.casefold(), one.view.id),
        "since": lambda one: (-one.view.started, -one.view.id),
    }
    return sorted(lines, key=keys[order])


@session.command()
@click.option(
    "--sort",
    type=click.Choice(tuple(_ORDERS)),
    default="rate",
    show_default=True,
    help="What comes first; on a terminal, the keys r, b, u and s as well.",
)
@click.pass_obj
def watch(context: Context, sort: str) -> None:
    """Watch who is connected, and what goes through each session a second.

    It is there until q or Ctrl-C, and leaves the terminal as it was. DOWN is to the client, UP from it.
    Where there is no terminal, it prints one line a second with the sums.

    \b
        sstpca session watch
        sstpca session watch --sort bytes
    """
    look = context.vpn.sessions.all
    with contextlib.suppress(KeyboardInterrupt):  # how it is ended
        _begin(look, sort)


def _begin(look: Callable[[], list[SessionView]], sort: str) -> None:
    if sys.stdout.isatty() and sys.stdin.isatty() and os.environ.get("TERM") != "dumb":
        _watch(look, sort)
    else:
        _print_sums(look)


def _print_sums(look: Callable[[], list[SessionView]]) -> None:
    """Print one line a second, until the end; for a file, or another program."""
    rates = _Rates()
    rates.lines(look(), time.monotonic())
    while True:
        time.sleep(_BEAT)
        lines = rates.lines(look(), time.monotonic())
        click.echo(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {_sums(lines)}")
        sys.stdout.flush()


def _sums(lines: list[_Line]) -> str:
    down, up = sum(one.down for one in lines), sum(one.up for one in lines)
    return f"{counted(len(lines), 'session')}, {size(down)}/s down, {size(up)}/s up"


def _watch(look: Callable[[], list[SessionView]], order: str) -> None:
    # rich takes a tenth of a second to import, and only this needs it
    from rich.console import Console
    from rich.live import Live

    rates, console = _Rates(), Console(highlight=False)
    lines = rates.lines(look(), time.monotonic())
    with (
        _keys() as key,
        Live(
            console=console,
            screen=True,
            auto_refresh=False,
            transient=True,
            vertical_overflow="crop",
        ) as live,
    ):
        due = time.monotonic() + _BEAT
        while True:
            live.update(_screen(lines, order, console.height), refresh=True)
            pressed = key(max(0.0, due - time.monotonic()))
            if pressed in ("q", "\x03", "\x04"):
                return
            order = next((name for name, sign in _ORDERS.items() if sign == pressed), order)
            if time.monotonic() >= due:
                due = time.monotonic() + _BEAT
                lines = rates.lines(look(), time.monotonic())


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Give what waits for a key so many seconds; the terminal is as it was at the end."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def key(seconds: float) -> str:
        ready, _, _ = select.select([descriptor], [], [], seconds)
        if not ready:
            return ""
        # an end of file is a terminal that has gone
        return os.read(descriptor, 1).decode("latin-1") or "q"

    tty.setcbreak(descriptor)
    try:
        yield key
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _screen(lines: list[_Line], order: str, height: int) -> Any:
    """Return as many sessions as there is room for, those first that ``order`` has first."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    room = max(1, height - 4)
    shown = _sorted(lines, order)[:room]
    table = Table(box=None, pad_edge=False, expand=True, header_style="bold")
    table.add_column("NUMBER", no_wrap=True, justify="right")
    table.add_column("USER", no_wrap=True, ratio=1, style="bold" if order == "user" else "")
    table.add_column("ADDRESS", no_wrap=True, min_width=15)
    table.add_column("SINCE", no_wrap=True, min_width=5, style="bold" if order == "since" else "")
    for name, of in (("DOWN/s", "rate"), ("UP/s", "rate"), ("BYTES", "bytes")):
        style = "bold" if order == of else ""
        table.add_column(name, no_wrap=True, justify="right", min_width=8, style=style)
    for one in shown:
        view = one.view
        rates = (_rate(one.down), _rate(one.up), Text(size(view.received + view.sent)))
        who = (Text(str(view.id)), Text(view.user), Text(view.address))
        table.add_row(*who, Text(_since(view.started)), *rates)
    left = len(lines) - len(shown)
    more = f"and {left} more; " if left else ""
    keys = "  ".join(f"{sign} {name}" for name, sign in _ORDERS.items())
    head = Text(f"{_sums(lines)}, by {order}", style="bold", no_wrap=True)
    foot = Text(f"{more}{keys}  q end", style="dim", no_wrap=True)
    return Group(head, table if lines else Text("nobody is connected"), Text(""), foot)


def _since(moment: float) -> str:
    """Return the time of today, or else the day."""
    then = datetime.fromtimestamp(moment).astimezone()
    return f"{then:%H:%M}" if then.date() == datetime.now().astimezone().date() else f"{then:%m-%d}"


def _rate(rate: float) -> Any:
    from rich.text import Text

    return Text(size(rate), style="green" if rate >= 1000 else "")
