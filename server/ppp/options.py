"""Lists of Configuration Options, between bytes and values (RFC 1661 6)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_HEADER_SIZE: Final = 2  # type and length

#: Options that a packet may have. LCP and IPCP know about thirty between them, and no client sends
#: more than ten; a packet has room for 748 empty ones, and each of them costs us something.
MAX_OPTIONS: Final = 32


class OptionError(Exception):
    """The peer sent bytes that are not a list of options: RFC 1661 6 drops the whole packet."""


@dataclass(frozen=True, slots=True)
class Option:
    """One Configuration Option.

    :param value: at most 253 bytes.
    """

    type: int
    value: bytes = b""


Options = tuple[Option, ...]


def encode_options(options: Iterable[Option]) -> bytes:
    """Return the options, one after the other, in their order."""
    return b"".join(
        bytes((option.type, _HEADER_SIZE + len(option.value))) + option.value for option in options
    )


def decode_options(data: bytes) -> Options:
    """Return the options in their order; none for no bytes.

    :raises OptionError: an option's length is below two or leads beyond the end, or there are more
        than :data:`MAX_OPTIONS`.
    """
    options: list[Option] = []
    at = 0
    while at < len(data):
        if len(options) == MAX_OPTIONS:
            raise OptionError(f"more than {MAX_OPTIONS} options")
        length = data[at + 1] if at + 1 < len(data) else 0
        if not _HEADER_SIZE <= length <= len(data) - at:
            raise OptionError(f"the option at byte {at} claims {length} of {len(data) - at} bytes")
        options.append(Option(data[at], data[at + _HEADER_SIZE : at + length]))
        at += length
    return tuple(options)
