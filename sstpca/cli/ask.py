"""Secrets from the person at the terminal, a pipe or a file; never from the command line."""

import os
import sys
from pathlib import Path
from typing import Final

import click

from ..errors import InvalidInput
from ..home import read_file
from ..pki.keys import check_passphrase
from ..secrets import check_password, generate_password

PASSPHRASE_VARIABLE: Final = "SSTPCA_CA_PASSPHRASE"  # noqa: S105 a name, not a secret

# a file or pipe that goes on after this is none with a password in it
_READ_MAX: Final = 4096


def interactive() -> bool:
    """Return whether somebody is there to answer."""
    return sys.stdin.isatty()


def password(name: str, *, from_stdin: bool, generate: bool) -> str:
    """Return the password for the user ``name``: read, made, or asked for twice.

    :raises InvalidInput: if it cannot be used, or there is nobody to ask.
    """
    if from_stdin and generate:
        raise InvalidInput("--password-stdin and --generate exclude each other")
    if generate:
        return generate_password()
    if from_stdin:
        return check_password(_text(sys.stdin.buffer.read(_READ_MAX), "the password"))
    if not interactive():
        raise InvalidInput(
            "there is no terminal to ask for a password",
            "give it on standard input with --password-stdin, or let --generate make one",
        )
    return check_password(_prompt(f"Password for {name}"))


def new_passphrase(file: Path | None, none: bool) -> bytes | None:
    """Return the passphrase for a new authority's key; None if it is to have none.

    Options come before SSTPCA_CA_PASSPHRASE, and that before a question.

    :raises InvalidInput: if it cannot be used, or none is given and there is nobody to ask.
    """
    if none and file is not None:
        raise InvalidInput("--passphrase-file and --no-passphrase exclude each other")
    if none:
        return None
    if file is not None:
        content = read_file(file, "the passphrase file")
        return check_passphrase(_text(content[:_READ_MAX], "the passphrase"))
    text = os.environ.get(PASSPHRASE_VARIABLE)
    if text is not None:
        return check_passphrase(text)
    if not interactive():
        raise InvalidInput(
            "there is no passphrase for the authority's key",
            f"set {PASSPHRASE_VARIABLE}, or say --passphrase-file FILE or --no-passphrase",
        )
    return check_passphrase(_prompt("Passphrase for the authority's key"))


def confirm(question: str, *, yes: bool) -> bool:
    """Return whether to go on; ``yes`` was given on the command line.

    :raises InvalidInput: if it was not and there is nobody to ask.
    """
    if yes:
        return True
    if not interactive():
        raise InvalidInput("there is no terminal to ask first", "say --yes if you mean it")
    return click.confirm(question, err=True)


def _prompt(question: str) -> str:
    answer: str = click.prompt(question, hide_input=True, confirmation_prompt=True, err=True)
    return answer


def _text(content: bytes, what: str) -> str:
    """Return the line in ``content``, without its end."""
    try:
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise InvalidInput(f"{what} is not valid UTF-8 text") from None
