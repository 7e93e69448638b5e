"""Thousands at the door: users log in all the same, and an office comes back in one moment."""

import contextlib
import resource
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeHome
from tests.support.client import Client
from tests.support.faults import ClientError, Ended, TimedOut
from tests.support.netns import Network
from tests.support.server import NAME, PASSWORDS, PORT, Server, Vpn
from tests.support.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.root

OFFICE = "198.18.0.60"
MANY = tuple(f"198.18.0.{number}" for number in range(100, 200))
HALF_OPEN = 5000
PEOPLE = 300

HALF_A_HELLO = bytes.fromhex("1603010200010001fc0303")
#: What one stranger may have of a worker's memory, in bytes; docs/security.md says what they have.
MEMORY = 100 * 1024


@pytest.fixture
def flooded(network: Network, make_copy: MakeHome, tmp_path: Path) -> Iterator[Vpn]:
    """A server of two workers, with room for a whole office of one user, and many addresses."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    home = make_copy("home")
    home.run("profile", "set", "default", "--pool", "10.99.0.10-10.99.7.250")
    home.run("profile", "set", "default", "--sessions", "1000")
    settings = home.path / "settings.toml"
    settings.write_text(settings.read_text().replace("workers = 0", "workers = 2"))
    for address in (OFFICE, *MANY):
        network.client.ip("addr", "replace", f"{address}/24", "dev", "wan")
    with Server(home, network.server, tmp_path / "log") as server:
        yield Vpn(network, home, server)


def person(vpn: Vpn, ca: str, source: str = OFFICE) -> Client:
    """Connect as one of an office, in this thread's namespace."""
    server = (str(vpn.network.server_address), PORT)
    plain = socket.create_connection(server, PATIENCE, (source, 0))
    return Client(plain, "alice", PASSWORDS["alice"], ca=ca, name=NAME)


def resident(pids: list[int]) -> int:
    """Return the memory of these processes that nobody else has, in bytes."""
    total = 0
    for pid in pids:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += sum(int(line.split()[1]) * 1024 for line in text.splitlines() if "Private" in line)
    return total


def test_users_log_in_while_thousands_hold_connections_half_open(flooded: Vpn) -> None:
    """From 100 addresses; most have to go, and none of them for a user who logs in."""
    vpn, ca = flooded, flooded.home.authority("alice")
    with contextlib.ExitStack() as stack, vpn.network.client.entered():
        server = (str(vpn.network.server_address), PORT)
        crowd = [
            stack.enter_context(
                socket.create_connection(server, PATIENCE, (MANY[n % len(MANY)], 0))
            )
            for n in range(HALF_OPEN)
        ]
        assert len(crowd) == HALF_OPEN
        for _ in range(5):
            with person(vpn, ca).login() as client:
                client.ping(vpn.network.host)
    wait_for(lambda: vpn.server.said("too many before their login") > 0, "the log")


@pytest.mark.parametrize("stage", ["hello", "request", "packet", "binding"])
def test_users_log_in_while_strangers_dawdle(flooded: Vpn, stage: str) -> None:
    """Slow-loris: they say half of what comes next, and no more."""
    vpn, ca = flooded, flooded.home.authority("alice")
    with contextlib.ExitStack() as stack, vpn.network.client.entered():
        for number in range(60):
            stack.callback(_dawdle(vpn, ca, MANY[number % len(MANY)], stage).close)
        for _ in range(3):
            with person(vpn, ca).login() as client:
                client.ping(vpn.network.host)
    assert vpn.server.said("too many before their login") == 0


def _dawdle(vpn: Vpn, ca: str, source: str, stage: str) -> Client | socket.socket:
    """Come as far as ``stage``, and stop in the middle of it."""
    if stage == "hello":
        plain = socket.create_connection(
            (str(vpn.network.server_address), PORT), PATIENCE, (source, 0)
        )
        plain.sendall(HALF_A_HELLO)
        return plain
    client = person(vpn, ca, source)
    if stage == "request":
        client.wire.send(b"SSTP_DUPLEX_POST /sra_")
        return client
    client.open()
    if stage == "binding":
        client.authenticate()
    client.wire.send(b"\x10\x01\x00")  # of a header of four bytes
    return client


def test_an_office_comes_back_in_one_moment(flooded: Vpn) -> None:
    """300 behind one address: all are in at their first try, and nobody is pushed out."""
    vpn, ca = flooded, flooded.home.authority("alice")
    failures: Counter[str] = Counter()
    inside: list[Client] = []

    def come() -> None:
        try:
            inside.append(person(vpn, ca).login())
        except (OSError, ClientError, Ended, TimedOut) as error:
            failures[f"{type(error).__name__} {error}"] += 1

    with vpn.network.client.entered():
        people = [threading.Thread(target=come) for _ in range(PEOPLE)]
        for one in people:
            one.start()
        for one in people:
            one.join()
    with contextlib.ExitStack() as stack:
        for client in inside:
            stack.enter_context(client)
        assert not failures
        assert len(inside) == PEOPLE
        assert vpn.server.said("too many before their login") == 0
        assert vpn.server.said("in time") == 0


@pytest.mark.parametrize("stage", ["silent", "hello", "secure", "linked"])
def test_what_a_stranger_has_of_the_memory(flooded: Vpn, stage: str) -> None:
    vpn, ca = flooded, flooded.home.authority("alice")
    count = 200

    def come(number: int) -> Client | socket.socket:
        server = (str(vpn.network.server_address), PORT)
        plain = socket.create_connection(server, PATIENCE, (MANY[number % len(MANY)], 0))
        if stage == "silent":
            return plain
        if stage == "hello":
            plain.sendall(HALF_A_HELLO)
            return plain
        client = Client(plain, "alice", "x", ca=ca, name=NAME)
        if stage == "linked":
            client.open()
        return client

    with contextlib.ExitStack() as stack, vpn.network.client.entered():
        for number in range(50):
            come(number).close()
        wait_for(lambda: len(vpn.server.children()) == 2, "nobody but the workers")
        workers = vpn.server.children()
        before = resident(workers)
        for number in range(count):
            stack.callback(come(number).close)
        time.sleep(0.5)
        each = (resident(workers) - before) / count
    assert each < MEMORY, f"{each / 1024:.1f} KiB each"
