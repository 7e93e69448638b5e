"""Users' certificates in bundles."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from sstpca.bundle.content import user_certificate
from sstpca.bundle.ledger.freshness import user_certificates
from sstpca.errors import SstpcaError
from sstpca.home import Home
from sstpca.store import Store, certificates
from sstpca.x509.certificates import sha1_fingerprint
from tests.bundle.samples import issue_for, user_named
from tests.support.revoked import mark_revoked


@pytest.mark.parametrize("legacy", [False, True])
def test_the_password_opens_it(home: Home, store: Store, legacy: bool) -> None:
    issue_for(home, store, "bob")
    entry = certificates.current(store, "bob")
    made = user_certificate.make(home, entry, "opens it", legacy=legacy)
    assert made.file == "bob.p12"
    assert made.sha1 == sha1_fingerprint(entry.certificate)
    assert "opens it" not in repr(made)
    key, leaf, more = pkcs12.load_key_and_certificates(made.content, b"opens it")
    assert key is not None
    assert (leaf, more) == (entry.certificate, [])
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_key_and_certificates(made.content, b"does not")


def test_a_pair_that_is_not_the_one_recorded_is_refused(home: Home, store: Store) -> None:
    issue_for(home, store, "bob")
    old = home.pair("bob").read_bytes()
    issue_for(home, store, "bob")
    home.pair("bob").write_bytes(old)
    with pytest.raises(SstpcaError, match="another certificate than the inventory"):
        user_certificate.make(home, certificates.current(store, "bob"), "x", legacy=False)
    home.pair("bob").unlink()
    with pytest.raises(SstpcaError, match="is missing"):
        user_certificate.make(home, certificates.current(store, "bob"), "x", legacy=False)


def test_who_has_none_that_counts(home: Home, store: Store) -> None:
    users = [user_named(name) for name in ("Alice", "bob", "carol")]
    issue_for(home, store, "alice", "carol")
    mark_revoked(store, certificates.current(store, "carol"), "superseded", datetime.now(UTC))
    found = user_certificates(store)
    assert set(found) == {"alice", "carol"}
    missing = user_certificate.without_valid(users, found)
    assert [user.name for user in missing] == ["bob", "carol"]
    later = datetime.now(UTC) + timedelta(days=20_000)
    assert user_certificate.without_valid(users, found, later) == users


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (1, "'user0' has no valid certificate to sign in with"),
        (2, "2 users have no valid certificate to sign in with: 'user0', 'user1'"),
        (50, "50 users have .* 'user3', 'user4' and 45 more"),
    ],
)
def test_the_error_names_some_of_them(count: int, message: str) -> None:
    user_certificate.check_all_have([], "hint")
    with pytest.raises(SstpcaError, match=message) as caught:
        user_certificate.check_all_have([user_named(f"user{n}") for n in range(count)], "hint")
    assert caught.value.hint == "hint"
