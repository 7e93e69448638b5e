"""Secrets from the person at the terminal, a pipe or a file; never from the command line."""

import getpass
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from ..disk.reading import STANDARD_INPUT, decode, read_file, shown
from ..errors import InvalidInput, SstpcaError
from ..names import quoted
from ..secrets import (
    check_new_passphrase,
    check_passphrase,
    check_password,
    generate_password,
)

PASSPHRASE_VARIABLE: Final = "SSTPCA_CA_PASSPHRASE"  # noqa: S105 a name, not a secret

# a file or pipe that goes on after this is none with a password in it
_READ_MAX: Final = 64 << 10
_NAMES_MAX: Final = 16 << 20


def password_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where a user's password comes from."""
    stdin = click.option(
        "--password-stdin", "from_stdin", is_flag=True, help="Read it from standard input."
    )
    generate = click.option("--generate", is_flag=True, help="Make one, and print it once.")
    return stdin(generate(command))


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
        return check_password(from_file(STANDARD_INPUT, "the password"))
    if not interactive():
        raise InvalidInput(
            "there is no terminal to ask for a password",
            "give it on standard input with --password-stdin, or let --generate make one",
        )
    return check_password(secret(f"Password for {name}", twice=True))


def login_password(name: str, *, from_stdin: bool) -> str:
    """Return the password that ``name`` has at some server: read, or asked for once.

    :raises InvalidInput: if there is nobody to ask.
    """
    if from_stdin:
        return from_file(STANDARD_INPUT, "the password")
    if not interactive():
        raise InvalidInput(
            "there is no terminal to ask for a password",
            "give it on standard input with --password-stdin",
        )
    return secret(f"Password of {name}", twice=False)


@dataclass(frozen=True, slots=True)
class NewKey:
    """What was said about the passphrase for a new authority's key."""

    passphrase_file: Path | None
    no_passphrase: bool

    def passphrase(self) -> bytes | None:
        """Return the passphrase; None if the key is to have none.

        Options come before SSTPCA_CA_PASSPHRASE, and that before a question.

        :raises InvalidInput: if it cannot be used, or none is given and there is nobody to ask.
        """
        if self.no_passphrase and self.passphrase_file is not None:
            raise InvalidInput("--passphrase-file and --no-passphrase exclude each other")
        if self.no_passphrase:
            return None
        given = _given(self.passphrase_file, check_new_passphrase)
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


def passphrase(file: Path | None, *, following: bool = False) -> Callable[[], bytes]:
    """Return who asks for the passphrase of the authority's key, if that has one.

    The option comes before SSTPCA_CA_PASSPHRASE, and that before a question.

    :param following: whether the next authority's is meant.
    """

    def asked() -> bytes:
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

    return asked


def names(source: str) -> list[str]:
    """Return the names in a file, one a line, or on standard input for "-".

    Blank lines do not count, nor do those that begin with #.

    :raises SstpcaError: if it cannot be read, is too long, or has none.
    """
    text = read_text(Path(source), "the list of names", _NAMES_MAX)
    lines = [line.strip() for line in text.splitlines()]
    found = [line for line in lines if line and line[0] != "#"]
    for line in found:
        if ";" in line or "\t" in line:
            what = f"{quoted(line)} is more than a name"
            raise InvalidInput(what, "give one name a line, without other columns of a table")
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
    while True:
        answer = visible(f"{question} [y/N]: ").strip().lower()
        if answer in ("y", "yes"):
            return True
        if answer in ("", "n", "no"):
            return False


def from_file(path: Path, what: str) -> str:
    """Return the line in the file ``path`` without its end, whoever's system wrote that.

    :param what: names it in the error.
    :raises SstpcaError: if it cannot be read, or is no text.
    """
    what = what if path == STANDARD_INPUT else f"{what} file"
    text = read_text(path, what, _READ_MAX)
    return text.removesuffix("\n").removesuffix("\r")


def secret(question: str, *, twice: bool) -> str:
    """Return the answer to ``question``, which does not appear on the terminal.

    :param twice: whether it is a new one, and a slip would not be noticed.
    """
    while True:
        answer = hidden(f"{question}: ")
        if answer and (not twice or answer == hidden("Repeat for confirmation: ")):
            return answer
        if answer:
            click.echo("the two are not the same; once more", err=True)


# not click's questions: they put a blank on standard output, which is for results
def visible(question: str) -> str:
    """Ask on standard error; return the line that was typed.

    :raises click.Abort: if there is none (Ctrl-D).
    """
    click.echo(question, nl=False, err=True)
    line = sys.stdin.readline()
    if not line:
        click.echo(err=True)
        raise click.Abort
    return line.rstrip("\r\n")


def hidden(question: str) -> str:
    """Ask on the terminal; return the line that was typed, which does not appear there.

    :raises click.Abort: if there is none (Ctrl-D), or Ctrl-C.
    """
    try:
        return getpass.getpass(question, sys.stderr)
    except (EOFError, KeyboardInterrupt):
        click.echo(err=True)
        raise click.Abort from None


def read_text(path: Path, what: str, most: int) -> str:
    """Return the text in a file, or on standard input for "-".

    :param what: names it in the error.
    :param most: bytes that it may have.
    :raises SstpcaError: if it cannot be read, is too long, or is no text.
    """
    content = read_file(path, what, most=most)
    try:
        return decode(content, f"{what} {shown(path)}")
    except SstpcaError as error:
        raise InvalidInput(str(error), *error.remedy) from None
