"""``sstpca ca``: the authority itself."""

from pathlib import Path

import click

from ..vpn.authority import DAYS, common_name
from . import ask, rollover
from .cert import description
from .context import Context
from .init import init
from .options import passphrase_option
from .output import echo_json, iso, pairs, talk, warn
from .usage import Group


@click.group(cls=Group)
def ca() -> None:
    """Make, show and keep the authority.

    \b
        sstpca ca init vpn.example.com
        sstpca ca show
        sstpca ca rollover begin
    """


ca.add_command(init)
ca.add_command(rollover.group)


@ca.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON object for machines.")
@click.pass_obj
def show(context: Context, as_json: bool) -> None:
    """Show the authority, and how many certificates it has issued.

    \b
        sstpca ca show
    """
    authority = context.vpn.authority
    one, counts, key = authority.describe(), authority.counts(), authority.key_state()
    others = [(role, other) for role, other in authority.roles() if role != "issues"]
    if as_json:
        echo_json(
            {
                "subject": one.subject,
                "not_before": iso(one.not_before),
                "not_after": iso(one.not_after),
                "permitted": one.permitted,
                "excluded": one.excluded,
                "usages": one.usages,
                "sha256": one.sha256,
                "sha1": one.sha1,
                "private_key": key,
                "issued": counts,
                "others": [rollover.authority_json(role, other) for role, other in others],
            }
        )
        return
    home = context.vpn.home
    click.echo(f"Authority ({home.ca_certificate})")
    issued = ", ".join(f"{count} {state}" for state, count in counts.items()) or "none"
    rows = [*description(one), ("private key", f"{key} ({home.ca_key})"), ("issued", issued)]
    for role, other in others:
        until = f"until {other.not_valid_after_utc:%Y-%m-%d}"
        rows.append((f"{role} authority", f"{common_name(other)}, {until}"))
    click.echo(pairs(rows, indent="  "))
    note = authority.note()
    if note:
        warn(*note)


@ca.command()
@click.option(
    "--days",
    type=click.IntRange(1, 366),
    default=DAYS,
    show_default=True,
    help="Until when the next list has to be there.",
)
@click.option(
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write into; by default the home.",
)
@passphrase_option
@click.pass_obj
def crl(context: Context, days: int, folder: Path | None, passphrase_file: Path | None) -> None:
    """Write the revocation list: ca.crl (DER) and ca.crl.pem.

    Nothing here needs it: Windows looks for none where a certificate names none, and this home's
    server asks the database. It is for certificates made with --cdp, and for other servers.

    \b
        sstpca ca crl
        sstpca ca crl --days 7 --output /var/www/html
    """
    written = context.vpn.authority.write_revocation_list(
        ask.passphrase(passphrase_file), days=days, folder=folder
    )
    for path in written.paths:
        click.echo(path)
    if written.former:
        talk(
            f"{written.former} more are revoked, of a former authority: it alone could sign a list "
            "with them"
        )
    talk(f"{written.count} revoked; make the next one before {written.next_update:%Y-%m-%d}")
