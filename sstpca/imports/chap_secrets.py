"""chap-secrets of pppd (pppd(8), AUTHENTICATION) and of accel-ppp (accel-ppp.conf(5), chap-secrets).

A line has words: client, server, secret, then pppd has addresses, accel-ppp an address and a rate.
"""

import re
from collections.abc import Iterator
from typing import Final

from ..access.limits import NOTHING_OWN, OwnLimits, checked
from ..errors import InvalidInput
from .accounts import Account, Found, address

_ESCAPED: Final = "\\"
_RATES: Final = re.compile(
    r"(\d{1,9})([bkmg]?)(?:[/\\:](\d{1,9})([bkmg]?))?", re.ASCII | re.IGNORECASE
)
_UNITS: Final = {"b": 1, "": 1000, "k": 1000, "m": 1_000_000, "g": 1_000_000_000}


def is_chap_secrets(text: str) -> bool:
    """Whether each line that says anything has three words or more."""
    lines = [words for _, words in _lines(text)]
    return bool(lines) and all(len(words) >= 3 for words in lines)


def read(text: str) -> Found:
    """Return the accounts of such a file."""
    return Found("chap-secrets", tuple(_account(line, words) for line, words in _lines(text)))


def _account(line: int, words: list[str]) -> Account:
    name = words[0]
    if len(words) < 3:
        return Account(line, name, problem="the line has fewer than three words")
    secret, rest = words[2], words[3:]
    problem = ""
    if name in ("", "*"):
        problem = "it is for everybody, not for one user"
    elif secret.startswith("@"):
        problem = "its secret is in another file"
    elif not secret:
        problem = "it has no secret"
    addresses = _before(rest, "--")
    fixed = address(addresses[0]) if addresses else None
    lost = [] if words[1] in ("", "*") else ["the name of the server"]
    if fixed is None and addresses and addresses[0] not in ("*", "-"):
        lost.append(f"the addresses {addresses[0]}")
    limits, unread = NOTHING_OWN, addresses[1:]
    if unread and (rates := _rates(unread[0])) is not None:
        limits, unread = rates, unread[1:]
    if unread:
        lost.append("what is behind the address")
    if len(addresses) < len(rest):
        lost.append("the options")
    return Account(
        line,
        name,
        secret,
        static_address=fixed,
        limits=limits,
        problem=problem,
        lost=tuple(lost),
    )


def _rates(word: str) -> OwnLimits | None:
    """Return the rates that accel-ppp's shaper reads: ``2048``, ``2048/1024`` (to the client first), ``5M``.

    They are in kbit/s; a letter is for bit, kbit, Mbit or Gbit. 0 is no limit.

    :returns: None if it is none of that, or no rate that a session can have here.
    """
    found = _RATES.fullmatch(word)
    if found is None:
        return None
    number, unit, second, second_unit = found.groups()
    down = int(number) * _UNITS[unit.lower()]
    up = down if second is None else int(second) * _UNITS[second_unit.lower()]
    given = {name: rate for name, rate in (("rate_down", down), ("rate_up", up)) if rate}
    own = OwnLimits.of(given)
    try:
        checked(own.limits)
    except InvalidInput:
        return None
    return own


def _before(words: list[str], end: str) -> list[str]:
    return words[: words.index(end)] if end in words else words


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield what each line says, and its number; a line that ends in a backslash goes on."""
    number, begun, words = 0, 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        begun = begun or number
        if line.endswith(_ESCAPED) and not line.endswith(2 * _ESCAPED):
            words += line[:-1]
            continue
        if found := _words(words + line):
            yield begun, found
        begun, words = 0, ""
    if found := _words(words):
        yield begun, found


def _words(line: str) -> list[str]:
    """Return the words of a line: blanks divide, quotes and backslashes protect, # ends."""
    words: list[str] = []
    word: str | None = None
    quote, escaped = "", False
    for sign in line:
        if escaped:
            word, escaped = (word or "") + sign, False
        elif sign == _ESCAPED:
            escaped = True
        elif quote:
            word, quote = (word, "") if sign == quote else ((word or "") + sign, quote)
        elif sign in "\"'":
            word, quote = word or "", sign
        elif sign.isspace():
            words += [] if word is None else [word]
            word = None
        elif sign == "#" and word is None:
            return words
        else:
            word = (word or "") + sign
    return words if word is None else [*words, word]
