"""TOML 1.0: read by the standard library, and what is wrong with it said in words of ours.

The library tells only in the text of its messages where a document breaks, and of a value that is
well-formed and of no use it says nothing. So a document that is of no use is read here once more,
one statement (a section, or a key and its value) after the other, each with its line.
"""

import json
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .errors import SstpcaError
from .names import quoted

_Path = tuple[str, ...]

#: what to do where there is nothing better to say
CORRECT: Final = "correct that in the file"
# strings and comments, in which nothing else has a meaning; and a long string that does not close
_STRINGS: Final = (
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|(?P<open>"""|\'\'\')'
    r'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\''
)
_TOKEN: Final = re.compile(rf"(?P<string>{_STRINGS})|#[^\n]*", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z0-9_.\s-]+")
_NUMBER: Final = re.compile(r"[+-]?\d[\d_]*[.,]?\d*;?|0[xob]\w*")
_BARE: Final = re.compile(r"[^\[\]{},\s][^\[\]{},\n]*")
_NO_CONTROLS: Final = re.compile(r"[^\n\x00-\x08\x0b-\x1f\x7f]+")
_TRUTH: Final = frozenset({"true", "false", "yes", "no", "on", "off"})
# what word processors and telephones put in place of " and '
_QUOTATION_MARKS: Final = frozenset("“”„‟«»‹›‘’‚‛″′`´")  # noqa: RUF001 that is the point
# format characters and blanks: nobody sees them, or sees what they are
_UNSEEN: Final = frozenset({"Cf", "Zs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Document:
    """What is in a document, and on which lines.

    :param where: the file, as messages name it.
    """

    where: str
    text: str
    tables: dict[str, Any]

    def refusal(self, path: _Path, what: str, hint: str = CORRECT) -> SstpcaError:
        """Return the error that says ``what`` is wrong with the table or key ``path``."""
        return SstpcaError(f"{self.where}, line {self.line(path)}: {what}", hint)

    def with_list(self, path: _Path, values: Sequence[str]) -> str | None:
        """Return the text with the list of texts ``values`` in the place of the key ``path``.

        All else stays as it is, comments too. None if there is no section for it, or the document
        is written in a way that this cannot edit.
        """
        lines, place = self.text.split("\n"), None
        value = f"{path[-1]} = [{', '.join(map(string, values))}]"
        for line, found, statement in _named(self.text):
            height = statement.count("\n") + 1
            if found == path[:-1] and _is_header(statement):
                place = line + height - 1, 0, [value]
            elif found == path:
                comments = [one[0] for one in _TOKEN.finditer(statement) if one[0][0] == "#"]
                beside = f"  {comments.pop()}" if comments and height == 1 else ""
                place = line - 1, height, [*comments, value + beside]
                break
        if place is None:
            return None
        begin, height, new = place
        lines[begin : begin + height] = new
        text = "\n".join(lines)
        table = self.tables.get(path[0], {}) | {path[-1]: list(values)}
        same = _is_toml(text) and tomllib.loads(text) == self.tables | {path[0]: table}
        return text if same else None

    def line(self, path: _Path) -> int:
        """Return the line of the table or key ``path``, counted from 1; 1 if it is not there."""
        for line, found in _paths(self.text):
            if found[: len(path)] == path:
                return line
        return 1


def parse(text: str, where: str) -> Document:
    """Return what is in ``text``, which was read from ``where``.

    :raises SstpcaError: if it is not TOML: the first line that is not, and what to do about it.
    """
    text = text.replace("\r\n", "\n")
    try:
        return Document(where, text, tomllib.loads(text))
    # ValueError: also a number of more digits than Python converts
    except (ValueError, RecursionError):
        line, what, hint = _mistake(text)
        raise SstpcaError(f"{where}, line {line}: {what}", hint or CORRECT) from None


def string(text: str) -> str:
    """Return ``text`` as a basic string of TOML 1.0."""
    # JSON's own escapes are TOML's too, but not its surrogate pairs, and DEL it leaves alone
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield each statement with the line that it begins on; it may go on over several."""
    begin, lines = 0, list[str]()
    for number, line in enumerate(text.split("\n"), 1):
        if not lines and not line.strip(" \t"):
            continue
        begin = begin if lines else number
        lines.append(line)
        statement = "\n".join(lines)
        if _is_header(statement) or not _goes_on(statement):
            yield begin, statement
            lines = []
    if lines:
        yield begin, "\n".join(lines)


def _is_header(statement: str) -> bool:
    return statement.lstrip(" \t")[:1] == "["


def _goes_on(statement: str) -> bool:
    """Return whether a bracket, or a string of several lines, is still open at the end."""
    rest = _rest(statement)
    is_open = '"""' in rest or "'''" in rest
    return is_open or sum(map(rest.count, "[{")) > sum(map(rest.count, "]}"))


def _rest(statement: str, instead: str = "") -> str:
    """Return what is outside of strings and comments, with ``instead`` in their places."""
    return _TOKEN.sub(lambda token: token["open"] or instead, statement)


def _paths(text: str) -> Iterator[tuple[int, _Path]]:
    """Yield the line and the full name of each table and key of a document that is TOML."""
    yield from ((line, found) for line, found, _ in _named(text))


def _named(text: str) -> Iterator[tuple[int, _Path, str]]:
    """Yield the same, each with its statement."""
    table: _Path = ()
    for line, statement in _statements(text):
        found = _names(tomllib.loads(statement))
        if _is_header(statement):
            [table] = found
            yield line, table, statement
        else:
            yield from ((line, table + path, statement) for path in found)


def _names(value: Any) -> list[_Path]:
    """Return the names of all that is in the table ``value``, and in those within it."""
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict) or not value:
        return [()]
    return [(key, *path) for key, inner in value.items() for path in _names(inner)]


def _mistake(text: str) -> tuple[int, str, str]:
    """Return the line of the first mistake, what it is, and what to do about it."""
    for line, statement in _statements(text):
        if not _is_toml(statement):
            return _in_statement(line, statement)
    # each holds by itself: one of them gives a name that there is
    lines = text.split("\n")
    places = [line for line, _ in _statements(text)]
    ends = [place - 1 for place in places[1:]] + [len(lines)]
    line = next(
        line for line, end in zip(places, ends, strict=True) if not _is_toml("\n".join(lines[:end]))
    )
    name = quoted(lines[line - 1].partition("=")[0].strip())
    return line, f"{name} is there already, further up", "keep one of the two"


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _in_statement(line: int, statement: str) -> tuple[int, str, str]:
    """Return the line, what is wrong with ``statement``, and what to do about it."""
    for number, one in enumerate(_keeping_lines(statement).split("\n"), line):
        for sign in one:
            found = _strange(sign)
            if found:
                return number, *found
    content = _TOKEN.sub(lambda token: token["string"] or "", statement).strip()
    first = content.partition("\n")[0]
    if _is_header(statement):
        return line, f"{quoted(first)} is no section", "write its name in brackets, as in [server]"
    name, equals, value = (part.strip() for part in content.partition("="))
    if not equals:
        return (
            line,
            f"{quoted(first)} has no =",
            "a setting is written name = value, a comment # so",
        )
    if not name or not _NAME.fullmatch(_rest(name, "x")):
        return line, f"{quoted(name)} is no name of a setting", CORRECT
    what, hint = _in_value(value)
    return line, f"{quoted(name)} {what}", hint


def _keeping_lines(statement: str) -> str:
    """Return ``statement`` without its strings and comments, line by line; control characters stay."""
    return _TOKEN.sub(lambda token: _NO_CONTROLS.sub("", token[0]), statement)


def _strange(sign: str) -> tuple[str, str] | None:
    """Return what to say of a character outside of strings, if TOML has no use for it."""
    if sign in _QUOTATION_MARKS:
        return f"{sign} is not a quotation mark of TOML", 'take straight ones: "..."'
    kind = unicodedata.category(sign)
    if (kind == "Cc" and sign not in "\t\n") or (kind in _UNSEEN and sign != " "):
        return f"there is an invisible character, U+{ord(sign):04X}", "remove it"
    return None


def _in_value(value: str) -> tuple[str, str]:
    """Return what is wrong with the value of a setting, and what to do about it."""
    rest = _rest(value).strip()
    bare = _BARE.search(_rest(value, " "))
    if not value:
        return "has no value", 'write one; nothing is "" or []'
    if value[0] == '"' and "\\" in value:
        return "has a backslash between double quotes", "take single ones: '...'"
    if '"' in rest or (value[0] in "'[{" and "'" in rest):
        return "has a text whose quotation marks do not close", CORRECT
    if value[0] in "\"'":
        return f"goes on behind its text: {quoted(rest)}", "take single quotes around: '...'"
    if _goes_on(value):
        return "has a list that does not close", "end it with ]"
    if bare is None:
        return "has a list that cannot be read", 'write it so: ["one", "two"]'
    word = bare[0].strip()
    if word.lower() in _TRUTH:
        return f"is {quoted(word)}", "write true or false"
    if _NUMBER.fullmatch(word):
        return (
            f"has a number that cannot be read: {quoted(word)}",
            "write digits alone, the first of them no 0",
        )
    return f"has a text without quotation marks: {quoted(word)}", f"write {string(word)}"
