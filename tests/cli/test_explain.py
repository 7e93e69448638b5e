"""sstpca explain."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]


@pytest.mark.parametrize("words", [("691",), ("error", "691"), ("Error 691: The remote",)])
def test_it_is_told_in_any_form(run: Run, words: tuple[str, ...]) -> None:
    result = run("explain", *words)
    assert result.exit_code == 0
    assert result.stdout.startswith("691\n  User name and password were refused")
    assert "\n  1. a mistyped password" in result.stdout
    assert "sstpca user passwd NAME" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_a_negative_number_is_no_option(run: Run) -> None:
    result = run("explain", "-2146762487")
    assert result.exit_code == 0
    assert result.stdout.startswith("0x800B0109  -2146762487\n")
    german = run("explain", "-2146762487", "--language", "de")
    assert "Am Server" in german.stdout


def test_for_machines(run: Run) -> None:
    found = json.loads(run("explain", "0x80092013", "--json").stdout)
    assert found["known"] is True
    assert found["forms"] == ["0x80092013", "-2146885613"]
    assert set(found) == {"known", "forms", "means", "causes", "client", "server"}
    other = run("explain", "0x80070490", "--json")
    assert other.exit_code == 1
    assert json.loads(other.stdout)["known"] is False


def test_an_unknown_number_is_one_line(run: Run) -> None:
    result = run("explain", "0x80070490")
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 1
    assert "winerror.h" in result.stdout


def test_no_number(run: Run, refused: Callable[[Result, int], str]) -> None:
    assert "no error number" in refused(run("explain", "it", "fails"), 2)
    assert "--jsn" in refused(run("explain", "691", "--jsn"), 2)


def test_it_needs_no_home(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sstpca", "explain", "691"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("691\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("plain", [False, True])
def test_in_a_terminal(plain: bool) -> None:
    environment = {**os.environ, "COLUMNS": "60", "TERM": "xterm"} | (
        {"NO_COLOR": "1"} if plain else {}
    )
    near, far = pty.openpty()
    command = [sys.executable, "-m", "sstpca", "explain", "691"]
    with subprocess.Popen(command, stdout=far, env=environment) as process:
        process.wait()
    os.close(far)
    said = os.read(near, 65536).decode()
    os.close(near)
    assert ("\x1b[1m691\x1b[0m" in said) is not plain
    assert (
        max(len(line) for line in said.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines())
        <= 60
    )
