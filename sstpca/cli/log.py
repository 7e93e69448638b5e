"""sstpca log."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from sstpca.server.log import printable_line

from ..errors import InvalidInput, NotFound, Unavailable
from ..names import user_key
from ..times import EXAMPLES, parse_time
from .context import Context
from .output import talk
from .usage import Command

_MOST: Final = 100

# a line as the server writes it for people: time, level, session, user, peer
_LINE: Final = re.compile(
    r"(?:<\d>)?(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:[a-z]+: )?"
    r"(?:session (?P<session>\d+) (?P<user>.+?) )?(?:\[[0-9a-f:.]+\]|[0-9.]+):\d+: ",
)
_CLAIMED: Final = re.compile(r": login failed for '((?:[^'\\]|\\.)*)':")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for; None: everything."""

    user: str | None
    session: int | None
    since: float | None
    until: float | None


@click.command(cls=Command)
@click.option("--user", help="The lines about this user, logins that failed among them.")
@click.option("--session", type=click.IntRange(1), metavar="NUMBER", help="Those about a session.")
@click.option("--since", metavar="TIME", help="Those of that time or later.")
@click.option("--until", metavar="TIME", help="Those of that time or before.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=_MOST,
    show_default=True,
    metavar="N",
    help="The newest so many.",
)
@click.option("--follow", is_flag=True, help="Go on with those that come, until Ctrl-C.")
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="The server's log, text or JSON, where it is not in systemd's journal; '-' is standard input.",
)
@click.pass_obj
def log(
    context: Context,
    user: str | None,
    session: int | None,
    since: str | None,
    until: str | None,
    limit: int,
    follow: bool,
    path: Path | None,
) -> None:
    """Show the server's log, or what it says of one user or session.

    It is read from systemd's journal, with journalctl, or from a file. A session has one number
    everywhere: here, in 'sstpca session list' and 'sstpca session history', and in the name of its
    interface. TIME is as in 'sstpca session history'.

    \b
        sstpca log --user alice --since yesterday
        sstpca log --session 17
        sstpca log --file /var/log/sstpca.log --user alice
    """
    now = datetime.now(UTC)
    asked = _Asked(
        user,
        session,
        None if since is None else parse_time(since, now).start,
        None if until is None else parse_time(until, now).end,
    )
    if asked.since is not None and asked.until is not None and asked.since > asked.until:
        raise InvalidInput("--since is later than --until", EXAMPLES)
    if path is None:
        _show_journal(context, asked, limit, follow=follow)
        return
    if follow:
        raise InvalidInput("--follow is for the journal", f"a file, tail -F {path} follows")
    _show_file(path, asked, limit)


def _show_journal(context: Context, asked: _Asked, limit: int, *, follow: bool) -> None:
    program = shutil.which("journalctl")
    if program is None:
        raise Unavailable(
            "this machine has no systemd journal", "name the file that has the log: --file PATH"
        )
    home = context.vpn.home.root.resolve()
    command = [program, "--quiet", "--no-pager", "--output=short-iso", f"--lines={limit}"]
    command += ["--follow"] if follow else []
    command += [f"--since=@{asked.since:.0f}"] if asked.since is not None else []
    command += [f"--until=@{asked.until:.0f}"] if asked.until is not None else []
    shown = _run(command + _matches(f"SSTPCA_HOME={home}", asked))
    if not shown:
        talk("the journal has no such line; where the log goes to a file, name it with --file")


def _matches(home: str, asked: _Asked) -> list[str]:
    """Return what journalctl is to look for: different fields are and, "+" is or."""
    fixed = [home, *([] if asked.session is None else [f"SSTPCA_SESSION={asked.session}"])]
    if asked.user is None:
        return fixed
    return [*fixed, f"SSTPCA_USER={asked.user}", "+", *fixed, f"SSTPCA_CLAIMED={asked.user}"]


def _run(command: list[str]) -> int:
    """Show what a program says, as it comes; return how many lines that were."""
    shown = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as reader:
        assert reader.stdout is not None
        try:
            for line in reader.stdout:
                click.echo(printable_line(_unended(line)))
                shown += 1
        except BaseException:
            reader.terminate()
            raise
    if reader.returncode:
        raise Unavailable(
            f"journalctl failed ({reader.returncode})", "is the journal yours to read?"
        )
    return shown


def _show_file(path: Path, asked: _Asked, limit: int) -> None:
    try:
        with click.open_file(str(path), errors="backslashreplace") as file:
            found = list(_those(file, asked))[-limit:]
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}") from None
    for line in found:
        click.echo(printable_line(line))
    if not found:
        talk("it has no such line")


def _those(lines: Iterable[str], asked: _Asked) -> Iterator[str]:
    wanted = False
    for line in map(_unended, lines):
        # a traceback belongs to the line that it stands below
        if not line.startswith("    "):
            wanted = _is_wanted(_fields(line), asked)
        if wanted:
            yield line


def _unended(line: str) -> str:
    return line.rstrip("\n")


def _is_wanted(fields: dict[str, Any], asked: _Asked) -> bool:
    at = fields.get("time", 0.0)
    return (
        (asked.session is None or str(fields.get("session")) == str(asked.session))
        and (asked.user is None or user_key(str(fields.get("user"))) == user_key(asked.user))
        and (asked.since is None or at >= asked.since)
        and (asked.until is None or at <= asked.until)
    )


def _fields(line: str) -> dict[str, Any]:
    """Return what a line of either form says of itself, as far as it does."""
    if line.startswith("{"):
        try:
            found = json.loads(line)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}
    match = _LINE.match(line)
    if match is None:
        return {}
    fields = {name: text for name, text in match.groupdict().items() if text is not None}
    claimed = _CLAIMED.match(line, match.end() - 2)
    if claimed is not None:
        fields.setdefault("user", claimed[1])
    moment = datetime.strptime(fields["time"], "%Y-%m-%d %H:%M:%S").astimezone()
    return fields | {"time": moment.timestamp()}
