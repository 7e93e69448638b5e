"""Who never logs in: bounded in number and time, and no harm to the others."""

import contextlib
import socket
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeHome
from tests.support.netns import Network, wait_for
from tests.support.server import PORT, Server, Vpn

pytestmark = pytest.mark.root

# as net/worker.py has it, for each of the workers
LIMIT = 64


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


def test_the_oldest_goes_when_one_address_has_too_many(one_worker: Vpn) -> None:
    vpn = one_worker
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(connect(vpn)) for _ in range(LIMIT + 8)]
        wait_for(lambda: vpn.server.said("too many from this address") == 8, 5.0, "eight dropped")
        assert [sock.recv(1) for sock in crowd[:8]] == [b""] * 8
        crowd[8].settimeout(0.2)
        with pytest.raises(TimeoutError):
            crowd[8].recv(1)


def test_a_network_of_ipv6_counts_as_one_address(one_worker: Vpn) -> None:
    """One machine has all its addresses."""
    vpn, client = one_worker, one_worker.network.client
    many = [f"2001:db8::1:{number:x}" for number in range(LIMIT + 1)]
    server = (vpn.network.server_address_v6, PORT)
    with contextlib.ExitStack() as stack:
        for address in many:
            client.ip("addr", "add", f"{address}/128", "dev", "wan", "nodad")
            stack.callback(client.ip, "addr", "del", f"{address}/128", "dev", "wan")
        with client.entered():
            for address in many:
                stack.enter_context(socket.create_connection(server, 5.0, (address, 0)))
        wait_for(lambda: vpn.server.said("too many from this address") == 1, 5.0, "one dropped")


def test_a_call_without_a_login_counts(one_worker: Vpn) -> None:
    vpn = one_worker
    with contextlib.ExitStack() as stack:
        caller = stack.enter_context(vpn.client())
        caller.open()
        for _ in range(LIMIT):
            stack.enter_context(connect(vpn))
        wait_for(lambda: vpn.server.said("too many from this address") == 1, 5.0, "one dropped")


def test_who_has_logged_in_stays(one_worker: Vpn) -> None:
    vpn = one_worker
    with contextlib.ExitStack() as stack:
        for _ in range(LIMIT - 1):
            stack.enter_context(connect(vpn))
        client = stack.enter_context(vpn.client()).login()
        for _ in range(2 * LIMIT):
            stack.enter_context(connect(vpn))
        client.ping(vpn.network.host)


def test_many_strangers_do_not_fill_the_log(one_worker: Vpn) -> None:
    for _ in range(300):
        connect(one_worker).close()
    wait_for(lambda: one_worker.server.said("came and went") > 0, 5.0, "a line for many")
    assert one_worker.server.said("TLS: ") + one_worker.server.said("closed before") < 200


def test_a_machine_without_ipv6(network: Network, make_copy: MakeHome) -> None:
    home = make_copy("home")
    switch = "net.ipv6.conf.all.disable_ipv6"
    network.server.run("sysctl", "-q", f"{switch}=1")
    try:
        with Server(home, network.server, home.path.parent / "log") as server:
            vpn = Vpn(network, home, server)
            with vpn.client().login() as client:
                client.ping(network.host)
            assert "listening on 0.0.0.0 port" in server.process.output
            assert server.stop() == 0
    finally:
        network.server.run("sysctl", "-q", f"{switch}=0")


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
