"""A running server, and a guest with a real client wired to it."""

from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest

from tests.interop.guest import OUTSIDE, Guest, guest, wire
from tests.support import netns
from tests.support.server import Server, Vpn, make_home


@pytest.fixture(scope="session")
def built_guest() -> Guest:
    """The guest, built once for this machine."""
    return guest()


@pytest.fixture(scope="module")
def vpn(built_guest: Guest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vpn]:
    """A server whose namespace has the guest's wire."""
    folder = tmp_path_factory.mktemp("interop")
    with netns.network() as network:
        wire(network.server, f"{OUTSIDE}/24")
        home = make_home(folder / "home", IPv4Address(OUTSIDE))
        with Server(home, network.server, folder / "log") as server:
            yield Vpn(network, home, server)
            assert server.stop() == 0
            assert "Traceback" not in server.process.output
