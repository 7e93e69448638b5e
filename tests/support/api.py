"""docs/api.md, built from the docstrings of what programs may use: python -m tests.support.api."""

import ast
import enum
import inspect
import re
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
# in the order of a first reading; each has its public names in __all__, or one class
MODULES = (
    "vpn.vpn",
    "vpn.setup",
    "vpn.users",
    "access.profiles",
    "access.connection_settings",
    "access.limits",
    "access.hours",
    "access.quantities",
    "vpn.profiles",
    "vpn.bundles",
    "vpn.making",
    "vpn.administrators",
    "vpn.certificates",
    "vpn.transfer",
    "vpn.authority",
    "vpn.rollover",
    "vpn.rename",
    "vpn.linting",
    "vpn.sessions",
    "vpn.lockouts",
    "settings",
    "errors",
)
_HEAD = """# The library

What the command line does, a program can do. `from sstpca import Vpn` is all that it needs to begin
with; what a verb takes and gives is below, by module. This page is built from the docstrings
(`python -m tests.support.api`), so it says what the code says. Names that are not here may change
with each release.

- Paths are `pathlib.Path` (or text, in `Vpn`); times are aware `datetime`s, or seconds since 1970
  where a value has `float`; addresses are those of `ipaddress`; digests are hexadecimal, sizes bytes.
- Errors are `SstpcaError`, each a line of text with a stable `code` and a `remedy` as data: text, and
  the commands in it. Bad arguments of a program's own (a wrong type) are Python's errors.
- A verb is one transaction: on disk, recorded, told. One that yields does its work as it is iterated
  over, and holds what it locks until then.
- Secrets are in values whose `repr` does not show them, and in no exception.
"""


def _public(module: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a module itself defines of what it makes public, in the order of its source."""
    own = [
        (name, value)
        for name, value in vars(module).items()
        if name in getattr(module, "__all__", {name})
        and not name.startswith("_")
        and inspect.isclass(value) | inspect.isfunction(value)
        and value.__module__ == module.__name__
    ]
    yield from sorted(own, key=lambda one: inspect.getsourcelines(one[1])[1])


def _text(value: Any) -> str:
    """Return a docstring as Markdown: fields as a list, cross references as code."""
    text = inspect.getdoc(value) or ""
    text = re.sub(r":(?:meth|class|func|data|attr):`[~.]*([^`]+)`", r"`\1`", text)
    text = text.replace("``", "`")
    text = re.sub(r"^:param (\w+): *", r"- `\1`: ", text, flags=re.MULTILINE)
    text = re.sub(r"^:(returns?|ivar \w+|cvar \w+): *", r"- \1: ", text, flags=re.MULTILINE)
    text = re.sub(r"^:raises (\w+): *", r"- raises `\1` ", text, flags=re.MULTILINE)
    text = re.sub(r"^    +", "  ", text, flags=re.MULTILINE)
    return re.sub(r"(?<!\n)\n- ", "\n- ", text)


def _signature(value: Any) -> str:
    """Return parameters and result as they are written, which is the same with each Python."""
    [node] = ast.parse(textwrap.dedent(inspect.getsource(value))).body
    assert isinstance(node, ast.FunctionDef)
    for taken in (node.args.posonlyargs, node.args.args):
        if taken and taken[0].arg in ("self", "cls"):
            del taken[0]
    result = "" if node.returns is None else f" -> {ast.unparse(node.returns)}"
    return f"({ast.unparse(node.args)}){result}".replace("'", "")


def _members(value: type) -> Iterator[str]:
    for name, member in vars(value).items():
        if (
            name.startswith("_")
            or (member := inspect.unwrap(getattr(member, "__func__", member))) is None
        ):
            continue
        if isinstance(member, FunctionType):
            yield f"**`{name}{_signature(member)}`**\n\n{_text(member)}"
        elif isinstance(member, property) or type(member).__name__ == "cached_property":
            yield f"**`{name}`** {_text(member)}"


def _parts(name: str, value: Any) -> Iterator[str]:
    if not inspect.isclass(value):
        yield f"### `{name}{_signature(value)}`\n\n{_text(value)}"
        return
    yield f"### `{name}`\n\n{_text(value)}"
    if issubclass(value, enum.Enum):
        yield ", ".join(f"`{one.name}`" for one in value)
        return
    fields = getattr(value, "__dataclass_fields__", {})
    if fields:
        yield "Fields: " + ", ".join(f"`{one}`" for one in fields if not one.startswith("_")) + "."
    yield from _members(value)


def page() -> str:
    """Return the whole page."""
    parts = [_HEAD.rstrip()]
    for path in MODULES:
        module = import_module(f"sstpca.{path}")
        parts.append(f"## sstpca.{path}\n\n{_text(module)}")
        for name, value in _public(module):
            parts += _parts(name, value)
    return "\n\n".join(one.strip() for one in parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
