"""A command line that is none: one line in our words, and what to type instead."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sstpca.cli import main
from sstpca.cli.usage import explained


@pytest.mark.parametrize(
    ("typed", "message", "hint"),
    [
        ("usr", "sstpca has no command 'usr'", "did you mean user?"),
        ("zzz", "sstpca has no command 'zzz'", "see 'sstpca --help'"),
        ("user ad", "sstpca user has no command 'ad'", "did you mean add?"),
        ("--hom x", "sstpca has no option '--hom'", "did you mean --home?"),
        ("user -x", "sstpca user has no option '-x'", "see 'sstpca user --help'"),
        ("user add --profle x", "sstpca user add has no option '--profle'", "mean --profile?"),
        ("user add", "NAME is missing", "see 'sstpca user add --help'"),
        ("init", "HOST is missing", "see 'sstpca init --help'"),
        ("user list x y", "'x' is one argument too many", "see 'sstpca user list --help'"),
        ("serve x", "'x' is one argument too many", "see 'sstpca serve --help'"),
        ("init a --port", "--port needs a value", "see 'sstpca init --help'"),
        ("--home", "--home needs a value", "see 'sstpca --help'"),
        ("init a --no-passphrase=3", "--no-passphrase takes no value", "see 'sstpca init --help'"),
        ("init a --port 70000", "--port has to be a whole number from 1 to 65535", "init --help"),
        ("init a --port 4.5", "--port has to be a whole number from 1 to 65535", "init --help"),
        ("serve --log-format xml", "--log-format has to be one of: text, json", "serve --help"),
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


def test_what_nobody_foresaw_is_quoted() -> None:
    found = explained(click.UsageError("something\nnew"))
    assert str(found) == "the command line cannot be read: 'something\\nnew'"
