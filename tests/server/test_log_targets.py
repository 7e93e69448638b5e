"""The log in systemd's journal and in syslog: whatever a stranger says, it is one entry of ours."""

import json
import logging
import os
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server import log_targets
from sstpca.server.errors import ServerError
from sstpca.server.log import (
    JsonFormatter,
    PrefixFormatter,
    SessionLog,
    TextFormatter,
    set_up,
)
from sstpca.server.log_targets import Datagrams, journal, syslog, syslog_address
from tests.support.waiting import PATIENCE

HOSTILE = st.text(max_size=60) | st.sampled_from(
    [
        "a\nMESSAGE=x",
        "a\nSSTPCA_USER=root\n",
        '"] [x@1 y="',
        "\\",
        "\x1b[2J",
        "\u2028",
        "\ud800",
        "a" * 9000,
    ]
)


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test makes is closed."""
    made: list[Datagrams] = []
    begin = Datagrams.__init__

    def begun(self: Datagrams, *arguments: Any) -> None:
        begin(self, *arguments)
        made.append(self)

    monkeypatch.setattr(Datagrams, "__init__", begun)
    yield
    for one in made:
        one.close()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "log"))
        sock.settimeout(PATIENCE)
        yield sock


def record(
    text: str = "up", *arguments: object, level: int = logging.INFO, **known: object
) -> logging.LogRecord:
    log = SessionLog("203.0.113.9:50123")
    log.know(**known)
    _, more = log.process(text, {})
    return logging.getLogger("sstpca").makeRecord(
        "sstpca", level, "file", 1, text, arguments, None, extra=more["extra"]
    )


def fields(entry: bytes) -> list[tuple[str, bytes]]:
    """Return what systemd's journal reads, by its description of the protocol."""
    found = []
    while entry:
        line, _, entry = entry.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(entry[:8], "little")
            value, entry = entry[8 : 8 + size], entry[8 + size + 1 :]
        found.append((name.decode(), value))
    return found


def entry_of(one: logging.LogRecord) -> bytes:
    return b"".join(log_targets._entry(one, "/srv/vpn"))


def test_an_entry_of_the_journal() -> None:
    one = record("up, address %s", "10.99.0.17", session=17, user="alice")
    assert dict(fields(entry_of(one))) == {
        "MESSAGE": b"session 17 alice 203.0.113.9:50123: up, address 10.99.0.17",
        "PRIORITY": b"6",
        "SYSLOG_IDENTIFIER": b"sstpca",
        "SYSLOG_FACILITY": b"3",
        "SSTPCA_HOME": b"/srv/vpn",
        "SSTPCA_SESSION": b"17",
        "SSTPCA_USER": b"alice",
        "SSTPCA_PEER": b"203.0.113.9:50123",
    }


