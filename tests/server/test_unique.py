"""Names that say of what: none is used twice in the server."""

import ast
from collections import Counter
from pathlib import Path

SERVER = Path(__file__).resolve().parents[2] / "server"
FILES = sorted(SERVER.rglob("*.py"))

# what a layer asks of the one above; a note for the log is the same in both, which know no other
_MODULES = {"__init__", "effects"}
_CLASSES = {"Note"}


def repeated(names: list[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}


def test_no_module_name_twice() -> None:
    assert repeated([path.stem for path in FILES]) == _MODULES


def test_no_class_name_twice() -> None:
    trees = [ast.walk(ast.parse(path.read_text())) for path in FILES]
    classes = [node.name for tree in trees for node in tree if isinstance(node, ast.ClassDef)]
    assert len(classes) > 100
    assert repeated(classes) == _CLASSES
