"""The docstring of a package is the map of its modules."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# in sstpca and its command line, the names of modules say enough
SPEAKING = {"sstpca", "sstpca/cli", "templates"}
PACKAGES = sorted(
    str(init.parent.relative_to(ROOT))
    for top in ("sstpca", "server", "templates")
    for init in (ROOT / top).rglob("__init__.py")
)


@pytest.mark.parametrize("package", sorted(set(PACKAGES) - SPEAKING))
def test_every_module_is_on_the_map(package: str) -> None:
    folder = ROOT / package
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    assert modules <= set(re.findall(r"\w+", text))


def test_there_is_something_to_look_at() -> None:
    assert {"server", "server/ppp", "sstpca/bundle", "sstpca/x509"} <= set(PACKAGES)
