"""``sstpca doctor``: what a Windows client would object to in a server, step by step."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import click

from ..errors import InvalidInput
from ..vpn.diagnosing import diagnose
from ..vpn.examining import Check, Credentials, Verdict, examine
from .ask import login_password
from .output import UNBROKEN, echo_json, in_columns, rendered

_NAME: Final = 18
_MARGIN: Final = len("pass  ") + _NAME + 2
_THERE: Final = {
    Verdict.PASS: "Windows has nothing to object to.",
    Verdict.WARN: "Windows can connect; see what some clients stumble at.",
    Verdict.FAIL: "Windows cannot connect, or not use it; the first failure is the reason.",
}
_HERE: Final = {
    Verdict.PASS: "This machine has nothing against it.",
    Verdict.WARN: "It works; see what may be a trouble for some.",
    Verdict.FAIL: "It cannot work so; the first failure comes first.",
}
_COLOURS: Final = {Verdict.PASS: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}


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
@click.option("--json", "as_json", is_flag=True, help="A JSON object for machines.")
@click.pass_context
def doctor(
    ctx: click.Context,
    server: str | None,
    user: str | None,
    from_stdin: bool,
    name: str | None,
    ca_file: Path | None,
    as_json: bool,
) -> None:
    """Look at an SSTP server as the Windows client does, check by check; or at this machine.

    HOST is any SSTP server: name, port, TLS, certificate, revocation, HTTP, call, logins; with --user also a
    login, and addresses, routes, MTU and throughput inside. The exit status is the worst of all: 0 pass,
    1 warn, 2 fail. Without HOST, this home and its machine are looked at: what the server needs to start,
    where its names lead, which networks overlap, the clock, what ends soon, and why logins failed lately.

    \b
        sstpca doctor
        sstpca doctor vpn.example.com
        sstpca doctor vpn.example.com:8443 --user alice
    """
    if server is None:
        if user is not None or name is not None or ca_file is not None or from_stdin:
            raise InvalidInput("it is not said which server", "name it: doctor HOST")
        found = diagnose(ctx.obj.home_path)
        ctx.exit(_show(found, "this machine", as_json=as_json, summary=_HERE))
    credentials = None
    if user is not None:
        credentials = Credentials(user, login_password(user, from_stdin=from_stdin))
    found = examine(ctx.obj.home_path, server, name=name, ca_file=ca_file, credentials=credentials)
    ctx.exit(_show(found, server, as_json=as_json, summary=_THERE))


def _show(
    found: Iterable[Check], server: str, *, as_json: bool, summary: dict[Verdict, str]
) -> int:
    """Show the checks as they are made; return the exit status."""
    checks: list[Check] = []
    for one in found:
        checks.append(one)
        if not as_json:
            click.echo("\n".join(_lines(one)))
    worst = max((one.verdict for one in checks), default=Verdict.PASS)
    if as_json:
        echo_json(
            {"server": server, "verdict": worst.name.lower(), "checks": list(map(_as_json, checks))}
        )
    else:
        click.echo(f"\n{summary[worst]}")
    return worst.value


def _lines(check: Check) -> Iterator[str]:
    """Return one check: verdict, name and words in columns."""
    texts = [check.found]
    if check.windows is not None:
        number = check.windows.code
        if check.windows.decimal != number:
            number += f" ({check.windows.decimal})"
        texts.append(f"Windows: {number} {check.windows.text}")
    if check.remedy:
        texts.append(f"fix: {rendered(check.remedy, blank=UNBROKEN)}")
    verdict = click.style(check.verdict.name.lower(), fg=_COLOURS[check.verdict])
    head = f"{verdict}  {check.name:{_NAME}}  "
    yield from in_columns(head, texts, _MARGIN)


def _as_json(one: Check) -> dict[str, Any]:
    windows = one.windows
    return {
        "check": one.name,
        "verdict": one.verdict.name.lower(),
        "found": one.found,
        "fix": rendered(one.remedy),
        "code": None if windows is None else windows.code,
        "decimal": None if windows is None else int(windows.decimal),
        "windows": None if windows is None else windows.text,
    }
