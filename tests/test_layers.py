"""Which part may import which: the arrows of the architecture."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SERVER = sorted((ROOT / "server").rglob("*.py"))
PROTOCOLS = [path for path in SERVER if path.parent.name in ("sstp", "ppp")]

# What would bring in a socket, a clock, chance or a log.
FORBIDDEN = {
    "OpenSSL",
    "asyncio",
    "datetime",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "select",
    "selectors",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "time",
}


def imports(source: str) -> Iterator[tuple[int, str]]:
    """Yield the level and the dotted name of each import; 0 is absolute, 1 the own package."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = [""] if module else [alias.name for alias in node.names]
            yield from ((node.level, f"{module}{name}") for name in names)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def depth(path: Path) -> int:
    """How many levels of relative import reach the top of the server."""
    return len(path.relative_to(ROOT / "server").parts)


def test_the_reader_of_imports() -> None:
    source = "import os.path, ssl\nfrom . import a, b\nfrom ..c import d\ndef f():\n import time"
    expected = [(0, "os.path"), (0, "ssl"), (0, "time"), (1, "a"), (1, "b"), (2, "c")]
    assert sorted(imports(source)) == expected


def test_there_is_something_to_look_at() -> None:
    assert {path.parent.name for path in PROTOCOLS} == {"sstp", "ppp"}
    assert len(PROTOCOLS) > 10


@pytest.mark.parametrize("path", PROTOCOLS, ids=name)
def test_protocols_do_no_input_or_output(path: Path) -> None:
    found = {module.partition(".")[0] for level, module in imports(path.read_text()) if not level}
    assert not found & FORBIDDEN


@pytest.mark.parametrize("path", PROTOCOLS, ids=name)
def test_protocols_know_only_themselves_and_the_interfaces(path: Path) -> None:
    up = [module for level, module in imports(path.read_text()) if level == depth(path)]
    assert set(up) <= {"interfaces"}


@pytest.mark.parametrize("path", SERVER, ids=name)
def test_the_server_knows_nothing_of_the_toolkit(path: Path) -> None:
    for level, module in imports(path.read_text()):
        assert level <= depth(path), f"{module} is outside of the server"
        if level == 0:
            own = module.partition(".")[0] in ("sstpca", "server", "templates", "tests")
            assert not own, f"{module}: imports inside the server are relative"


TOOLKIT = sorted([*(ROOT / "sstpca").rglob("*.py"), *(ROOT / "tests").rglob("*.py")])


@pytest.mark.parametrize("path", TOOLKIT, ids=name)
def test_the_server_has_one_name(path: Path) -> None:
    # A bare "server" would be a second copy of every class.
    modules = {module.partition(".")[0] for level, module in imports(path.read_text()) if not level}
    assert not modules & {"server", "templates"}


CODE = sorted([*(ROOT / "server").rglob("*.py"), *(ROOT / "sstpca").rglob("*.py")])
# what would take a text apart, or look for a word in it
_TAKING_APART = {
    *("startswith", "endswith", "partition", "rpartition", "split", "rsplit", "splitlines"),
    *("find", "rfind", "index", "count", "replace", "removeprefix", "removesuffix", "lower"),
    *("match", "fullmatch", "search", "sub", "findall", "finditer"),
}
# where the words are put on one line for a quotation
_QUOTING = {("sstpca/bundle/render.py", "_reason")}


def words_of(node: ast.AST, errors: set[str]) -> bool:
    """Return whether ``node`` is the text of a caught error: str(error), error.args, .reason."""
    match node:
        case ast.Call(func=ast.Name(id="str" | "repr"), args=[ast.Name(id=name)]):
            return name in errors
        case ast.Attribute(value=ast.Name(id=name), attr="args" | "strerror" | "msg" | "message"):
            return name in errors
        case ast.Attribute(value=ast.Name(id=name), attr="reason" | "orig"):
            return name in errors
        case ast.Subscript(value=value) | ast.Attribute(value=value) | ast.Call(func=value):
            return words_of(value, errors)
        case ast.BoolOp(values=values):
            return any(words_of(value, errors) for value in values)
    return False


def taken_apart(source: str) -> Iterator[tuple[str, int]]:
    """Yield function and line of each decision, or text, made out of an exception's own words."""
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        errors = {one.name for one in ast.walk(function) if isinstance(one, ast.ExceptHandler)}
        errors |= {
            one.arg
            for one in function.args.args
            if one.annotation is not None and "Error" in ast.unparse(one.annotation)
        }
        known = {name for name in errors if name}
        for node in ast.walk(function):
            if not isinstance(node, ast.expr | ast.stmt):
                continue
            match node:
                case ast.Call(func=ast.Attribute(value=value, attr=attr), args=args):
                    found = attr in _TAKING_APART and any(
                        words_of(one, known) for one in (value, *args)
                    )
                case ast.Compare(left=left, comparators=others):
                    found = any(words_of(one, known) for one in (left, *others))
                case ast.Match(subject=subject):
                    found = words_of(subject, known)
                case _:
                    found = False
            if found:
                yield function.name, node.lineno


@pytest.mark.parametrize(
    "line",
    [
        'str(error).startswith("x")',
        '"x" in str(error)',
        're.sub("x", "", str(error))',
        'str(error).partition(" - at ")',
        'error.reason.replace("_", " ")',
        'error.args[0] == "x"',
        "(error.reason or str(error)).lower()",
    ],
)
def test_the_reader_of_decisions(line: str) -> None:
    body = f"def f():\n try:\n  g()\n except E as error:\n  h({line})"
    assert list(taken_apart(body)) == [("f", 5)]
    assert list(taken_apart(f"def f(error: ValueError):\n h({line})")) == [("f", 2)]
    assert not list(taken_apart("def f(error: ValueError):\n h(f'{error}', error.errno == 5)"))


@pytest.mark.parametrize("path", CODE, ids=name)
def test_nothing_hangs_on_the_words_of_an_exception(path: Path) -> None:
    """They belong to whoever raised it, and change with its next release.

    Decide by class, number or a table of constants; show the rest as it is, as a quotation.
    """
    found = [one for one in taken_apart(path.read_text()) if (name(path), one[0]) not in _QUOTING]
    assert not found
