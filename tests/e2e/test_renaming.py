"""The server gets another name, while people are connected."""

import ssl

import pytest

from tests.support.client import Client
from tests.support.manner import WINDOWS
from tests.support.netns import Network
from tests.support.server import NAME, PASSWORDS, PORT, Failed, Vpn

pytestmark = pytest.mark.root

NEW = "vpn2.example.com"


def connects(vpn: Vpn, root: str, name: str) -> bool:
    """Whether alice's machine, which trusts ``root`` and dials ``name``, gets through the tunnel."""
    plain = vpn.network.client.connect((str(Network.server_address), PORT))
    try:
        client = Client(plain, "alice", PASSWORDS["alice"], ca=root, name=name, manner=WINDOWS)
    except OSError:
        return False
    with client.login() as connected:
        connected.ping(vpn.network.host)
    return True


def bundled(vpn: Vpn) -> str:
    """Return the authorities in alice's bundle, PEM."""
    texts = [path.read_bytes() for path in (vpn.home.path / "bundles" / "alice").rglob("*.cer")]
    return "".join(map(ssl.DER_cert_to_PEM_cert, texts))


def give_bundles(vpn: Vpn) -> str:
    vpn.home.run("bundle", "--all")
    return bundled(vpn)


def go_on(vpn: Vpn, *options: str) -> None:
    vpn.home.run("server", "rename", *options, "--yes")
    vpn.wait_until_shown()


def test_nobody_is_left_behind(fresh: Vpn) -> None:
    """One server from start to end, which is never started again; one session lasts all the time."""
    first = bundled(fresh)
    with fresh.client().login() as lasting:
        go_on(fresh, NEW, "--no-passphrase")
        assert connects(fresh, first, NAME)
        with pytest.raises(Failed, match="2 of 2 users cannot connect after the next step"):
            go_on(fresh)
        second = give_bundles(fresh)
        assert connects(fresh, second, NAME)

        go_on(fresh)
        assert connects(fresh, second, NAME)
        third = give_bundles(fresh)
        assert connects(fresh, third, NEW)
        assert connects(fresh, second, NAME)

        go_on(fresh)
        assert connects(fresh, third, NEW)
        assert not connects(fresh, second, NAME)
        lasting.ping(fresh.network.host)
    assert fresh.server.stop() == 0
    # and started again with the settings as they are now
    fresh.server.start()
    assert connects(fresh, third, NEW)
    assert fresh.server.stop() == 0
