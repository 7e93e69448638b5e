"""``sstpca session trace``: the packets of one session, for Wireshark."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ..errors import InvalidInput, command
from .context import Context
from .options import force_option
from .output import counted, talk
from .session import session
from .usage import Command


@session.command(cls=Command)
@click.option("--user", help="The sessions of this user, and the next logins.")
@click.option(
    "--session", "number", type=click.IntRange(min=1), metavar="NUMBER", help="This session."
)
@click.option(
    "--write",
    "path",
    type=click.Path(path_type=Path, dir_okay=False, readable=False),
    required=True,
    metavar="FILE",
    help="The file to write (pcapng).",
)
@click.option(
    "--seconds",
    type=click.IntRange(1, 86_400),
    default=60,
    show_default=True,
    help="End after that time; Ctrl-C ends it before.",
)
@click.option(
    "--bytes",
    "octets",
    type=click.IntRange(1000, 1_000_000_000),
    default=10_000_000,
    show_default=True,
    help="End with a file of that size.",
)
@click.option(
    "--payload", is_flag=True, help="Also what IP packets carry, not their headers alone."
)
@force_option
@click.pass_obj
def trace(
    context: Context,
    user: str | None,
    number: int | None,
    path: Path,
    seconds: int,
    octets: int,
    payload: bool,
    force: bool,
) -> None:
    """Write the SSTP and PPP packets of one session into a file for Wireshark.

    They are as they were inside of TLS, in both directions. What would help to find a password is
    left out: proofs of passwords, PAP's password, EAP-TLS, the MAC of the crypto binding. With --user,
    the next login is there from its first packet on.

    \b
        sstpca session trace --user alice --write alice.pcapng
        sstpca session trace --session 17 --write 17.pcapng --seconds 10 --payload
    """
    if (user is None) == (number is None):
        raise InvalidInput(
            "say whose packets: --user NAME, or --session NUMBER",
            *("'", command("session list"), "' shows them"),
        )
    tracing = context.vpn.sessions.trace(
        path,
        user=user or "",
        session=number or 0,
        seconds=seconds,
        octets=octets,
        payload=payload,
        force=force,
    )
    with _interruptible():
        packets = tracing.run(lambda: talk(f"writing for {seconds} s; Ctrl-C ends it before"))
    talk(counted(packets, "packet"))
    click.echo(path)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Have SIGTERM end it as Ctrl-C does, so that the file is whole in either case."""
    before: Any = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
