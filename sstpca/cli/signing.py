"""The options by which commands are given a code-signing key."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ..errors import InvalidInput
from . import ask

if TYPE_CHECKING:
    from ..vpn.bundles import Signer

PASSWORD_VARIABLE: Final = "SSTPCA_SIGN_PASSWORD"  # noqa: S105 a name, not a secret

Command = Callable[..., Any]

_sign_with: Callable[[Command], Command] = click.option(
    "--sign-with",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Sign the PowerShell scripts with this key: a .p12 file, or PEM with its certificate.",
)
_password_file: Callable[[Command], Command] = click.option(
    "--sign-password-file",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="A file with the password of that key.",
)


def sign_options(command: Command) -> Command:
    """Give ``command`` the fields of :class:`Signing`, for options.gathered."""
    return _sign_with(_password_file(command))


@dataclass(frozen=True, slots=True)
class Signing:
    """What was said about the key that signs scripts."""

    sign_with: Path | None
    sign_password_file: Path | None

    def signer(self) -> "Signer | None":
        """Return what signs the scripts; None if nobody asked for it.

        The password is taken from the option, from SSTPCA_SIGN_PASSWORD or, if the key has one and
        none is given, from a question.

        :raises SstpcaError: if the key cannot be used, or there is nobody to ask.
        """
        if self.sign_with is None:
            if self.sign_password_file is not None:
                raise InvalidInput("--sign-password-file without --sign-with means nothing")
            return None
        from ..vpn.bundles import Signer

        return Signer.load(self.sign_with, lambda path: _password(path, self.sign_password_file))


def _password(key: Path, file: Path | None) -> bytes:
    if file is not None:
        return ask.from_file(file, "the password").encode()
    given = os.environ.get(PASSWORD_VARIABLE)
    if given is not None:
        return given.encode()
    if not ask.interactive():
        raise InvalidInput(
            f"{key} has a password, and there is no terminal to ask for it",
            f"set {PASSWORD_VARIABLE}, or say --sign-password-file FILE",
        )
    return ask.secret(f"Password of {key}", twice=False).encode()
