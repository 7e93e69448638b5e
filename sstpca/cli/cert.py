"""``sstpca cert``: look at the certificates."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import click

from ..errors import SstpcaError
from ..home import Home
from ..pki.authority import load_ca_certificate
from ..pki.describe import Description, describe
from ..pki.identity import load_identity, load_server_certificate
from .context import Context
from .output import echo_json, iso, pairs, warn


@click.group()
def cert() -> None:
    """Look at the authority's and the server's certificate.

    \b
        sstpca cert show
    """


@cert.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON object for machines.")
@click.pass_obj
def show(context: Context, as_json: bool) -> None:
    """Show both certificates, and what Windows would object to.

    \b
        sstpca cert show
        sstpca cert show --json
    """
    home, now = context.home(), datetime.now(UTC)
    authority = describe(load_ca_certificate(home), now)
    server = describe(load_server_certificate(home), now)
    if as_json:
        echo_json({"authority": _as_json(authority), "server": _as_json(server)})
    else:
        click.echo(f"Authority ({home.ca_certificate})")
        click.echo(pairs(_lines(authority), indent="  "))
        click.echo(f"\nServer ({home.server_identity})")
        click.echo(pairs(_lines(server), indent="  "))
    _warn_of(home)


def _warn_of(home: Home) -> None:
    try:
        load_identity(home)
    except SstpcaError as error:
        warn(str(error))


def _lines(one: Description) -> list[tuple[str, str]]:
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
