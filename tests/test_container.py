"""The Containerfile: linted, and for what is built here."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sstpca.service.unit_text import _CAPABILITIES
from tests.support.container import steps

FILE = Path(__file__).resolve().parents[1] / "Containerfile"


def test_hadolint_finds_no_fault_with_it() -> None:
    found = Path(sys.executable).with_name("hadolint")
    program = str(found) if found.exists() else shutil.which("hadolint")
    if program is None:
        pytest.skip("needs hadolint, which PyPI has for x86-64 and ARM64 alone")
    done = subprocess.run([program, FILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_its_instructions_are_known_and_in_order() -> None:
    words = [word for word, _ in steps(FILE.read_text())]
    assert words[0] == "FROM"
    assert set(words) <= {
        *("FROM", "COPY", "RUN", "ENV", "VOLUME", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT", "CMD")
    }
    assert words.count("ENTRYPOINT") == words.count("CMD") == 1


def test_it_names_the_capabilities_that_a_service_has() -> None:
    text = FILE.read_text()
    named = {word for line in text.splitlines() for word in line.split() if word.isupper()}
    wanted = {one.removeprefix("CAP_") for one in _CAPABILITIES}
    assert wanted <= named


def test_the_reader_of_steps() -> None:
    text = '# no\nFROM x\n# no\nRUN a \\\n    && b\nCMD ["c"]\n'
    assert steps(text) == [("FROM", "x"), ("RUN", "a && b"), ("CMD", '["c"]')]
