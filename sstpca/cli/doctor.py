"""``sstpca doctor``: what a Windows client would object to in a server, step by step."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from ..errors import InvalidInput, option
from ..names import quoted
from ..vpn.diagnosing import diagnose
from ..vpn.examining import Check, Credentials, Verdict, examine
from ..vpn.support import CONTENTS, refuse_report, write_report
from ..vpn.user_reports import read_user_report
from .ask import login_password
from .doctor_view import SUMMARY, show, show_meanings
from .options import gathered
from .output import rendered, talk

_HERE: Final = {
    Verdict.PASS: "This machine has nothing against it.",
    Verdict.WARN: "It works; see what may be a trouble for some.",
    Verdict.FAIL: "It cannot work so; the first failure comes first.",
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A server to look at, or none, and how."""

    server: str | None
    user: str | None
    from_stdin: bool
    name: str | None
    ca_file: Path | None

    def checks(self, home: Path) -> Iterator[Check]:
        """Look at the server."""
        assert self.server is not None
        credentials = None
        if self.user is not None:
            password = login_password(self.user, from_stdin=self.from_stdin)
            credentials = Credentials(self.user, password)
        return examine(
            home, self.server, name=self.name, ca_file=self.ca_file, credentials=credentials
        )


@click.command("doctor")
@click.argument("server", metavar="[HOST[:PORT]]", required=False)
@click.option("--user", metavar="NAME", help="Log in as well, and try what works inside.")
@click.option(
    "--password-stdin", "from_stdin", is_flag=True, help="Read the password from standard input."
)
@click.option("--name", metavar="HOST", help="What users dial, where that is another name.")
@click.option(
    "--ca",
    "ca_file",
    type=click.Path(path_type=Path, readable=False),
    help="The authority that clients trust; by default this home's.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Write all of it, settings and log to a new file for whoever helps, without secrets.",
)
@click.option(
    "--with-names",
    is_flag=True,
    help="Leave users' names and clients' addresses in that file.",
)
@click.option(
    "--read",
    "users_report",
    type=click.Path(path_type=Path, readable=False, allow_dash=True),
    metavar="FILE",
    help="Say what the report means that verify.cmd wrote on a user's PC; '-' is standard input.",
)
@click.option("--json", "as_json", is_flag=True, help="A JSON object for machines.")
@click.pass_context
@gathered(_Asked, "asked")
def doctor(
    ctx: click.Context,
    asked: _Asked,
    report: Path | None,
    with_names: bool,
    users_report: Path | None,
    as_json: bool,
) -> None:
    """Look at an SSTP server as the Windows client does, check by check; or at this machine.

    HOST is any SSTP server: name, port, TLS, certificate, revocation, HTTP, call, logins; with --user also a
    login, and addresses, routes, MTU and throughput inside. The exit status is the worst of all: 0 pass,
    1 warn, 2 fail. Without HOST, this home and its machine are looked at: what the server needs to start,
    where its names lead, which networks overlap, the clock, what ends soon, and why logins failed lately.

    --read is for what a user sends who cannot connect: vpn-report.txt, which verify.cmd has left on the
    desktop. Each line is told with its number, the usual causes, and what to do at the PC and at the server.

    \b
        sstpca doctor
        sstpca doctor vpn.example.com
        sstpca doctor vpn.example.com:8443 --user alice
        sstpca doctor --read vpn-report.txt
        sstpca doctor --report report.txt
    """
    _check(asked, users_report, report, with_names=with_names, as_json=as_json)
    home = ctx.obj.home_path
    if users_report is not None:
        ctx.exit(show_meanings(*read_user_report(home, users_report), as_json=as_json))
    if report is not None:
        _write(home, asked, report, with_names=with_names)
    elif asked.server is None:
        ctx.exit(show(diagnose(home), "this machine", as_json=as_json, summary=_HERE))
    else:
        ctx.exit(show(asked.checks(home), asked.server, as_json=as_json, summary=SUMMARY))


def _check(
    asked: _Asked,
    users_report: Path | None,
    report: Path | None,
    *,
    with_names: bool,
    as_json: bool,
) -> None:
    """Refuse what contradicts itself.

    :raises InvalidInput: if it does.
    """
    about_server = (asked.user, asked.name, asked.ca_file)
    if asked.server is None and (any(one is not None for one in about_server) or asked.from_stdin):
        raise InvalidInput("it is not said which server", "name it: doctor HOST")
    if users_report is not None and (asked.server is not None or report is not None):
        raise InvalidInput("--read is about a PC: it excludes HOST and --report")
    if report is not None and as_json:
        raise InvalidInput("--report writes a file for people: it excludes --json")
    if with_names and report is None:
        raise InvalidInput("--with-names is for --report")
    if asked.server is not None and _is_report(asked.server):
        raise InvalidInput(
            f"{quoted(asked.server)} is a file", "a user's report is read with ", option("--read")
        )


def _is_report(server: str) -> bool:
    # .txt is no domain of the internet
    return server.lower().endswith(".txt") and Path(server).is_file()


def _write(home: Path, asked: _Asked, report: Path, *, with_names: bool) -> None:
    refuse_report(report)
    seen = None if asked.server is None else (asked.server, asked.checks(home))
    write_report(home, report, render=rendered, seen=seen, with_names=with_names)
    click.echo(f"wrote {report}, which only its owner can read")
    talk(f"it has {CONTENTS}; no password and no key. Read it before you send it")
