"""``sstpca service``: the VPN as a service of this machine."""

from collections.abc import Callable
from typing import Any, Final

import click

from ..errors import InvalidInput
from ..vpn.service import KINDS, Installed, Part
from .context import Context
from .options import json_option, open_firewall_option
from .output import echo_json, pairs, talk, warn
from .usage import Group

Command = Callable[..., Any]

#: as systemctl has it, for a service that does not run
_NOT_RUNNING: Final = 3

_kind_option: Callable[[Command], Command] = click.option(
    "--init",
    "kind",
    type=click.Choice(KINDS),
    help="What starts services, where it is not what manages this machine now.",
)


@click.group(cls=Group)
def service() -> None:
    """Have the machine start the VPN server, and renew and back up by timers.

    \b
        sstpca service install --dry-run
        sstpca service install
        sstpca service status
    """


@service.command()
@click.option("--dry-run", is_flag=True, help="Only print the files that would be written.")
@click.option(
    "--socket",
    is_flag=True,
    help="Have systemd listen for the server; one that runs is restarted for it.",
)
@open_firewall_option
@_kind_option
@click.pass_obj
def install(
    context: Context, dry_run: bool, socket: bool, open_firewall: bool, kind: str | None
) -> None:
    """Write what the service needs, and start it.

    That is the server, a daily renewal of certificates that end within 30 days, and a daily backup
    (below [backup] in settings.toml). With systemd these are units, confined to what they need;
    without it an init script, and a file for cron. It can be run again after every change; a server
    that runs goes on.

    \b
        sstpca service install --dry-run
        sstpca --home /srv/vpn service install
        sstpca service install --socket
    """
    if socket and kind == "sysvinit":
        raise InvalidInput("--socket is for systemd")
    verb = context.vpn.service.plan if dry_run else context.vpn.service.install
    made = verb(kind, socket=socket, open_firewall=open_firewall)
    for file in made.written:
        click.echo(f"# {file.path}\n{file.content.decode()}" if dry_run else file.path)
    for path in made.removed:
        talk(f"{path} {'would go' if dry_run else 'is gone'}")
    if not made.written and not made.removed:
        talk("nothing to write: it is installed already")
    _report(made, dry_run=dry_run)


def _report(made: Installed, *, dry_run: bool) -> None:
    for what, remedy in made.warnings:
        warn(what, ": ", *remedy)
    if dry_run:
        talk(f"nothing was changed; it would be started by {made.manager}")
        return
    if made.passphrase:
        talk(
            f"the backups' passphrase is in {made.passphrase}: keep a copy elsewhere; without it, "
            "nobody can open them"
        )
    if made.outdated:
        talk("the server runs on as it was started; a restart has it follow what changed")
    talk(f"the server runs, and starts with this machine by {made.manager}")


@service.command()
@json_option("array")
@_kind_option
@click.pass_obj
def status(context: Context, as_json: bool, kind: str | None) -> None:
    """Say whether server, renewal and backup are installed and run; exit status 3 if one does not.

    \b
        sstpca service status
        sstpca service status --json
    """
    parts = context.vpn.service.parts(kind)
    if as_json:
        echo_json([_as_json(part) for part in parts])
    else:
        click.echo(pairs((part.what, _words(part)) for part in parts))
    if not all(part.installed and part.running for part in parts):
        raise click.exceptions.Exit(_NOT_RUNNING)


def _as_json(part: Part) -> dict[str, object]:
    return {
        "part": part.what,
        "name": part.name,
        "installed": part.installed,
        "running": part.running,
        "state": part.state,
        "detail": part.detail,
    }


def _words(part: Part) -> str:
    if not part.installed:
        return "not installed"
    detail = f" ({part.detail})" if part.detail else ""
    return f"{part.state or 'unknown'}: {part.name}{detail}"


@service.command()
@_kind_option
@click.pass_obj
def uninstall(context: Context, kind: str | None) -> None:
    """End the service, and remove what it needed. The home and its backups stay.

    \b
        sstpca service uninstall
    """
    gone = context.vpn.service.uninstall(kind)
    for path in gone:
        click.echo(path)
    talk(
        "the service is gone; the home is as it was" if gone else "there is no service of this home"
    )
