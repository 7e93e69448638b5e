"""What passes between clients, the machine and the networks around it, and what does not."""

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeHome
from tests.support import packets
from tests.support.client import Client
from tests.support.faults import TimedOut
from tests.support.netns import Namespace, Network
from tests.support.packets import Packet, datagram, udp
from tests.support.server import LOCAL, Server, Vpn
from tests.support.waiting import PATIENCE, how_long, wait_for

pytestmark = pytest.mark.root

HOST, GATEWAY, SERVER = Network.host, Network.gateway, Network.server_address
METADATA = IPv4Address("169.254.169.254")
RDP = 3389
PORT = 4500
POOL = "10.99.0.0/24"
ONLY = IPv4Address("10.99.0.10")


@contextlib.contextmanager
def routers(network: Network) -> Iterator[None]:
    """Have everybody around take the server for their router: outside, and behind it."""
    with (
        network.client.route("198.18.1.0/24", SERVER),
        network.client.route(POOL, SERVER),
        network.lan.route(POOL, GATEWAY),
        network.lan.route("198.18.0.0/24", GATEWAY),
    ):
        yield


@contextlib.contextmanager
def metadata(network: Network) -> Iterator[None]:
    """Have a host behind the server answer at the address where clouds do."""
    network.lan.ip("addr", "add", f"{METADATA}/32", "dev", "lan")
    network.server.ip("route", "add", str(METADATA), "via", str(HOST))
    try:
        yield
    finally:
        network.server.ip("route", "del", str(METADATA))
        network.lan.ip("addr", "del", f"{METADATA}/32", "dev", "lan")


