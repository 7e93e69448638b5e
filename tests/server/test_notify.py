"""What a service manager hears: sd_notify(3)."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sstpca.server import notify
from sstpca.server.log import LOGGER
from sstpca.server.notify import Notifier
from tests.support.waiting import PATIENCE


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """A manager's socket, and what NOTIFY_SOCKET says of it."""
    name = f"@sstpca-test-{os.getpid()}-é" if request.param == "abstract" else f"{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        encoded = os.fsencode(name)
        sock.bind(b"\0" + encoded[1:] if name[0] == "@" else encoded)
        sock.settimeout(PATIENCE)
        yield name, sock


def test_the_life_of_a_server(manager: tuple[str, socket.socket]) -> None:
    name, sock = manager
    one = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "60000000"})
    assert one.watchdog == 60
    one.ready("Listening\non ::")
    one.alive()
    one.stopping()
    assert sock.recv(999) == b"READY=1\nSTATUS=Listening on ::"
    assert sock.recv(999) == b"WATCHDOG=1"
    assert sock.recv(999).startswith(b"STOPPING=1\nSTATUS=")


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "x"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
        ({"WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": str(os.getpid())}, 5.0),
    ],
)
def test_whether_there_is_a_watchdog(
    manager: tuple[str, socket.socket], said: dict[str, str], seconds: float | None
) -> None:
    name, sock = manager
    one = Notifier({"NOTIFY_SOCKET": name, **said})
    assert one.watchdog == seconds
    one.alive()
    sock.setblocking(False)
    if seconds is None:
        with pytest.raises(BlockingIOError):
            sock.recv(99)


@pytest.mark.parametrize("name", ["", "vsock:2:1234", "relative"])
def test_nobody_to_tell(name: str, caplog: pytest.LogCaptureFixture) -> None:
    one = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "5000000"})
    one.ready("x")
    one.alive()
    assert (one.watchdog, caplog.records) == (None, [])


def test_a_manager_that_does_not_listen_costs_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LOGGER, "propagate", True)
    Notifier({"NOTIFY_SOCKET": f"{tmp_path}/none"}).ready("x")
    [line] = caplog.messages
    assert line.startswith("the service manager is not told READY=1: ")


def test_one_that_takes_nothing_is_not_waited_for_long(
    manager: tuple[str, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "_PATIENCE", 0.05)
    name, _ = manager
    one = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "5000000"})
    for _ in range(40):
        one.alive()
