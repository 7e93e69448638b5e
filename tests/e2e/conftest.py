"""A real server in network namespaces, for the tests in this folder."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import netns
from tests.support.netns import Network
from tests.support.requirements import require
from tests.support.server import Home, Server, Vpn, make_home

MakeHome = Callable[[str], Home]


@pytest.fixture(scope="session")
def network() -> Iterator[Network]:
    """The namespaces; one server at a time runs in them."""
    require("ip", "nft", tun=True)
    with netns.network() as made:
        yield made


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with alice and bob: making one takes seconds, copying it none."""
    return make_home(tmp_path_factory.mktemp("template") / "home", Network.server_address)


@pytest.fixture
def make_copy(_template: Home, tmp_path: Path) -> MakeHome:
    """Make homes with alice and bob: ``make_copy("name")``."""

    def make(name: str) -> Home:
        return Home(shutil.copytree(_template.path, tmp_path / name))

    return make


@pytest.fixture(scope="module")
def vpn(
    network: Network, _template: Home, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Vpn]:
    """A server that the tests of one module share; it ends in order and leaves nothing."""
    folder = tmp_path_factory.mktemp("vpn")
    home = Home(shutil.copytree(_template.path, folder / "home"))
    with Server(home, network.server, folder / "log") as server:
        made = Vpn(network, home, server)
        yield made
        assert server.stop() == 0, server.process.output
        check_clean(made)


@pytest.fixture
def fresh(network: Network, make_copy: MakeHome, tmp_path: Path) -> Iterator[Vpn]:
    """A server of the test's own, that it may treat badly."""
    with Server(make_copy("home"), network.server, tmp_path / "log") as server:
        yield Vpn(network, server.home, server)


def check_clean(vpn: Vpn) -> None:
    """Fail unless a server that has ended left nothing, and its log tells of no mishap."""
    assert vpn.interfaces() == set()
    assert vpn.network.server.tables() == []
    assert vpn.home.sessions() == []
    assert "Traceback" not in vpn.server.process.output
