"""Options that several groups of commands have."""

import functools
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from ..vpn.certificates import KEY_TYPES

Command = Callable[..., Any]

passphrase_option: Callable[[Command], Command] = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, readable=False),
    help="A file with the passphrase of the authority's key.",
)
yes_option: Callable[[Command], Command] = click.option("--yes", is_flag=True, help="Do not ask.")
force_option: Callable[[Command], Command] = click.option(
    "--force", is_flag=True, help="Replace what is there already."
)
open_firewall_option: Callable[[Command], Command] = click.option(
    "--open-firewall",
    is_flag=True,
    help="Have ufw, firewalld, Docker's rules and other tables let the VPN through while it runs.",
)
output_option: Callable[[Command], Command] = click.option(
    "--output",
    type=click.Path(path_type=Path, readable=False, allow_dash=True),
    metavar="PATH",
    help="Where to write it; '-' is standard output.",
)


def password_file_option(text: str) -> Callable[[Command], Command]:
    """Return the option that names a file with a password."""
    return click.option(
        "--password-file", type=click.Path(path_type=Path, readable=False), help=text
    )


def key_type_option(default: str | None) -> Callable[[Command], Command]:
    """Return the option for the kind of a new key; without a default it stays as it was."""
    return click.option(
        "--key-type",
        type=click.Choice(KEY_TYPES),
        default=default,
        show_default=default is not None,
        help="The kind of key: rsa is rsa-2048, ecdsa is ecdsa-p256."
        + ("" if default else "  [default: as before]"),
    )


def json_option(what: str) -> Callable[[Command], Command]:
    """Return ``--json``, which prints ``what`` ("array", "object") in place of words."""
    article = "An" if what[0] in "aeiou" else "A"
    return click.option(
        "--json", "as_json", is_flag=True, help=f"{article} JSON {what} for machines."
    )


def gathered(kind: type[Any], name: str) -> Callable[[Command], Command]:
    """Give a command the options that are fields of the dataclass ``kind`` as one argument ``name``."""

    def decorate(function: Command) -> Command:
        @functools.wraps(function)
        def wrapped(*args: Any, **given: Any) -> Any:
            own = {one.name: given.pop(one.name) for one in fields(kind)}
            return function(*args, **given, **{name: kind(**own)})

        return wrapped

    return decorate
