"""Revocation lists, as OpenSSL reads them."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from sstpca.authority import issuing, revocation
from sstpca.authority.authority import Authority
from sstpca.errors import SstpcaError
from sstpca.home import Home
from sstpca.names import parse_hosts
from sstpca.store import Store, certificates
from sstpca.x509.keys import KeyType, PublicKey
from tests.support.requirements import require
from tests.support.revoked import mark_revoked

NOW = datetime.now(UTC)
HOSTS = parse_hosts(["vpn.example.com"])


@pytest.fixture
def home(quick_home: Home) -> Home:
    return quick_home


@pytest.fixture
def authority(home: Home) -> Authority:
    return Authority.load(home, None)


def issue(home: Home, store: Store, authority: Authority, *names: str) -> None:
    wishes = [issuing.user_wish(name, f"{name}@x", KeyType.ECDSA) for name in names]
    list(issuing.issue(home, store, authority, wishes, NOW))


def revoke(store: Store, name: str, reason: str) -> int:
    entry = certificates.current(store, name)
    mark_revoked(store, entry, reason, NOW)
    return int(entry.serial, 16)


def read(path: Path) -> x509.CertificateRevocationList:
    return x509.load_der_x509_crl(path.read_bytes())


def number(crl: x509.CertificateRevocationList) -> int:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def test_what_is_in_it(home: Home, store: Store, authority: Authority) -> None:
    issue(home, store, authority, *revocation.REASONS, "alice")
    serials = {reason: revoke(store, reason, reason) for reason in revocation.REASONS}
    written = revocation.write_list(home, store, authority, NOW, days=7)
    der, pem = written.paths
    crl = read(der)
    assert x509.load_pem_x509_crl(pem.read_bytes()) == crl
    public = authority.key.public_key()
    assert isinstance(public, PublicKey)
    assert crl.is_signature_valid(public)
    assert crl.issuer == authority.certificate.subject
    assert (crl.last_update_utc, crl.next_update_utc) == (
        authority.certificate.not_valid_before_utc,
        NOW.replace(microsecond=0) + timedelta(days=7),
    )
    assert {one.serial_number for one in crl} == set(serials.values())
    for reason, serial in serials.items():
        found = crl.get_revoked_certificate_by_serial_number(serial)
        assert found is not None
        said = [one.value for one in found.extensions]
        expected = [] if reason == "unspecified" else [x509.CRLReason(x509.ReasonFlags(reason))]
        assert said == expected
    assert (written.count, written.next_update) == (len(serials), crl.next_update_utc)
    assert {path.stat().st_mode & 0o777 for path in (der, pem)} == {0o644}


def test_openssl_refuses_what_is_in_it(
    home: Home, store: Store, authority: Authority, tmp_path: Path
) -> None:
    require("openssl", root=False)
    issue(home, store, authority, "alice", "bob")
    revoke(store, "alice", "keyCompromise")
    _, pem = revocation.write_list(home, store, authority, NOW, folder=tmp_path).paths

    def verify(name: str) -> str:
        command = ["openssl", "verify", "-x509_strict", "-crl_check", "-CAfile"]
        files = [str(home.ca_certificate), "-CRLfile", str(pem), str(home.pair(name))]
        done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert "certificate revoked" in verify("alice")
    assert verify("bob").endswith("bob.pem: OK\n")


def test_numbers_only_grow(home: Home, store: Store, authority: Authority) -> None:
    numbers = []
    for moment in (NOW, NOW, NOW + timedelta(seconds=1), NOW - timedelta(hours=5)):
        der, _ = revocation.write_list(home, store, authority, moment).paths
        numbers.append(number(read(der)))
    assert numbers == sorted(set(numbers))


def test_a_foreign_file_is_not_overwritten(
    home: Home, store: Store, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "ca.crl").write_text("mine")
    with pytest.raises(SstpcaError, match="not overwritten"):
        revocation.write_list(home, store, authority, NOW, folder=tmp_path)
    assert [path.read_text() for path in tmp_path.glob("ca.crl*")] == ["mine"]


def test_only_those_of_this_authority(home: Home, store: Store, authority: Authority) -> None:
    other = Authority.make(HOSTS, NOW)
    foreign = other.issue_server(HOSTS, KeyType.ECDSA, NOW).certificate
    with store.writing() as connection:
        pairs = [("foreign", "server", foreign)]
        certificates.record(connection, pairs, issuer=None, requested_by="x", now=NOW)
    revoke(store, "foreign", "superseded")
    der, _ = revocation.write_list(home, store, authority, NOW).paths
    assert list(read(der)) == []


def test_never_longer_than_the_authority(home: Home, store: Store, authority: Authority) -> None:
    end = authority.certificate.not_valid_after_utc
    der, _ = revocation.write_list(home, store, authority, end - timedelta(days=1)).paths
    assert read(der).next_update_utc == end
    with pytest.raises(SstpcaError, match="the authority ended"):
        revocation.write_list(home, store, authority, end + timedelta(days=1))


def test_a_place_that_cannot_be_written(home: Home, store: Store, authority: Authority) -> None:
    with pytest.raises(SstpcaError, match="No such file"):
        revocation.write_list(home, store, authority, NOW, folder=home.root / "nowhere")
