"""DHCPINFORM at a real server: what a client asks for after it has connected, inside the tunnel."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from tests.support import dhcp
from tests.support.client import Client
from tests.support.dhcp import ACK, Message, inform
from tests.support.faults import TimedOut
from tests.support.netns import Network
from tests.support.packets import Packet
from tests.support.server import Vpn
from tests.support.waiting import SOON

pytestmark = pytest.mark.root

HOST = Network.host
SPLIT = ("--split-tunnel", "--route", "10.1.0.0/16", "--route", "10.2.3.0/24", "--no-dns")


def ask(client: Client, message: Message | None = None, **fields: IPv4Address) -> Message:
    """Ask as Windows does; return the answer."""
    client.send_packet(dhcp.packet(message or inform(client.address), client.address, **fields))
    answer = dhcp.answer(client.receive_packet(is_answer))
    assert answer is not None
    return answer


def is_answer(packet: Packet) -> bool:
    return dhcp.answer(packet) is not None


def unanswered(client: Client) -> bool:
    try:
        client.receive_packet(is_answer, patience=SOON)
    except TimedOut:
        return True
    return False


def routes_of(answer: Message) -> list[str]:
    return [str(network) for network, _ in answer.routes(121)]


def test_a_split_tunnel_needs_nothing_on_the_client(fresh: Vpn) -> None:
    fresh.home.run("profile", "set", "default", *SPLIT)
    fresh.home.run("profile", "set", "default", "--dns", "10.9.0.53", "--dns-suffix", "corp.test")
    with fresh.client().login() as alice:
        answer = ask(alice)
        assert answer.value(53) == bytes((ACK,))
        assert answer.addresses(54) == [alice.server_address]
        assert answer.addresses(6) == [IPv4Address("10.9.0.53")]
        assert answer.value(15) == b"corp.test"
        assert answer.value(119) == b"\4corp\4test\0"
        # with a route to the DNS server, which is in none of the others
        expected = ["10.1.0.0/16", "10.2.3.0/24", "10.9.0.53/32"]
        assert routes_of(answer) == expected
        assert answer.routes(249) == answer.routes(121)
        assert {router for _, router in answer.routes(121)} == {alice.server_address}
        assert ask(alice, target=alice.server_address) == answer


def test_a_changed_route_reaches_everybody_at_the_next_login(fresh: Vpn) -> None:
    fresh.home.run("profile", "set", "default", *SPLIT)
    with fresh.client().login() as alice:
        assert routes_of(ask(alice)) == ["10.1.0.0/16", "10.2.3.0/24"]
        fresh.home.run("profile", "set", "default", "--route", "10.7.0.0/16")
        # the session keeps what it was given
        assert routes_of(ask(alice)) == ["10.1.0.0/16", "10.2.3.0/24"]
    with fresh.client().login() as alice:
        assert routes_of(ask(alice)) == ["10.7.0.0/16"]
    fresh.home.run("profile", "set", "default", "--full-tunnel")
    with fresh.client().login() as alice:
        assert routes_of(ask(alice)) == []


def test_only_an_inform_for_the_session_s_own_address_is_answered(fresh: Vpn) -> None:
    with fresh.client().login() as alice:
        other = IPv4Address(int(alice.address) + 1)
        for message in (
            inform(other),
            inform(alice.address, options=((53, b"\x01"),)),
            inform(alice.address, options=((53, b"\x03"),)),
        ):
            alice.send_packet(dhcp.packet(message, alice.address))
        alice.send_packet(dhcp.packet(inform(other), other))
        assert unanswered(alice)
        # and the session goes on
        assert ask(alice).value(53) == bytes((ACK,))
        alice.ping(HOST)


def test_a_flood_is_answered_a_few_times_and_costs_nobody_the_session(fresh: Vpn) -> None:
    with fresh.client().login() as alice:
        for _ in range(300):
            alice.send_packet(dhcp.packet(inform(alice.address), alice.address))
        count = 0
        while not unanswered(alice):
            count += 1
        assert 1 <= count <= 40
        alice.ping(HOST)


def test_each_client_is_told_what_its_own_profile_has(fresh: Vpn) -> None:
    fresh.home.run(
        "profile", "add", "lab", "--local", "10.97.0.1", "--pool", "10.97.0.10-10.97.0.20",
        "--split-tunnel", "--route", "172.20.0.0/16",
    )  # fmt: skip
    fresh.home.run("user", "set", "bob", "--profile", "lab")
    fresh.home.run("profile", "set", "default", *SPLIT)
    with fresh.client("alice").login() as alice, fresh.client("bob").login() as bob:
        assert routes_of(ask(bob)) == ["172.20.0.0/16"]
        assert ask(bob).routes(249) == [(IPv4Network("172.20.0.0/16"), IPv4Address("10.97.0.1"))]
        assert routes_of(ask(alice)) == ["10.1.0.0/16", "10.2.3.0/24"]
