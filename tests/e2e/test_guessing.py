"""Guessing passwords at the real server, with several workers: who is locked, and who is not."""

import contextlib
import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import fail2ban
from tests.support.client import Client
from tests.support.faults import ClientError, LoginRefused
from tests.support.server import NAME, PASSWORDS, PORT, Vpn
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.root

STRANGER, OTHER = "198.18.0.70", "198.18.0.71"
GUESSES = 24

Connect = Callable[..., Client]


@pytest.fixture
def connect(fresh: Vpn) -> Connect:
    """Connect from one of two addresses of the clients' network."""
    for address in (STRANGER, OTHER):
        fresh.network.client.ip("addr", "replace", f"{address}/24", "dev", "wan")
    ca = fresh.home.authority("alice")

    def connect(source: str, user: str = "alice", password: str | None = None) -> Client:
        server = (str(fresh.network.server_address), PORT)
        with fresh.network.client.entered():
            plain = socket.create_connection(server, PATIENCE, (source, 0))
        typed = PASSWORDS[user] if password is None else password
        return Client(plain, user, typed, ca=ca, name=NAME)

    return connect


def refusal(client: Client) -> tuple[int, float]:
    """Log in, which has to fail; return the number of the error, and the seconds that took."""
    with client, pytest.raises(LoginRefused) as refused:
        client.open()
        began = time.monotonic()
        client.authenticate()
    return refused.value.code, time.monotonic() - began


def welcome(client: Client, vpn: Vpn) -> None:
    with client:
        client.login()
        client.ping(vpn.network.host)


def test_who_guesses_is_locked_and_nobody_else(fresh: Vpn, connect: Connect) -> None:
    """At many connections at once, which reach all workers."""

    def guess(number: int) -> None:
        with contextlib.suppress(ClientError), connect(STRANGER, password=f"x{number}") as client:
            client.login()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(guess, range(GUESSES)))
    vpn, log = fresh, fresh.server.log
    vpn.server.says("the password is wrong", 10)
    vpn.server.says(": too many wrong passwords", GUESSES - 10)

    code, took = refusal(connect(STRANGER))
    assert code == 691
    assert took > 7.0
    vpn.server.says("the password is right, but there were too many wrong")
    # who comes from elsewhere, and a colleague behind the same address
    welcome(connect(OTHER), vpn)
    welcome(connect(STRANGER, "bob"), vpn)

    locked = json.loads(vpn.home.run("lockout", "list", "--json"))[0]
    assert (locked["user"], locked["source"], locked["wrong"]) == ("alice", STRANGER, 10)
    vpn.home.run("lockout", "clear", "alice")
    welcome(connect(STRANGER), vpn)

    assert fail2ban.guesses(log) == [STRANGER] * (GUESSES + 1)
    assert fail2ban.dated(log) == len(log.read_text().splitlines())


def test_who_sprays_is_locked_but_for_those_who_come_from_there(
    fresh: Vpn, connect: Connect
) -> None:
    vpn = fresh
    settings = vpn.home.path / "settings.toml"
    settings.write_text(settings.read_text().replace("source = 50", "source = 5"))
    assert vpn.server.stop() == 0
    vpn.server.start()
    welcome(connect(STRANGER, "bob"), vpn)
    for number in range(8):
        with contextlib.suppress(ClientError), connect(STRANGER, f"x{number}", "x") as client:
            client.login()
    vpn.server.says("there is no such user", 5)
    assert refusal(connect(STRANGER))[0] == 691
    welcome(connect(STRANGER, "bob"), vpn)
    welcome(connect(OTHER), vpn)
