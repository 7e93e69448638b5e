"""The documents for developers name what there is."""

import re
from pathlib import Path

import pytest

from tests.test_layers import ROOMS

ROOT = Path(__file__).resolve().parents[1]
ARCHITECTURE = ROOT / "docs" / "architecture.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
# `sstpca/store/users.py`, `tests/bench`, `server/`, `.ci/run`
PLACE = re.compile(r"`(\.?\w[\w.-]*/[\w./-]*)`")
# `Home`, `Home.serving`: a class, and what it has
CLASS = re.compile(r"`([A-Z]\w*)(?:\.(\w+))?`")
# `names.user_key`: a module of the toolkit, and a function of it; `serve.lock` is a file
FUNCTION = re.compile(r"`(?!sstpca\.)([a-z]\w*)\.(?!py`|toml`|cmd`|lock`)(\w+)`")
SOURCES = {
    path: path.read_text() for top in ("sstpca", "server") for path in (ROOT / top).rglob("*.py")
}


@pytest.mark.parametrize("document", [ARCHITECTURE, CONTRIBUTING], ids=lambda one: one.name)
def test_each_place_that_is_named_exists(document: Path) -> None:
    found = PLACE.findall(document.read_text())
    assert len(found) > 5
    assert [one for one in found if not (ROOT / one).exists()] == []


@pytest.mark.parametrize("document", [ARCHITECTURE, CONTRIBUTING], ids=lambda one: one.name)
def test_each_class_that_is_named_exists(document: Path) -> None:
    found = CLASS.findall(document.read_text())
    assert found
    for name, member in found:
        has = rf"^class {name}\b" + (rf".*?^    def {member}\b" if member else "")
        assert any(re.search(has, one, re.MULTILINE | re.DOTALL) for one in SOURCES.values()), name


@pytest.mark.parametrize("document", [ARCHITECTURE, CONTRIBUTING], ids=lambda one: one.name)
def test_each_function_that_is_named_exists(document: Path) -> None:
    found = FUNCTION.findall(document.read_text())
    assert found
    for module, name in found:
        texts = [text for path, text in SOURCES.items() if path.stem == module]
        assert any(re.search(rf"^def {name}\b", one, re.MULTILINE) for one in texts), name


def test_a_bare_module_stands_behind_one_of_its_folder() -> None:
    """ "`server/net/rules.py`, `firewall.py`" means two of one folder."""
    folder = ROOT
    for whole, bare in re.findall(
        r"`([\w./-]+/[\w.-]+\.py)`|`([\w]+\.py)`", ARCHITECTURE.read_text()
    ):
        if whole:
            folder = (ROOT / whole).parent
        else:
            places = (folder / bare, ROOT / "sstpca" / bare, ROOT / "server" / bare)
            assert any(one.exists() for one in places), bare


def test_every_room_is_in_the_picture() -> None:
    picture = ARCHITECTURE.read_text().split("```")[1]
    rooms = set(ROOMS) - {"__main__", "__init__"}
    assert {one for one in rooms if not re.search(rf"\b{one}\b", picture)} == set()


def test_the_words_are_in_order() -> None:
    words = re.findall(r"^\| ([a-z ]+) \|", ARCHITECTURE.read_text(), re.MULTILINE)
    assert words[0] == "word"
    assert words[1:] == sorted(words[1:])
    assert len(words) > 20


def test_every_helper_of_the_tests_is_named() -> None:
    named = set(re.findall(r"`(\w+\.py)`", CONTRIBUTING.read_text()))
    helpers = {one.name for one in (ROOT / "tests" / "support").glob("[!_]*.py")}
    assert len(helpers) > 20
    assert {one for one in helpers if not one.startswith("test_")} - named == set()
