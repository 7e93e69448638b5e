"""What ``sstpca connect`` shows: what happens, a line each, and on a terminal how much passes."""

import os
import shutil
import sys
import time
from collections.abc import Callable

import click

from ..vpn.connecting import State
from .output import size


class Screen:
    """Shows states; on a terminal, the last line tells of the traffic. Leave it by a with statement.

    :param clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._live = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._clock = clock
        self._before: tuple[float, int, int] | None = None
        self._shown = False

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()

    def show(self, state: State) -> None:
        """Show how it is now."""
        if state.text:
            self._clear()
            stamp = "" if self._live else f"{time.strftime('%Y-%m-%d %H:%M:%S')} "
            click.echo(f"{stamp}{state.text}", err=True)
        if not state.connected:
            self._before = None
        elif self._live:
            line = self._line(state)
            self._clear()
            click.echo(line[: shutil.get_terminal_size().columns - 1], err=True, nl=False)
            self._shown = True

    def _line(self, state: State) -> str:
        """Return interface, time and rates since the line before, and what it comes to."""
        now = self._clock()
        at, received, sent = self._before or (now, state.received, state.sent)
        self._before = now, state.received, state.sent
        seconds = max(now - at, 1e-3)
        down = size(max(0, state.received - received) / seconds)
        up = size(max(0, state.sent - sent) / seconds)
        minutes, second = divmod(int(now - state.since) if state.since else 0, 60)
        since = f"{minutes // 60}:{minutes % 60:02}:{second:02}"
        total = f"{size(state.received)} down, {size(state.sent)} up in all"
        return f"{state.interface} {since}  {down}/s down, {up}/s up  {total}"

    def _clear(self) -> None:
        if self._shown:
            click.echo("\r\x1b[K", err=True, nl=False)
            self._shown = False
