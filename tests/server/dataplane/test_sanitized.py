"""The compiled data plane under AddressSanitizer and UndefinedBehaviorSanitizer.

The same tests and a fuzzer, each in a process of its own. That this finds something is tried with
sources in which a check is missing.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import engines
from tests.support.engines import SOURCE, TLS_SOURCE

_ROOT = Path(__file__).parents[3]
_FLAGS = ("-O1", "-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all")
_SANITIZERS = "-fsanitize=address,undefined"
_VARIABLES = {SOURCE.name: engines.VARIABLE, TLS_SOURCE.name: engines.TLS_VARIABLE}
_FUZZERS = {SOURCE.name: "tests.support.fuzz", TLS_SOURCE.name: "tests.support.fuzz_tls"}


def _build(folder: Path, source: Path) -> Path:
    return engines.build(folder, *_FLAGS, _SANITIZERS, source=source)


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The modules as they are, by their sources' names."""
    folder = tmp_path_factory.mktemp("sanitized")
    return {source.name: _build(folder, source) for source in (SOURCE, TLS_SOURCE)}


def _run(*command: str, modules: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run Python with the sanitizers in it, and each allocation one of its own."""
    named = subprocess.run(
        ("gcc", "-print-file-name=libasan.so"), capture_output=True, text=True, check=True
    )
    environment = os.environ | {
        "LD_PRELOAD": named.stdout.strip(),
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYCRYPTODOME_DISABLE_DEEPBIND": "1",
        **modules,
    }
    # what runs the tests around it is not for the ones inside
    for name in [one for one in environment if one.startswith(("PYTEST_", "COV_"))]:
        del environment[name]
    return subprocess.run(
        (sys.executable, *command),
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def _fuzz(name: str, module: Path, seconds: float, count: int) -> subprocess.CompletedProcess[str]:
    options = ("--seconds", str(seconds), "--count", str(count))
    return _run("-m", _FUZZERS[name], str(module), *options, modules={})


@pytest.mark.parametrize(
    ("source", "tests", "least"),
    [
        (SOURCE, ("merging", "diversion", "cutting", "compiled"), 100),
        (TLS_SOURCE, ("stream", "records"), 70),
    ],
    ids=["segments", "tls"],
)
def test_the_same_tests(
    sanitized: dict[str, Path], source: Path, tests: tuple[str, ...], least: int
) -> None:
    files = [str(Path(__file__).with_name(f"test_{name}.py")) for name in tests]
    options = ("-p", "no:cacheprovider", "-n", "0", "-s", "-q", "-k", "not python")
    modules = {_VARIABLES[source.name]: str(sanitized[source.name])}
    done = _run("-m", "pytest", *options, *files, modules=modules)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) > least
    assert "skipped" not in done.stdout


@pytest.mark.parametrize("name", _FUZZERS)
def test_fuzzing(sanitized: dict[str, Path], name: str) -> None:
    done = _fuzz(name, sanitized[name], 5.0, 3000)
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    assert int(done.stdout.split()[0]) > 50


@pytest.mark.parametrize(
    ("whole", "check", "broken"),
    [
        (SOURCE, "length > end - position)", "false)"),
        (SOURCE, "if (OVERHEAD + length > there - *end ||", "if ("),
        (TLS_SOURCE, " || end > data.len", ""),
        (TLS_SOURCE, "size - before - TAG <= room", "room"),
    ],
)
def test_a_missing_check_is_found(tmp_path: Path, whole: Path, check: str, broken: str) -> None:
    text = whole.read_text()
    assert text.count(check) == 1, "the source has this check no more, or says it differently"
    source = tmp_path / whole.name
    source.write_text(text.replace(check, broken))
    done = _fuzz(whole.name, _build(tmp_path, source), 20.0, 3000)
    assert done.returncode != 0
    assert "AddressSanitizer" in done.stderr
