"""Who never logs in: bounded in number and time, and no harm to the others."""

import contextlib
import resource
import socket
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeHome
from tests.support import netns
from tests.support.handshake import client_hello
from tests.support.hello import FFDHE8192, expensive
from tests.support.netns import Network
from tests.support.server import PORT, Server, Vpn
from tests.support.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.root

# as net/strangers.py has them, for each of the workers: how many there may be, and go at once
LIMIT, AT_ONCE = 1024, 16


@pytest.fixture
def one_worker(network: Network, make_copy: MakeHome, tmp_path: Path) -> Iterator[Vpn]:
    """A server whose limits are those of a single process."""
    home = make_copy("home")
    settings = home.path / "settings.toml"
    settings.write_text(settings.read_text().replace("workers = 0", "workers = 1"))
    with Server(home, network.server, tmp_path / "log") as server:
        yield Vpn(network, home, server)


def connect(vpn: Vpn) -> socket.socket:
    return vpn.network.client.connect((str(vpn.network.server_address), PORT))


@pytest.fixture(autouse=True)
def _descriptors() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def crowd(vpn: Vpn, stack: contextlib.ExitStack, count: int) -> list[socket.socket]:
    return [stack.enter_context(connect(vpn)) for _ in range(count)]


def closed(sock: socket.socket) -> bool:
    sock.settimeout(0.2)
    try:
        return sock.recv(1) == b""
    except TimeoutError:
        return False


def test_the_oldest_go_when_there_are_too_many(one_worker: Vpn) -> None:
    vpn = one_worker
    with contextlib.ExitStack() as stack:
        many = crowd(vpn, stack, LIMIT + 1)
        wait_for(lambda: closed(many[0]), "the oldest to be dropped")
        assert all(map(closed, many[:AT_ONCE]))
        assert not closed(many[AT_ONCE])
        wait_for(lambda: vpn.server.said("too many before their login") > 0, "a line")


def test_who_comes_alone_stays(one_worker: Vpn) -> None:
    """A network of IPv6 counts as one address: one machine has them all."""
    vpn, client = one_worker, one_worker.network.client
    many = [f"2001:db8::1:{number:x}" for number in range(30)]
    server = (vpn.network.server_address_v6, PORT)
    with contextlib.ExitStack() as stack:
        alone = connect(vpn)
        stack.enter_context(alone)
        for address in many:
            client.ip("addr", "add", f"{address}/128", "dev", "wan", "nodad")
            stack.callback(client.ip, "addr", "del", f"{address}/128", "dev", "wan")
        with client.entered():
            others = [
                stack.enter_context(socket.create_connection(server, PATIENCE, (address, 0)))
                for address in many * (LIMIT // len(many) + 1)
            ]
        wait_for(lambda: closed(others[0]), "one of the many to be dropped")
        assert not closed(alone)


def test_a_slow_login_outlives_a_crowd(one_worker: Vpn) -> None:
    """Of one address, who is least far along goes first."""
    vpn = one_worker
    with contextlib.ExitStack() as stack:
        slow = stack.enter_context(vpn.client())
        slow.open()
        many = crowd(vpn, stack, 2 * LIMIT)
        wait_for(lambda: closed(many[0]), "the oldest of the silent to be dropped")
        slow.authenticate()
        slow.bind()
        slow.configure()
        slow.ping(vpn.network.host)


def test_who_has_logged_in_stays(one_worker: Vpn) -> None:
    vpn = one_worker
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(vpn.client()).login()
        crowd(vpn, stack, LIMIT + 100)
        client.ping(vpn.network.host)


def test_a_ping_does_not_wait_for_the_handshakes_of_strangers(one_worker: Vpn) -> None:
    """D(HE)at: made-up keys of a group that costs 200 times what the usual ones do."""
    vpn = one_worker
    hello = expensive(FFDHE8192, 1024)
    with vpn.client().login() as client:
        for _ in range(50):
            with connect(vpn) as stranger:
                stranger.sendall(hello)
                assert stranger.recv(100) == bytes.fromhex("15030300020228")
        client.ping(vpn.network.host)


def test_all_of_an_office_come_back_at_once(one_worker: Vpn) -> None:
    """Behind one address, and none of them is turned away for that."""
    vpn, count = one_worker, 120
    hello = client_hello(ssl.create_default_context())
    with contextlib.ExitStack() as stack:
        office = crowd(vpn, stack, count)
        for sock in office:
            sock.sendall(hello)
        for sock in office:
            sock.settimeout(PATIENCE)
            assert sock.recv(5)[:1] == b"\x16", "a ServerHello"


def test_many_strangers_do_not_fill_the_log(one_worker: Vpn) -> None:
    for _ in range(300):
        connect(one_worker).close()
    wait_for(lambda: one_worker.server.said("more lines about strangers") > 0, "a line for many")
    assert one_worker.server.said("TLS: ") + one_worker.server.said("closed before") < 200


def test_a_machine_without_ipv6(make_copy: MakeHome) -> None:
    """In a network of its own, as its addresses do not come back."""
    home = make_copy("home")
    with netns.network() as network:
        network.server.run("sysctl", "-q", "net.ipv6.conf.all.disable_ipv6=1")
        with Server(home, network.server, home.path.parent / "log") as server:
            vpn = Vpn(network, home, server)
            with vpn.client().login() as client:
                client.ping(network.host)
            assert "listening on 0.0.0.0 port" in server.process.output
            assert server.stop() == 0


def test_old_tls_is_refused(vpn: Vpn) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with connect(vpn) as plain, pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        context.wrap_socket(plain)
