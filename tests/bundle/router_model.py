"""A model of a RouterOS router, on which the scripts run: what they find, and what they leave.

It knows the menus that the scripts use, and the commands of RouterOS 7.15 (its console's own list
of parameters); anything else is an AssertionError. It is independent of the program.
"""

import copy
import re
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from tests.bundle.rsc import KNOWN, Group, Statement, Text, Token, check_known, parse, walk

Item = dict[str, Any]

SERVER: Final = "/interface sstp-server server"
# its defaults, RouterOS 7.15
NEW_SERVER: Final[Item] = {
    "authentication": "pap,chap,mschap1,mschap2",
    "certificate": "none",
    "ciphers": "aes256-sha,aes256-gcm-sha384",
    "default-profile": "default",
    "enabled": "no",
    "keepalive-timeout": "60",
    "pfs": "no",
    "port": "443",
    "tls-version": "any",
    "verify-client-certificate": "no",
}
_VERBS: Final = {"add", "set", "remove", "import", "export", "enable", "find", "get"}
# by what other menus know an item of this one: it cannot be of a name that is not there
_REFERENCES: Final = {
    "certificate": "/certificate",
    "default-profile": "/ppp profile",
    "profile": "/ppp profile",
    "remote-ipv6-prefix-pool": "/ipv6 pool",
}
_UNIQUE: Final = {
    "/ip pool",
    "/ipv6 pool",
    "/ppp profile",
    "/certificate",
    "/interface sstp-client",
}
_INFIX: Final = ("||", "or", "&&", "and", "=", "!=", "~", ">", "<", "+", ".")


class ScriptError(Exception):
    """``:error``, or what RouterOS itself says."""


