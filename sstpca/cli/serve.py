"""sstpca serve."""

import click

from .context import Context
from .usage import Command


@click.command(cls=Command)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    help="Log lines for people, or a JSON object a line for machines.",
)
@click.pass_obj
def serve(context: Context, log_format: str) -> None:
    """Run the VPN server, until SIGTERM or Ctrl-C.

    It needs root (or CAP_NET_ADMIN), /dev/net/tun and the program nft. The log goes to standard
    error.

    \b
        sstpca serve
        sstpca --home /srv/vpn serve --log-format json
    """
    # pyroute2 takes a fifth of a second to import, and only serving needs it
    from ..serving import serve as run

    run(context.home(), context.settings(), log_format)
