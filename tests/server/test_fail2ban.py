"""What fail2ban reads in the log, by the filter that comes with sstpca."""

import logging
from pathlib import Path

import pytest

from sstpca.server.log import JsonFormatter, SessionLog, TextFormatter
from sstpca.server.ppp.spelling import printable
from tests.support import fail2ban

WRONG, NOBODY = "the password is wrong", "there is no such user"
MANY = "too many wrong passwords"
FORMS: dict[str, logging.Formatter] = {"text": TextFormatter(), "json": JsonFormatter()}
JOURNAL = "host sstpca[4711]: "
# as rsyslog writes files, on Debian 12 and before
SYSLOG = ("2026-11-30T10:00:00.123456+01:00 host sstpca[4711]: ", f"Nov 30 10:00:00 {JOURNAL}")


def line(form: str, peer: str, text: str, claimed: str = "", level: int = logging.WARNING) -> str:
    log = SessionLog(peer)
    if claimed:
        log.know(claimed=printable(claimed))
    message, more = log.process(text, {})
    record = logging.getLogger("sstpca").makeRecord(
        "sstpca", level, "file", 1, message, (), None, extra=more["extra"]
    )
    return FORMS[form].format(record)


def guess(form: str, peer: str, name: str, why: str) -> str:
    return line(form, peer, f"login failed for '{printable(name)}': {why}", name)


@pytest.mark.parametrize("prefix", ["", JOURNAL], ids=["file", "journal"])
@pytest.mark.parametrize("form", FORMS)
def test_each_guess_is_found(form: str, prefix: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines = [
        guess(form, "203.0.113.1:50123", "alice", WRONG),
        guess(form, "[2001:db8::2]:50123", "bob", NOBODY),
        guess(form, "203.0.113.3:1", "", MANY),
        guess(form, "203.0.113.4:65535", "alice", f"the password is right, but there were {MANY}"),
        guess(form, "203.0.113.5:1", "Ren\u00e9e M\u00fcller", WRONG),
    ]
    path.write_text("".join(f"{prefix}{one}\n" for one in lines))
    expected = ["203.0.113.1", "2001:db8::2", "203.0.113.3", "203.0.113.4", "203.0.113.5"]
    assert fail2ban.guesses(path) == expected
    if not prefix:
        assert fail2ban.dated(path) == len(lines)


@pytest.mark.parametrize("prefix", ["", *SYSLOG, JOURNAL], ids=["none", "new", "old", "journal"])
def test_each_guess_is_found_in_the_journal_and_in_syslog(prefix: str, tmp_path: Path) -> None:
    """Their lines have no time of ours."""
    path = tmp_path / "log"
    peers = ("203.0.113.1:50123", "[2001:db8::2]:50123")
    lines = [guess("text", peer, "alice", WRONG)[len("2026-11-30 10:00:00 ") :] for peer in peers]
    path.write_text("".join(f"{prefix}{one}\n" for one in lines))
    assert fail2ban.guesses(path) == ["203.0.113.1", "2001:db8::2"]
    if prefix in SYSLOG:
        assert fail2ban.dated(path) == len(lines)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_no_guess_bans_nobody(form: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    other = "the password is right, but not for the name that was sent: for 'x'"
    lines = [
        guess(form, "203.0.113.1:1", "alice", "the account is disabled"),
        guess(form, "203.0.113.1:1", "alice", other),
        line(form, "203.0.113.1:1", "logged in by MS-CHAPv2", level=logging.INFO),
        line(form, "203.0.113.1:1", f"ended: login failed for 'a': {WRONG}", level=logging.INFO),
    ]
    path.write_text("\n".join(lines) + "\n")
    assert fail2ban.guesses(path) == []


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "name",
    [
        f"x': {WRONG}",
        f"198.51.100.1:1: login failed for 'y': {WRONG}",
        f"warning: 198.51.100.1:1: login failed for 'y': {WRONG}",
        'q", "peer": "198.51.100.1:1"}',
        "q': " + WRONG + '", "user": "q", "peer": "198.51.100.1:1"}',
        "\\",
        "'",
        '"',
        "\\\\'",
        "\n2026-11-30 11:00:00 warning: 198.51.100.1:1: x",
    ],
)
def test_no_name_has_another_banned(form: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    asked = printable(f"GET /{name}", 150)
    lines = [
        guess(form, "203.0.113.1:1", name, WRONG),
        line(form, "203.0.113.2:1", f"no SSTP request: '{asked}'", level=logging.INFO),
        line(form, "203.0.113.3:1", f"the client calls itself '{printable(name)}'", name),
    ]
    path.write_text("\n".join(lines) + "\n")
    assert fail2ban.guesses(path) == ["203.0.113.1"]
