"""Limits on the real server: rates as iperf3 measures them, times, hours, volumes, ends of accounts."""

import os
import signal
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sstpca.server.dataplane.engine import COMPILED
from tests.bench import iperf
from tests.bench.iperf import DOWN, UP
from tests.bench.tunnel import Kind, User, user
from tests.e2e.conftest import MakeHome
from tests.support import server as programs
from tests.support.client import Client
from tests.support.faults import Closed, Disconnected, Ended, LoginRefused, Terminated
from tests.support.netns import Network
from tests.support.packets import udp
from tests.support.requirements import require
from tests.support.server import LOCAL, Server, Vpn
from tests.support.waiting import wait_for

pytestmark = pytest.mark.root

ORDERLY: list[type[Ended]] = [Terminated, Disconnected, Closed]

#: Bits a second.
RATE_DOWN, RATE_UP = 20_000_000, 6_000_000
SECONDS = 4.0

HIDE = (
    "import runpy, sys; sys.modules['sstpca.server.dataplane._segments'] = None; "
    "sys.modules['sstpca.server.dataplane._tls'] = None; "
)
RUN = "sys.argv[0] = 'sstpca'; runpy.run_module('sstpca', run_name='__main__', alter_sys=True)"
IN_PYTHON = (sys.executable, "-P", "-c", HIDE + RUN)


@pytest.fixture
def listening(network: Network, tmp_path: Path) -> Iterator[None]:
    require("iperf3")
    with iperf.servers(network.lan, tmp_path):
        yield


def measured(one: User, direction: str, *, streams: int = 1) -> float:
    """Return bits of payload a second."""
    found = iperf.tcp(one.namespace, direction, SECONDS, streams=streams, omitted=1.0)
    return found.gigabits * 1e9


def carries(one: User, direction: str, rate: float, *, streams: int = 1) -> None:
    iperf.carries(one.namespace, direction, rate, streams=streams)


def limit(vpn: Vpn, *options: str) -> None:
    vpn.home.run("profile", "set", "default", *options)


@pytest.mark.parametrize("program", [programs.PROGRAM, IN_PYTHON], ids=["compiled", "in Python"])
def test_rates(
    network: Network,
    make_copy: MakeHome,
    tmp_path: Path,
    listening: None,
    monkeypatch: pytest.MonkeyPatch,
    program: tuple[str, ...],
) -> None:
    monkeypatch.setattr(programs, "PROGRAM", program)
    with Server(make_copy("home"), network.server, tmp_path / "log") as server:
        vpn = Vpn(network, server.home, server)
        assert bool(server.said("in large segments, by compiled code")) == (
            COMPILED and program is not IN_PYTHON
        )
        limit(vpn, "--rate-down", str(RATE_DOWN), "--rate-up", str(RATE_UP))
        with user(vpn, Kind.MANY) as alice:
            for streams in (1, 4):
                carries(alice, DOWN, RATE_DOWN, streams=streams)
                carries(alice, UP, RATE_UP, streams=streams)
        wait_for(vpn.idle, "the end of both interfaces")
        assert server.stop() == 0
        assert "cannot be limited" not in server.process.output


def test_a_running_session_follows_its_rates(fresh: Vpn, listening: None) -> None:
    with user(fresh, Kind.MANY) as alice:
        fresh.home.run("user", "set", "alice", "--rate-down", "4M", "--rate-up", "2M")
        wait_for(lambda: len(fresh.interfaces()) == 2, "the rates")
        carries(alice, DOWN, 4e6)
        carries(alice, UP, 2e6)
        fresh.home.run("user", "set", "alice", "--rate-down", "none", "--rate-up", "none")
        wait_for(lambda: len(fresh.interfaces()) == 1, "no rates")
        assert measured(alice, DOWN) > 3 * 4e6
        assert measured(alice, UP) > 3 * 2e6


