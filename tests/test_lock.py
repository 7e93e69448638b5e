"""The locks and pyproject.toml say the same, and pip can take the locks as they are."""

import importlib.metadata
import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = CONFIG["dependency-groups"]


def _holds(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate()


RUN = [Requirement(text) for text in CONFIG["project"]["dependencies"] + GROUPS["install"]]
ASKED = {
    "run": RUN,
    "test": RUN + [Requirement(text) for text in GROUPS["dev"]],
    "bench": RUN + [Requirement(text) for text in GROUPS["bench"]],
    # another one for each Python
    "fuzz": RUN + [one for one in map(Requirement, GROUPS["fuzz"]) if _holds(one)],
}
# what is installed beside the tests, and a module by which that is seen
BESIDE = {"bench": "matplotlib", "fuzz": "atheris"}
LEVELS = pytest.mark.parametrize("level", ASKED)

Pins = dict[str, Requirement]


def lines(level: str) -> list[str]:
    """Return the lock's logical lines, without comments."""
    text = (ROOT / "install" / f"lock-{level}.txt").read_text()
    return re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", "").splitlines()


def pins(level: str) -> Pins:
    """Return what the lock names: by name, the exact requirement with its marker.

    Where it has another version for each Python, the one for this Python.
    """
    found = [Requirement(line.partition("--hash")[0]) for line in lines(level)]
    # those that hold here come last, and stay
    found.sort(key=lambda pin: pin.marker is None or pin.marker.evaluate())
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def version(pin: Requirement) -> str:
    (only,) = pin.specifier
    assert only.operator == "=="
    return only.version


def needed(asked: list[Requirement]) -> Iterator[str]:
    """Yield the names of ``asked`` and, as the installed packages say it, of what they need."""
    open_, seen = list(asked), set()
    while open_:
        requirement = open_.pop()
        for extra in ["", *requirement.extras]:
            name = canonicalize_name(requirement.name)
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            yield name
            for text in importlib.metadata.requires(name) or ():
                more = Requirement(text)
                if more.marker is None or more.marker.evaluate({"extra": extra}):
                    open_.append(more)


@LEVELS
def test_it_has_what_pyproject_asks_for_within_its_ranges(level: str) -> None:
    locked = pins(level)
    for requirement in ASKED[level]:
        pin = locked[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version(pin)), f"{requirement}: run make lock"


@LEVELS
def test_it_has_all_that_is_needed_and_nothing_else(level: str) -> None:
    if Path(sys.prefix) != ROOT / ".venv":
        pytest.skip("needs the locked environment: make test")
    if (beside := BESIDE.get(level)) and importlib.util.find_spec(beside) is None:
        pytest.skip(f"needs {beside}: make {level}")
    here = {n for n, pin in pins(level).items() if pin.marker is None or pin.marker.evaluate()}
    assert here == set(needed(ASKED[level])), "run make lock"


@LEVELS
def test_it_holds_names_versions_and_hashes_alone(level: str) -> None:
    for line in lines(level):
        requirement, *hashes = line.split(" --hash=")
        assert Requirement(requirement).url is None
        assert hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64} *", digest) for digest in hashes)


def test_what_the_program_needs_is_the_same_for_its_tests() -> None:
    assert pins("run").items() <= pins("test").items()


@pytest.mark.parametrize("level", BESIDE)
def test_what_is_installed_beside_what_the_tests_need_leaves_that_as_it_is(level: str) -> None:
    beside, test = pins(level), pins("test")
    assert pins("run").items() <= beside.items()
    assert {name: beside[name] for name in beside.keys() & test.keys()}.items() <= test.items()


def test_the_build_is_locked_too() -> None:
    for text in CONFIG["build-system"]["requires"]:
        assert Requirement(text) in RUN
