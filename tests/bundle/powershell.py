"""What a script says, by the grammar of tree-sitter: its commands, variables and literals."""

import functools
import re
from collections.abc import Iterator

import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

from tests.bundle.powershell_literals import read

AUTOMATIC = {
    *("$_", "$null", "$true", "$false", "$PID", "$PSScriptRoot", "$PSCommandPath"),
    *("$PSVersionTable", "$ErrorActionPreference", "$LASTEXITCODE", "$ExecutionContext"),
}
# at the begin of a statement or of a block; not in a comment, nor as the text of Get-Command
_VPN_CALL = re.compile(r"(?:^|\{) *(?:Add|Get|Remove|Set)-VpnConnection\w*\b")


@functools.cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_powershell.language()))


def _nodes(root: Node) -> Iterator[Node]:
    """Yield all nodes in the order of the text."""
    left = [root]
    while left:
        node = left.pop()
        yield node
        left.extend(reversed(node.children))


def _text(node: Node) -> str:
    assert node.text is not None
    return node.text.decode()


class Script:
    """A script that parses; one that does not is an AssertionError."""

    def __init__(self, content: bytes) -> None:
        assert content.startswith(b"\xef\xbb\xbf#")
        self.text = content.decode("utf-8-sig")
        self._found = list(_nodes(_parser().parse(self.text.encode()).root_node))
        wrong = [one for one in self._found if one.is_error or one.is_missing]
        assert not wrong, [(one.type, one.start_point) for one in wrong]

    def _of(self, kind: str) -> set[str]:
        return {_text(one) for one in self._found if one.type == kind}

    @property
    def defined(self) -> set[str]:
        """Functions of its own."""
        return self._of("function_name")

    @property
    def called(self) -> set[str]:
        return self._of("command_name")

    @property
    def parameters(self) -> dict[str, set[str]]:
        """By command, the parameters that it is given somewhere."""
        found: dict[str, set[str]] = {}
        for one in self._found:
            if one.type == "command":
                name = next((_text(c) for c in one.children if c.type == "command_name"), "")
                given = (c for c in one.children[-1].children if c.type == "command_parameter")
                found.setdefault(name, set()).update(_text(c).split(":")[0] for c in given)
        return found

    @property
    def takes(self) -> dict[str, int]:
        """By function, how many values it takes."""
        heads = re.findall(r"^function ([\w-]+)(?:\((.*?)\))? \{", self.text, re.MULTILINE)
        return {name: values.count("$") for name, values in heads}

    @property
    def calls(self) -> list[tuple[str, int]]:
        """The calls of functions of its own, and how many values each hands over."""
        found, own = [], self.defined
        for one in self._found:
            name = next((_text(c) for c in one.children if c.type == "command_name"), "")
            if one.type == "command" and name in own:
                groups = (c.children for c in one.children if c.type == "command_elements")
                values = [c for group in groups for c in group if c.type != "command_argument_sep"]
                found.append((name, len(values)))
        return found

    @property
    def deaf(self) -> list[str]:
        """The lines that call a cmdlet of VpnClient, and do not say what an error is to do.

        It is a module of scripts, which do not see the $ErrorActionPreference of their caller.
        """
        lines = [line for line in self.text.splitlines() if _VPN_CALL.search(line)]
        tables = [re.findall(r"@(\w+)", line) for line in lines]
        return [
            line
            for line, names in zip(lines, tables, strict=True)
            if "-ErrorAction " not in line and not any(map(self._has_error_action, names))
        ]

    def _has_error_action(self, table: str) -> bool:
        return bool(re.search(rf"\${table} = @\{{[^}}]*\bErrorAction\s+=", self.text))

    @property
    def kinds(self) -> set[str]:
        return {one.type for one in self._found}

    @property
    def unknown_variables(self) -> set[str]:
        """Variables that nothing sets, in lower case."""
        used = {one.lower() for one in self._of("variable")}
        used = {one for one in used if not one.startswith(("$env:", "@"))}
        left = [
            _text(one.children[0]) for one in self._found if one.type == "assignment_expression"
        ]
        declared = set(
            re.findall(r"\$(?:script:)?\w+", " ".join([*left, *self._of("script_parameter")]))
        )
        loops = set(re.findall(r"foreach \((\$\w+) in", self.text))
        return used - {one.lower() for one in declared | loops | AUTOMATIC}

    @property
    def assigned(self) -> dict[str, list[str]]:
        """By variable, the values of the strings in its first assignment."""
        values: dict[str, list[str]] = {}
        for one in self._found:
            if one.type == "assignment_expression":
                left, right = _text(one.children[0]), _text(one.children[-1])
                values.setdefault(left.strip(), read(right + "\n").literals)
        return values
