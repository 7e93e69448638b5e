"""Log lines: what people and machines read."""

import json
import logging
import re

import pytest

from sstpca.server.log import LOGGER, JsonFormatter, LogLimit, SessionLog, TextFormatter
from sstpca.server.ppp.spelling import printable


def record(log: SessionLog, text: str, *arguments: object) -> logging.LogRecord:
    message, more = log.process(text, {})
    extra = more["extra"]
    return logging.getLogger("sstpca").makeRecord(
        "sstpca", logging.INFO, "file", 1, message, arguments, None, extra=extra
    )


def test_a_line_for_people() -> None:
    log = SessionLog("203.0.113.9:50123")
    log.know(session=7, user="alice")
    line = TextFormatter().format(record(log, "up, address %s", "10.99.0.10"))
    assert line.endswith(" session 7 alice 203.0.113.9:50123: up, address 10.99.0.10")


def test_a_line_for_machines() -> None:
    log = SessionLog("203.0.113.9:50123")
    log.know(session=7)
    line = json.loads(JsonFormatter().format(record(log, "up")))
    assert (line["session"], line["peer"], line["message"]) == (7, "203.0.113.9:50123", "up")
    assert (line["level"], "user" in line) == ("info", False)


def test_a_name_that_is_only_claimed_is_a_field_for_machines_alone() -> None:
    log = SessionLog("203.0.113.9:50123")
    log.know(claimed="mallory")
    failed = record(log, "login failed")
    assert json.loads(JsonFormatter().format(failed))["user"] == "mallory"
    assert TextFormatter().format(failed).endswith(" 203.0.113.9:50123: login failed")
    log.know(user="alice")
    assert json.loads(JsonFormatter().format(record(log, "up")))["user"] == "alice"


@pytest.mark.parametrize("hostile", ["a\nsession 1 root: up", "a\x1b[2Jb", "a\u202eb", "a\x00b"])
def test_what_a_client_sends_stays_on_its_line(hostile: str) -> None:
    log = SessionLog("203.0.113.9:50123")
    log.know(user=hostile)
    for form in (TextFormatter(), JsonFormatter()):
        assert form.format(record(log, "%s", hostile)).isprintable()


def test_lines_about_strangers_have_one_budget(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all connections together; a login that failed is said when noise is not any more."""
    monkeypatch.setattr(LOGGER, "propagate", True)
    caplog.set_level(logging.INFO, "sstpca")
    limit = LogLimit()
    for number in range(1000):
        SessionLog(f"192.0.2.1:{number}", limit).info("noise")
    SessionLog("192.0.2.2:1", limit).warning("login failed")
    trusted = SessionLog("192.0.2.3:1", limit)
    trusted.trust()
    trusted.info("up")
    limit.sum_up()
    assert caplog.messages.count("noise") == 50
    assert caplog.messages[50:] == [
        "login failed",
        "up",
        "950 more lines about strangers, 0 of them warnings, were left out",
    ]
    limit.sum_up()
    assert len(caplog.messages) == 53


def test_no_noise_keeps_a_guess_out_of_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other warnings are cheaper to come by; who bans by guesses has to see each."""
    monkeypatch.setattr(LOGGER, "propagate", True)
    caplog.set_level(logging.INFO, "sstpca")
    limit = LogLimit()
    for number in range(200):
        SessionLog(f"192.0.2.1:{number}", limit).warning("noise")
    for number in range(150):
        SessionLog(f"192.0.2.2:{number}", limit).log(logging.WARNING, "guess", guess=True)
    assert caplog.messages.count("guess") == 150
    limit.sum_up()
    assert caplog.messages[-1].startswith("150 more lines about strangers, 150 of them warnings")
    assert caplog.records[50].levelname == "WARNING"


@pytest.mark.parametrize("said", ["x': login failed for 'root", "x\\", 'y"', "'" * 500])
def test_what_a_stranger_says_does_not_leave_its_quotes(said: str) -> None:
    kept = printable(said)
    assert re.fullmatch(r"([^'\"\\]|\\.)*", kept)
    assert len(kept) <= 128
