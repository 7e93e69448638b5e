"""Changes of the real server under traffic: other settings, another program, a drain."""

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sstpca.server import control
from sstpca.server.errors import ServerError
from tests.e2e.conftest import MakeHome, check_clean
from tests.support.client import Client
from tests.support.faults import Ended
from tests.support.netns import Namespace, Network
from tests.support.scrape import ask, scrape
from tests.support.server import PORT, PROGRAM, Failed, Home, Server, Vpn
from tests.support.waiting import wait_for

pytestmark = pytest.mark.root

METRICS = 'listen = "127.0.0.1:9477"'


def change(home: Home, before: str, after: str) -> None:
    """Edit settings.toml, as an administrator does."""
    path = home.path / "settings.toml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def mtu_of(vpn: Vpn, client: Client) -> int:
    shown = vpn.network.server.run("ip", "-j", "link", "show", vpn.session(client).interface)
    mtu: int = json.loads(shown)[0]["mtu"]
    return mtu


def status(home: Home) -> Any:
    """Return what status says; that something needs attention is no failure here."""
    command = [*PROGRAM, "--home", str(home.path), "status", "--json"]
    return json.loads(
        subprocess.run(command, capture_output=True, check=False, timeout=60.0).stdout
    )


@contextlib.contextmanager
def knocking(namespace: Namespace) -> Iterator[list[str]]:
    """Connect all the time while the block runs; give what went wrong."""
    failed: list[str] = []
    over = threading.Event()

    def knock() -> None:
        while not over.is_set():
            try:
                namespace.connect((str(Network.server_address), PORT), 10.0).close()
            except OSError as error:
                failed.append(str(error))
            time.sleep(0.05)

    thread = threading.Thread(target=knock)
    thread.start()
    try:
        yield failed
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def pinging(client: Client) -> Iterator[list[float]]:
    """Ping through a session all the time while the block runs; give when an answer came."""
    answered: list[float] = []
    over = threading.Event()

    def ping() -> None:
        while not over.is_set():
            client.ping(Network.host)
            answered.append(time.monotonic())
            time.sleep(0.05)

    thread = threading.Thread(target=ping)
    thread.start()
    try:
        yield answered
    finally:
        over.set()
        thread.join()


def test_settings_are_read_again(fresh: Vpn) -> None:
    workers = fresh.server.children()
    with fresh.client("alice").login() as alice:
        alice.ping(fresh.network.host)
        assert fresh.home.run("reload") == ""
        assert fresh.server.children() == workers
        change(fresh.home, "mtu = 1400", "mtu = 1300")
        change(fresh.home, "nat = true", "nat = false")
        with knocking(fresh.network.client) as failed, pinging(alice) as answered:
            said = fresh.home.run("reload").splitlines()
            assert said == ["[server] mtu: at the next login", "[server] nat: at a restart"]
            with fresh.client("bob").login() as bob:
                bob.ping(fresh.network.host)
                assert (mtu_of(fresh, alice), mtu_of(fresh, bob)) == (1400, 1300)
                assert fresh.session(bob).worker not in workers
        assert failed == []
        assert answered
        with fresh.client("bob").login() as bob:
            assert fresh.session(alice).worker in workers
    # the rest of the workers before have ended, and the last does with its session
    wait_for(lambda: not set(fresh.server.children()) & set(workers), "the end of those before")
    assert len(fresh.server.children()) == len(workers)
    assert fresh.server.stop() == 0
    check_clean(fresh)


def test_sighup_reads_settings_again_and_a_mistake_changes_nothing(fresh: Vpn) -> None:
    workers = fresh.server.children()
    with fresh.client().login() as client:
        change(fresh.home, "mtu = 1400", "mtu = 99999")
        for pid in (*workers, fresh.server.process.pid):  # as the end of a terminal does
            os.kill(pid, signal.SIGHUP)
        wait_for(lambda: fresh.server.said("[server] mtu has to be") == 1, "the complaint")
        with pytest.raises(
            Failed, match=r"settings.toml, line \d+: \[server\] mtu has to be a whole"
        ):
            fresh.home.run("reload")
        assert fresh.server.children() == workers
        change(fresh.home, "mtu = 99999", "mtu = 1300")
        os.kill(fresh.server.process.pid, signal.SIGHUP)
        wait_for(lambda: fresh.server.said("[server] mtu: at the next login") == 1, "the word")
        client.ping(fresh.network.host)
        with fresh.client("bob").login() as bob:
            assert mtu_of(fresh, bob) == 1300


def test_another_program_takes_over_under_traffic(
    network: Network, make_copy: MakeHome, tmp_path: Path
) -> None:
    home = make_copy("home")
    change(home, 'listen = ""', METRICS)
    with Server(home, network.server, tmp_path / "log") as server:
        vpn = Vpn(network, home, server)
        supervisor, workers = server.process.pid, server.children()
        with vpn.client("alice").login() as alice:
            before = vpn.session(alice)
            with knocking(network.client) as failed, pinging(alice) as answered:
                said = home.run("restart")
                over = time.monotonic()
                with vpn.client("bob").login() as bob:
                    bob.ping(network.host)
                    assert vpn.session(bob).worker not in workers
            assert "has taken over; 2 workers of before stay" in said
            assert failed == []
            # the packets of its session were forwarded, under the machine's address, all the time
            assert min(answered) < over < max(answered)
            assert max(b - a for a, b in itertools.pairwise(answered)) < 5.0
            now = vpn.session(alice)
            assert now == replace(before, received=now.received, sent=now.sent)
            assert server.process.pid == supervisor and server.process.ended() is None
            assert set(server.children()) > {before.worker}
            # what was counted before counts still
            wait_for(
                lambda: scrape(network.server)("sstpca_sessions_started_total") >= 2,
                "metrics of both programs",
            )
            assert scrape(network.server)("sstpca_sessions") == 1
            assert status(home)["server"]["earlier"] == 1
            # and once more, with a program before that one
            home.run("restart", "--json")
            alice.ping(network.host)
        wait_for(lambda: before.worker not in server.children(), "the end of that worker")
        assert server.stop() == 0
        check_clean(vpn)


