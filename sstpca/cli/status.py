"""sstpca status."""

import dataclasses
import os
import sys
import textwrap
import time
from collections.abc import Iterator
from typing import Any, Final

import click

from ..vpn.status import Attention, PoolUse, Status, Urgency
from .context import Context
from .options import json_option
from .output import columns, counted, echo_json, iso, local, program, rendered, size
from .usage import Command

_DAY: Final = 86_400
_LABEL: Final = 14
_COLOURS: Final = {Urgency.WRONG: "red", Urgency.DUE: "yellow"}


@click.command(cls=Command)
@json_option("object")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show how this VPN is, on one screen, and what needs attention.

    Exit status 1 means that something does, as of 'sstpca cert check'. A server that does not run is
    shown, and is no error.

    \b
        sstpca status
        sstpca status --json
    """
    context: Context = ctx.obj
    found = context.vpn.status()
    if as_json:
        echo_json(_as_json(found))
    else:
        for line in _screen(context, found):
            click.echo(line, color=_colours())
    if found.attention:
        ctx.exit(1)


def _colours() -> bool | None:
    """Whether there are colours (https://no-color.org); None: if this is a terminal."""
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return False if plain or not sys.stdout.isatty() else None


def _screen(context: Context, found: Status) -> Iterator[str]:
    yield click.style(f"{found.host}  ({context.vpn.home.root})", bold=True)
    now = time.time()
    for label, value in _rows(found, now):
        first, *rest = textwrap.wrap(value, (columns() or 10_000) - _LABEL) or [""]
        yield f"{label:{_LABEL}}{first}"
        yield from (" " * _LABEL + line for line in rest)
    yield ""
    if not found.attention:
        yield click.style("nothing needs attention", fg="green")
    for one in found.attention:
        yield from _attention(one)


def _attention(one: Attention) -> Iterator[str]:
    width = columns() or 10_000
    first, *rest = textwrap.wrap(f"{one.urgency.value}: {one.what}", width, subsequent_indent="  ")
    yield click.style(first, fg=_COLOURS[one.urgency])
    yield from rest
    # a command is not cut: it is to be copied
    yield f"  {rendered(one.remedy)}"


def _rows(found: Status, now: float) -> Iterator[tuple[str, str]]:
    yield "server", _server(found, now)
    for name, end in sorted(found.ends.items(), key=lambda one: one[1]):
        label = "authority" if name.startswith("authority") else "certificate"
        of = "" if name in ("server", "authority") else f"{name}: "
        yield label, f"{of}{(end - now) // _DAY:.0f} days left, until {local(end)[:10]}"
    yield "sessions", f"{found.sessions} now, {found.begun} begun in the last 24 hours"
    failed = f"{found.failed} in the last 24 hours"
    seen = f"; {program()} session failures" if found.failed else ""
    yield "failed logins", failed + seen
    locked = f"{found.locked}; {program()} lockout list" if found.locked else "none"
    yield "locked out", locked
    for name, pool in found.pools.items():
        yield "addresses", f"{name}: {_share(pool)}"
    due = f"{counted(found.renewals, 'certificate')}; {program()} cert renew --due 30d"
    yield "renewals", due if found.renewals else "none is due within 30 days"
    yield "backup", _backup(found, now)
    yield "database", f"{size(found.database)}, {size(found.room)} free on its disk"


def _server(found: Status, now: float) -> str:
    server = found.server
    if server is None:
        return f"does not run; {program()} serve"
    words = ["runs"]
    if server.started is not None:
        words = [f"runs since {local(server.started)} ({_ago(now - server.started)})"]
    words += [f"sstpca {server.version}"] if server.version else []
    if server.workers:
        words.append(f"{server.alive - server.earlier} of {server.workers} workers")
    if server.earlier:
        words.append(f"{counted(server.earlier, 'worker')} of before with sessions still")
    words += ["draining"] if server.draining else []
    words += [f"TCP {server.port} of {' and '.join(server.listen)}"] if server.port else []
    return ", ".join(words)


def _ago(seconds: float) -> str:
    for unit, many in (("day", _DAY), ("hour", 3600)):
        if seconds >= many:
            return counted(int(seconds // many), unit)
    return counted(int(max(0.0, seconds) // 60), "minute")


def _share(pool: PoolUse) -> str:
    if not pool.addresses:
        return f"{pool.used} in use, no pool"
    return f"{pool.used} of {pool.addresses} in use ({100 * pool.used / pool.addresses:.0f} %)"


def _backup(found: Status, now: float) -> str:
    if found.backup is None:
        return f"none is known of; {program()} ca backup FILE"
    return f"{local(found.backup.made)} ({_ago(now - found.backup.made)} ago), {found.backup.path}"


def _as_json(found: Status) -> dict[str, Any]:
    server = None if found.server is None else dataclasses.asdict(found.server)
    if server is not None and server["started"] is not None:
        server["started"] = iso(server["started"])
    backup = found.backup
    return dataclasses.asdict(found) | {
        "server": server,
        "ends": {name: iso(end) for name, end in found.ends.items()},
        "backup": None if backup is None else {"path": str(backup.path), "made": iso(backup.made)},
        "attention": [
            {"urgency": one.urgency.value, "what": one.what, "fix": rendered(one.remedy)}
            for one in found.attention
        ],
    }
