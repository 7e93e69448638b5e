"""What can be called across the socket: the public methods of the contracts, by their annotations."""

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..contracts import CertificateRefused, SessionRefused
from ..errors import ServerError
from ..net.tun import Descriptor
from .codec import Codec, codec_of, together

#: Exceptions of the contracts that are no more than what they say.
_REFUSALS: Final = {"certificate": CertificateRefused, "session": SessionRefused}


@dataclass(frozen=True, slots=True)
class Procedure:
    """One method of an object that the keeper has.

    :param name: of the object, a dot, and that of the method.
    :param parameters: their names, in order.
    :param positional: how many of them are given by position; the rest are keyword-only.
    :param defaults: of those that may be left out.
    :param arguments: codec of all of them, in that order.
    :param answer: codec of what it returns.
    :param descriptor: where in the answer there is a descriptor; -1: nowhere.
    """

    name: str
    parameters: tuple[str, ...]
    positional: int
    defaults: Mapping[str, Any]
    arguments: Codec
    answer: Codec
    descriptor: int = -1

    def in_order(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
        """Return all arguments in the order of the parameters."""
        rest = self.parameters[len(args) :]
        return [*args, *(kwargs[n] if n in kwargs else self.defaults[n] for n in rest)]

    def make(self, method: Callable[..., Any], arguments: list[Any]) -> Any:
        """Procedure the method with all arguments, in the order of the parameters."""
        end = self.positional
        named = dict(zip(self.parameters[end:], arguments[end:], strict=True))
        return method(*arguments[:end], **named)


def calls_of(name: str, kind: type) -> dict[str, Procedure]:
    """Return the calls of an object called ``name``, by the methods' names.

    :param kind: its class or protocol.
    """
    methods = inspect.getmembers(kind, inspect.isfunction)
    return {
        method: _call(f"{name}.{method}", function)
        for method, function in methods
        if not method.startswith("_")
    }


def _call(name: str, function: Any) -> Procedure:
    hints = typing.get_type_hints(function)
    answer = hints.pop("return")
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return Procedure(
        name,
        tuple(one.name for one in parameters),
        sum(one.kind is not one.KEYWORD_ONLY for one in parameters),
        {one.name: one.default for one in parameters if one.default is not one.empty},
        together(list, [hints[one.name] for one in parameters]),
        codec_of(answer),
        _place(answer),
    )


def _place(answer: Any) -> int:
    hints = typing.get_type_hints(answer) if isinstance(answer, type) else {}
    return list(hints.values()).index(Descriptor) if Descriptor in hints.values() else -1


class KeeperError(Exception):
    """Something failed in the keeper that the contract has no exception for; its trace is a note."""


def describe(error: Exception, trace: str) -> tuple[str, str, str]:
    """Return an exception as a message has it: what it is, what it says, and what goes with that."""
    if isinstance(error, ServerError):
        return "server", str(error), error.hint
    for kind, refusal in _REFUSALS.items():
        if isinstance(error, refusal):
            return kind, str(error), ""
    return "other", str(error), trace


def exception_of(kind: str, message: str, more: str) -> Exception:
    """Return the exception that :func:`describe` has described."""
    if kind == "server":
        return ServerError(message, more)
    if kind in _REFUSALS:
        return _REFUSALS[kind](message)
    error = KeeperError(message)
    error.add_note(more)
    return error
