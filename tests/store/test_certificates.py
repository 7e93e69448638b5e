"""The inventory: what it records, finds and says."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from sstpca.authority.authority import Authority, load_ca_certificate
from sstpca.authority.identity import load_server_certificate
from sstpca.authority.reconciliation import reconcile
from sstpca.errors import SstpcaError
from sstpca.home import SERVER, Home
from sstpca.names import parse_hosts
from sstpca.store import Store, certificates
from sstpca.store.certificates import AUTHORITY, CertificateState
from sstpca.x509.certificates import digest, sha1_fingerprint, sha256_fingerprint
from sstpca.x509.keys import KeyType
from sstpca.x509.pair import identity_to_pem
from tests.support.revoked import mark_revoked

NOW = datetime.now(UTC)
HOSTS = parse_hosts(["vpn.example.com"])


@pytest.fixture
def home(quick_home: Home) -> Home:
    return quick_home


@pytest.fixture
def authority(home: Home) -> Authority:
    return Authority.load(home, None)


@pytest.fixture
def old(home: Home) -> Iterator[None]:
    """The database as the release before left it."""
    connection = sqlite3.connect(home.database)
    connection.executescript("DROP TABLE certificates; UPDATE schema SET version = 1;")
    connection.close()
    yield


def record(store: Store, certificate: x509.Certificate, name: str, profile: str = "user") -> None:
    with store.writing() as connection:
        pairs = [(name, profile, certificate)]
        certificates.record(connection, pairs, issuer=None, requested_by="tester", now=NOW)


def leaf(authority: Authority) -> x509.Certificate:
    return authority.issue_server(HOSTS, KeyType.ECDSA, NOW).certificate


def test_init_records_both(home: Home, store: Store) -> None:
    first, second = certificates.list_all(store)
    ca, server = load_ca_certificate(home), load_server_certificate(home)
    assert (first.name, first.profile, first.certificate) == (AUTHORITY, AUTHORITY, ca)
    assert (second.name, second.profile, second.certificate) == (SERVER, SERVER, server)
    assert second.names == ("DNS vpn.example.com",)
    assert second.subject == "CN=vpn.example.com"
    assert second.serial == f"{server.serial_number:x}"
    assert second.sha256 == sha256_fingerprint(server).replace(":", "").lower()
    assert second.sha1 == sha1_fingerprint(server).lower()
    assert second.issuer_sha256 == first.sha256 == first.issuer_sha256
    assert second.not_after == server.not_valid_after_utc.timestamp()
    assert second.requested_by == certificates.login()
    assert (second.revoked, second.reason, second.replaced) == (None, None, None)


@pytest.mark.usefixtures("old")
def test_a_home_of_the_release_before_is_taken_over(home: Home) -> None:
    store = Store.open(home.database)
    assert certificates.list_all(store) == []
    reconcile(home, store)
    entries = certificates.list_all(store)
    assert [one.name for one in entries] == [AUTHORITY, SERVER]
    assert [one.requested_by for one in entries] == ["", ""]
    assert entries[1].issuer_sha256 == entries[0].sha256
    reconcile(home, store)
    assert certificates.list_all(store) == entries
    store.close()
    again = Store.open(home.database)
    assert certificates.list_all(again) == entries
    again.close()


def test_a_database_of_a_later_release_is_refused(home: Home) -> None:
    connection = sqlite3.connect(home.database)
    connection.execute("UPDATE schema SET version = 99")
    connection.commit()
    connection.close()
    with pytest.raises(SstpcaError, match="version 99"):
        Store.open(home.database)


def test_a_server_certificate_put_in_place_by_hand_is_adopted(
    home: Home, store: Store, authority: Authority
) -> None:
    before = home.server_identity.read_bytes()
    issued = authority.issue_server(HOSTS, KeyType.ECDSA, NOW)
    home.server_identity.write_bytes(identity_to_pem(issued.key, (issued.certificate,)))
    reconcile(home, store)
    assert certificates.current(store, SERVER).certificate == issued.certificate
    assert len(certificates.list_all(store)) == 3
    # and back, from a backup
    home.server_identity.write_bytes(before)
    reconcile(home, store)
    assert certificates.current(store, SERVER).certificate == load_server_certificate(home)
    assert len(certificates.list_all(store)) == 3
    states = [one.state(NOW.timestamp()) for one in certificates.list_all(store)]
    assert sorted(state.value for state in states) == ["replaced", "valid", "valid"]


def test_one_that_others_issued_has_no_issuer_here(home: Home, store: Store) -> None:
    other = Authority.make(HOSTS, NOW)
    issued = other.issue_server(HOSTS, KeyType.ECDSA, NOW)
    home.server_identity.write_bytes(identity_to_pem(issued.key, (issued.certificate,)))
    reconcile(home, store)
    assert certificates.current(store, SERVER).issuer_sha256 == ""


def test_a_lost_server_pair_does_not_stand_in_the_way(home: Home, store: Store) -> None:
    home.server_identity.unlink()
    reconcile(home, store)
    assert len(certificates.list_all(store)) == 2


def test_the_newest_of_a_name_is_current(store: Store, authority: Authority) -> None:
    first, second = leaf(authority), leaf(authority)
    record(store, first, "Zo\u00eb")
    record(store, second, "zoe\u0308")
    assert certificates.current(store, "ZO\u00cb").certificate == second
    states = [one.state(NOW.timestamp()) for one in certificates.list_all(store)][-2:]
    assert states == [CertificateState.VALID, CertificateState.REPLACED]
    with pytest.raises(SstpcaError, match="no certificate called 'nobody'"):
        certificates.current(store, "nobody")


def test_what_finds_one(store: Store, authority: Authority) -> None:
    certificate = leaf(authority)
    record(store, certificate, "alice")
    entry = certificates.current(store, "alice")
    for text in (
        "alice",
        "ALICE",
        entry.serial,
        entry.serial.upper(),
        entry.sha256[:8],
        sha256_fingerprint(certificate),
        sha256_fingerprint(certificate)[:23],
        sha1_fingerprint(certificate),
        sha1_fingerprint(certificate)[:8],
    ):
        assert certificates.find(store, text) == entry
    for text in (entry.sha256[:7], entry.serial[:7], "", "%", "________", "bob", "0" * 64):
        with pytest.raises(SstpcaError, match="no certificate with"):
            certificates.find(store, text)


def test_states(store: Store, authority: Authority) -> None:
    record(store, leaf(authority), "alice")
    entry = certificates.current(store, "alice")
    assert entry.state(NOW.timestamp()) is CertificateState.VALID
    assert entry.state(entry.not_before - 1) is CertificateState.NOT_YET
    assert entry.state(entry.not_after) is CertificateState.VALID
    assert entry.state(entry.not_after + 1) is CertificateState.EXPIRED
    mark_revoked(store, entry, "superseded", NOW)
    entry = certificates.current(store, "alice")
    assert entry.state(entry.not_after + 1) is CertificateState.REVOKED
    assert (entry.reason, entry.revoked) == ("superseded", NOW.timestamp())
    assert certificates.list_revoked(store) == [entry]


def test_revoked_once_and_for_all(store: Store, authority: Authority) -> None:
    certificate = leaf(authority)
    record(store, certificate, "alice")
    entry = certificates.current(store, "alice")
    digests = [entry.sha256, *(f"{number:064x}" for number in range(1200))]
    assert certificates.revoked_among(store, digests) == set()
    mark_revoked(store, entry, "keyCompromise", NOW)
    assert certificates.revoked_among(store, digests) == {entry.sha256}
    assert certificates.revoked_among(store, reversed(digests)) == {entry.sha256}
    assert certificates.revoked_among(store, [entry.sha256[:-1], ""]) == set()
    assert certificates.revoked_among(store, []) == set()
    with pytest.raises(SstpcaError, match="revoked already"):
        mark_revoked(store, entry, "superseded", NOW + timedelta(days=1))
    assert certificates.current(store, "alice").reason == "keyCompromise"
    # a newer one of the name is another
    second = leaf(authority)
    record(store, second, "alice")
    both = [digest(one) for one in (certificate, second)]
    assert certificates.revoked_among(store, both) == {entry.sha256}


def test_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "carol")
    monkeypatch.setattr("os.getuid", lambda: 0)
    assert certificates.login() == "carol"
    monkeypatch.setattr("os.getuid", lambda: 4_000_000)
    assert certificates.login() == "4000000"
    monkeypatch.setattr("os.getuid", lambda: 0)
    monkeypatch.delenv("SUDO_USER")
    assert certificates.login() == "root"