def test_a_volume_that_is_used_up_slows(fresh: Vpn, listening: None) -> None:
    limit(fresh, "--volume-per-day", "3M", "--when-used-up", "2M")
    with user(fresh, Kind.MANY) as alice:
        iperf.tcp(alice.namespace, DOWN, 1.0)
        wait_for(lambda: len(fresh.interfaces()) == 2, "the slow rate")
        carries(alice, DOWN, 2e6)


def test_what_a_killed_server_leaves_is_swept(fresh: Vpn) -> None:
    limit(fresh, "--rate-up", "1M")
    with fresh.client().login() as client:
        client.ping(LOCAL)
        assert len(fresh.interfaces()) == 2
        for pid in (fresh.server.process.pid, *fresh.server.children()):
            os.kill(pid, signal.SIGKILL)
        fresh.server.process.wait()
    wait_for(lambda: len(fresh.interfaces()) == 1, "the end of the session's interface")
    fresh.server.start()
    assert fresh.interfaces() == set()


def test_what_a_killed_worker_leaves_is_swept(fresh: Vpn) -> None:
    limit(fresh, "--rate-up", "1M")
    with fresh.client().login() as client:
        client.ping(LOCAL)
        os.kill(fresh.session(client).worker, signal.SIGKILL)
    wait_for(fresh.idle, "nothing left")


def refused(vpn: Vpn, name: str = "bob") -> int:
    """Try to log in; return the code that the client is told."""
    with vpn.client(name) as client:
        client.open()
        with pytest.raises(LoginRefused) as caught:
            client.authenticate()
    return caught.value.code


def ends(vpn: Vpn, client: Client, reason: str) -> None:
    """The server ends the session; who did not answer to the end would have it wait first."""
    assert client.endings() == ORDERLY
    wait_for(lambda: vpn.server.said(reason) > 0, f"{reason!r} in the log")


def closed_hours() -> str:
    """Return hours of which it is none now, and will not be soon."""
    now = datetime.now()
    return f"{now + timedelta(hours=6):%a %H:00}-{(now + timedelta(hours=7)).hour or 24:02}:00"


def test_what_the_client_is_told(fresh: Vpn) -> None:
    fresh.home.run("user", "set", "bob", "--hours", closed_hours())
    assert refused(fresh) == 646
    fresh.home.run("user", "set", "bob", "--hours", "", "--ends", "2020-01-01")
    assert refused(fresh) == 708
    fresh.home.run("user", "set", "bob", "--ends", "", "--sessions", "1", "--when-full", "refuse")
    with fresh.client("bob").login() as client:
        client.ping(LOCAL)
        assert refused(fresh) == 649
        client.ping(LOCAL)
    wait_for(fresh.idle, "the session's end")
    with fresh.client("bob").login() as client:
        client.ping(LOCAL)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--hours", closed_hours()), "the hours of the account are over"),
        (("--ends", "2020-01-01"), "the account has expired"),
        (("--session-timeout", "1s"), "session timeout"),
        (("--idle-timeout", "1s"), "idle timeout"),
    ],
    ids=["hours", "end", "session timeout", "idle timeout"],
)
def test_a_running_session_ends(fresh: Vpn, options: tuple[str, str], reason: str) -> None:
    with fresh.client("bob").login() as client:
        client.ping(LOCAL)
        fresh.home.run("user", "set", "bob", *options)
        ends(fresh, client, reason)


def test_a_volume_that_is_used_up_ends(fresh: Vpn) -> None:
    fresh.home.run("user", "set", "bob", "--volume-per-month", "5k")
    with fresh.client("bob").login() as client:
        for _ in range(8):
            client.send_packet(udp((client.address, 5000), (Network.host, 9), bytes(1000)))
        ends(fresh, client, "its volume of the month, 5 kB, is used up")
    assert refused(fresh) == 649
    fresh.home.run("user", "set", "bob", "--volume-per-month", "")
    with fresh.client("bob").login() as client:
        client.ping(LOCAL)
