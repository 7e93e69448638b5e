"""PAP and CHAP-MD5 at a real server whose access profile takes them."""

import shutil
from collections.abc import Iterator

import pytest

from tests.support.faults import Terminated, WeaklyRefused
from tests.support.manner import CHAP_MD5, PAP
from tests.support.netns import Network
from tests.support.server import PASSWORDS, Home, Server, Vpn
from tests.support.waiting import wait_for

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def vpn(
    network: Network, _template: Home, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Vpn]:
    folder = tmp_path_factory.mktemp("weak")
    home = Home(shutil.copytree(_template.path, folder / "home"))
    home.run("profile", "set", "default", "--weak-sign-in", "pap,chap-md5")
    home.run("user", "passwd", "alice", "--password-stdin", typed=PASSWORDS["alice"])
    with Server(home, network.server, folder / "log") as server:
        yield Vpn(network, home, server)


@pytest.mark.parametrize("how", [PAP, CHAP_MD5], ids=["pap", "chap-md5"])
def test_a_weaker_login_where_it_is_open(vpn: Vpn, how: bytes) -> None:
    before = vpn.server.said("which is weaker: the crypto binding proves the certificate alone")
    with vpn.client(weak=how).login() as client:
        client.ping(vpn.network.host)
        assert vpn.session(client).user == "alice"
        client.hang_up()
    wait_for(vpn.idle, "the end of the session")
    vpn.server.says("the crypto binding proves the certificate alone", before + 1)
    with vpn.client(weak=how, password="wrong") as client:
        client.open()
        with pytest.raises(WeaklyRefused):
            client.authenticate()
        assert client.endings()[0] is Terminated
