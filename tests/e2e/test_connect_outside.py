"""``sstpca connect`` and the way to its server: a strict machine, a pulled cable, no way at all."""

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.e2e.test_connect import EVERYTHING, HOST, Connected, connected, reaches, routes
from tests.support.netns import Network, Sniffer, connect
from tests.support.packets import parse
from tests.support.server import PORT, Vpn
from tests.support.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.root

#: Somebody far away, whom no route but the default one leads to.
FAR = IPv4Address("203.0.113.9")
#: The server as it is reached by a router: behind the default route.
BEHIND = f"{Network.gateway}:{PORT}"
NAMED = ("--name", str(Network.server_address))


@contextlib.contextmanager
def default_route(vpn: Vpn) -> Iterator[None]:
    """Have the client's machine reach everything by the server's, as by a router."""
    client, gateway = vpn.network.client, str(vpn.network.server_address)
    client.ip("route", "replace", "default", "via", gateway)
    try:
        yield
    finally:
        with contextlib.suppress(RuntimeError):  # the kernel takes it away with the interface
            client.ip("route", "del", "default", "via", gateway)


@contextlib.contextmanager
def strict(vpn: Vpn) -> Iterator[None]:
    """Have the client's machine drop what comes by another way than it would answer by."""
    client = vpn.network.client
    client.set_switch("conf/all/rp_filter", 1)
    try:
        yield
    finally:
        client.set_switch("conf/all/rp_filter", 0)


def host_routes(vpn: Vpn) -> list[str]:
    return vpn.network.client.ip("route", "show", "proto", "84").splitlines()


def index_of(vpn: Vpn) -> str:
    return vpn.network.client.ip("-o", "link", "show", "vpn0").split(":")[0]


def test_a_strict_machine(vpn: Vpn, tmp_path: Path) -> None:
    with default_route(vpn), strict(vpn):
        with connected(vpn, tmp_path, *NAMED, target=BEHIND) as client:
            assert routes(vpn) >= EVERYTHING
            assert reaches(vpn, HOST)
            assert len(host_routes(vpn)) == 1
            client.process.terminate()
            assert client.process.wait(PATIENCE) == 0, client.process.output
        assert host_routes(vpn) == []
        # one that was killed leaves it; the next is not led astray by it
        vpn.network.client.ip(
            "route", "add", str(Network.gateway), "via", "198.18.0.77", "proto", "84"
        )
        with connected(vpn, tmp_path, *NAMED, target=BEHIND):
            assert reaches(vpn, HOST)
            [kept] = host_routes(vpn)
            assert str(Network.server_address) in kept
    # nor where it is strict no more; and a route of the administrator's own stays
    with default_route(vpn), vpn.network.client.route(f"{Network.gateway}/32", HOST_GATEWAY):
        with connected(vpn, tmp_path, *NAMED, target=BEHIND):
            assert host_routes(vpn) == []
        assert str(Network.gateway) in vpn.network.client.ip("route", "show")


HOST_GATEWAY = Network.server_address


@contextlib.contextmanager
def spare(vpn: Vpn) -> Iterator[Sniffer]:
    """A second line of the client's machine, taken where the first is gone; who sees all on it."""
    client, lan = vpn.network.client, vpn.network.lan
    connect((client, "spare", ("198.18.2.1/24",)), (lan, "spare", ("198.18.2.2/24",)))
    try:
        client.ip("route", "add", "default", "via", "198.18.2.2", "metric", "500")
        # nothing needs to be asked for before a packet leaves
        mac = lan.run("cat", "/sys/class/net/spare/address").strip()
        client.ip("neigh", "replace", "198.18.2.2", "lladdr", mac, "dev", "spare")
        with lan.sniffer("spare") as sniffer:
            yield sniffer
    finally:
        client.ip("link", "del", "spare")


def seen(sniffer: Sniffer, vpn: Vpn, device: str = "") -> bool:
    """Whether a datagram to somebody far away goes by the second line."""
    with vpn.network.client.entered():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender:
        if device:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        # a table of nftables says that it is not permitted
        with contextlib.suppress(PermissionError):
            sender.sendto(b"secret", (str(FAR), 9))
    return any(parse(one).destination == FAR for one in sniffer.packets())


@pytest.mark.parametrize("kill_switch", [False, True])
def test_a_pulled_cable(vpn: Vpn, tmp_path: Path, kill_switch: bool) -> None:
    """Nothing takes the second line by itself. Who asks for that line gets it, but for the switch."""
    options = (*NAMED, "--kill-switch") if kill_switch else NAMED
    client = vpn.network.client
    with spare(vpn) as sniffer, contextlib.ExitStack() as stack:
        stack.callback(client.ip, "link", "set", "wan", "up")
        stack.enter_context(default_route(vpn))
        dialled = stack.enter_context(connected(vpn, tmp_path, *options, target=BEHIND))
        assert reaches(vpn, HOST)
        before = index_of(vpn)
        client.ip("link", "set", "wan", "down")
        assert routes(vpn) >= EVERYTHING
        assert not seen(sniffer, vpn)
        assert seen(sniffer, vpn, "spare") is not kill_switch
        vpn.home.run("session", "kill", "--user", "alice")
        client.ip("link", "set", "wan", "up")
        with default_route(vpn):
            wait_for(lambda: came_back(vpn, dialled), "the way through the tunnel", patience=100)
            assert index_of(vpn) == before


def came_back(vpn: Vpn, dialled: Connected) -> bool:
    """Whether it is connected again; a packet makes it notice that the one before is gone."""
    assert dialled.process.ended() is None, dialled.process.output
    return reaches(vpn, HOST, seconds=0.5) and dialled.process.output.count("connected as") == 2


def test_no_way_to_the_server(vpn: Vpn, tmp_path: Path) -> None:
    """As at the start of a machine, or with the cable pulled when it is dialled again."""
    client = vpn.network.client
    dialled = Connected(vpn, tmp_path, BEHIND, "--user", "alice", *NAMED)
    try:
        dialled.wait(f"there is no route to {Network.gateway}; trying again in ")
        with default_route(vpn):
            dialled.wait("connected as")
            assert vpn.server.stop() == 0
            dialled.wait("trying again in ", 2)
            client.ip("link", "set", "wan", "down")
            dialled.wait("there is no route to", dialled.process.output.count("no route") + 1)
            client.ip("link", "set", "wan", "up")
            vpn.server.start()
            with default_route(vpn):
                dialled.wait("connected as", 2)
                assert reaches(vpn, HOST)
    finally:
        os.kill(dialled.process.pid, signal.SIGTERM)
        dialled.process.stop()
