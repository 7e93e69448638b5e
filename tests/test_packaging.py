"""What the wheel holds is what the tree holds."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def setuptools() -> dict[str, Any]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    section: dict[str, Any] = config["tool"]["setuptools"]
    return section


def test_every_package_is_listed(setuptools: dict[str, Any]) -> None:
    # One that is not works in an editable install and is absent from the wheel.
    found = {
        ".".join((package, *init.parent.relative_to(ROOT / folder).parts))
        for package, folder in setuptools["package-dir"].items()
        for init in (ROOT / folder).rglob("__init__.py")
    }
    assert found == set(setuptools["packages"])


def test_every_folder_with_code_is_a_package(setuptools: dict[str, Any]) -> None:
    for folder in setuptools["package-dir"].values():
        for path in (ROOT / folder).rglob("*.py"):
            assert (path.parent / "__init__.py").is_file(), path.parent


def test_every_template_is_packaged(setuptools: dict[str, Any]) -> None:
    templates = ROOT / "templates"
    patterns = setuptools["package-data"]["sstpca.templates"]
    packaged = {path for pattern in patterns for path in templates.glob(pattern)}
    there = {path for path in templates.rglob("*") if path.is_file()}
    assert {path.name for path in there - packaged if path.suffix != ".pyc"} == {"__init__.py"}
    assert {path.suffix for path in packaged} == {".conf", ".j2", ".json", ".toml", ".yml"}


def test_the_marker_of_types_is_packaged(setuptools: dict[str, Any]) -> None:
    assert "py.typed" in setuptools["package-data"]["sstpca"]
    assert (ROOT / "sstpca" / "py.typed").is_file()