def _keys(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass
class Router:
    """All that a script can see of a router, and what it has printed."""

    menus: dict[str, list[Item]] = field(default_factory=dict)
    server: Item = field(default_factory=lambda: dict(NEW_SERVER))
    ipv6: Item = field(default_factory=lambda: {"disable-ipv6": False})
    files: dict[str, str] = field(default_factory=dict)
    globals: dict[str, Any] = field(default_factory=dict)
    #: Parameters that an older version does not know: where one is, nothing around it is run.
    lacks: frozenset[str] = frozenset()
    said: list[str] = field(default_factory=list)
    _number: int = 0

    def __post_init__(self) -> None:
        for name in ("default", "default-encryption"):
            self.add("/ppp profile", name=name)
        for name, port, disabled in (("www", "80", "no"), ("www-ssl", "443", "yes")):
            self.add("/ip service", name=name, port=port, disabled=disabled)

    def add(self, menu: str, **values: Any) -> Item:
        """Add an item to a menu; ``_`` in a parameter's name stands for a hyphen."""
        self._number += 1
        item = {".id": f"*{self._number:X}"}
        item |= {name.replace("_", "-"): value for name, value in values.items()}
        self.menus.setdefault(menu, []).append(item)
        return item

    @property
    def state(self) -> tuple[dict[str, list[Item]], Item, dict[str, str]]:
        """What there is; without numbers, and without what a script may leave in memory."""
        menus = {
            menu: [{name: value for name, value in one.items() if name != ".id"} for one in items]
            for menu, items in self.menus.items()
            if items
        }
        return copy.deepcopy((menus, self.server, self.files))

    def names(self, menu: str) -> list[str]:
        """Return the names of the items in a menu."""
        return [str(one["name"]) for one in self.menus.get(menu, ())]

    def upload(self, files: dict[str, bytes]) -> None:
        """Put files on the router; one of the same name is lost."""
        self.files |= {name: content.decode() for name, content in files.items()}

    def import_(self, name: str, *, apply: bool = False) -> list[str]:
        """Type ``/import``; return what was printed.

        :raises ScriptError: as the script does.
        """
        if apply:
            self.globals["sstpcaApply"] = "yes"
        self.said = []
        _Run(self).script(self.files[name])
        return self.said


class _Scope:
    """The local variables of a block; those around it are seen, too."""

    def __init__(self, outer: "_Scope | None" = None) -> None:
        self._outer = outer
        self.values: dict[str, Any] = {}

    def find(self, name: str) -> dict[str, Any] | None:
        if name in self.values:
            return self.values
        return None if self._outer is None else self._outer.find(name)


class _Run:
    """One script that runs."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self._menu = ""
        self._globals: set[str] = set()

    def script(self, text: str) -> None:
        self._block(self._read(text), _Scope())

    def _read(self, text: str) -> list[Statement]:
        """Read a script, all of it, before any of it is run."""
        statements = parse(text)
        for one in walk(statements):
            if unknown := {*one.parameters} & self.router.lacks:
                raise ScriptError(f"expected end of command: {sorted(unknown)}")
        return statements

    def _block(self, statements: list[Statement], scope: _Scope) -> Any:
        result = None
        for one in statements:
            result = self._statement(one, scope)
        return result

    def _statement(self, one: Statement, scope: _Scope) -> Any:
        first, rest = one.tokens[0], one.tokens[1:]
        if isinstance(first, Group):
            assert first.bracket == "{"
            return self._block(first.statements, _Scope(scope))
        assert isinstance(first, str), first
        if first.startswith("$"):
            assert not rest
            return self._block(self._variable(first[1:], scope), _Scope())
        if first.startswith(":"):
            return getattr(self, f"_do_{first[1:]}")(rest, one, scope)
        return self._command(one, scope)

    # what begins with a colon

    def _do_global(self, rest: list[Token], _: Statement, scope: _Scope) -> None:
        name = rest[0]
        assert isinstance(name, str)
        self._globals.add(name)
        if len(rest) > 1:
            self.router.globals[name] = self._value(rest[1:], scope)

    def _do_local(self, rest: list[Token], _: Statement, scope: _Scope) -> None:
        name = rest[0]
        assert isinstance(name, str)
        assert re.fullmatch("[A-Za-z0-9]+", name), f"{name}: a variable has letters and digits"
        scope.values[name] = self._value(rest[1:], scope)

    def _do_set(self, rest: list[Token], _: Statement, scope: _Scope) -> None:
        name = rest[0]
        assert isinstance(name, str)
        found = scope.find(name)
        if found is None:
            assert name in self._globals, f"{name} is not declared"
            found = self.router.globals
        found[name] = self._value(rest[1:], scope)

    def _do_put(self, rest: list[Token], _: Statement, scope: _Scope) -> None:
        self.router.said.append(_text(self._value(rest, scope)))

    def _do_error(self, rest: list[Token], _: Statement, scope: _Scope) -> None:
        raise ScriptError(_text(self._value(rest, scope)))

    def _do_parse(self, rest: list[Token], _: Statement, scope: _Scope) -> list[Statement]:
        statements = self._read(_text(self._value(rest, scope)))
        check_known(statements)
        return statements

    def _do_do(self, rest: list[Token], one: Statement, scope: _Scope) -> None:
        body, other = rest[0], one.parameters["on-error"]
        assert isinstance(body, Group)
        assert isinstance(other, Group)
        try:
            self._block(body.statements, _Scope(scope))
        except ScriptError:
            self._block(other.statements, _Scope(scope))

    def _do_delay(self, rest: list[Token], _: Statement, scope: _Scope) -> None:
        pass

    def _do_len(self, rest: list[Token], _: Statement, scope: _Scope) -> int:
        value = self._value(rest, scope)
        return 0 if value is None else len(value)

    def _do_pick(self, rest: list[Token], _: Statement, scope: _Scope) -> Any:
        values, at = self._value(rest[:-1], scope), self._value(rest[-1:], scope)
        return values[int(at)]

    def _do_tostr(self, rest: list[Token], _: Statement, scope: _Scope) -> str:
        return _text(self._value(rest, scope))

    def _do_if(self, rest: list[Token], one: Statement, scope: _Scope) -> None:
        condition = self._value(rest[:1], scope)
        assert isinstance(condition, bool), f"no condition: {rest[0]}"
        branch = one.parameters.get("do" if condition else "else")
        if branch is not None:
            assert isinstance(branch, Group)
            self._block(branch.statements, _Scope(scope))

    def _do_foreach(self, rest: list[Token], one: Statement, scope: _Scope) -> None:
        name, body = rest[0], one.parameters["do"]
        assert isinstance(name, str)
        assert isinstance(body, Group)
        for value in self._value([one.parameters["in"]], scope):
            inner = _Scope(scope)
            inner.values[name] = value
            self._block(body.statements, inner)

    # values

    def _value(self, tokens: list[Token], scope: _Scope) -> Any:
        for operator in _INFIX:
            for at, token in enumerate(tokens):
                if token == operator and at:
                    left = self._value(tokens[:at], scope)
                    right = self._value(tokens[at + 1 :], scope)
                    return _infix(operator, left, right)
        assert len(tokens) == 1, f"no value: {tokens}"
        token = tokens[0]
        if isinstance(token, Text):
            return token.value
        if isinstance(token, Group):
            (statement,) = token.statements
            if token.bracket == "(":
                return self._value(statement.tokens, scope)
            return self._statement(statement, scope)
        if token.startswith("!"):
            value = self._variable(token[2:], scope)
            assert isinstance(value, bool)
            return not value
        if token.startswith("$"):
            return self._variable(token[1:], scope)
        return {"true": True, "false": False}.get(token, token)

    def _variable(self, name: str, scope: _Scope) -> Any:
        found = scope.find(name)
        if found is None:
            assert name in self._globals, f"${name} is not declared"
            return self.router.globals.get(name)
        return found[name]

    # commands

    def _command(self, one: Statement, scope: _Scope) -> Any:
        words = one.path.split(" ")
        at = next((n for n, word in enumerate(words) if word.lstrip("/") in _VERBS), None)
        if at is None:
            self._menu = one.path
            return None
        menu, verb = " ".join(words[:at]), words[at]
        if verb.startswith("/"):
            menu, verb = "", verb[1:]  # /import
        elif not menu:
            menu = self._menu
        path = f"{menu} {verb}".strip() if menu else f"/{verb}"
        rest = one.tokens[at + 1 :]
        given = self._parameters(rest, scope, path) if verb not in ("find", "get") else {}
        before, self._menu = self._menu, menu
        try:
            return getattr(self, f"_{verb}")(menu, rest, given, scope)
        finally:
            self._menu = before if words[0].startswith("/") else menu

    def _parameters(self, rest: list[Token], scope: _Scope, path: str) -> Item:
        found = {
            name: self._value([token], scope)
            for name, token in Statement(list(rest)).parameters.items()
        }
        assert set(found) <= KNOWN[path], f"{path}: {sorted(found)}"
        return found

    def _items(self, menu: str) -> list[Item]:
        if menu == "/file":
            return [{".id": name, "name": name} for name in self.router.files]
        return self.router.menus.setdefault(menu, [])

    def _targets(self, menu: str, rest: list[Token], scope: _Scope) -> list[Item]:
        chosen = self._value(rest[:1], scope)
        ids = [chosen] if isinstance(chosen, str) else chosen
        return [one for one in self._items(menu) if one[".id"] in ids]

    def _find(self, menu: str, rest: list[Token], _: Item, scope: _Scope) -> list[str]:
        conditions = rest[1:] if rest[:1] == ["where"] else rest
        return [
            one[".id"] for one in self._items(menu) if self._matches(list(conditions), one, scope)
        ]

    def _matches(self, tokens: list[Token], item: Item, scope: _Scope) -> bool:
        for word, how in (("or", any), ("and", all)):
            if word in tokens:
                at = tokens.index(word)
                parts = (tokens[:at], tokens[at + 1 :])
                return how([self._matches(part, item, scope) for part in parts])
        first = tokens[0]
        if isinstance(first, Group):
            return self._matches(first.statements[0].tokens, item, scope)
        assert isinstance(first, str)
        name, sign, value = re.fullmatch("([a-z-]+)([=~])(.*)", first).groups()  # type: ignore[union-attr]
        wanted = _text(self._value([value or tokens[1]], scope))
        assert len(tokens) == 1 + (not value), tokens
        present = _text(item.get(name, "no" if name == "dynamic" else ""))
        return re.search(wanted, present) is not None if sign == "~" else present == wanted

    def _get(self, menu: str, rest: list[Token], _: Item, scope: _Scope) -> Any:
        name = rest[-1]
        assert isinstance(name, str)
        if menu == SERVER:
            return self.router.server[name]
        if menu == "/ipv6 settings":
            return self.router.ipv6[name]
        (one,) = self._targets(menu, rest, scope)
        return one[name]

    def _check(self, menu: str, given: Item) -> None:
        for name, other in _REFERENCES.items():
            if name in given and given[name] not in ("none", *self.router.names(other)):
                raise ScriptError(f"input does not match any value of {name}")
        if menu in _UNIQUE and given.get("name") in self.router.names(menu):
            raise ScriptError("failure: item with such name already exists")
        if given.get("dns-server") == "":
            raise ScriptError("invalid value for argument dns-server")

    def _add(self, menu: str, rest: list[Token], given: Item, scope: _Scope) -> None:
        self._check(menu, given)
        place = given.pop("place-before", None)
        item = self.router.add(menu, **given)
        if place is not None:
            items = self.router.menus[menu]
            items.remove(item)
            items.insert([one[".id"] for one in items].index(place), item)

    def _set(self, menu: str, rest: list[Token], given: Item, scope: _Scope) -> None:
        if menu == SERVER:
            self._check(menu, given)
            assert set(given) <= set(self.router.server)
            self.router.server |= given
            return
        for one in self._targets(menu, rest, scope):
            if given.get("name") != one.get("name"):
                self._check(menu, given)
            one |= given

    def _enable(self, menu: str, rest: list[Token], given: Item, scope: _Scope) -> None:
        for one in self._targets(menu, rest, scope):
            one["disabled"] = "no"

    def _remove(self, menu: str, rest: list[Token], given: Item, scope: _Scope) -> None:
        gone = [one[".id"] for one in self._targets(menu, rest, scope)]
        if menu == "/file":
            for name in gone:
                del self.router.files[name]
            return
        used = {self.router.server["certificate"], self.router.server["default-profile"]}
        if menu == "/ipv6 pool":
            used = {one.get("remote-ipv6-prefix-pool") for one in self._items("/ppp profile")}
        for one in self._items(menu):
            if one[".id"] in gone and menu in _REFERENCES.values():
                assert one["name"] not in used, f"{one['name']} is in use"
        self.router.menus[menu] = [one for one in self._items(menu) if one[".id"] not in gone]

    def _export(self, menu: str, rest: list[Token], given: Item, scope: _Scope) -> None:
        assert menu == SERVER
        assert "verbose" in rest  # without it, what is at its default is left out
        values = " ".join(f"{name}={_quoted(value)}" for name, value in self.router.server.items())
        self.router.files[f"{given['file']}.rsc"] = f"# by RouterOS\n{SERVER}\nset {values}\n"

    def _import(self, menu: str, rest: list[Token], given: Item, scope: _Scope) -> None:
        name = given["file-name"]
        if name not in self.router.files:
            raise ScriptError(f"no such file: {name}")
        content = self.router.files[name]
        if not menu:
            _Run(self.router).script(content)
        elif "PRIVATE KEY" in content:
            public = load_pem_private_key(content.encode(), None).public_key()
            wanted = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            for one in self._items(menu):
                if one.get("spki") == wanted:
                    one["private-key"] = "yes"
        else:
            self._import_certificates(name, content)

    def _import_certificates(self, name: str, content: str) -> None:
        found = x509.load_pem_x509_certificates(content.encode())
        for number, certificate in enumerate(found):
            digits = certificate.fingerprint(hashes.SHA256()).hex()
            if digits not in [one["fingerprint"] for one in self._items("/certificate")]:
                self.router.add(
                    "/certificate",
                    name=f"{name.rpartition('/')[2]}_{number}",
                    fingerprint=digits,
                    private_key="no",
                    trusted="yes",
                    spki=_keys(certificate),
                )


def _quoted(value: str) -> str:
    escaped = re.sub(r'["$\\?]', r"\\\g<0>", value)
    return value if re.fullmatch("[A-Za-z0-9.,-]+", value) else f'"{escaped}"'


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _infix(operator: str, left: Any, right: Any) -> Any:
    match operator:
        case "&&" | "and":
            return left and right
        case "||" | "or":
            return left or right
        case "=":
            return _text(left) == _text(right)
        case "!=":
            return _text(left) != _text(right)
        case ">":
            return int(left) > int(right)
        case "<":
            return int(left) < int(right)
        case "+":
            return int(left) + int(right)
        case ".":
            return _text(left) + _text(right)
    raise AssertionError(operator)
