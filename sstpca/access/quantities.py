"""Rates, volumes and times, as people write and read them."""

import re
from typing import Final

from ..errors import InvalidInput
from ..names import quoted

#: Bits a second. Less carries no login's worth of packets, more the kernel does not count.
RATE_MIN, RATE_MAX = 8_000, 30_000_000_000
#: Bytes.
VOLUME_MAX: Final = 10**18
#: Seconds: ten years.
DURATION_MAX: Final = 10 * 366 * 86_400

_DECIMAL: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY: Final = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SECONDS: Final = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}

# the sign of bits or bytes has a meaning of its own, all other letters have none by their case
_RATE: Final = re.compile(r"(\d+(?:\.\d+)?) ?([kKmMgG]?)(?:[bB]it)?(?:/s|ps|bps)?", re.ASCII)
_VOLUME: Final = re.compile(r"(\d+(?:\.\d+)?) ?([kKmMgGtT]?i?)B?", re.ASCII)
_DURATION: Final = re.compile(
    r"(?:(\d+)w)? ?(?:(\d+)d)? ?(?:(\d+)h)? ?(?:(\d+)m(?:in)?)? ?(?:(\d+)s)?", re.ASCII
)
_LONG: Final = 32  # characters: more is no number that counts


def parse_rate(text: str) -> int:
    """Return bits a second of ``10M``, ``512k`` or ``10 Mbit/s``.

    :raises InvalidInput: if it is no rate.
    """
    text = text.strip()
    found = _RATE.fullmatch(text) if len(text) <= _LONG else None
    if found is None:
        raise InvalidInput(
            f"{quoted(text)} is not a rate in bits a second",
            "for example: 512k, 10M, 1G (80M carries 10 megabytes a second)",
        )
    rate = round(float(found[1]) * _DECIMAL[found[2].lower()])
    if not RATE_MIN <= rate <= RATE_MAX:
        raise InvalidInput(
            f"a rate is {rate_text(RATE_MIN)} to {rate_text(RATE_MAX)}, not {quoted(text)}",
            "for example: 512k, 10M, 1G",
        )
    return rate


def rate_text(rate: int) -> str:
    """Return bits a second as people read them: ``10 Mbit/s``."""
    return f"{_scaled(rate)}bit/s"


def parse_volume(text: str) -> int:
    """Return the bytes of ``500M``, ``5 GB`` or ``5GiB``.

    :raises InvalidInput: if it is no volume.
    """
    text = text.strip()
    found = _VOLUME.fullmatch(text) if len(text) <= _LONG else None
    units = _DECIMAL | _BINARY
    volume = 0
    if found is not None and found[2].lower() in units:
        volume = round(float(found[1]) * units[found[2].lower()])
    if not 1 <= volume <= VOLUME_MAX:
        raise InvalidInput(f"{quoted(text)} is not a volume in bytes", "for example: 500M, 5G, 1T")
    return volume


def volume_text(volume: int) -> str:
    """Return bytes as people read them: ``5 GB``, or ``5 GiB`` where that is the round number."""
    for unit, size in reversed(_BINARY.items()):
        if volume >= size and volume % size == 0 and volume % 1000:
            return f"{volume // size} {unit[0].upper()}iB"
    return f"{_scaled(volume)}B"


def amount_text(volume: int) -> str:
    """Return bytes that were counted as people read them, in three digits: ``1.23 GB``."""
    for unit, size in reversed(_DECIMAL.items()):
        if volume >= size:
            return f"{volume / size:.3g} {unit if unit == 'k' else unit.upper()}B"
    return "0 B"


def parse_duration(text: str) -> int:
    """Return the seconds of ``8h``, ``30m``, ``1h30m``, ``2d`` or ``90s``; a number alone is seconds.

    :raises InvalidInput: if it is no time.
    """
    text = text.strip()
    seconds = 0
    if len(text) <= _LONG:
        if text.isascii() and text.isdigit():
            seconds = int(text)
        elif (found := _DURATION.fullmatch(text.lower())) is not None:
            counts = zip(found.groups(), _SECONDS.values(), strict=True)
            seconds = sum(int(count or 0) * unit for count, unit in counts)
    if not 1 <= seconds <= DURATION_MAX:
        raise InvalidInput(f"{quoted(text)} is not a time", "for example: 8h, 30m, 1h30m, 2d, 90s")
    return seconds


def duration_text(seconds: int) -> str:
    """Return seconds as people read them: ``1h30m``."""
    parts = []
    for unit, size in _SECONDS.items():
        if unit != "w" and seconds >= size:
            parts.append(f"{seconds // size}{unit}")
            seconds %= size
    return "".join(parts)


def _scaled(number: int) -> str:
    """Return ``number`` in the largest unit that shows it whole, or with the fewest digits."""
    for unit, size in reversed(_DECIMAL.items()):
        if number >= size:
            sign = unit if unit == "k" else unit.upper()
            return f"{number / size:.12g} {sign}"
    return f"{number} "
