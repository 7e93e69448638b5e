"""What a number of Windows' means, why it comes, and what to do: for administrators. No home is needed.

One table: the numbers are those of :mod:`..bundle.content.codes`, which the page and ``verify.ps1`` of a
bundle have as well; what users read is in their texts, and what is told beside it in ``templates/codes``.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from .. import toml
from ..bundle.content import texts
from ..bundle.content.codes import CODES, Code, value
from ..errors import InvalidInput
from ..lint.findings import Windows
from ..names import quoted

__all__ = ["Explanation", "Unknown", "explain", "languages"]

_BY_VALUE: Final = {number: code for code in CODES for number in code.values}
# as people copy them from a window, a log or a page: 0x800B0109, 800b0109h, -2146762487, 691
_NUMBER: Final = re.compile(
    r"(?<![0-9A-Za-z])(?:0[xX][0-9A-Fa-f]{1,8}|[0-9A-Fa-f]{8}[hH]?|-?\d{1,10})(?![0-9A-Za-z])"
)
_WORDS: Final = re.compile(r"\W+")
#: What Windows says of numbers of Remote Access (raserror.h), as far as one can be told by it.
_SAID: Final = {
    619: "so the port used for this connection was closed",
    628: "terminated by the remote computer before it could be completed",
    629: "the connection was closed by the remote computer",
    633: "is already in use or is not configured properly",
    691: "user name and password combination you provided is not recognized",
    718: "terminated because the remote computer did not respond in a timely manner",
    720: "you might need to change the network settings for this connection",
    798: "a certificate could not be found that can be used with this extensible authentication protocol",
    800: "because the attempted vpn tunnels failed",
    807: "between your computer and the vpn server was interrupted",
    809: "because the remote server is not responding",
    812: "because of a policy configured on your ras vpn server",
    868: "the name of the remote access server did not resolve",
}
#: [MS-ERREF] 2.1.1; 66 is of eaphosterror.h.
_FACILITIES: Final = {
    0: "NULL",
    1: "RPC",
    2: "DISPATCH",
    3: "STORAGE",
    4: "ITF",
    7: "WIN32",
    8: "WINDOWS",
    9: "SECURITY",
    10: "CONTROL",
    11: "CERT",
    12: "INTERNET",
    66: "EAP",
}
_LOOK_UP: Final = "https://learn.microsoft.com/windows/win32/debug/system-error-codes"
_LOOK_UP_RAS: Final = (
    "https://learn.microsoft.com/windows/win32/rras/routing-and-remote-access-error-codes"
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of a number.

    :param forms: the number as Windows and its logs write it.
    :param means: in a sentence.
    :param causes: the usual ones first.
    :param client: what to do at the PC.
    :param server: what to do at the server; commands are between backticks.
    :param headings: of ``causes``, ``client`` and ``server``, in the same language.
    """

    forms: tuple[str, ...]
    means: str
    causes: tuple[str, ...]
    client: str
    server: str
    headings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Unknown:
    """What can be said of a number that is not in the table, in one line."""

    forms: tuple[str, ...]
    line: str


def languages() -> list[str]:
    """Return the languages in which it is told."""
    folder = resources.files("sstpca.templates") / "codes"
    return sorted(one.name.removesuffix(".toml") for one in folder.iterdir())


def explain(asked: str, language: str = texts.ENGLISH) -> Explanation | Unknown:
    """Return what is known of the number in ``asked``, or of the message that it is.

    :param asked: a number in any form, alone or in a sentence: the first one that is known counts; or
        one of Windows' messages in English, or a part of it.
    :raises InvalidInput: if there is neither in it, or no such language.
    """
    if language not in languages():
        raise InvalidInput(
            f"there is no language {quoted(language)}", f"there are: {', '.join(languages())}"
        )
    told = _load(language)
    numbers = [value(one) for one in _numbers(asked)] or _of_message(asked)
    known = next((one for one in numbers if one in _BY_VALUE), None)
    if known is not None:
        return _explanation(known, _BY_VALUE[known], told, language)
    if not numbers:
        raise InvalidInput(
            f"{quoted(asked)} has no error number in it, and is none of the messages known here",
            "give the number that Windows shows: 691, 0x800B0109, -2146762487",
        )
    return _unknown(numbers[0], told["unknown"])


def _load(language: str) -> dict[str, dict[str, Any]]:
    path = resources.files("sstpca.templates") / "codes" / f"{language}.toml"
    return toml.parse(path.read_text("utf-8"), str(Path(path.name))).tables


def _numbers(asked: str) -> Iterator[int]:
    for found in _NUMBER.findall(asked):
        digits = found.lower().removesuffix("h")
        # as a decimal number, eight digits are none of Windows'
        hexadecimal = digits.startswith("0x") or (len(digits) == 8 and digits[0] != "-")
        number = int(digits, 16 if hexadecimal else 10)
        if -(1 << 31) <= number < 1 << 32:
            yield number


def _of_message(asked: str) -> list[int]:
    """Return the numbers of the messages that ``asked`` has, or is a good part of."""
    plain = _plain(asked)
    said = _SAID | {value(one.value[0]): one.text for one in Windows}
    return [
        number
        for number, text in said.items()
        if _plain(text) in plain or (len(plain) >= 20 and plain in _plain(text))
    ]


def _plain(text: str) -> str:
    return _WORDS.sub(" ", text).strip().casefold()


def _explanation(
    number: int, code: Code, told: dict[str, dict[str, Any]], language: str
) -> Explanation:
    users = vars(texts.load(language).errors)
    own = {value(int(name, 0)): text for name, text in told["numbers"].items()}
    return Explanation(
        forms=_forms(number),
        means=own.get(number, users[f"{code.key}_means"]),
        causes=tuple(told["causes"][code.key]),
        client=users[f"{code.key}_helps"],
        server=told["server"][code.key],
        headings=told["headings"],
    )


def _forms(number: int) -> tuple[str, ...]:
    """Return a number as Windows' windows and its logs write it."""
    if number < 0:
        return f"0x{number & 0xFFFFFFFF:08X}", str(number)
    if 600 <= number < 1000 or number > 0xFFFF:
        return (str(number),)
    return str(number), f"0x{0x80070000 | number:08X}"


def _unknown(number: int, told: dict[str, str]) -> Unknown:
    forms = _forms(number)
    if number == 0:
        return Unknown(("0",), told["success"])
    where, what = _LOOK_UP, told["none"]
    if number < 0 or number > 0xFFFF:
        code, facility = number & 0xFFFF, number >> 16 & 0x7FF
        kind = "hresult_success" if number > 0 else "hresult"
        if number & 0xC0000000 == 0xC0000000:
            kind = "ntstatus"
        name = _FACILITIES.get(facility, "?")
        what = told[kind].format(facility=facility, name=name, code=code)
        where = f"certutil -error {forms[0]}, {_LOOK_UP}"
    elif 600 <= number < 1000:
        what, where = told["ras"].format(code=number), _LOOK_UP_RAS
    elif 10000 <= number < 12000:
        what = told["socket"].format(code=number)
    elif 12000 <= number < 12300:
        what = told["winhttp"].format(code=number)
    else:
        what, where = told["win32"].format(code=number), f"net helpmsg {number}, {_LOOK_UP}"
    return Unknown(forms, told["line"].format(number=", ".join(forms), what=what, where=where))
