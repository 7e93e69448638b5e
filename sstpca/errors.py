"""What the toolkit raises on purpose: each is one clear line, and what to do about it as data."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias


@dataclass(frozen=True, slots=True)
class Command:
    """A command of this program that a remedy names; made by :func:`command`.

    :param words: what is typed behind the program's name, quoted for a shell.
    """

    words: str

    def __str__(self) -> str:
        """Return it as it is typed for the home that needs not be named."""
        return f"sstpca {self.words}"


def command(words: str, *arguments: str) -> Command:
    """Return the command ``user passwd {}``, each {} filled with one of the ``arguments``.

    :param words: a constant, which the tests look for among the commands that there are.
    """
    return Command(words.format(*map(shlex.quote, arguments)))


def joined(between: str, commands: Iterable[Command]) -> list[str | Command]:
    """Return the part of a remedy that has several commands, with that text ``between`` them."""
    return [part for one in commands for part in (between, one)][1:]


@dataclass(frozen=True, slots=True)
class Option:
    """An option of the command that failed, for a remedy; made by :func:`option`.

    :param name: with its dashes.
    """

    name: str

    def __str__(self) -> str:
        """Return it as it is typed."""
        return self.name


def option(name: str) -> Option:
    """Return the option ``--force``, which the tests look for among those that there are."""
    return Option(name)


#: What to do, in one line: text, and the commands and options in it. Whoever shows it knows how
#: these are called.
Remedy: TypeAlias = tuple[str | Command | Option, ...]


class SstpcaError(Exception):
    """A failure the operator can act on.

    The command line prints ``error: <message>`` and, when there is one, the remedy, without a
    traceback, and exits with :attr:`exit_code`.

    :param message: what is wrong, in one line.
    :param remedy: what to do about it, in one line: text, and commands of this program.
    :cvar code: tells programs what kind of failure it is; it stays as it is.
    """

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *remedy: str | Command | Option) -> None:
        super().__init__(message)
        self.remedy: Remedy = remedy

    @property
    def hint(self) -> str:
        """The remedy as text; empty if there is none."""
        return "".join(map(str, self.remedy))


class InvalidInput(SstpcaError):
    """A value given by the operator cannot be used as it is."""

    code = "invalid-input"
    exit_code = 2


class NotFound(SstpcaError):
    """What was named is not there."""

    code = "not-found"


class Exists(SstpcaError):
    """Something is there already, and stays as it is."""

    code = "exists"


class NameTaken(Exists, InvalidInput):
    """A name that was given is another one's."""


class InUse(SstpcaError):
    """Somebody else has it just now, or depends on it."""

    code = "in-use"


class Refused(SstpcaError):
    """It could be done, and must not be: what it leads to would not work, or not be safe."""

    code = "refused"


class Damaged(SstpcaError):
    """What is kept cannot be read, or does not fit together."""

    code = "damaged"


class WrongPassphrase(SstpcaError):
    """The passphrase or password that was given, or none, does not open it."""

    code = "wrong-passphrase"


class Unavailable(SstpcaError):
    """The file system, the database or the network does not give what is needed now."""

    code = "unavailable"
