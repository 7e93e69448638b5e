"""The service without systemd: an init script that a shell understands, and a file for cron."""

import dataclasses
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sstpca import settings
from sstpca.home import Home
from sstpca.service.program import program_of
from sstpca.service.sysvinit import SysvInit

ODD = "my vpn 100% $HOME \\x20 \"a\" 'b' é"

# stands for Python: says what it was called with
SAYS = '#!/bin/sh\nfor word in "$@"; do printf "%s\\n" "$word"; done\n'


@pytest.fixture
def made(home: Home, tmp_path: Path) -> tuple[Path, Path, Home]:
    """The script of a home with an odd name, its file for cron, and the home."""
    odd = home.root.with_name(ODD)
    home.root.rename(odd)
    says = tmp_path / f"{ODD} python"
    says.write_text(SAYS)
    says.chmod(0o755)
    one = program_of(Home(odd), settings.load(odd / "settings.toml"))
    one = dataclasses.replace(one, command=(str(says), *one.command[1:]))
    files = SysvInit(one, root=tmp_path).files()
    for file in files:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        log = f"/var/log/{file.path.name}.log"
        text = file.content.decode().replace(f"LOG={log}", f"LOG={tmp_path}/log")
        file.path.write_text(text)
        file.path.chmod(file.mode)
    return files[0].path, files[1].path, Home(odd)


def test_a_shell_understands_it(made: tuple[Path, Path, Home]) -> None:
    script, _, _ = made
    subprocess.run(["sh", "-n", script], check=True)
    assert os.access(script, os.X_OK)
    wrong = subprocess.run([script, "dance"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stderr.split()[0]) == (2, "usage:")


@pytest.mark.parametrize(
    ("action", "words"),
    [("renew", ("cert", "renew", "--due", "30d")), ("backup", ("ca", "backup"))],
)
def test_what_it_calls_has_every_word_as_it_is(
    made: tuple[Path, Path, Home], tmp_path: Path, action: str, words: tuple[str, ...]
) -> None:
    script, _, home = made
    subprocess.run([script, action], check=True)
    said = (tmp_path / "log").read_text().splitlines()
    assert said == ["-P", "-m", "sstpca", "--home", str(home.root), *words]


def test_cron_has_no_sign_that_it_takes_for_another(made: tuple[Path, Path, Home]) -> None:
    script, cron, _ = made
    jobs = [line for line in cron.read_text().splitlines() if " root " in line]
    assert [shlex.split(job)[7] for job in jobs] == ["revive", "renew", "backup"]
    assert {shlex.split(job)[6] for job in jobs} == {f"/etc/init.d/{script.name}"}
    assert "%" not in cron.read_text()
    # cron(8) passes over files whose names have other signs
    assert cron.name.replace("-", "").replace("_", "").isalnum()


def test_its_names_are_of_one_home(home: Home, tmp_path: Path) -> None:
    said = settings.load(home.settings)
    one = program_of(home, said)
    other = dataclasses.replace(one, label=Home(tmp_path / "other").label)
    names = [{file.path for file in SysvInit(program).files()} for program in (one, other)]
    assert not names[0] & names[1]
    assert sys.executable in SysvInit(one).files()[0].content.decode()
