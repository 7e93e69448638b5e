"""``sstpca connect`` with a certificate (EAP-TLS) through the real server, and what is said in vain."""

from pathlib import Path

import pytest

from tests.e2e.test_connect import HOST, Connected, known, reaches, routes
from tests.support.issuer import CLIENT, Issuer
from tests.support.server import NAME, PORT, Vpn
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def alice(vpn: Vpn) -> bytes:
    """Her key and certificate."""
    return vpn.home.issue("alice")


def dial(vpn: Vpn, folder: Path, pem: bytes, *options: str) -> Connected:
    """Connect with a certificate in a file."""
    file = folder / "user.pem"
    file.write_bytes(pem)
    where = f"{vpn.network.server_address}:{PORT}"
    return Connected(vpn, folder, where, "--certificate", str(file), *options)


def refused(vpn: Vpn, folder: Path, pem: bytes, *options: str) -> str:
    """Connect in vain; return the line that says why."""
    client = dial(vpn, folder, pem, *options)
    assert client.process.wait(PATIENCE) == 1, client.process.output
    assert "Traceback" not in client.process.output
    [line] = [one for one in client.process.output.splitlines() if one.startswith("error: ")]
    return line


def test_a_certificate_in_a_file(vpn: Vpn, alice: bytes, tmp_path: Path) -> None:
    client = dial(vpn, tmp_path, alice)
    try:
        client.wait("connected as")
        assert reaches(vpn, HOST)
        vpn.server.says("logged in by EAP-TLS, certificate ")
    finally:
        client.process.stop()


def test_a_certificate_bundle_as_it_is(vpn: Vpn, alice: bytes, tmp_path: Path) -> None:
    vpn.home.run("profile", "set", "default", "--sign-in", "eap-tls", "--yes")
    vpn.home.run("profile", "set", "default", "--split-tunnel", "--route", "198.18.1.0/24")
    try:
        secret = vpn.home.run("bundle", "alice", "--for", "linux").strip().partition("\t")[2]
        target = str(vpn.home.path / "bundles" / "alice.zip")
        with known(vpn, NAME):
            client = Connected(vpn, tmp_path, target, secret=secret)
            try:
                client.wait("connected as")
                assert reaches(vpn, HOST)
                assert "198.18.1.0/24" in routes(vpn)
            finally:
                client.process.stop()
            wrong = Connected(vpn, tmp_path, target, secret="wrong")
            assert wrong.process.wait(PATIENCE) == 1
            assert "error: the password does not open alice.p12" in wrong.process.output
    finally:
        vpn.home.run("profile", "set", "default", "--sign-in", "mschapv2", "--full-tunnel")


def test_a_certificate_of_another_authority(vpn: Vpn, tmp_path: Path) -> None:
    pem = Issuer.make().issue("alice", CLIENT).pem
    assert refused(vpn, tmp_path, pem) == (
        "error: the server refuses the certificate: the server does not know its authority"
    )


def test_a_revoked_certificate(vpn: Vpn, tmp_path: Path) -> None:
    pem = vpn.home.issue("bob")
    vpn.home.run("cert", "revoke", "bob", "--yes")
    assert refused(vpn, tmp_path, pem) == (
        "error: the server refuses the certificate or its user; its log says why"
    )
    vpn.server.says("of 'bob' is revoked")


def test_an_expired_certificate(vpn: Vpn, tmp_path: Path) -> None:
    pem = Issuer.make().issue("alice", CLIENT, begins=-9, days=1).pem
    line = refused(vpn, tmp_path, pem)
    assert line.startswith("error: the certificate 'alice' has expired on ")
