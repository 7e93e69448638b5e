"""sstpca serve."""

import contextlib
from typing import Literal

import click

from sstpca.server import log

from .context import Context
from .edge import edge
from .usage import Command


@click.command(cls=Command)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    help="Log lines for people, or a JSON object a line for machines.",
)
@click.pass_obj
def serve(context: Context, log_format: Literal["text", "json"]) -> None:
    """Run the VPN server, until SIGTERM or Ctrl-C.

    It needs root (or CAP_NET_ADMIN), /dev/net/tun and the program nft. The log goes to standard
    error, and so does what keeps it from starting, in the same form.

    \b
        sstpca serve
        sstpca --home /srv/vpn serve --log-format json
    """
    log.set_up(log_format)
    with edge(_log) if log_format == "json" else contextlib.nullcontext():
        context.vpn.serve()


def _log(message: str, hint: str) -> None:
    log.LOGGER.error("%s", message, extra={"hint": hint} if hint else {})
