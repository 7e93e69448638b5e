"""A reader of RouterOS' scripting language, as far as our scripts go.

It follows MikroTik's manual (Scripting, "Line structure" and "Constant Escape Sequences"). A string
that would expand a variable, or ask the terminal for help, is an AssertionError.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_ESCAPES = {
    **{sign: sign.encode() for sign in '"\\$?'},
    **{"_": b" ", "n": b"\n", "r": b"\r", "t": b"\t"},
    **{"a": b"\a", "b": b"\b", "f": b"\f", "v": b"\v"},
}
_HEX = re.compile(r"[0-9A-F]{2}")
_WORD = re.compile(r'[^\s"\[\](){};#]+')
_CLOSING = {"[": "]", "(": ")", "{": "}"}

# from MikroTik's manual, and the console of RouterOS 7.15 itself (/console/inspect)
_ITEMS = {"comment"}
_CLIENT = _ITEMS | {
    *("name", "connect-to", "port", "user", "password", "authentication", "profile", "certificate"),
    *("verify-server-certificate", "verify-server-address-from-certificate", "tls-version", "pfs"),
    *("add-sni", "add-default-route", "disabled", "ciphers"),
}
KNOWN = {
    "/certificate import": {"file-name", "passphrase"},
    "/certificate set": {"name", "trusted"},
    "/certificate remove": set(),
    "/file remove": set(),
    "/import": {"file-name"},
    "/interface sstp-client add": _CLIENT,
    "/interface sstp-client set": _CLIENT,
    "/interface sstp-client enable": set(),
    "/interface sstp-client remove": set(),
    "/interface sstp-server server export": {"file"},
    "/interface sstp-server server set": {
        *("enabled", "port", "certificate", "authentication", "default-profile", "tls-version"),
        *("pfs", "verify-client-certificate", "ciphers", "keepalive-timeout"),
    },
    "/ip firewall filter add": _ITEMS
    | {"chain", "action", "protocol", "dst-port", "place-before", "in-interface-list"},
    "/ip firewall filter set": {"in-interface-list", "dst-port"},
    "/ip firewall filter remove": set(),
    "/ip firewall nat add": _ITEMS | {"chain", "action", "out-interface"},
    "/ip firewall nat remove": set(),
    "/ip pool add": _ITEMS | {"name", "ranges"},
    "/ip pool set": {"ranges"},
    "/ip pool remove": set(),
    "/ip route add": _ITEMS | {"dst-address", "gateway", "distance"},
    "/ip route remove": set(),
    # no comment: that is not among the fields of an /ipv6 pool
    "/ipv6 pool add": {"name", "prefix", "prefix-length"},
    "/ipv6 pool set": {"prefix", "prefix-length"},
    "/ipv6 pool remove": set(),
    "/ipv6 firewall filter add": _ITEMS
    | {"chain", "action", "in-interface", "src-address", "place-before"},
    "/ipv6 firewall filter set": {"in-interface-list"},
    "/ipv6 firewall filter remove": set(),
    "/ppp profile add": _ITEMS | {"name"},
    "/ppp profile set": _ITEMS
    | {"local-address", "remote-address", "dns-server", "use-ipv6", "remote-ipv6-prefix-pool"},
    "/ppp profile remove": set(),
    "/ppp secret add": _ITEMS
    | {"name", "password", "service", "profile", "remote-address", "remote-ipv6-prefix"},
    "/ppp secret set": {"password", "profile", "remote-address", "remote-ipv6-prefix"},
    "/ppp secret remove": set(),
}
"""The commands that change something, and their parameters."""


@dataclass(frozen=True)
class Text:
    """A string, decoded."""

    value: str


@dataclass
class Group:
    """What stands in brackets: ``[`` a command, ``(`` an expression, ``{`` a block."""

    bracket: str
    statements: list["Statement"]


Token = str | Text | Group


@dataclass
class Statement:
    """One command: its tokens in their order."""

    tokens: list[Token] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The command itself, ``/ip pool add``: the plain words in front."""
        words = []
        for token in self.tokens:
            if not isinstance(token, str) or "=" in token:
                break
            words.append(token)
        return " ".join(words)

    @property
    def parameters(self) -> dict[str, Token]:
        """What is ``name=value``; a value in quotes or brackets is the token after the name."""
        found: dict[str, Token] = {}
        for at, token in enumerate(self.tokens):
            if isinstance(token, str) and "=" in token:
                name, _, value = token.partition("=")
                found[name] = value or self.tokens[at + 1]
        return found


def read_string(text: str, start: int) -> tuple[str, int]:
    """Return the value of the string at ``start``, and where it ends."""
    assert text[start] == '"'
    value, at = b"", start + 1
    while text[at] != '"':
        assert text[at] not in "$?\r\n", f"{text[at]!r} in a string"
        if text[at] != "\\":
            value += text[at].encode()
            at += 1
        elif found := _HEX.match(text, at + 1):
            value += bytes.fromhex(found[0])
            at += 3
        else:
            value += _ESCAPES[text[at + 1]]
            at += 2
    return value.decode(), at + 1


def parse(text: str) -> list[Statement]:
    """Return the commands of a script; what does not parse is an AssertionError."""
    statements, at = _statements(text, 0, "")
    assert at == len(text)
    return statements


def walk(statements: list[Statement]) -> Iterator[Statement]:
    """Yield all commands, those in brackets too."""
    for statement in statements:
        yield statement
        for token in statement.tokens:
            if isinstance(token, Group):
                yield from walk(token.statements)


def _statements(text: str, at: int, closing: str) -> tuple[list[Statement], int]:
    found, current = [], Statement()
    while at < len(text) and text[at] != closing:
        sign = text[at]
        if sign == "#":
            assert not current.tokens, "a comment begins where a command does"
            at = text.index("\n", at)
        elif sign in "\n;" and closing not in ("]", ")"):
            if current.tokens:
                found.append(current)
            current, at = Statement(), at + 1
        elif sign.isspace():
            at += 1
        else:
            token, at = _token(text, at)
            current.tokens.append(token)
    assert at < len(text) or not closing, f"{closing} is missing"
    if current.tokens:
        found.append(current)
    return found, at


def _token(text: str, at: int) -> tuple[Token, int]:
    sign = text[at]
    if sign == '"':
        value, at = read_string(text, at)
        return Text(value), at
    if sign in _CLOSING:
        statements, at = _statements(text, at + 1, _CLOSING[sign])
        return Group(sign, statements), at + 1
    word = _WORD.match(text, at)
    assert word is not None, f"unexpected {sign!r} in {text[at - 40 : at + 40]!r}"
    return word[0], word.end()


def check_known(statements: list[Statement]) -> list[Statement]:
    """Return all commands that change something; an unknown one is an AssertionError."""
    changing = []
    for one in walk(statements):
        if one.path.split(" ")[-1] in {"add", "set", "remove", "import", "enable"}:
            assert set(one.parameters) <= KNOWN[one.path], one
            changing.append(one)
    return changing


def texts(statements: list[Statement]) -> set[str]:
    """Return all strings of a script."""
    return {
        token.value for one in walk(statements) for token in one.tokens if isinstance(token, Text)
    }


def commands(statements: list[Statement], path: str) -> list[Statement]:
    """Return the commands of one kind, wherever they stand."""
    return [one for one in walk(statements) if one.path == path]
