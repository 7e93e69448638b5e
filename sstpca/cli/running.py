"""sstpca reload, restart and drain."""

import time

import click

from ..access.quantities import duration_text, parse_duration
from ..errors import command
from .context import Context
from .options import json_option
from .output import counted, echo_json, talk
from .usage import Command

#: Seconds between two looks at how many sessions are left.
_LOOK = 1.0


@click.command(cls=Command)
@json_option("object")
@click.pass_obj
def reload(context: Context, as_json: bool) -> None:
    """Have the server that runs go by settings.toml as it is now; no session ends.

    Each setting that is different is named, with when it takes effect: at the next login, at
    'sstpca restart', or when the server is stopped and started. Sessions go on as they were begun.
    A file with a mistake in it changes nothing. SIGHUP does the same, and says so in the log.

    \b
        sstpca reload
    """
    effects = context.vpn.running.reload()
    if as_json:
        echo_json(effects)
        return
    for name, effect in effects.items():
        click.echo(f"{name}: {effect}")
    if not effects:
        talk("nothing has changed")
    if any(effect == "at a restart" for effect in effects.values()):
        talk("'", command("restart"), "' has that take effect, and ends no session")


@click.command(cls=Command)
@click.option(
    "--within",
    metavar="TIME",
    default="1d",
    show_default=True,
    help="When sessions of now are ended that have not ended by themselves.",
)
@json_option("object")
@click.pass_obj
def restart(context: Context, within: str, as_json: bool) -> None:
    """Have this program take over from the server that runs; no session ends.

    For another release that was installed, and for settings that take a restart. It checks first that
    it would start. Then it is the server, in the same process: whoever connects meanwhile is served,
    and sessions stay with the workers that they have, to their end or to the end of that TIME.

    \b
        sstpca restart
        sstpca restart --within 30m
    """
    found = context.vpn.running.restart(within=parse_duration(within))
    if as_json:
        echo_json({"version": found.version, "earlier": found.earlier})
        return
    told = f"sstpca {found.version} has taken over"
    if found.earlier:
        told += (
            f"; {counted(found.earlier, 'worker')} of before "
            f"{'stays' if found.earlier == 1 else 'stay'} until the last session has ended, "
            f"{duration_text(parse_duration(within))} at most"
        )
    click.echo(told)


@click.command(cls=Command)
@click.option(
    "--within",
    metavar="TIME",
    default="1h",
    show_default=True,
    help="When sessions are ended that have not ended by themselves.",
)
@click.option("--no-wait", is_flag=True, help="Do not wait until no session is left.")
@click.pass_obj
def drain(context: Context, within: str, no_wait: bool) -> None:
    """Have the server take no new connections, and wait for the end of its sessions.

    For a machine that is to be taken down. Its port is closed, so that users connect to another
    server, and what a balancer asks for says that it drains. Sessions go on until they end, or until
    the end of that TIME. The server itself runs on, empty; 'sstpca restart' has it take logins again.

    \b
        sstpca drain --within 30m && poweroff
    """
    seconds = parse_duration(within)
    running = context.vpn.running
    running.drain(within=seconds)
    left = running.sessions()
    ended = f"those that are left are ended in {duration_text(seconds)}"
    click.echo(f"draining: {counted(left, 'session')} left" + (f"; {ended}" if left else ""))
    if no_wait:
        return
    before = left
    while (state := running.state()) is not None and state.earlier:
        time.sleep(_LOOK)
        if (left := running.sessions()) != before:
            before = left
            click.echo(f"{counted(left, 'session')} left")
    click.echo("drained: the machine can be taken down")
