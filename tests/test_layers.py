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
