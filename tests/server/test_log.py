"""Log lines: what people and machines read."""

import json
import logging

import pytest

from sstpca.server.log import JsonFormatter, SessionLog, TextFormatter


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


@pytest.mark.parametrize("hostile", ["a\nsession 1 root: up", "a\x1b[2Jb", "a\u202eb", "a\x00b"])
def test_what_a_client_sends_stays_on_its_line(hostile: str) -> None:
    log = SessionLog("203.0.113.9:50123")
    log.know(user=hostile)
    for form in (TextFormatter(), JsonFormatter()):
        assert form.format(record(log, "%s", hostile)).isprintable()
