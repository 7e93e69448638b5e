"""Metrics and health of a real server, asked as Prometheus and a balancer do."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeHome
from tests.support.faults import LoginRefused
from tests.support.netns import Network
from tests.support.requirements import require
from tests.support.scrape import LOOPBACK, Scrape, ask, scrape
from tests.support.server import Home, Server, Vpn
from tests.support.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.root


def listening(home: Home, where: str = "127.0.0.1:9477") -> Home:
    settings = home.path / "settings.toml"
    settings.write_text(settings.read_text().replace('listen = ""', f'listen = "{where}"'))
    return home


@pytest.fixture
def measured(network: Network, make_copy: MakeHome, tmp_path: Path) -> Iterator[Vpn]:
    home = listening(make_copy("home"))
    with Server(home, network.server, tmp_path / "log") as server:
        vpn = Vpn(network, home, server)
        wait_for(lambda: healthy(vpn), "a healthy server")
        yield vpn


def healthy(vpn: Vpn) -> bool:
    try:
        return ask(vpn.network.server, "/health").status == 200
    except OSError:
        return False


def metrics(vpn: Vpn) -> Scrape:
    return scrape(vpn.network.server)


def exporter(vpn: Vpn) -> int:
    (pid,) = (pid for pid in vpn.server.children("") if "exporter" in command_line(pid))
    return pid


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def test_what_happens_is_counted(measured: Vpn) -> None:
    namespace = measured.network.server
    before = metrics(measured)
    with ExitStack() as stack:
        alice = stack.enter_context(measured.client().login())
        alice.ping(measured.network.host, size=1000)
        with measured.client(password="wrong") as guessing, pytest.raises(LoginRefused):
            guessing.login()
        with measured.network.client.connect((str(Network.server_address), 8443)) as stranger:
            stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
            stranger.recv(100)
        wait_for(lambda: metrics(measured)("sstpca_receive_bytes_total") > 1000, "its bytes")
        now = metrics(measured)
        assert now("sstpca_sessions") == 1
        assert now("sstpca_transmit_bytes_total") > 1000
        assert now("sstpca_logins_total", method="mschapv2", result="success") == 1
        assert now("sstpca_logins_total", method="mschapv2", result="password") == 1
        assert now("sstpca_handshake_duration_seconds_count") == 2
        assert now("sstpca_login_duration_seconds_count") == 1
        assert now("sstpca_connections_total") - before("sstpca_connections_total") == 3
        assert now("sstpca_refusals_total", reason="tls") == 1
        assert now("sstpca_workers") == now("sstpca_workers_wanted") == 2
        assert "alice" not in now.text and str(Network.client_address) not in now.text
    wait_for(lambda: metrics(measured)("sstpca_sessions") == 0, "the end of the session")
    assert metrics(measured)("sstpca_sessions_ended_total") == 1
    assert ask(namespace, "/metrics").fields["content-type"].startswith("text/plain; version=")


def test_what_the_store_knows_is_told(measured: Vpn) -> None:
    with measured.client().login():
        wait_for(
            lambda: metrics(measured)("sstpca_pool_used_addresses", profile="default") == 1,
            "the session's address",
        )
        now = metrics(measured)
        assert now("sstpca_pool_addresses", profile="default") == 241
        end = now("sstpca_certificate_end_timestamp_seconds", certificate="server")
        assert time.time() + 86_400 * 300 < end < time.time() + 86_400 * 800
        assert now("sstpca_lockouts", locked="user") == 0
        assert now.text.count("sstpca_build_info{") == 1


def test_counters_outlive_a_worker(measured: Vpn) -> None:
    with measured.client().login() as alice:
        alice.ping(measured.network.host)
        wait_for(lambda: metrics(measured)("sstpca_receive_bytes_total") > 0, "its bytes")
        before = metrics(measured)
        os.kill(measured.session(alice).worker, signal.SIGKILL)
    wait_for(lambda: metrics(measured)("sstpca_workers_lost_total") == 1, "word of that")
    wait_for(lambda: metrics(measured)("sstpca_workers") == 2, "the new worker")
    now = metrics(measured)
    assert now("sstpca_sessions") == 0
    for (name, labels), value in before.samples.items():
        if name.endswith(("_total", "_count", "_bucket", "_sum")):
            assert now.samples[name, labels] >= value, name


def test_who_answers_is_nobody(measured: Vpn) -> None:
    pid = exporter(measured)
    status = Path(f"/proc/{pid}/status").read_text()
    assert "Uid:\t65534\t65534\t65534\t65534" in status
    assert "Gid:\t65534\t65534\t65534\t65534" in status
    assert "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000000" in status
    home = str(measured.home.path)
    open_files = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    assert not [name for name in open_files if name.startswith(home) or "tun" in name]
    assert str(Path(f"/proc/{pid}/cwd").resolve()) == "/"


def test_it_comes_back(measured: Vpn) -> None:
    os.kill(exporter(measured), signal.SIGKILL)
    wait_for(lambda: healthy(measured), "another one that answers")
    measured.server.says("is started again")


def test_hostile_clients_are_bounded(measured: Vpn) -> None:
    """They neither keep others out nor stay."""
    namespace = measured.network.server
    with ExitStack() as stack:
        silent = [stack.enter_context(namespace.connect(LOOPBACK)) for _ in range(60)]
        assert healthy(measured)
        silent[-1].settimeout(PATIENCE)
        assert silent[-1].recv(1) == b""
        flood = stack.enter_context(namespace.connect(LOOPBACK))
        with pytest.raises((ConnectionError, TimeoutError)):
            for _ in range(1000):
                flood.sendall(b"A" * 65536)
    assert healthy(measured)
    assert ask(namespace, "/metrics", method="POST").status == 405
    assert ask(namespace, "/etc/passwd").status == 404
    assert ask(namespace, "/health", method="HEAD").body == ""


def test_a_server_without_a_worker_that_answers_is_unhealthy(measured: Vpn) -> None:
    wait_for(lambda: healthy(measured), "the first answer of the store")
    workers = measured.server.children()
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: not healthy(measured), "word of that")
        answer = ask(measured.network.server, "/ready")
        assert (answer.status, answer.body) == (503, "no worker answers\n")
        assert metrics(measured)("sstpca_up") == 0
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
    wait_for(lambda: healthy(measured), "their return")


def test_a_taken_port_keeps_no_vpn_from_running(
    network: Network, make_copy: MakeHome, tmp_path: Path
) -> None:
    home = listening(make_copy("home"))
    with network.server.entered():
        taken = socket.create_server(LOOPBACK)
    with taken, Server(home, network.server, tmp_path / "log") as server:
        line = "no metrics at 127.0.0.1:9477: Address already in use; the VPN goes on without them"
        server.says(line)
        with Vpn(network, home, server).client().login() as alice:
            alice.ping(network.host)


def test_nothing_listens_unless_it_is_to(fresh: Vpn) -> None:
    with pytest.raises(ConnectionRefusedError):
        ask(fresh.network.server, "/health")


def test_prometheus_own_tool_is_content(measured: Vpn) -> None:
    require("promtool")
    said = subprocess.run(
        ["promtool", "check", "metrics"],
        input=ask(measured.network.server, "/metrics").body,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
