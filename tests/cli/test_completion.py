"""sstpca completion, in the real shells."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.conftest import Run
from tests.support.requirements import require
from tests.support.waiting import PATIENCE

_BASH = """
source "$1"
COMP_WORDS=($2) COMP_CWORD=$3
_sstpca_completion sstpca
printf '%s\\n' "${COMPREPLY[@]}"
"""

# a terminal of its own, in which somebody presses Tab
_ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; unsetopt zle_bracketed_paste; autoload -U compinit && compinit -D -u; source $1; echo ready"
zpty -r shell line '*ready*ready*'
zpty -w -n shell "$2"$'\\t'
zpty -r -t shell line; repeat 100; do sleep 0.1; zpty -r -t shell more && line+=$more; [[ $line == *"$3"* ]] && break; done
print -r -- "$line"
zpty -d shell
"""


@pytest.fixture
def script(run: Run, tmp_path: Path) -> Callable[[str], Path]:
    """Write what a shell is to read: ``script("bash")``."""

    def write(shell: str) -> Path:
        path = tmp_path / f"completion.{shell}"
        result: Result = run("completion", shell)
        assert result.exit_code == 0, result.output
        path.write_text(result.stdout)
        return path

    return write


def environment() -> dict[str, str]:
    """Return one in which the program of this environment is the first."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": path, "LC_ALL": "C.UTF-8", "TERM": "dumb", "HOME": "/nonexistent"}


def call(*words: str | Path) -> str:
    done = subprocess.run(
        words, capture_output=True, text=True, env=environment(), timeout=PATIENCE, check=False
    )
    return done.stdout


def test_bash(script: Callable[[str], Path]) -> None:
    require("bash", root=False)

    def completed(line: str, place: int) -> list[str]:
        return call("bash", "-c", _BASH, "bash", script("bash"), line, str(place)).split()

    assert completed("sstpca serv", 1) == ["serve", "server", "service"]
    assert completed("sstpca service in", 2) == ["install"]
    assert "--keep" in completed("sstpca ca backup --", 3)
    assert completed("sstpca completion f", 2) == ["fish"]


def test_zsh(script: Callable[[str], Path]) -> None:
    require("zsh", root=False)
    wanted = "sstpca service"
    assert wanted in call("zsh", "-f", "-c", _ZSH, "zsh", script("zsh"), "sstpca servi", wanted)


def test_fish(script: Callable[[str], Path]) -> None:
    require("fish", root=False)
    words = 'source $argv[1]; complete -C "sstpca serv"'
    lines = call("fish", "--no-config", "-c", words, script("fish")).splitlines()
    assert [line.split("\t")[0] for line in lines] == ["serve", "server", "service"]


def test_another_shell(run: Run, refused: Callable[[Result, int], str]) -> None:
    assert "bash, zsh, fish" in refused(run("completion", "tcsh"), 2)
