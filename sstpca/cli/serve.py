"""sstpca serve."""

import click

from .. import serving
from .context import Context


@click.command()
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
    serving.serve(context.home(), context.settings(), log_format)
