"""Plain values as text, and back: what goes between a worker and its keeper.

A worker may have been taken over. What it says is read as JSON, by the standard library, and each
value must be of just the type that the contract states: nothing is converted, nothing left out or
added, no object is made but the contract's own. (Of the libraries for that, cattrs takes "5" for a
number, and msgspec knows no ``IPv4Address | IPv6Address``, which leases have.)
"""

import enum
import functools
import json
import types
import typing
from binascii import hexlify, unhexlify
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final, NoReturn

_ADDRESSES: Final = {IPv4Address: 4, IPv6Address: 16}
_NETWORKS: Final = {IPv4Network: 4, IPv6Network: 16}
_INT_MAX: Final = 2**63


class MalformedMessage(Exception):
    """What came is none of the messages that the contract has."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How values of one type are written.

    :param encode: returns what JSON has for a value.
    :param decode: the way back; raises ValueError, or TypeError, for what is no such value.
    """

    encode: Callable[[Any], object]
    decode: Callable[[Any], Any]


def _constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are no JSON


_WRITER: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False, allow_nan=False)
_READER: Final = json.JSONDecoder(parse_constant=_constant)


def write(value: object) -> bytes:
    """Return the text of what :meth:`Codec.encode` gave."""
    return _WRITER.encode(value).encode("ascii")


def read(text: bytes | bytearray | memoryview) -> list[Any]:
    """Return the list that a message is.

    :raises MalformedMessage: if it is none.
    """
    try:
        found = _READER.decode(str(text, "ascii"))
    except (ValueError, RecursionError) as error:
        raise MalformedMessage("no JSON") from error
    if type(found) is not list:
        raise MalformedMessage("no list")
    return found


def decoded(codec: Codec, value: object) -> Any:
    """Return the value of the codec's type that JSON has as ``value``.

    :raises MalformedMessage: if it is none.
    """
    try:
        return codec.decode(value)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedMessage(f"not of its type: {type(error).__name__}") from error


@functools.cache
def codec_of(hint: Any) -> Codec:
    """Return the codec for values of a type, as a contract's annotation states it.

    :raises TypeError: for a type that has none.
    """
    hint = getattr(hint, "__supertype__", hint)  # of a NewType
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Sequence or (origin is tuple and arguments[-1:] == (Ellipsis,)):
        return _row(codec_of(arguments[0]))
    if origin is tuple:
        return together(tuple, arguments)
    if origin is dict:
        return _mapping(*map(codec_of, arguments))
    if origin in (types.UnionType, typing.Union):
        return _one_of(arguments)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return Codec(lambda value: value.value, functools.partial(_member, hint))
    if is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        made: Any = hint
        names = [field.name for field in fields(hint)]
        codec = together(lambda values: made(*values), [hints[name] for name in names])
        return Codec(lambda value: codec.encode([getattr(value, n) for n in names]), codec.decode)
    raise TypeError(f"{hint} does not travel")


def together(make: Callable[[list[Any]], Any], hints: Sequence[Any]) -> Codec:
    """Return the codec of so many values, each of its own type."""
    codecs = [codec_of(hint) for hint in hints]
    encoders = [codec.encode for codec in codecs]
    decoders = [codec.decode for codec in codecs]

    def encode(values: Sequence[Any]) -> object:
        return [encode(value) for encode, value in zip(encoders, values, strict=True)]

    def decode(found: Any) -> Any:
        return make([read(one) for read, one in zip(decoders, _list(found), strict=True)])

    return Codec(encode, decode)


def _row(codec: Codec) -> Codec:
    encode, decode = codec.encode, codec.decode
    return Codec(
        lambda values: [encode(value) for value in values],
        lambda found: tuple([decode(one) for one in _list(found)]),
    )


def _mapping(key: Codec, value: Codec) -> Codec:
    def decode(found: Any) -> dict[Any, Any]:
        made = {key.decode(k): value.decode(v) for k, v in map(_list, _list(found))}
        if len(made) != len(found):
            raise ValueError("a key comes twice")
        return made

    return Codec(
        lambda values: [[key.encode(k), value.encode(v)] for k, v in values.items()], decode
    )


def _one_of(hints: tuple[Any, ...]) -> Codec:
    """Return the codec of a union: null for None, all else with the place of its type before it."""
    optional = type(None) in hints
    some = [hint for hint in hints if hint is not type(None)]
    codecs = {hint: (place, codec_of(hint)) for place, hint in enumerate(some)}
    places = [codec for _, codec in codecs.values()]

    def encode(value: Any) -> object:
        if value is None:
            return None
        place, codec = codecs[type(value)]
        return [place, codec.encode(value)]

    def decode(found: Any) -> Any:
        if found is None and optional:
            return None
        place, value = _list(found)
        return places[_natural(place, len(places))].decode(value)

    return Codec(encode, decode)


def _list(found: Any) -> list[Any]:
    if type(found) is not list:
        raise TypeError("no list")
    return found


def _natural(found: Any, end: int) -> int:
    if type(found) is not int or not 0 <= found < end:
        raise ValueError("no such number")
    return found


def _exactly(kind: type) -> Callable[[Any], Any]:
    def decode(found: Any) -> Any:
        if type(found) is not kind:
            raise TypeError(f"no {kind.__name__}")
        return found

    return decode


def _int(found: Any) -> int:
    if type(found) is not int or not -_INT_MAX <= found < _INT_MAX:
        raise ValueError("no number of 64 bits")
    return found


def _text(found: Any) -> str:
    if type(found) is not str:
        raise TypeError("no text")
    if not found.isascii():
        found.encode()  # half of a surrogate pair is no text
    return found


def _bytes(found: Any) -> bytes:
    return unhexlify(_text(found))


def _member(kind: type[enum.Enum], found: Any) -> enum.Enum:
    if type(found) not in (int, str):
        raise TypeError("no value of an enumeration")
    return kind(found)


def _address(kind: Any, size: int) -> Codec:
    # the leases of all sessions have the same resolvers, and the server's own address
    made = functools.lru_cache(maxsize=256)(kind)

    def decode(found: Any) -> Any:
        packed = _bytes(found)
        if len(packed) != size:
            raise ValueError("no address")
        return made(packed)

    return Codec(lambda value: value.packed.hex(), decode)


def _network(kind: Any, size: int) -> Codec:
    def decode(found: Any) -> Any:
        beginning, length = _list(found)
        packed = _bytes(beginning)
        if len(packed) != size:
            raise ValueError("no network")
        return kind((packed, _natural(length, 8 * size + 1)))

    return Codec(lambda value: [value.network_address.packed.hex(), value.prefixlen], decode)


def _same(value: object) -> object:
    return value


_PLAIN: Final[dict[Any, Codec]] = {
    int: Codec(_same, _int),
    str: Codec(_same, _text),
    bool: Codec(_same, _exactly(bool)),
    float: Codec(float, _exactly(float)),
    type(None): Codec(_same, _exactly(type(None))),
    bytes: Codec(lambda value: hexlify(value).decode("ascii"), _bytes),
    **{kind: _address(kind, size) for kind, size in _ADDRESSES.items()},
    **{kind: _network(kind, size) for kind, size in _NETWORKS.items()},
}