class Wanted:
    """Whether a packet is a datagram with that content."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __call__(self, packet: Packet) -> bool:
        found = datagram(packet)
        return found is not None and found.content == self.content


def arrives(client: Client, content: bytes, *, expected: bool = True) -> bool:
    """Whether the client gets a datagram with ``content``."""
    try:
        client.receive_packet(Wanted(content), patience=how_long(expected))
    except TimedOut:
        return False
    return True


def rejected(client: Client, *, expected: bool = True) -> bool:
    """Whether the client is told that a rule forbids it (RFC 1812 5.2.7.1, code 13)."""

    def told(packet: Packet) -> bool:
        return packet.protocol == packets.ICMP and packet.payload[:2] == b"\x03\x0d"

    try:
        client.receive_packet(told, patience=how_long(expected))
    except TimedOut:
        return False
    return True


def gets(bound: socket.socket, content: bytes, *, expected: bool = True) -> bool:
    """Whether a socket gets ``content``."""
    bound.settimeout(how_long(expected))
    try:
        while bound.recv(2000) != content:
            pass
    except TimeoutError:
        return False
    finally:
        bound.settimeout(PATIENCE)
    return True


def send(client: Client, destination: IPv4Address, port: int = PORT) -> bytes:
    """Send a datagram through the tunnel; return its content, which no other has."""
    content = os.urandom(16)
    client.send_packet(udp((client.address, PORT), (destination, port), content))
    return content


def outside(namespace: Namespace, address: IPv4Address, port: int) -> bytes:
    """Send a datagram from elsewhere; return its content."""
    content = os.urandom(16)
    with namespace.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(content, (str(address), port))
    return content


def forged(source: IPv4Address, destination: IPv4Address, port: int) -> tuple[bytes, bytes]:
    """Return a packet under the address of another, and its content."""
    content = os.urandom(16)
    return udp((source, PORT), (destination, port), content).encode(), content


def test_nobody_reaches_a_client_that_did_not_ask(fresh: Vpn) -> None:
    with routers(fresh.network), fresh.client().login() as alice:
        alice.ping(HOST)
        for namespace in (fresh.network.client, fresh.network.lan):
            assert not arrives(alice, outside(namespace, alice.address, RDP), expected=False)
        # but the answer to what it asked
        with fresh.network.lan.udp(HOST, PORT) as host:
            send(alice, HOST)
            _, sender = host.recvfrom(100)
            host.sendto(b"answer", sender)
            assert arrives(alice, b"answer")


def test_programs_on_the_server_do_not_reach_clients_either(fresh: Vpn) -> None:
    machine = fresh.network.server
    with fresh.client().login() as alice:
        alice.ping(HOST)
        with pytest.raises(PermissionError):
            outside(machine, alice.address, RDP)
    fresh.home.run("profile", "set", "default", "--inbound")
    with fresh.client().login() as alice:
        alice.ping(HOST)
        assert arrives(alice, outside(machine, alice.address, RDP))


def test_an_open_client_is_reached(fresh: Vpn) -> None:
    fresh.home.run("profile", "set", "default", "--inbound")
    with routers(fresh.network), fresh.client().login() as alice:
        alice.ping(HOST)
        for namespace in (fresh.network.client, fresh.network.lan):
            assert arrives(alice, outside(namespace, alice.address, RDP))


def test_the_server_is_no_router_for_others(fresh: Vpn) -> None:
    network = fresh.network

    def reached() -> bool:
        with (
            network.lan.udp(HOST, PORT) as host,
            network.client.udp(Network.client_address, PORT) as stranger,
        ):
            inward = gets(host, outside(network.client, HOST, PORT), expected=False)
            outward = outside(network.lan, Network.client_address, PORT)
            return gets(stranger, outward, expected=False) or inward

    with routers(network):
        assert not reached()
        with fresh.client().login() as alice:
            alice.ping(HOST)
            assert not reached()
        assert fresh.server.stop() == 0
        assert not reached()


@pytest.mark.parametrize("how", ["in order", "killed"])
def test_forwarding_is_as_before_in_the_end(fresh: Vpn, how: str) -> None:
    machine = fresh.network.server
    before = dict.fromkeys(("ip_forward", "conf/wan/forwarding", "conf/lan/forwarding"), "0")
    with fresh.client().login() as alice:
        alice.ping(HOST)
    if how == "killed":
        workers = fresh.server.children()
        os.kill(fresh.server.process.pid, signal.SIGKILL)
        wait_for(lambda: not any(map(_runs, workers)), "the end of the workers")
        with routers(fresh.network), fresh.network.lan.udp(HOST, PORT) as host:
            assert not gets(host, outside(fresh.network.client, HOST, PORT), expected=False)
        fresh.server.start()
    assert fresh.server.stop() == 0
    assert {name: machine.switch(name) for name in before} == before
    assert machine.tables() == []


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_forwarding_that_was_on_stays_on(
    network: Network, make_copy: MakeHome, tmp_path: Path
) -> None:
    network.server.set_switch("ip_forward", 1)
    try:
        with Server(make_copy("home"), network.server, tmp_path / "log") as server:
            with routers(network), network.lan.udp(HOST, PORT) as host:
                assert gets(host, outside(network.client, HOST, PORT))
            assert server.stop() == 0
            assert network.server.switch("ip_forward") == "1"
    finally:
        network.server.set_switch("ip_forward", 0)


def test_another_program_that_needs_forwarding_gets_it(fresh: Vpn) -> None:
    network = fresh.network
    network.server.set_switch("ip_forward", 1)
    try:
        wait_for(lambda: fresh.server.said("another program") == 1, "the log's line")
        with routers(network), network.lan.udp(HOST, PORT) as host:
            assert gets(host, outside(network.client, HOST, PORT))
        with fresh.client().login() as alice:
            alice.ping(HOST)
        assert fresh.server.stop() == 0
        assert network.server.switch("conf/lan/forwarding") == "1"
    finally:
        network.server.set_switch("ip_forward", 0)


def test_a_new_interface_serves_clients_and_no_others(fresh: Vpn) -> None:
    network, machine = fresh.network, fresh.network.server
    with Namespace("late") as late:
        peer = ("peer", "name", "late", "netns", late.name)
        machine.ip("link", "add", "late", "type", "veth", *peer)
        machine.ip("addr", "add", "198.18.2.1/24", "dev", "late")
        late.ip("addr", "add", "198.18.2.2/24", "dev", "late")
        machine.ip("link", "set", "late", "up")
        late.ip("link", "set", "late", "up")
        wait_for(lambda: machine.switch("conf/late/forwarding") == "1", "forwarding")
        machine.ip("link", "set", "late", "name", "renamed", "down")
        machine.ip("link", "set", "renamed", "up")
        wait_for(lambda: "state UP" in machine.ip("link", "show", "renamed"), "the link")
        with fresh.client().login() as alice:
            alice.ping(IPv4Address("198.18.2.2"))
        with routers(network), network.lan.udp(HOST, PORT) as host:
            late.ip("route", "add", "default", "via", "198.18.2.1")
            assert not gets(host, outside(late, HOST, PORT), expected=False)


@pytest.mark.parametrize("how", ["flush ruleset", "flush own", "flush ours", "twice"])
def test_rules_that_another_program_takes_away_are_there_again(fresh: Vpn, how: str) -> None:
    """As ``systemctl restart nftables`` does it, which begins with ``flush ruleset``."""
    network, machine = fresh.network, fresh.network.server
    switches = ("conf/wan/forwarding", "conf/lan/forwarding")
    own, ours = sorted(machine.tables(), key=lambda table: "forwarding" in table)
    command = {"flush own": f"flush {own}", "flush ours": f"flush {ours}"}
    with routers(network), fresh.client().login() as alice, network.lan.udp(HOST, PORT) as host:
        alice.ping(HOST)
        for times in range(1, 3 if how == "twice" else 2):
            before = fresh.server.said("in place again")
            machine.run("nft", command.get(how, "flush ruleset"))
            wait_for(lambda: fresh.server.said("in place again") > before, "the log's line")  # noqa: B023
            wait_for(lambda: len(machine.tables()) == 2, "the tables")
            assert not gets(host, outside(network.client, HOST, PORT), expected=False), times
            assert not arrives(alice, outside(network.client, alice.address, RDP), expected=False)
            with machine.udp(GATEWAY, PORT) as service:
                assert not gets(service, send(alice, GATEWAY), expected=False)
            alice.ping(HOST)
    assert fresh.server.stop() == 0
    assert [machine.switch(name) for name in switches] == ["0", "0"]
    assert machine.tables() == []


def test_what_others_do_with_their_own_rules_is_theirs(fresh: Vpn) -> None:
    machine = fresh.network.server
    machine.run("nft", "add table inet others")
    machine.run("nft", "delete table inet others")
    with fresh.client().login() as alice:
        alice.ping(HOST)
    assert fresh.server.said("in place again") == 0


def test_what_the_machine_forwards_by_ipv6_goes_on(fresh: Vpn) -> None:
    network, machine = fresh.network, fresh.network.server
    inside = "2001:db8:1::"
    machine.ip("addr", "add", f"{inside}1/64", "dev", "lan", "nodad")
    network.lan.ip("addr", "add", f"{inside}2/64", "dev", "lan", "nodad")
    network.client.ip("route", "add", f"{inside}/64", "via", Network.server_address_v6)
    machine.set_switch("../ipv6/conf/all/forwarding", 1)
    try:
        with network.lan.entered(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as host:
            host.bind((f"{inside}2", PORT))
            with (
                network.client.entered(),
                socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender,
            ):
                for _ in range(2):  # the first may be lost while a neighbour is looked for
                    sender.sendto(b"as before", (f"{inside}2", PORT))
            assert gets(host, b"as before")
    finally:
        machine.set_switch("../ipv6/conf/all/forwarding", 0)
        network.client.ip("route", "del", f"{inside}/64")
        network.lan.ip("addr", "del", f"{inside}2/64", "dev", "lan")
        machine.ip("addr", "del", f"{inside}1/64", "dev", "lan")


def test_a_second_server_is_not_disturbed(fresh: Vpn, make_copy: MakeHome, tmp_path: Path) -> None:
    other = make_copy("other")
    settings = other.path / "settings.toml"
    text = settings.read_text().replace('interface = "sstp"', 'interface = "sstpb"')
    settings.write_text(text.replace("port = 8443", "port = 8444"))
    other.run("profile", "set", "default", "--local", "10.98.0.1", "--pool", "10.98.0.9-10.98.0.99")
    network = fresh.network
    with (
        Server(other, network.server, tmp_path / "log") as second,
        fresh.client().login() as alice,
        network.lan.udp(HOST, PORT) as host,
        routers(network),
    ):
        alice.ping(HOST)
        assert second.stop() == 0
        alice.ping(HOST)
        assert not gets(host, outside(network.client, HOST, PORT), expected=False)


def test_a_second_server_that_was_killed_is_not_waited_for(
    fresh: Vpn, make_copy: MakeHome, tmp_path: Path
) -> None:
    other, machine = make_copy("other"), fresh.network.server
    settings = other.path / "settings.toml"
    settings.write_text(settings.read_text().replace("port = 8443", "port = 8444"))
    with Server(other, machine, tmp_path / "log") as second:
        workers = second.children()
        os.kill(second.process.pid, signal.SIGKILL)
        wait_for(lambda: not any(map(_runs, workers)), "the end of the workers")
        with fresh.client().login() as alice:
            alice.ping(HOST)
    assert fresh.server.stop() == 0
    assert machine.switch("conf/lan/forwarding") == "0"
    assert machine.tables() == []


def test_an_interface_that_is_made_anew_serves_clients_again(fresh: Vpn) -> None:
    machine = fresh.network.server
    for _ in range(2):
        machine.ip("link", "add", "again", "type", "veth", "peer", "name", "peer")
        wait_for(lambda: machine.switch("conf/again/forwarding") == "1", "forwarding")
        machine.ip("link", "del", "again")


def test_a_clients_address_is_only_its_own(fresh: Vpn) -> None:
    fresh.home.run("profile", "set", "default", "--reach", "clients", "--inbound")
    network = fresh.network
    with (
        routers(network),
        fresh.client("alice").login() as alice,
        fresh.client("bob").login() as bob,
        network.server.udp(SERVER, PORT) as service,
    ):
        alice.ping(HOST)
        bob.ping(HOST)
        assert arrives(bob, send(alice, bob.address))
        # to a service of the machine, to a client, and into a connection between clients
        for destination in (SERVER, bob.address):
            packet, content = forged(alice.address, destination, PORT)
            for namespace in (network.client, network.lan):
                namespace.send_raw(packet)
                assert not gets(service, content, expected=False)
                assert not arrives(bob, content, expected=False)
        assert gets(service, outside(network.client, SERVER, PORT))


@pytest.mark.parametrize("address", [SERVER, GATEWAY, LOCAL])
def test_the_servers_own_services_are_closed(fresh: Vpn, address: IPv4Address) -> None:
    with fresh.client().login() as alice:
        alice.ping(address)
        with fresh.network.server.udp(address, PORT) as service:
            content = send(alice, address)
            assert rejected(alice)
            assert not gets(service, content, expected=False)
        alice.send_packet(packets.syn((alice.address, 5000), (address, 8443), 1360))
        assert rejected(alice)


def test_a_resolver_on_the_server_is_open_if_given(fresh: Vpn) -> None:
    def asked(*, expected: bool) -> bool:
        with fresh.client().login() as alice, fresh.network.server.udp(LOCAL, 53) as resolver:
            alice.ping(LOCAL)
            assert not gets(resolver, send(alice, LOCAL, PORT), expected=False)
            return gets(resolver, send(alice, LOCAL, 53), expected=expected)

    assert not asked(expected=False)
    fresh.home.run("profile", "set", "default", "--dns", str(LOCAL))
    assert asked(expected=True)


def test_services_that_are_opened(fresh: Vpn) -> None:
    fresh.home.run("profile", "set", "default", "--reach", "server")
    with fresh.client().login() as alice, fresh.network.server.udp(GATEWAY, PORT) as service:
        alice.ping(GATEWAY)
        assert gets(service, send(alice, GATEWAY))


@pytest.mark.parametrize("opened", [False, True])
def test_link_local_addresses(fresh: Vpn, opened: bool) -> None:
    if opened:
        fresh.home.run("profile", "set", "default", "--reach", "link-local")
    network = fresh.network
    with (
        metadata(network),
        network.lan.udp(METADATA, 80) as service,
        fresh.client().login() as alice,
    ):
        alice.ping(HOST)
        content = send(alice, METADATA, 80)
        assert rejected(alice, expected=not opened) is not opened
        assert gets(service, content, expected=opened) is opened


def test_a_link_local_resolver_is_open_if_given(fresh: Vpn) -> None:
    fresh.home.run("profile", "set", "default", "--dns", str(METADATA))
    network = fresh.network
    with (
        metadata(network),
        network.lan.udp(METADATA, 53) as resolver,
        network.lan.udp(METADATA, 80) as service,
        fresh.client().login() as alice,
    ):
        alice.ping(HOST)
        assert gets(resolver, send(alice, METADATA, 53))
        assert not gets(service, send(alice, METADATA, 80), expected=False)


@pytest.mark.parametrize("opened", [False, True])
def test_other_clients(fresh: Vpn, opened: bool) -> None:
    if opened:
        fresh.home.run("profile", "set", "default", "--reach", "clients")
    with fresh.client("alice").login() as alice, fresh.client("bob").login() as bob:
        alice.ping(HOST)
        bob.ping(HOST)
        content = send(alice, bob.address)
        assert rejected(alice, expected=not opened) is not opened
        assert arrives(bob, content, expected=opened) is opened


def test_isolation_is_each_profile_s_own(fresh: Vpn) -> None:
    """Who is not isolated reaches those who are; they can answer, and begin nothing."""
    fresh.home.run(
        "profile", "add", "helpers", "--local", "10.97.0.1", "--pool", "10.97.0.10-10.97.0.20",
        "--reach", "clients",
    )  # fmt: skip
    fresh.home.run("user", "set", "bob", "--profile", "helpers")
    with fresh.client("alice").login() as alice, fresh.client("bob").login() as bob:
        alice.ping(HOST)
        bob.ping(HOST)
        refused = send(alice, bob.address, RDP)
        assert rejected(alice)
        assert not arrives(bob, refused, expected=False)
        assert arrives(alice, send(bob, alice.address))
        # an answer to that very datagram
        assert arrives(bob, send(alice, bob.address))


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("address", ["255.255.255.255", "198.18.1.255", "224.0.0.251"])
def test_broadcast_and_multicast(fresh: Vpn, address: str, opened: bool) -> None:
    # whoever reaches the server's services does not reach these by it
    fresh.home.run("profile", "set", "default", "--reach", "multicast" if opened else "server")
    with (
        fresh.client().login() as alice,
        fresh.network.server.udp(IPv4Address("0.0.0.0"), PORT) as service,
    ):
        alice.ping(HOST)
        with fresh.network.server.entered():
            group = socket.inet_aton("224.0.0.251") + alice.server_address.packed
            service.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        assert gets(service, send(alice, IPv4Address(address)), expected=opened) is opened


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("address", ["255.255.255.255", "224.0.0.251"])
def test_broadcast_and_multicast_of_the_server(fresh: Vpn, address: str, opened: bool) -> None:
    # who lets others open connections to the client does not let these in by it
    fresh.home.run("profile", "set", "default", "--inbound", "--reach", "multicast" * opened)
    with fresh.client().login() as alice:
        alice.ping(HOST)
        (interface,) = fresh.interfaces()
        content = os.urandom(16)
        with fresh.network.server.udp(alice.server_address, PORT) as program:
            program.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            program.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
            # what is dropped on its way out is an error
            with contextlib.suppress(PermissionError):
                program.sendto(content, (address, PORT))
        assert arrives(alice, content, expected=opened) is opened


def test_what_is_reached_counts_from_the_next_login(fresh: Vpn) -> None:
    with fresh.client("bob").login() as bob:
        with fresh.client("alice").login() as alice:
            alice.ping(HOST)
            bob.ping(HOST)
            fresh.home.run("profile", "set", "default", "--reach", "clients")
            assert not arrives(bob, send(alice, bob.address), expected=False)
        with fresh.client("alice").login() as alice:
            alice.ping(HOST)
            assert arrives(bob, send(alice, bob.address))


@contextlib.contextmanager
def led_on(network: Network, client: Client) -> Iterator[None]:
    """Have what comes to the server from behind it led to the client, by an administrator's rule."""
    rule = f"ip daddr {GATEWAY} udp dport {PORT} dnat to {client.address}"
    chain = "type nat hook prerouting priority dstnat"
    network.server.run("nft", f"table ip led {{ chain on {{ {chain}; {rule}; }}; }}")
    try:
        yield
    finally:
        network.server.run("nft", "delete table ip led")


