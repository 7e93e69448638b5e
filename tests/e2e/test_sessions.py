"""The sessions of the real server as its administrator sees and ends them."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.support.faults import Closed, Disconnected, Ended, Terminated
from tests.support.server import Failed, Vpn
from tests.support.waiting import wait_for

pytestmark = pytest.mark.root

ORDERLY: list[type[Ended]] = [Terminated, Disconnected, Closed]


def test_an_administrator_ends_one_session(vpn: Vpn) -> None:
    with (
        vpn.client("alice").login() as alice,
        vpn.client("bob").login() as bob,
        ThreadPoolExecutor(1) as pool,
    ):
        bob.ping(vpn.network.host)
        waiting = pool.submit(alice.endings)
        vpn.home.run("session", "kill", str(vpn.session(alice).id))
        assert waiting.result() == ORDERLY
        assert [session.user for session in vpn.home.sessions()] == ["bob"]
        bob.ping(vpn.network.host)


def test_an_administrator_ends_the_sessions_of_a_user(vpn: Vpn) -> None:
    with (
        vpn.client("alice").login() as alice,
        vpn.client("bob").login() as bob,
        vpn.client("bob").login() as other,
        ThreadPoolExecutor(2) as pool,
    ):
        waiting = [pool.submit(client.endings) for client in (bob, other)]
        vpn.home.run("session", "kill", "--user", "bob")
        assert [future.result() for future in waiting] == [ORDERLY, ORDERLY]
        assert [session.user for session in vpn.home.sessions()] == ["alice"]
        alice.ping(vpn.network.host)
    wait_for(vpn.idle, "the end of the sessions")


def test_a_client_that_does_not_answer_is_ended_all_the_same(vpn: Vpn) -> None:
    with vpn.client().login():
        vpn.home.run("session", "kill", "--user", "alice")
        assert vpn.idle()


def test_a_session_that_is_not_there(vpn: Vpn) -> None:
    with pytest.raises(Failed) as failed:
        vpn.home.run("session", "kill", "999999")
    assert failed.value.code != 0
    assert "999999" in failed.value.stderr


def test_a_disabled_user_is_put_out(vpn: Vpn) -> None:
    with vpn.client("bob").login() as bob, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(bob.endings)
        vpn.home.run("user", "disable", "bob")
        try:
            assert waiting.result() == ORDERLY
        finally:
            vpn.home.run("user", "enable", "bob")


def test_a_static_address_goes_to_the_newer_login(vpn: Vpn) -> None:
    vpn.home.run("user", "set", "bob", "--address", "10.99.0.200")
    with vpn.client("bob").login() as old, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(old.endings)
        with vpn.client("bob").login() as new:
            assert str(old.address) == str(new.address) == "10.99.0.200"
            assert waiting.result() == ORDERLY
            new.ping(vpn.network.host)
    wait_for(vpn.idle, "the end of the sessions")


def test_a_static_address_works_at_once_after_a_broken_connection(vpn: Vpn) -> None:
    vpn.home.run("user", "set", "bob", "--address", "10.99.0.200")
    with vpn.client("bob").login() as old:
        old.ping(vpn.network.host)
        # the old session's machine is gone; it answers neither Terminate nor Disconnect
        with vpn.client("bob").login() as new:
            new.patience = 3.0
            new.ping(vpn.network.host)
    wait_for(vpn.idle, "the end of the sessions")


def test_sessions_of_all_workers_are_listed(vpn: Vpn) -> None:
    with ExitStack() as stack:
        clients = vpn.everywhere(stack)
        assert len(clients) >= 2, "this test needs two workers"
        count = sum(map(len, clients.values()))
        sessions = vpn.home.sessions()
        assert len(sessions) == count
        assert {session.worker for session in sessions} == set(clients)
        assert len({session.address for session in sessions}) == count
        assert len({session.interface for session in sessions}) == count
