"""From one authority to the next, while people are connected."""

import ssl

import pytest

from tests.support import eap
from tests.support.client import Client
from tests.support.manner import WINDOWS
from tests.support.netns import Network
from tests.support.server import NAME, PASSWORDS, PORT, Failed, Vpn

pytestmark = pytest.mark.root


def authority(vpn: Vpn, *options: str) -> str:
    return vpn.home.run("ca", "export", *options)


def client(vpn: Vpn, root: str, pair: bytes = b"") -> Client:
    """Return alice's machine, which trusts ``root`` alone, and logs in with ``pair`` if given."""
    plain = vpn.network.client.connect((str(Network.server_address), PORT))
    method = eap.Certificate("alice", pair, root) if pair else None
    password = PASSWORDS["alice"]
    return Client(plain, "alice", password, ca=root, name=NAME, manner=WINDOWS, method=method)


def test_a_rollover_while_sessions_are_up(fresh: Vpn) -> None:
    host, old = fresh.network.host, authority(fresh)
    with client(fresh, old).login() as first:
        first.ping(host)
        fresh.home.run("ca", "rollover", "begin", "--no-passphrase", "--key-type", "ecdsa-p256")
        new = authority(fresh, "--next")
        with client(fresh, old).login() as second:
            second.ping(host)
        with pytest.raises(ssl.SSLCertVerificationError):
            client(fresh, new)
        with pytest.raises(Failed, match="2 of 2 users still have only the old authority"):
            fresh.home.run("ca", "rollover", "finish")
        for user in PASSWORDS:
            fresh.home.run("bundle", user)
        fresh.home.run("ca", "rollover", "finish")
        fresh.wait_until_shown()
        first.ping(host)
        with client(fresh, old + new).login() as third:
            third.ping(host)
        with client(fresh, new).login() as fourth:
            fourth.ping(host)
        with pytest.raises(ssl.SSLCertVerificationError):
            client(fresh, old)
        assert authority(fresh) == new
        assert len(fresh.home.sessions()) >= 1
        first.ping(host)
    assert fresh.server.stop() == 0


def test_certificates_of_users_go_on(fresh: Vpn) -> None:
    """Those of the old authority until they end, and renewed ones of the new."""
    old, host = authority(fresh), fresh.network.host
    before = fresh.home.issue("alice")
    with client(fresh, old, before).login() as first:
        first.ping(host)
        fresh.home.run("ca", "rollover", "begin", "--no-passphrase", "--key-type", "ecdsa-p256")
        fresh.home.run("ca", "rollover", "finish", "--force")
        fresh.wait_until_shown()
        new = authority(fresh)
        with client(fresh, new, before).login() as second:
            second.ping(host)
        fresh.home.run("cert", "renew", "alice")
        after = (fresh.home.path / "certificates" / "alice.pem").read_bytes()
        assert after != before
        for pair in (before, after):
            with client(fresh, new, pair).login() as third:
                third.ping(host)
        first.ping(host)
    assert fresh.server.stop() == 0