@pytest.mark.parametrize("nat", [True, False])
def test_an_address_changes_hands_without_its_connections(
    network: Network, make_copy: MakeHome, tmp_path: Path, nat: bool
) -> None:
    home = make_copy("home")
    settings = home.path / "settings.toml"
    settings.write_text(settings.read_text().replace("nat = true", f"nat = {str(nat).lower()}"))
    home.run("profile", "set", "default", "--pool", f"{ONLY}-{ONLY}")
    with (
        Server(home, network.server, tmp_path / "log") as server,
        routers(network),
        network.lan.udp(HOST, PORT) as host,
    ):
        vpn = Vpn(network, home, server)
        with vpn.client("alice").login() as alice:
            send(alice, HOST)
            _, sender = host.recvfrom(100)
            assert (sender[0] == str(GATEWAY)) is nat
            host.sendto(b"answer", sender)
            assert arrives(alice, b"answer")
        wait_for(vpn.idle, "the end of her session")
        with vpn.client("bob").login() as bob:
            assert bob.address == ONLY
            bob.ping(HOST)
            host.sendto(b"too late", sender)
            assert not arrives(bob, b"too late", expected=False)
            assert server.said("forgotten") == 0


@pytest.mark.parametrize("led", [False, True])
def test_an_open_client_that_is_closed_again(fresh: Vpn, led: bool) -> None:
    fresh.home.run("profile", "set", "default", "--inbound", "--pool", f"{ONLY}-{ONLY}")
    network = fresh.network
    port = RDP + led  # none of these tests finds what another has left
    with routers(network), network.lan.udp(HOST, port) as host:
        with fresh.client("alice").login() as alice:
            way = led_on(network, alice) if led else contextlib.nullcontext()
            address = (str(GATEWAY if led else ONLY), PORT)
            alice.ping(HOST)
            with way:
                host.sendto(b"come in", address)
                assert arrives(alice, b"come in")
            # as soon as she has answered, it counts as established
            assert gets(host, send(alice, HOST, port))
            fresh.home.run("profile", "set", "default", "--no-inbound")
        wait_for(fresh.idle, "the end of her session")
        with fresh.client("bob").login() as bob:
            assert bob.address == ONLY
            bob.ping(HOST)
            host.sendto(b"too late", address)
            assert not arrives(bob, b"too late", expected=False)
