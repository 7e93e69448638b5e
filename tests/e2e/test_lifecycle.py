"""Starting, stopping and breaking the real server."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from sstpca.store import Store
from tests.e2e.conftest import MakeHome, check_clean
from tests.support.faults import Closed, Disconnected, Ended, LoginRefused, Terminated
from tests.support.netns import Network
from tests.support.server import PASSWORDS, PORT, Home, Server, Vpn
from tests.support.waiting import wait_for

pytestmark = pytest.mark.root

ORDERLY: list[type[Ended]] = [Terminated, Disconnected, Closed]


def test_stopping_in_order(fresh: Vpn) -> None:
    with (
        fresh.client("alice").login() as alice,
        fresh.client("bob").login() as bob,
        ThreadPoolExecutor(2) as pool,
    ):
        alice.ping(fresh.network.host)
        assert fresh.network.server.tables() != []
        waiting = [pool.submit(client.endings) for client in (alice, bob)]
        assert fresh.server.stop() == 0
        assert [future.result() for future in waiting] == [ORDERLY, ORDERLY]
    check_clean(fresh)


@pytest.mark.parametrize("prefix", ["l", "wan"])
def test_rules_for_sessions_are_for_no_other_interface(
    network: Network, make_copy: MakeHome, tmp_path: Path, prefix: str
) -> None:
    home = make_copy("home")
    settings = home.path / "settings.toml"
    settings.write_text(settings.read_text().replace('"sstp"', f'"{prefix}"'))
    server = Server(home, network.server, tmp_path / "log")
    with pytest.raises(RuntimeError, match=f"begins as those of sessions do: '{prefix}'"):
        server.start()
    assert network.server.tables() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_impatiently(fresh: Vpn, number: signal.Signals) -> None:
    process = fresh.server.process
    with fresh.client().login() as client:
        for _ in range(3):
            os.kill(process.pid, number)
            time.sleep(0.05)
        # only now does the client answer, so that all three came before the end
        assert client.endings() == ORDERLY
        assert process.wait() == 0
    check_clean(fresh)


def test_a_signal_to_the_whole_group_leaves_no_complaint(fresh: Vpn) -> None:
    workers = fresh.server.children()
    os.kill(fresh.server.process.pid, signal.SIGTERM)
    while workers:
        for pid in workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        # a worker that has ended stays a child of the server's until that has seen it
        workers = [pid for pid in workers if runs(pid)]
    assert fresh.server.process.wait() == 0
    assert "Exception ignored" not in fresh.server.process.output
    check_clean(fresh)


def test_the_log_for_machines_is_json_throughout(
    network: Network, make_copy: MakeHome, tmp_path: Path
) -> None:
    home, options = make_copy("home"), ("--log-format", "json")
    with Server(home, network.server, tmp_path / "log", options) as server:
        vpn = Vpn(network, home, server)
        with vpn.client(password="wrong") as client:
            client.open()
            with pytest.raises(LoginRefused):
                client.authenticate()
        wait_for(lambda: server.said('"ended: ') == 1, "the end of the refused login")
        second = Server(home, network.server, tmp_path / "second", options)
        assert second.launch().wait() == 1
        assert server.stop() == 0
        check_clean(vpn)
    lines = [json.loads(line) for line in server.process.output.splitlines()]
    [failed] = [line for line in lines if line["message"].startswith("login failed")]
    [ended] = [line for line in lines if line["message"].startswith("ended: ")]
    assert (failed["user"], failed["level"], ended["user"]) == ("alice", "warning", "alice")
    [error] = [json.loads(line) for line in second.process.output.splitlines()]
    assert error["level"] == "error"
    assert "already running" in error["message"]


def test_stopping_while_the_database_is_locked(fresh: Vpn) -> None:
    with fresh.client().login() as client, ThreadPoolExecutor(1) as pool:
        with Store.open(fresh.home.path / "sstpca.db").writing():
            client.ping(fresh.network.host)
            time.sleep(2.2)  # a beat waits for the lock
            waiting = pool.submit(client.endings)
            fresh.server.process.terminate()
            assert waiting.result() == ORDERLY
        assert fresh.server.process.wait() == 0
    check_clean(fresh)


def test_stopping_with_a_client_that_does_not_answer(fresh: Vpn) -> None:
    with fresh.client().login():
        assert fresh.server.stop() == 0
    check_clean(fresh)


def test_starting_again(fresh: Vpn) -> None:
    with fresh.client().login() as client:
        first = client.address
    assert fresh.server.stop() == 0
    fresh.server.start()
    with fresh.client().login() as client:
        assert client.address == first
        client.ping(fresh.network.host)
    assert fresh.server.stop() == 0
    check_clean(fresh)


def test_a_worker_that_dies_takes_only_its_sessions(fresh: Vpn) -> None:
    with ExitStack() as stack:
        clients = fresh.everywhere(stack)
        dead, *others = clients
        lost = {str(client.address) for client in clients[dead]}
        os.kill(dead, signal.SIGKILL)
        for client in clients[dead]:
            assert client.endings() == [Closed]
        wait_for(lambda: dead not in fresh.server.children(), "the end of the worker")
        wait_for(lambda: len(fresh.server.children()) >= 2, "another worker")

        def forgotten() -> bool:
            return {session.worker for session in fresh.home.sessions()} == set(others)

        wait_for(forgotten, "the end of the dead worker's sessions")
        assert not lost & {session.address for session in fresh.home.sessions()}
        for other in others:
            for client in clients[other]:
                client.ping(fresh.network.host)
        fresh.everywhere(stack)
    assert fresh.server.stop() == 0
    check_clean(fresh)


def test_a_server_that_is_killed(fresh: Vpn) -> None:
    workers = fresh.server.children()
    with fresh.client().login() as client:
        os.kill(fresh.server.process.pid, signal.SIGKILL)
        assert Closed in client.endings()
    wait_for(lambda: not any(map(runs, workers)), "the end of the workers")
    assert fresh.interfaces() == set()
    fresh.server.start()
    with fresh.client().login() as client:
        client.ping(fresh.network.host)
        assert len(fresh.home.sessions()) == 1
    assert fresh.server.stop() == 0
    check_clean(fresh)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def complaint(home: Home, network: Network, log: Path) -> str:
    """Start a server that cannot start; return its error, checked to be one line and a hint."""
    server = Server(home, network.server, log)
    assert server.launch().wait() == 1
    output = server.process.output
    assert "Traceback" not in output
    (error,) = (line for line in output.splitlines() if "error: " in line)
    return error


def test_a_second_server_on_the_same_home(fresh: Vpn, tmp_path: Path) -> None:
    error = complaint(fresh.home, fresh.network, tmp_path / "second")
    assert "already running" in error
    with fresh.client().login() as client:
        client.ping(fresh.network.host)


def test_a_second_server_on_the_same_port(fresh: Vpn, make_copy: MakeHome, tmp_path: Path) -> None:
    error = complaint(make_copy("other"), fresh.network, tmp_path / "second")
    assert str(PORT) in error
    with fresh.client().login() as client:
        client.ping(fresh.network.host)


def test_a_port_that_something_else_has(
    network: Network, make_copy: MakeHome, tmp_path: Path
) -> None:
    with network.server.listen(network.server_address, PORT):
        error = complaint(make_copy("home"), network, tmp_path / "log")
    assert str(PORT) in error
    assert network.server.tables() == []


def test_a_new_password_counts_at_once(fresh: Vpn) -> None:
    with fresh.client().login() as old:
        fresh.home.run("user", "passwd", "alice", "--password-stdin", typed="Looking-Glass 1871\n")
        old.ping(fresh.network.host)
    with fresh.client(password="Looking-Glass 1871").login() as client:
        client.ping(fresh.network.host)
    assert PASSWORDS["alice"] != "Looking-Glass 1871"
