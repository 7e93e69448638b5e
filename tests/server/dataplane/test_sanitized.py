"""The compiled data plane under AddressSanitizer and UndefinedBehaviorSanitizer.

The same tests and a fuzzer, each in a process of its own. That this finds something is tried with
sources in which a check is missing.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import engines
from tests.support.engines import SOURCE

_ROOT = Path(__file__).parents[3]
_FLAGS = ("-O1", "-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all")
_SANITIZERS = "-fsanitize=address,undefined"
_TESTS = ("merging", "diversion", "cutting", "compiled")


def _build(folder: Path, source: Path = SOURCE) -> Path:
    return engines.build(folder, *_FLAGS, _SANITIZERS, source=source)


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module as it is."""
    return _build(tmp_path_factory.mktemp("sanitized"))


def _run(module: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the sanitizers in it, and each allocation one of its own."""
    named = subprocess.run(
        ("gcc", "-print-file-name=libasan.so"), capture_output=True, text=True, check=True
    )
    environment = os.environ | {
        "LD_PRELOAD": named.stdout.strip(),
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYCRYPTODOME_DISABLE_DEEPBIND": "1",
        engines.VARIABLE: str(module),
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


def _fuzz(module: Path, seconds: float, count: int) -> subprocess.CompletedProcess[str]:
    options = ("--seconds", str(seconds), "--count", str(count))
    return _run(module, "-m", "tests.support.fuzz", str(module), *options)


def test_the_same_tests(sanitized: Path) -> None:
    files = [str(Path(__file__).with_name(f"test_{name}.py")) for name in _TESTS]
    options = ("-p", "no:cacheprovider", "-n", "0", "-s", "-q", "-k", "not python")
    done = _run(sanitized, "-m", "pytest", *options, *files)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) > 100
    assert "skipped" not in done.stdout


def test_fuzzing(sanitized: Path) -> None:
    done = _fuzz(sanitized, 5.0, 3000)
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    assert int(done.stdout.split()[0]) > 50


@pytest.mark.parametrize(
    ("check", "broken"),
    [
        ("length > end - position)", "false)"),
        ("if (OVERHEAD + length > there - *end ||", "if ("),
    ],
)
def test_a_missing_check_is_found(tmp_path: Path, check: str, broken: str) -> None:
    text = SOURCE.read_text()
    assert text.count(check) == 1, "the source has this check no more, or says it differently"
    source = tmp_path / SOURCE.name
    source.write_text(text.replace(check, broken))
    done = _fuzz(_build(tmp_path, source), 20.0, 3000)
    assert done.returncode != 0
    assert "AddressSanitizer" in done.stderr
