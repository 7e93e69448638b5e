"""Before the crypto binding holds, nothing is given: logins that are relayed, or bound late."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.support import packets
from tests.support.client import Client
from tests.support.faults import Aborted, Closed, Disconnected, Ended, Terminated
from tests.support.server import LOCAL, Vpn
from tests.support.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.root

ORDERLY: list[type[Ended]] = [Terminated, Disconnected, Closed]
NEGOTIATION_TIMEOUT = 8


def promised(vpn: Vpn, stack: ExitStack, user: str = "alice") -> Client:
    """Return a client that has an address by IPCP, and has not sent Call-Connected."""
    client = stack.enter_context(vpn.client(user))
    client.open()
    client.authenticate()
    client.configure()
    return client


def test_a_promise_is_nothing_and_ends_nobody(vpn: Vpn) -> None:
    vpn.home.run("user", "set", "bob", "--address", "10.99.0.200")
    with ExitStack() as stack:
        running = stack.enter_context(vpn.client("bob").login())
        before = vpn.interfaces()
        relayed = promised(vpn, stack, "bob")
        assert relayed.address == running.address
        relayed.send_packet(packets.echo(relayed.address, LOCAL, 1, b"let me in"))
        relayed.listen(1.5)
        assert not relayed.heard.arrived
        assert vpn.interfaces() == before
        assert [session.id for session in vpn.home.sessions()] == [vpn.session(running).id]
        running.ping(vpn.network.host)
        with pytest.raises(Aborted) as aborted:
            relayed.listen(PATIENCE)
        assert aborted.value.status == NEGOTIATION_TIMEOUT
        wait_for(lambda: vpn.server.said("no Call-Connected after the login"), "the log")
        running.ping(vpn.network.host)
    wait_for(vpn.idle, "the end of the sessions")
    vpn.home.run("user", "set", "bob", "--no-address")


def test_one_user_cannot_take_the_pool(vpn: Vpn) -> None:
    vpn.home.run("profile", "set", "default", "--pool", "10.99.0.10-10.99.0.21")
    try:
        with ExitStack() as stack:
            clients = [promised(vpn, stack) for _ in range(13)]
            assert len({client.address for client in clients}) == 3
            bob = stack.enter_context(vpn.client("bob").login())
            bob.ping(vpn.network.host)
            own = stack.enter_context(vpn.client("alice").login())
            own.ping(vpn.network.host)
    finally:
        vpn.home.run("profile", "set", "default", "--pool", "10.99.0.10-10.99.0.250")
    wait_for(vpn.idle, "the end of the sessions")


def test_a_client_that_opens_ipcp_before_it_binds(vpn: Vpn) -> None:
    """And whose first packet comes right behind its Call-Connected: no answer tells it to wait."""
    with ExitStack() as stack:
        client = promised(vpn, stack)
        content = os.urandom(8)
        client.bind()
        client.send_packet(packets.echo(client.address, vpn.network.host, 7, content))
        client.receive_packet(lambda packet: packets.echo_reply(packet) == (7, content))
        assert vpn.session(client).interface in vpn.interfaces()
    wait_for(vpn.idle, "the end of the session")


def test_one_session_more_ends_the_silent_one(vpn: Vpn) -> None:
    vpn.home.run("profile", "set", "default", "--sessions", "2")
    try:
        with ExitStack() as stack, ThreadPoolExecutor(1) as pool:
            first, second = (stack.enter_context(vpn.client().login()) for _ in range(2))
            first.ping(vpn.network.host)
            wait_for(lambda: vpn.session(first).received > 0, "the counters")
            waiting = pool.submit(second.endings)
            third = promised(vpn, stack)
            assert third.address == second.address
            first.ping(vpn.network.host)
            time.sleep(1.5)
            assert not waiting.done()
            third.bind()
            assert waiting.result() == ORDERLY
            third.ping(vpn.network.host)
            first.ping(vpn.network.host)
            wait_for(
                lambda: vpn.server.said("replaced by a newer login of the same user"), "the log"
            )
    finally:
        vpn.home.run("profile", "set", "default", "--sessions", "10")
    wait_for(vpn.idle, "the end of the sessions")
