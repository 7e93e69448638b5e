"""SoftEther's vpn_server.config: users of its hubs, with the NT hashes of their passwords."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from .accounts import Account, Found

_DECLARE: Final = re.compile(r"\s*declare\s+(\S+)\s*")
_VALUE: Final = re.compile(r"\s*(?:string|byte|uint|uint64|int|bool)\s+(\S+)(?:\s(.*))?")
_ESCAPE: Final = re.compile(rb"\$([0-9A-Fa-f]{2})")
_OTHERS: Final = {
    "0": "it has no password",
    "2": "it signs in with a certificate",
    "3": "it signs in with a certificate",
    "4": "its password is with a RADIUS server",
    "5": "its password is with a domain",
}
_HASH_SIZE: Final = 16
# until the year 9999
_TIME: Final = re.compile(r"[0-9]{1,14}")


@dataclass(slots=True)
class _Folder:
    line: int
    values: dict[str, str] = field(default_factory=dict)


def is_config(text: str) -> bool:
    """Whether it declares what that file does."""
    return "declare root" in text and "declare UserList" in text


def read(text: str) -> Found:
    """Return the users of all hubs."""
    return Found("a SoftEther configuration", tuple(_accounts(text)))


def _accounts(text: str) -> Iterator[Account]:
    users: dict[tuple[str, ...], _Folder] = {}
    path: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if declared := _DECLARE.fullmatch(line):
            path.append(_unescaped(declared[1]))
            if path[-2:-1] == ["UserList"]:
                users[tuple(path)] = _Folder(number)
        elif line.strip() == "}" and path:
            path.pop()
        elif (said := _VALUE.fullmatch(line)) and (user := users.get(tuple(path))):
            user.values[said[1]] = _unescaped((said[2] or "").strip())
    for place, user in users.items():
        yield _account(place[-1], user.line, user.values)


def _account(name: str, line: int, values: Mapping[str, str]) -> Account:
    kind = values.get("AuthType", "")
    digest = _decoded(values.get("AuthNtLmSecureHash", ""))
    problem = ""
    if kind != "1":  # AUTHTYPE_PASSWORD
        problem = _OTHERS.get(kind, "it signs in in a way that is not known here")
    elif digest is None:
        problem = "it has no NT hash: its password was set before MS-CHAPv2 was there; set it again"
    lost = []
    if values.get("GroupName"):
        lost.append(f"the group {values['GroupName']}")
    lost += ["the note"] if values.get("Note") or values.get("RealName") else []
    expires = values.get("ExpireTime", "")
    # milliseconds since 1970; 0 is never
    ends = int(expires) / 1000 if _TIME.fullmatch(expires) and int(expires) else None
    return Account(line, name, nt_hash=digest, ends=ends, problem=problem, lost=tuple(lost))


def _decoded(text: str) -> bytes | None:
    try:
        value = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return value if len(value) == _HASH_SIZE and any(value) else None


def _unescaped(text: str) -> str:
    """Return what a name or a value stands for: $ and two digits are a byte, $ alone is nothing."""
    raw = _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), text.encode())
    return "" if raw == b"$" else raw.decode(errors="replace")
