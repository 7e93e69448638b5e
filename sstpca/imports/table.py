"""CSV (RFC 4180) with names of columns in its first line, as spreadsheets write it; read and written."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Final

from ..access.ipv6 import parse_static_prefix
from ..access.limits import NOTHING_OWN, last_day, parse_end
from ..access.networks import Network, parse_network
from ..errors import InvalidInput
from ..names import quoted
from .accounts import Account, Found, address
from .limit_cells import limits_text, parse_limits

#: What a column may be called. Spreadsheets of other countries separate by semicolons.
COLUMNS: Final = (
    "name",
    "password",
    "profile",
    "address",
    "prefix",
    "networks",
    "ends",
    "limits",
    "enabled",
)
_CALLED: Final = {
    "user": "name",
    "username": "name",
    "user name": "name",
    "login": "name",
    "ip": "address",
    "network": "networks",
    "static address": "address",
}
_YES: Final = frozenset({"", "yes", "y", "true", "1", "on"})
_NO: Final = frozenset({"no", "n", "false", "0", "off"})
# A spreadsheet takes a cell that begins so for a formula; with an apostrophe before it, for text.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_APOSTROPHE: Final = "'"


def is_table(text: str) -> bool:
    """Whether the first line names columns, a name among them."""
    return "name" in _header(text)


def read(text: str) -> Found:
    """Return the accounts of a table.

    :raises InvalidInput: if its first line does not name its columns, or names others.
    """
    header = _header(text)
    strange = [one for one in header if one not in COLUMNS]
    if strange or "name" not in header or len(set(header)) < len(header):
        raise InvalidInput(
            "the first line does not name the columns",
            f"it has name, and of the others what there is: {', '.join(COLUMNS[1:])}",
        )
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        return Found("a table", tuple(_accounts(header, rows)))
    except csv.Error as error:
        raise InvalidInput(f"line {rows.line_num} is no line of a table: {error}") from None


def write(accounts: Iterable[Account]) -> str:
    """Return a table that :func:`read` reads again: without passwords, their column is empty.

    No spreadsheet finds a formula in it.
    """
    out = io.StringIO(newline="")
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for one in accounts:
        where, prefix = one.static_address or "", one.static_prefix or ""
        behind, enabled = " ".join(map(str, one.networks)), "yes" if one.enabled else "no"
        ends = "" if one.ends is None else last_day(one.ends).isoformat()
        name, profile = _plain(one.name), _plain(one.profile)
        limits = limits_text(one.limits)
        rows.writerow((name, "", profile, where, prefix, behind, ends, limits, enabled))
    return out.getvalue()


def _plain(text: str) -> str:
    """Return what a spreadsheet shows as ``text``; it takes an apostrophe in front away."""
    return _APOSTROPHE + text if text.startswith((*_FORMULA, _APOSTROPHE)) else text


def _meant(cell: str) -> str:
    """Return what :func:`_plain` has written so."""
    behind = cell.removeprefix(_APOSTROPHE)
    return behind if behind.startswith((*_FORMULA, _APOSTROPHE)) else cell


def _accounts(header: list[str], rows: Iterable[list[str]]) -> Iterable[Account]:
    line = 1
    for row in rows:
        if line > 1 and any(cell.strip() for cell in row):
            yield _account(line, header, row)
        # a cell may have several lines
        line += 1 + sum(cell.count("\n") for cell in row)


def _account(line: int, header: list[str], row: list[str]) -> Account:
    if len(row) > len(header):
        return Account(line, row[0], problem=f"it has {len(row)} columns, not {len(header)}")
    cells: Mapping[str, str] = dict(zip(header, row, strict=False))
    name, enabled = cells.get("name", "").strip(), cells.get("enabled", "").strip().lower()
    where, prefix = cells.get("address", "").strip(), cells.get("prefix", "").strip()
    problem, static = "", None
    behind: tuple[Network, ...] = ()
    ends, limits = None, NOTHING_OWN
    if enabled not in _YES | _NO:
        problem = f"enabled is yes or no, not {quoted(enabled)}"
    elif where and address(where) is None:
        problem = f"{quoted(where)} is not an IPv4 address"
    try:
        static = parse_static_prefix(prefix) if prefix else None
        behind = tuple(map(parse_network, cells.get("networks", "").split()))
        ends = parse_end(cells["ends"]) if cells.get("ends", "").strip() else None
        limits = parse_limits(cells.get("limits", ""))
    except InvalidInput as error:
        problem = problem or str(error)
    return Account(
        line,
        _meant(name),
        # blanks around a password are a part of it
        cells.get("password") or None,
        enabled=enabled in _YES,
        profile=_meant(cells.get("profile", "").strip()),
        static_address=address(where),
        static_prefix=static,
        networks=behind,
        ends=ends,
        limits=limits,
        problem=problem,
    )


def _header(text: str) -> list[str]:
    names = _first(text).split(_delimiter(text))
    plain = [name.strip().strip('"').strip().lower() for name in names]
    return [_CALLED.get(name, name) for name in plain]


def _delimiter(text: str) -> str:
    first = _first(text)
    return max(",;\t", key=first.count)


def _first(text: str) -> str:
    return text.split("\n", 1)[0].rstrip("\r")
