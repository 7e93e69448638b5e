"""What a setting may be, and when a change of it takes effect."""

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Kind:
    """What values a setting may have.

    :param words: what it has to be, for messages.
    :param fits: whether a value, as TOML has it, is one.
    """

    words: str
    fits: Callable[[Any], bool]


def whole(least: int, most: int) -> Kind:
    """Whole numbers from ``least`` to ``most``."""
    # True is an int for Python, and none for TOML
    return Kind(
        f"a whole number from {least} to {most}",
        lambda value: type(value) is int and least <= value <= most,
    )


def matching(pattern: re.Pattern[str], words: str) -> Kind:
    """Texts that are as ``pattern`` has it."""
    return Kind(words, lambda value: isinstance(value, str) and bool(pattern.fullmatch(value)))


def one_of(*values: str) -> Kind:
    """One of these texts."""
    return Kind(" or ".join(f'"{one}"' for one in values), lambda value: value in values)


def texts(least: int, words: str) -> Kind:
    """Lists of texts, ``least`` of them or more."""
    return Kind(
        words,
        lambda value: (
            isinstance(value, list)
            and len(value) >= least
            and all(isinstance(one, str) for one in value)
        ),
    )


#: any text
TEXT: Final = Kind('a text in quotes: "..."', lambda value: isinstance(value, str))
TRUTH: Final = Kind("true or false", lambda value: isinstance(value, bool))


@enum.unique
class Effect(enum.Enum):
    """When a setting that was changed takes effect on a server that runs.

    ``LOGIN``: once it is told to reload, for logins from then on. ``RESTART``: when it is restarted,
    for all sessions. ``START``: when it is stopped and started. ``OTHERS``: it has no part in it.
    """

    LOGIN = "at the next login"
    RESTART = "at a restart"
    START = "when the server is stopped and started"
    OTHERS = "for what other commands make from now on"


def setting(default: Any, kind: Kind, effect: Effect = Effect.LOGIN) -> Any:
    """Return the field of a dataclass for one setting."""
    return field(default=default, metadata={"kind": kind, "effect": effect})
