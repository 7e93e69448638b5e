"""sstpca log, and where the server's log goes."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sstpca.cli import main, serving_log
from sstpca.home import Home
from sstpca.server import log_targets
from sstpca.server.log import JsonFormatter, SessionLog, TextFormatter
from tests.conftest import Run

Refused = Callable[[Result, int], str]
FORMS = {"text": TextFormatter(), "json": JsonFormatter()}


def lines(form: str) -> str:
    """A log: alice has session 17 and bob 18; somebody guesses at alice, another is a stranger."""
    said = []

    def say(text: str, level: int = logging.INFO, trace: bool = False, **known: object) -> None:
        log = SessionLog("[2001:db8::9]:50123" if known.get("session") == 18 else "203.0.113.9:1")
        log.know(**known)
        _, more = log.process(text, {})
        record = logging.getLogger("sstpca").makeRecord(
            "sstpca", level, "file", 1, text, (), None, extra=more["extra"]
        )
        if trace:
            record.exc_info = (ValueError, ValueError("one\ntwo"), None)
        said.append(FORMS[form].format(record))

    say("login failed for 'alice': the password is wrong", logging.WARNING, claimed="alice")
    say("up", session=17, user="alice", claimed="alice")
    say("up", session=18, user="bob x")
    say("the client calls itself 'session 17 alice 203.0.113.9:1: up'")
    say("a mistake in the server", logging.ERROR, trace=True, session=17, user="alice")
    return "\n".join(said) + "\n"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ((), [0, 1, 2, 3, 4]),
        (("--user", "ALICE"), [0, 1, 4]),
        (("--session", "17"), [1, 4]),
        (("--session", "18"), [2]),
        (("--user", "bob x", "--session", "18"), [2]),
        (("--user", "bob x", "--session", "17"), []),
        (("--since", "1h"), [0, 1, 2, 3, 4]),
        (("--until", "1h"), []),
    ],
)
def test_a_file(
    run: Run, tmp_path: Path, form: str, options: tuple[str, ...], numbers: list[int]
) -> None:
    path = tmp_path / "log"
    path.write_text(lines(form))
    each = [*path.read_text().splitlines()]
    result = run("log", "--file", str(path), *options)
    if form == "json":
        assert result.stdout.splitlines() == [each[number] for number in numbers]
    else:
        # a traceback goes with its line
        expected = [each[number] for number in numbers] + (each[5:] if 4 in numbers else [])
        assert result.stdout.splitlines() == expected
    assert (result.stderr == "it has no such line\n") == (not numbers)


def test_a_file_that_is_anybodys_does_nothing_to_the_terminal(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\x1b[2J\xff\n{\n[1]\n")
    assert run("log", "--file", str(path)).stdout == "\\x1b[2J\\xff\n{\n[1]\n"


def test_standard_input(run: Run) -> None:
    assert "up" in run("log", "--file", "-", "--session", "18", stdin=lines("text")).stdout


def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Have a journalctl that notes its arguments, and does as ``script`` says."""
    program = tmp_path / "bin" / "journalctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/asked\n{script}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return tmp_path / "asked"


def test_the_journal(run: Run, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = fake(tmp_path, monkeypatch, "printf 'a line\\033[2J\\n'")
    result = run("log", "--user", "alice", "--session", "17", "--since", "2026-11-24T10:00:00Z")
    assert result.stdout == "a line\\x1b[2J\n"
    ours = [f"SSTPCA_HOME={home.root.resolve()}", "SSTPCA_SESSION=17"]
    options = ["--quiet", "--no-pager", "--output=short-iso", "--lines=100", "--since=@1795514400"]
    matches = [*ours, "SSTPCA_USER=alice", "+", *ours, "SSTPCA_CLAIMED=alice"]
    assert asked.read_text().splitlines() == options + matches


def test_a_journal_without_our_lines(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, "")
    assert "name it with --file" in run("log").stderr


def test_no_journal(
    run: Run, refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refused(run("log"), 1) == "this machine has no systemd journal"


def test_a_journal_that_fails(
    run: Run, refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, "exit 3")
    assert refused(run("log"), 1) == "journalctl failed (3)"


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--file", "none"), 1, "there is no file none"),
        (("--file", "x", "--follow"), 2, "--follow is for the journal"),
        (("--since", "soon"), 2, "'soon' is not a time"),
        (("--since", "1h", "--until", "2h"), 2, "--since is later than --until"),
    ],
)
def test_wrong_input(
    run: Run, refused: Refused, options: tuple[str, ...], code: int, message: str
) -> None:
    assert refused(run("log", *options), code) == message


def test_a_server_without_a_journal_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What keeps it from starting is said as well, here that there is no home."""
    monkeypatch.setattr(log_targets, "JOURNAL", str(tmp_path / "none"))
    arguments = ["--home", str(tmp_path / "home"), "serve", "--log-format", "journald"]
    result = CliRunner().invoke(main, arguments)
    first, second, _ = result.stderr.splitlines()
    assert first.endswith(
        "warning: there is no journald (No such file or directory): the log goes to standard error"
    )
    assert second.startswith("error: there is no sstpca home")
    assert result.exit_code == 1


def test_what_keeps_the_server_from_starting_is_in_json_as_well(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        main, ["--home", str(tmp_path / "x"), "serve", "--log-format", "json"]
    )
    [line] = result.stderr.splitlines()
    assert json.loads(line)["hint"].startswith("make one with")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--log-format", "json", "--syslog", "x"), "--syslog says where syslog is"),
        (("--syslog", "host:x"), "'host:x' is no address of syslog"),
        (
            ("--log-format", "xml"),
            "--log-format has to be one of: " + ", ".join(serving_log.FORMATS),
        ),
    ],
)
def test_a_log_that_cannot_be(
    run: Run, refused: Refused, options: tuple[str, ...], message: str
) -> None:
    assert refused(run("serve", *options), 2) == message
