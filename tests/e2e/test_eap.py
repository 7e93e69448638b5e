"""Logging in by EAP to the real server: by password, by certificate, and who may use which."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from OpenSSL import SSL

from tests.support import eap
from tests.support.client import Spoil
from tests.support.faults import Aborted, Closed, Disconnected, LoginRefused, Terminated
from tests.support.issuer import CLIENT, Issuer
from tests.support.manner import SSTPC, WINDOWS, Manner
from tests.support.server import PASSWORDS, POOL, Vpn
from tests.support.waiting import wait_for

pytestmark = pytest.mark.root

MANNERS = pytest.mark.parametrize("manner", [WINDOWS, SSTPC], ids=["windows", "sstpc"])
VERSIONS = pytest.mark.parametrize(
    "newest", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION], ids=["1.2", "1.3"]
)


@pytest.fixture(scope="module")
def alice(vpn: Vpn) -> bytes:
    """Her key and certificate."""
    return vpn.home.issue("alice")


@pytest.fixture
def strict(vpn: Vpn) -> Iterator[None]:
    """All users have to show a certificate."""
    vpn.home.run("profile", "set", "default", "--sign-in", "eap-tls", "--yes")
    yield
    vpn.home.run("profile", "set", "default", "--sign-in", "mschapv2")


def by_certificate(vpn: Vpn, pem: bytes, **options: int) -> eap.Certificate:
    """Return the method of a client that calls itself as its certificate's UPN."""
    return eap.Certificate("alice@vpn.example.com", pem, vpn.home.authority("alice"), **options)


def rejected(vpn: Vpn, method: eap.Certificate) -> str:
    """Log in in vain; return the alert of TLS, empty if there is none."""
    with vpn.client(method=method) as client:
        client.open()
        with pytest.raises(eap.CertificateRejected) as error:
            client.authenticate()
        assert client.endings()[0] is Terminated
    wait_for(vpn.idle, "the end of the session")
    return error.value.alert


@MANNERS
def test_eap_mschapv2(vpn: Vpn, manner: Manner) -> None:
    before = vpn.server.said("logged in by EAP-MSCHAPv2")
    method = eap.Password("alice", PASSWORDS["alice"])
    with vpn.client(manner=manner, method=method).login() as client:
        assert POOL[0] <= client.address <= POOL[1]
        client.ping(vpn.network.host)
        assert vpn.session(client).user == "alice"
        client.hang_up()
    vpn.server.says("logged in by EAP-MSCHAPv2", before + 1)
    wait_for(vpn.idle, "the end of the session")


def test_eap_mschapv2_with_a_wrong_password(vpn: Vpn) -> None:
    with vpn.client(method=eap.Password("alice", "wrong")) as client:
        client.open()
        with pytest.raises(LoginRefused) as refused:
            client.authenticate()
        assert refused.value.code == 691
        assert client.endings()[0] is Terminated
    assert vpn.idle()


def test_eap_mschapv2_at_the_third_try(vpn: Vpn) -> None:
    method = eap.Password("alice", "wrong", again=("wrong too", PASSWORDS["alice"]))
    with vpn.client(method=method).login() as client:
        client.ping(vpn.network.host)
        client.hang_up()
    wait_for(vpn.idle, "the end of the session")


def test_eap_mschapv2_with_an_expired_password(vpn: Vpn) -> None:
    vpn.home.run("user", "expire", "alice")
    method = eap.Password("alice", PASSWORDS["alice"], new="Cheshire-1865")
    with vpn.client(method=method).login() as client:
        client.ping(vpn.network.host)
        client.hang_up()
    wait_for(vpn.idle, "the end of the session")
    vpn.home.run("user", "passwd", "alice", "--password-stdin", typed=PASSWORDS["alice"])


