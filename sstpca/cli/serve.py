"""sstpca serve."""

import click

from ..errors import InvalidInput
from .context import Context
from .options import open_firewall_option
from .serve_check import report
from .serving_log import FORMATS, begin
from .usage import Command


@click.command(cls=Command)
@click.option(
    "--log-format",
    type=click.Choice(FORMATS),
    help="Lines for people, a JSON object a line, systemd's journal, or syslog.  "
    "[default: the journal under systemd, else text]",
)
@click.option(
    "--syslog",
    metavar="ADDRESS",
    help="Where syslog is: /dev/log, a host, or host:port (UDP).",
)
@open_firewall_option
@click.option("--check", is_flag=True, help="Only say whether it would start; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="What --check says as a JSON array.")
@click.pass_obj
def serve(
    context: Context,
    log_format: str | None,
    syslog: str | None,
    open_firewall: bool,
    check: bool,
    as_json: bool,
) -> None:
    """Run the VPN server, until SIGTERM or Ctrl-C.

    It needs root (or CAP_NET_ADMIN), /dev/net/tun and the program nft. The log goes to standard
    error, under systemd to its journal; and so does what keeps it from starting, in the same form.
    'sstpca log' shows what it says of one user or session.

    Other firewalls of this machine (ufw, firewalld, Docker's rules, tables of nftables) that shut the
    VPN out are named in the log, with the commands that let it through.

    \b
        sstpca serve
        sstpca serve --open-firewall
        sstpca --home /srv/vpn serve --log-format json
        sstpca serve --syslog 192.0.2.53
        sstpca serve --check
    """
    if check:
        report(context, as_json=as_json)
        return
    if as_json:
        raise InvalidInput("--json is for --check; the log is JSON with --log-format json")
    with begin(context.home_path, log_format, syslog):
        context.vpn.serve(
            open_firewall=open_firewall,
            arguments=_arguments(context, log_format, syslog, open_firewall=open_firewall),
        )


def _arguments(
    context: Context, log_format: str | None, syslog: str | None, *, open_firewall: bool
) -> list[str]:
    """Return what was typed, for the program that takes over one day."""
    given = [("--log-format", log_format), ("--syslog", syslog)]
    options = [part for name, value in given if value is not None for part in (name, value)]
    return [*serving(context), *options, *(["--open-firewall"] if open_firewall else [])]


def serving(context: Context) -> list[str]:
    """Return the arguments that serve this home."""
    return ["--home", str(context.vpn.home.root.resolve()), "serve"]
