"""A command line that is none: one line in our words, and what to type instead."""

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from sstpca.cli import main
from sstpca.cli.usage import explained
from sstpca.home import Home

Run = Callable[..., Result]


@pytest.mark.parametrize(
    ("typed", "message", "hint"),
    [
        ("usr", "sstpca has no command 'usr'", "did you mean user?"),
        ("zzz", "sstpca has no command 'zzz'", "see 'sstpca --help'"),
        ("user ad", "sstpca user has no command 'ad'", "did you mean add?"),
        ("--hom x", "sstpca has no option '--hom'", "did you mean --home?"),
        ("user -x", "sstpca user has no option '-x'", "see 'sstpca user --help'"),
        ("user add --profle x", "sstpca user add has no option '--profle'", "mean --profile?"),
        ("user show", "NAME is missing", "see 'sstpca user show --help'"),
        ("init", "HOST is missing", "see 'sstpca init --help'"),
        ("user list x y", "'x' is one argument too many", "see 'sstpca user list --help'"),
        ("serve x", "'x' is one argument too many", "see 'sstpca serve --help'"),
        ("init a --port", "--port needs a value", "see 'sstpca init --help'"),
        ("--home", "--home needs a value", "see 'sstpca --help'"),
        ("init a --no-passphrase=3", "--no-passphrase takes no value", "see 'sstpca init --help'"),
        ("init a --port 70000", "--port has to be a whole number from 1 to 65535", "init --help"),
        ("init a --port 4.5", "--port has to be a whole number from 1 to 65535", "init --help"),
        (
            "serve --log-format xml",
            "--log-format has to be one of: text, json, journald, syslog",
            "serve --help",
        ),
        ("session kill x", "NUMBER has to be a whole number", "see 'sstpca session kill --help'"),
        ("deploy --output {file}", "--output has to be a folder that can be read", "deploy --help"),
    ],
)
def test_it_is_one_line_and_a_hint(tmp_path: Path, typed: str, message: str, hint: str) -> None:
    file = tmp_path / "file"
    file.touch()
    result = CliRunner().invoke(main, typed.format(file=file).split())
    assert (result.exit_code, result.stdout) == (2, "")
    said, advice = result.stderr.splitlines()
    assert said == f"error: {message}"
    assert hint in advice


@pytest.mark.parametrize("typed", [[], ["user"], ["bundle"], ["ca", "rollover"]])
def test_without_a_command_there_is_help(typed: list[str]) -> None:
    result = CliRunner().invoke(main, typed)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(" ".join(["Usage: sstpca", *typed]))


@pytest.mark.parametrize(
    "typed",
    [
        "--home {home} user list",
        "user --home {home} list",
        "user list --home {home}",
        "user list --home={home}",
        "--home {home} user --home {home} list --home={home}",
        "user show alice --home {home}",
        "user show --home {home} alice",
        "bundle --home {home} list",
        "bundle --home={home} list",
        "bundle list --home {home}",
        "bundle --home {home} alice",
        "bundle alice --home {home}",
        "ca rollover status --home {home}",
    ],
)
def test_the_home_is_taken_where_people_put_it(
    home: Home, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, typed: str
) -> None:
    assert run("user", "add", "alice", "--generate").exit_code == 0
    # neither the default nor the environment is meant
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SSTPCA_HOME", str(tmp_path / "none"))
    result = CliRunner().invoke(main, typed.format(home=home.root).split())
    assert result.exit_code == 0, result.output


def test_a_home_behind_the_command_is_in_hints(home: Home) -> None:
    result = CliRunner().invoke(main, ["user", "show", "bob", "--home", str(home.root)])
    assert result.stderr.splitlines()[1] == f"see 'sstpca --home {home.root} user list'"


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("--home a user list --home b", "--home is given twice: 'a' and 'b'"),
        ("user --home a list --home b", "--home is given twice: 'a' and 'b'"),
        ("serve --home=", "--home is empty"),
        ("serve --home", "--home needs a value"),
        ("bundle --home", "--home needs a value"),
        ("serve --hom x", "sstpca serve has no option '--hom'"),
    ],
)
def test_a_home_that_cannot_be_meant(typed: str, message: str) -> None:
    result = CliRunner().invoke(main, typed.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[0] == f"error: {message}"


def test_what_nobody_foresaw_is_quoted() -> None:
    found = explained(click.UsageError("something\nnew"))
    assert str(found) == "the command line cannot be read: 'something\\nnew'"
