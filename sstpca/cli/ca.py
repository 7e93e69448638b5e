"""``sstpca ca``: the authority itself."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import click

from ..authority import revocation
from ..authority.authority import Authority, load_ca_certificate, note_on_purposes
from ..store import certificates
from ..store.certificates import Entry
from ..x509.describe import describe
from . import ask, rollover
from .cert import description, opened
from .cert_change import passphrase_option
from .context import Context
from .init import init
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
    home, store = opened(context)
    one = describe(load_ca_certificate(home), datetime.now(UTC))
    counts = _counts(certificates.list_all(store))
    key = ask.key_state(home)
    others = [(role, other) for role, other in rollover.roles(home) if role != "issues"]
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
    click.echo(f"Authority ({home.ca_certificate})")
    issued = ", ".join(f"{count} {state}" for state, count in counts.items()) or "none"
    rows = [*description(one), ("private key", f"{key} ({home.ca_key})"), ("issued", issued)]
    for role, other in others:
        until = f"until {other.not_valid_after_utc:%Y-%m-%d}"
        rows.append((f"{role} authority", f"{rollover.common_name(other)}, {until}"))
    click.echo(pairs(rows, indent="  "))
    note = note_on_purposes(home)
    if note:
        warn(note)


def _counts(entries: list[Entry]) -> dict[str, int]:
    now = datetime.now(UTC).timestamp()
    leaves = [one for one in entries if one.profile != certificates.AUTHORITY]
    return dict(sorted(Counter(one.state(now).value for one in leaves).items()))


@ca.command()
@click.option(
    "--days",
    type=click.IntRange(1, 366),
    default=revocation.DAYS,
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
    home, store = opened(context)
    authority = Authority.load(home, ask.passphrase(home, passphrase_file))
    now = datetime.now(UTC)
    written = revocation.write_list(home, store, authority, now, days=days, folder=folder)
    for path in written.paths:
        click.echo(path)
    if written.former:
        talk(
            f"{written.former} more are revoked, of a former authority: it alone could sign a list "
            "with them"
        )
    talk(f"{written.count} revoked; make the next one before {written.next_update:%Y-%m-%d}")