@given(HOSTILE, HOSTILE, HOSTILE)
def test_nobody_writes_a_field_of_the_journal(said: str, claimed: str, user: str) -> None:
    entry = entry_of(record("it says '%s'", said, claimed=claimed, user=user, session=17))
    found = fields(entry)
    names = [name for name, _ in found]
    assert len(names) == len(set(names))
    assert set(names) == {
        *("MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "SYSLOG_FACILITY", "SSTPCA_HOME"),
        *("SSTPCA_SESSION", "SSTPCA_USER", "SSTPCA_CLAIMED", "SSTPCA_PEER"),
    }
    values = dict(found)
    assert (values["SSTPCA_SESSION"], values["SSTPCA_PEER"]) == (b"17", b"203.0.113.9:50123")
    assert all(value.decode().isprintable() for value in values.values())
    assert len(entry) < 64 * 1024


STRUCTURED = re.compile(r'\[sstpca@32473((?: [a-z]+="(?:[^"\\\]]|\\["\\\]])*")+)\] (.*)', re.DOTALL)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_nobody_writes_a_field_of_syslog(said: str, claimed: str, user: str) -> None:
    """RFC 5424 6.3.3: quotes, backslashes and brackets are escaped, and nothing else."""
    one = record(
        "it says '%s'", said, claimed=claimed, user=user, session=17, level=logging.WARNING
    )
    message = log_targets._message(one, "vpn1")
    head = re.match(r"<28>1 \S+ vpn1 sstpca \d+ - ", message)
    assert head is not None
    found = STRUCTURED.fullmatch(message, head.end())
    assert found is not None
    assert re.findall(r' ([a-z]+)="', found[1])[0] == "session"
    assert ' session="17"' in found[1]
    assert message.isprintable()
    assert len(log_targets._cut(message, 2048)) <= 2048


@given(HOSTILE, HOSTILE)
def test_a_traceback_writes_no_line_of_the_log(said: str, user: str) -> None:
    try:
        raise ValueError(said)
    except ValueError:
        one = record("a mistake in the server", user=user, level=logging.ERROR)
        one.exc_info = sys.exc_info()
    first, *rest = TextFormatter().format(one).split("\n")
    assert first.isprintable()
    assert rest
    assert all(line.startswith("    ") and line.isprintable() for line in rest)
    assert all(
        line.startswith("<3>") for line in PrefixFormatter(TextFormatter()).format(one).split("\n")
    )
    assert json.loads(JsonFormatter().format(one))["trace"]
    assert dict(fields(entry_of(one)))["MESSAGE"].startswith(b"error: ")


def test_it_is_sent(receiver: socket.socket) -> None:
    address = receiver.getsockname()
    for target, begins in (
        (journal("/srv/vpn", address), b"MESSAGE=session 7 "),
        (syslog(address), b"<30>1 "),
    ):
        set_up(target)
        log = SessionLog("203.0.113.9:50123")
        log.know(session=7)
        log.info("up")
        assert receiver.recv(9000).startswith(begins)


def test_syslog_by_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(PATIENCE)
        target = syslog(sock.getsockname())
        target.handle(record("x" * 9000))
        assert len(sock.recv(9000)) == 2048


def test_a_log_that_is_started_anew(receiver: socket.socket, tmp_path: Path) -> None:
    target = syslog(receiver.getsockname())
    target.handle(record("one"))
    receiver.close()
    (tmp_path / "log").unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(tmp_path / "log"))
        other.settimeout(PATIENCE)
        target.handle(record("two"))
        assert other.recv(9000).endswith(b": two")


def test_a_log_that_is_gone(
    receiver: socket.socket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of it is lost: standard error is always there."""
    target = syslog(receiver.getsockname())
    receiver.close()
    (tmp_path / "log").unlink()
    for number in range(2):
        target.handle(record(f"line {number}"))
    lines = capsys.readouterr().err.splitlines()
    assert [line[-6:] for line in lines] == ["line 0", "line 1"]


def test_a_log_that_does_not_read_keeps_nobody_waiting(receiver: socket.socket) -> None:
    target = Datagrams(receiver.getsockname(), lambda one: one.getMessage().encode())
    set_up(target)
    log = SessionLog("x")
    for number in range(5000):
        log.info("%d", number)
    lost = target._lost
    assert lost > 1000
    receiver.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            assert receiver.recv(100).isdigit()
    receiver.settimeout(PATIENCE)
    log.info("again")
    assert [receiver.recv(100) for _ in range(2)] == [
        b"again",
        f"{lost} lines were lost: the log did not take them in time".encode(),
    ]


def test_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        journal("x", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError):
        syslog(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/run/log", "/run/log"),
        ("192.0.2.53", ("192.0.2.53", 514)),
        ("log.example.com:6514", ("log.example.com", 6514)),
        ("[2001:db8::1]:514", ("2001:db8::1", 514)),
        ("2001:db8::1", ("2001:db8::1", 514)),
    ],
)
def test_where_syslog_is(text: str, address: object) -> None:
    assert syslog_address(text) == address


@pytest.mark.parametrize("text", ["", ":514", "host:0", "host:70000", "host:x\n"])
def test_where_syslog_is_not(text: str) -> None:
    with pytest.raises(ServerError, match="is no address of syslog"):
        syslog_address(text)


def test_whether_the_journal_reads_standard_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd.exec(5): JOURNAL_STREAM may be left over from another process."""
    with (tmp_path / "x").open("w") as file:
        status = os.fstat(file.fileno())
        monkeypatch.delenv("JOURNAL_STREAM", raising=False)
        assert not log_targets.is_journals(file.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        assert log_targets.is_journals(file.fileno())
        assert not log_targets.is_journals(0)
