"""``sstpca cert``: look at the certificates."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ..vpn.certificates import AUTHORITY, PREFIX_MIN, CertificateState, Description, Entry, describe
from ..vpn.transfer import write_public
from .context import Context
from .output import echo_json, iso, local, table, talk, warn
from .output import pairs as lines_of
from .usage import Group

_DAY = 86400


@click.group(cls=Group)
def cert() -> None:
    """Issue, show, renew and revoke certificates.

    \b
        sstpca cert issue user alice
        sstpca cert list
        sstpca cert renew --due 30d
    """


@cert.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that newer ones replaced.")
@click.option("--json", "as_json", is_flag=True, help="A JSON array for machines.")
@click.pass_obj
def list_(context: Context, everything: bool, as_json: bool) -> None:
    """List the certificates that were issued or taken in.

    SERIAL is the first digits of the serial number; 'sstpca cert show' takes them, and has them all.

    \b
        sstpca cert list
        sstpca cert list --all --json
    """
    found = context.vpn.certificates.all(everything=everything)
    now = datetime.now(UTC).timestamp()
    if as_json:
        echo_json([entry_json(one, now) for one in found])
        return
    headings = ("NAME", "PROFILE", "STATE", "ENDS", "DAYS", "SERIAL", "BY")
    click.echo(table(headings, [_row(one, now) for one in found], empty="there are none"))


def _row(one: Entry, now: float) -> tuple[str, ...]:
    state = one.state(now)
    left = str(int((one.not_after - now) // _DAY)) if state is CertificateState.VALID else "-"
    ends = f"{datetime.fromtimestamp(one.not_after, UTC):%Y-%m-%d}"
    return (
        one.name,
        one.profile,
        state.value,
        ends,
        left,
        one.serial[:PREFIX_MIN],
        one.requested_by or "-",
    )


def entry_json(one: Entry, now: float) -> dict[str, Any]:
    """Return ``one`` for machines; the certificate itself is left out."""
    return {
        "name": one.name,
        "profile": one.profile,
        "state": one.state(now).value,
        "serial": one.serial,
        "subject": one.subject,
        "names": list(one.names),
        "not_before": iso(one.not_before),
        "not_after": iso(one.not_after),
        "issued": iso(one.issued),
        "replaced": _maybe_iso(one.replaced),
        "revoked": _maybe_iso(one.revoked),
        "reason": one.reason,
        "sha256": one.sha256,
        "sha1": one.sha1,
        "issuer_sha256": one.issuer_sha256 or None,
        "requested_by": one.requested_by or None,
    }


def _maybe_iso(moment: float | None) -> str | None:
    return None if moment is None else iso(moment)


@cert.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="A JSON object for machines.")
@click.pass_obj
def show(context: Context, name: str | None, as_json: bool) -> None:
    """Show one certificate, or the authority's and the server's.

    NAME is what 'sstpca cert list' shows, a serial number, or the first eight digits or more of a
    fingerprint. Without it, these are shown, and what Windows would object to.

    \b
        sstpca cert show
        sstpca cert show alice
        sstpca cert show --json
    """
    if name is not None:
        _show_one(context, name, as_json)
        return
    home = context.vpn.home
    authority, shown = context.vpn.certificates.authority_and_server()
    if as_json:
        each = {name: _as_json(one) for name, one in shown.items()}
        echo_json({"authority": _as_json(authority), **each})
    else:
        click.echo(f"Authority ({home.ca_certificate})")
        click.echo(lines_of(description(authority), indent="  "))
        for pair, server in shown.items():
            click.echo(f"\nServer ({home.pair(pair)})")
            click.echo(lines_of(description(server), indent="  "))
    objection = context.vpn.certificates.objection()
    if objection is not None:
        warn(str(objection))


def _show_one(context: Context, name: str, as_json: bool) -> None:
    one, now = context.vpn.certificates.find(name), datetime.now(UTC)
    if as_json:
        echo_json(entry_json(one, now.timestamp()))
        return
    click.echo(f"{one.name} ({_place(context, one)})")
    rows = [
        ("profile", one.profile),
        ("state", _state(one, now.timestamp())),
        ("issued", f"{local(one.issued)}, asked by {one.requested_by or 'somebody'}"),
        *description(describe(one.certificate, now)),
    ]
    click.echo(lines_of(rows, indent="  "))


def _place(context: Context, one: Entry) -> str:
    path = context.vpn.certificates.place(one)
    if path is None:
        return "replaced; only the inventory has it"
    # of the authority's, it is clear that they are there
    return str(path) if path.exists() or one.profile == AUTHORITY else f"{path} is missing"


def _state(one: Entry, now: float) -> str:
    state = one.state(now)
    match state:
        case CertificateState.REVOKED:
            return f"revoked {local(one.revoked or now)}, {one.reason}"
        case CertificateState.REPLACED:
            return f"replaced {local(one.replaced or now)}"
        case _:
            return str(state.value)


@cert.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The file to write; by default standard output.",
)
@click.pass_obj
def calendar(context: Context, output: Path | None) -> None:
    """Make a calendar of what expires when, with alarms 30 days before.

    Calendar programs read it again after a renewal: the events move, and are not doubled.

    \b
        sstpca cert calendar --output certificates.ics
    """
    content, events = context.vpn.certificates.calendar()
    if output is None:
        click.echo(content, nl=False)
    else:
        write_public(content, output, force=True)
        talk(f"{events} events")
        click.echo(output)


def description(one: Description) -> list[tuple[str, str]]:
    """Return labels and values of ``one`` for people."""
    lines = [
        ("subject", one.subject),
        ("issuer", "itself" if one.issuer == one.subject else one.issuer),
        ("serial", one.serial),
        ("valid", f"{one.not_before:%Y-%m-%d} to {one.not_after:%Y-%m-%d} UTC, {_left(one)}"),
        ("key", one.key),
        ("usages", ", ".join(one.usages)),
    ]
    if one.authority:
        length = "no limit" if one.path_length is None else str(one.path_length)
        lines.append(("path length", length))
    for label, names in (
        ("names", one.names),
        ("permitted", one.permitted),
        ("excluded", one.excluded),
    ):
        lines += [(label if index == 0 else "", name) for index, name in enumerate(names)]
    return [*lines, ("SHA-256", one.sha256), ("SHA-1", f"{one.sha1} (Windows' thumbprint)")]


def _left(one: Description) -> str:
    if one.days_left < 0:
        return f"expired {-one.days_left} days ago" if one.days_left < -1 else "expired"
    return f"{one.days_left} days left"


def _as_json(one: Description) -> dict[str, Any]:
    times = {"not_before": iso(one.not_before), "not_after": iso(one.not_after)}
    return dataclasses.asdict(one) | times
