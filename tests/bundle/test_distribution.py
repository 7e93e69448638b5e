"""Who has the next authority's certificate, by the bundles that were made."""

from datetime import UTC, datetime

import pytest
from cryptography import x509

from sstpca.authority.authority import Authority, load_ca_certificate
from sstpca.bundle.ledger.distribution import Without, carriers, without
from sstpca.home import Home
from sstpca.names import parse_hosts
from sstpca.secrets import Sealer
from sstpca.store import Store, users
from sstpca.x509.keys import KeyType
from tests.support.bundles import note

NOW = datetime.now(UTC)


@pytest.fixture
def old(home: Home) -> x509.Certificate:
    return load_ca_certificate(home)


@pytest.fixture(scope="module")
def new() -> x509.Certificate:
    return Authority.make(parse_hosts(["vpn.example.com"]), NOW, KeyType.ECDSA).certificate


@pytest.fixture(autouse=True)
def _people(store: Store, sealer: Sealer) -> None:
    for name in ("alice", "Bob", "carol"):
        users.add(store, sealer, name, "correct horse")


def test_without_bundles_nobody_has_it(store: Store, new: x509.Certificate) -> None:
    everybody = [Without("alice", None), Without("Bob", None), Without("carol", None)]
    assert without(store, new) == everybody
    assert carriers(store, new) == []


def test_the_latest_bundle_counts(
    store: Store, old: x509.Certificate, new: x509.Certificate
) -> None:
    note(store, "alice", [old], made=2e9)
    note(store, "alice", [old, new], made=2e9 + 1)
    note(store, "bob", [old, new], made=2e9)
    note(store, "bob", [old], made=2e9 + 1)
    assert without(store, new) == [Without("Bob", 2e9 + 1, ("windows",)), Without("carol", None)]
    assert carriers(store, new) == ["alice"]
    assert [one.user for one in without(store, old)] == ["carol"]


def test_each_system_counts_for_itself(
    store: Store, old: x509.Certificate, new: x509.Certificate
) -> None:
    note(store, "alice", [old], 2e9, ("windows", "linux", "apple"))
    note(store, "alice", [old, new], 2e9 + 1, ("android", "linux"))
    note(store, "bob", [old, new], 2e9, ("windows", "android"))
    note(store, "carol", [old, new], 2e9)
    assert without(store, new) == [Without("alice", 2e9, ("apple", "windows"))]
    assert carriers(store, new) == ["alice", "bob", "carol"]
    note(store, "alice", [old, new], 2e9 + 2, ("windows", "apple"))
    assert without(store, new) == []


def test_who_may_not_log_in_does_not_count(home: Home, store: Store, new: x509.Certificate) -> None:
    users.set_enabled(store, ["carol", "alice"], False)
    assert [one.user for one in without(store, new)] == ["Bob"]


def test_a_bundle_of_an_earlier_user_of_that_name_is_none(
    home: Home, store: Store, sealer: Sealer, new: x509.Certificate
) -> None:
    note(store, "alice", [new], made=1e9)
    users.remove(store, ["Bob", "carol"])
    assert without(store, new) == [Without("alice", None)]
    assert carriers(store, new) == ["alice"]


def test_who_is_gone_does_not_count(home: Home, store: Store, new: x509.Certificate) -> None:
    users.remove(store, ["alice", "Bob", "carol"])
    assert without(store, new) == []
