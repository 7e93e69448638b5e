"""What the service manager of a real server hears of it."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeHome
from tests.support.netns import Network
from tests.support.server import Server
from tests.support.waiting import wait_for

pytestmark = pytest.mark.root


def test_a_server_tells_how_it_is(
    network: Network, make_copy: MakeHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "60000000")
        heard: list[bytes] = []

        def hears(what: bytes) -> bool:
            try:
                while True:
                    heard.append(manager.recv(4096))
            except BlockingIOError:
                return any(one.startswith(what) for one in heard)

        with Server(make_copy("home"), network.server, tmp_path / "log") as server:
            wait_for(lambda: hears(b"READY=1\nSTATUS=Listening on "), "that it is ready")
            wait_for(lambda: hears(b"WATCHDOG=1"), "that it lives")
            server.process.terminate()
            wait_for(lambda: hears(b"STOPPING=1"), "that it ends")
            assert server.process.wait() == 0


def test_one_whose_worker_hangs_does_not_say_that_it_lives(
    network: Network, make_copy: MakeHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "60000000")
        with Server(make_copy("home"), network.server, tmp_path / "log") as server:
            assert manager.recv(4096).startswith(b"READY=1")
            worker = server.children()[0]
            os.kill(worker, signal.SIGSTOP)
            try:
                begun = time.monotonic()
                quiet = 0.0
                # it says so every five seconds, until the worker was not heard of for twenty
                manager.settimeout(12)
                while time.monotonic() < begun + 60:
                    try:
                        manager.recv(4096)
                    except TimeoutError:
                        quiet = time.monotonic() - begun
                        break
                assert quiet, "it says that it lives"
            finally:
                os.kill(worker, signal.SIGCONT)
            manager.settimeout(20)
            assert manager.recv(4096) == b"WATCHDOG=1"