@VERSIONS
@pytest.mark.parametrize("piece", [1398, 200])
def test_eap_tls(vpn: Vpn, alice: bytes, newest: int, piece: int) -> None:
    before = vpn.server.said("logged in by EAP-TLS, certificate ")
    method = by_certificate(vpn, alice, newest=newest, piece=piece)
    with vpn.client(method=method).login() as client:
        assert hashlib.sha256(method.server).digest() == client.wire.fingerprint("sha256")
        client.ping(vpn.network.host)
        assert vpn.session(client).user == "alice"
        client.hang_up()
    vpn.server.says("logged in by EAP-TLS, certificate ", before + 1)
    wait_for(vpn.idle, "the end of the session")


@pytest.mark.parametrize("spoil", list(Spoil))
def test_the_binding_of_eap_tls(vpn: Vpn, alice: bytes, spoil: Spoil) -> None:
    with vpn.client(method=by_certificate(vpn, alice)) as client:
        client.open()
        client.authenticate()
        client.bind(spoil=spoil)
        with pytest.raises(Aborted) as aborted:
            client.configure()
        assert (aborted.value.attribute, aborted.value.status) == (3, 4)


def test_the_certificate_decides_and_not_the_claim(vpn: Vpn, alice: bytes) -> None:
    method = eap.Certificate("bob", alice, vpn.home.authority("alice"))
    with vpn.client(method=method).login() as client:
        assert vpn.session(client).user == "alice"
        client.hang_up()
    wait_for(vpn.idle, "the end of the session")


def test_a_foreign_certificate(vpn: Vpn) -> None:
    method = by_certificate(vpn, Issuer.make().issue("alice", CLIENT).pem)
    assert "alert" in rejected(vpn, method)
    why = "login failed for 'alice@vpn.example.com': its certificate was not issued by this server"
    vpn.server.says(why)


def test_a_certificate_of_nobody(vpn: Vpn) -> None:
    assert rejected(vpn, by_certificate(vpn, vpn.home.issue("carol"))) == ""
    vpn.server.says("its certificate is for 'carol', and there is no such user")


def test_a_revoked_certificate(vpn: Vpn) -> None:
    """Refused at once, and the session that was opened with it ends; others of the user do not."""
    pem = vpn.home.issue("bob")
    with (
        vpn.client(method=by_certificate(vpn, pem)).login() as client,
        vpn.client("bob").login() as other,
        ThreadPoolExecutor(1) as pool,
    ):
        assert vpn.session(client).user == "bob"
        waiting = pool.submit(client.endings)
        vpn.home.run("cert", "revoke", "bob", "--yes")
        assert waiting.result() == [Terminated, Disconnected, Closed]
        other.ping(vpn.network.host)
        other.hang_up()
    vpn.server.says("its certificate was revoked")
    wait_for(vpn.idle, "the end of the sessions")
    assert rejected(vpn, by_certificate(vpn, pem)) == ""
    vpn.server.says("of 'bob' is revoked")


def test_a_disabled_user(vpn: Vpn, alice: bytes) -> None:
    vpn.home.run("user", "disable", "alice")
    try:
        rejected(vpn, by_certificate(vpn, alice))
    finally:
        vpn.home.run("user", "enable", "alice")
    vpn.server.says("its certificate is for 'alice', whose account is disabled")


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("method", [None, eap.Password("alice", PASSWORDS["alice"])])
def test_a_password_is_not_enough_where_it_has_to_be_a_certificate(
    vpn: Vpn, method: eap.Method | None
) -> None:
    before = vpn.server.said("the password is right, but this user has to show a certificate")
    with vpn.client(method=method) as client:
        client.open()
        with pytest.raises(LoginRefused) as refused:
            client.authenticate()
        assert refused.value.code == 691
    vpn.server.says("this user has to show a certificate", before + 1)


@pytest.mark.usefixtures("strict")
def test_a_certificate_is_enough(vpn: Vpn, alice: bytes) -> None:
    with vpn.client(method=by_certificate(vpn, alice)).login() as client:
        client.ping(vpn.network.host)
        client.hang_up()
    wait_for(vpn.idle, "the end of the session")
