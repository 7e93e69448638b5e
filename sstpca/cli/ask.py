"""Secrets from the person at the terminal, a pipe or a file; never from the command line."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from ..errors import InvalidInput
from ..home import Home, read_file
from ..pki.keys import check_new_passphrase, check_passphrase
from ..secrets import check_password, generate_password

PASSPHRASE_VARIABLE: Final = "SSTPCA_CA_PASSPHRASE"  # noqa: S105 a name, not a secret

# a file or pipe that goes on after this is none with a password in it
_READ_MAX: Final = 4096
_NAMES_MAX: Final = 16 << 20


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
    return check_password(secret(f"Password for {name}", twice=True))


def new_passphrase(file: Path | None, none: bool) -> bytes | None:
    """Return the passphrase for a new authority's key; None if it is to have none.

    Options come before SSTPCA_CA_PASSPHRASE, and that before a question.

    :raises InvalidInput: if it cannot be used, or none is given and there is nobody to ask.
    """
    if none and file is not None:
        raise InvalidInput("--passphrase-file and --no-passphrase exclude each other")
    if none:
        return None
    given = _given(file, check_new_passphrase)
    if given is not None:
        return given
    if not interactive():
        raise InvalidInput(
            "there is no passphrase for the authority's key",
            f"set {PASSPHRASE_VARIABLE}, or say --passphrase-file FILE or --no-passphrase",
        )
    return check_new_passphrase(secret("Passphrase for the authority's key", twice=True))


def _given(file: Path | None, check: Callable[[str], bytes]) -> bytes | None:
    """Return the passphrase that was given in ``file`` or the environment, if there is one."""
    if file is not None:
        return check(from_file(file, "the passphrase"))
    text = os.environ.get(PASSPHRASE_VARIABLE)
    return None if text is None else check(text)


def passphrase(home: Home, file: Path | None, *, following: bool = False) -> bytes | None:
    """Return the passphrase of the authority's key; None if the key has none.

    The option comes before SSTPCA_CA_PASSPHRASE, and that before a question.

    :param following: whether the next authority's is meant.
    :raises SstpcaError: if there is no key, the passphrase cannot be used, or there is nobody to
        ask.
    """
    key = home.next_ca_key if following else home.ca_key
    if b"ENCRYPTED" not in read_file(key, "the authority's key"):
        return None
    given = _given(file, check_passphrase)
    if given is not None:
        return given
    if not interactive():
        raise InvalidInput(
            "the authority's key has a passphrase, and there is no terminal to ask for it",
            f"set {PASSPHRASE_VARIABLE}, or say --passphrase-file FILE",
        )
    question = f"Passphrase of the {'next ' if following else ''}authority's key"
    return check_passphrase(secret(question, twice=False))


def key_state(home: Home) -> str:
    """Return how the authority's key is kept: "encrypted", "NOT encrypted" or "not here"."""
    try:
        return "encrypted" if b"ENCRYPTED" in home.ca_key.read_bytes() else "NOT encrypted"
    except OSError:
        return "not here"


def names(source: str) -> list[str]:
    """Return the names in a file, one a line, or on standard input for "-"; blank lines do not count.

    :raises SstpcaError: if it cannot be read, is too long, or has none.
    """
    if source == "-":
        content = sys.stdin.buffer.read(_NAMES_MAX + 1)
    else:
        content = read_file(Path(source), "the names")
    if len(content) > _NAMES_MAX:
        raise InvalidInput(f"there are more than {_NAMES_MAX >> 20} MiB of names")
    try:
        # a byte order mark is what Windows' editors put in front
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InvalidInput("the names are not valid UTF-8 text") from None
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise InvalidInput("there are no names", "give them one a line")
    return found


def confirm(question: str, *, yes: bool) -> bool:
    """Return whether to go on; ``yes`` was given on the command line.

    :raises InvalidInput: if it was not and there is nobody to ask.
    """
    if yes:
        return True
    if not interactive():
        raise InvalidInput("there is no terminal to ask first", "say --yes if you mean it")
    return click.confirm(question, err=True)


def from_file(path: Path, what: str) -> str:
    """Return the line in the file ``path``; ``what`` names it in the error.

    :raises SstpcaError: if it cannot be read, or is no text.
    """
    return _text(read_file(path, f"{what} file")[:_READ_MAX], what)


def secret(question: str, *, twice: bool) -> str:
    """Return the answer to ``question``, which does not appear on the terminal.

    :param twice: whether it is a new one, and a slip would not be noticed.
    """
    answer: str = click.prompt(question, hide_input=True, confirmation_prompt=twice, err=True)
    return answer


def _text(content: bytes, what: str) -> str:
    """Return the line in ``content``, without its end."""
    try:
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise InvalidInput(f"{what} is not valid UTF-8 text") from None