def test_a_restart_has_the_settings_that_take_one(fresh: Vpn) -> None:
    with fresh.client().login() as client:
        change(fresh.home, f"port = {PORT}", f"port = {PORT + 1}")
        change(fresh.home, 'interface = "sstp"', 'interface = "vpn"')
        said = fresh.home.run("reload").splitlines()
        assert said == [
            "[server] port: at a restart",
            "[server] interface: when the server is stopped and started",
        ]
        fresh.home.run("restart")
        client.ping(fresh.network.host)
        with pytest.raises(ConnectionRefusedError):
            fresh.network.client.connect((str(Network.server_address), PORT), 10.0)
        fresh.network.client.connect((str(Network.server_address), PORT + 1), 10.0).close()
        assert fresh.session(client).interface.startswith("sstp")
        assert fresh.server.said("sessions go on to be called sstp") == 1


def test_a_restart_that_would_fail_changes_nothing(fresh: Vpn) -> None:
    workers = fresh.server.children()
    with fresh.client().login() as client, fresh.network.server.entered():
        taken = socket.create_server(("0.0.0.0", PORT + 1))
        with taken:
            change(fresh.home, f"port = {PORT}", f"port = {PORT + 1}")
            with pytest.raises(Failed, match=f"cannot listen on 0.0.0.0 port {PORT + 1}"):
                fresh.home.run("restart")
        change(fresh.home, f"port = {PORT + 1}", "port = 0")
        with pytest.raises(
            Failed, match=r"the server would not start: settings: .* port has to be"
        ):
            fresh.home.run("restart")
        change(fresh.home, "port = 0", f"port = {PORT}")
        for program in (["/nowhere/python"], [sys.executable, "-c", "raise SystemExit('no')"]):
            with pytest.raises(ServerError):
                control.tell(fresh.home.path, "restart", program=program, within=60)
        assert fresh.server.children() == workers
        client.ping(fresh.network.host)


def test_another_release_takes_over(fresh: Vpn, tmp_path: Path) -> None:
    release = tmp_path / "release.py"
    release.write_text(
        "import sstpca; sstpca.__version__ = '9.9'\nfrom sstpca.cli import main; main()\n"
    )
    with fresh.client().login() as client:
        said = control.tell(
            fresh.home.path, "restart", program=[sys.executable, "-P", str(release)], within=10
        )
        assert said["version"] == "9.9"
        client.ping(fresh.network.host)
        assert status(fresh.home)["server"]["version"] == "9.9"
        # what is left after the time that it was given is ended
        with pytest.raises(Ended):
            client.listen(60.0)
        client.endings()
    wait_for(lambda: fresh.server.said("ended: the server stops") == 1, "the end in the log")


def test_a_server_is_drained(network: Network, make_copy: MakeHome, tmp_path: Path) -> None:
    home = make_copy("home")
    change(home, 'listen = ""', METRICS)
    with Server(home, network.server, tmp_path / "log") as server:
        vpn = Vpn(network, home, server)
        with vpn.client("alice").login() as alice, vpn.client("bob").login() as bob:
            assert "2 sessions left" in home.run("drain", "--within", "30m", "--no-wait")
            alice.ping(network.host)
            with pytest.raises(ConnectionRefusedError):
                network.client.connect((str(Network.server_address), PORT), 10.0)
            assert ask(network.server, "/health").status == 503
            with pytest.raises(Failed, match="the server takes no logins"):
                home.run("reload")
            waiting = subprocess.Popen(
                [*PROGRAM, "--home", str(home.path), "drain", "--within", "20m"],
                stdout=subprocess.PIPE,
                text=True,
            )
            alice.hang_up()
            bob.ping(network.host)
            assert waiting.poll() is None
            bob.hang_up()
            assert "drained: the machine can be taken down" in waiting.communicate(timeout=60.0)[0]
        assert status(home)["server"]["draining"]
        # it runs on, empty, until it is stopped or is to take logins again
        home.run("restart")
        with vpn.client("bob").login() as bob:
            bob.ping(network.host)
        assert server.stop() == 0
        check_clean(vpn)


def test_nobody_else_tells_the_server(fresh: Vpn) -> None:
    path = fresh.home.path / control.NAME
    assert path.stat().st_mode & 0o777 == 0o600
    # nonsense, nothing, and much of it
    for said in (b"", b"[]", b"{", b'{"verb": "explode"}', b"\xff" * 100_000):
        with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(BrokenPipeError):
            sock.settimeout(60.0)
            sock.connect(str(path))
            sock.sendall(said)
            sock.shutdown(socket.SHUT_WR)
            assert b"knows no such request" in sock.recv(65_536)
    fresh.home.run("reload")
    assert fresh.server.stop() == 0
    assert not path.exists()
    with pytest.raises(Failed, match="no server runs for the home"):
        fresh.home.run("reload")
    assert fresh.server.said("Traceback") == 0
