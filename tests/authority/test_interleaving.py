"""Revoking while a renewal has begun: no valid certificate for a revoked key comes of it."""

import concurrent.futures
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509

from sstpca.authority import issuing, revocation
from sstpca.authority.authority import Authority
from sstpca.errors import SstpcaError
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.store import Store, certificates, users
from sstpca.store.users import holders_of
from sstpca.x509.keys import KeyType
from tests.conftest import Run
from tests.support.waiting import PATIENCE

NOW = datetime.now(UTC)

Interleave = Callable[[Callable[[], object], Callable[[], object]], None]


@pytest.fixture
def home(quick_home: Home) -> Home:
    return quick_home


@pytest.fixture
def authority(home: Home, store: Store) -> Authority:
    authority = Authority.load(home, None)
    list(
        issuing.issue(
            home, store, authority, [issuing.user_wish("alice", "a@x", KeyType.ECDSA)], NOW
        )
    )
    return authority


@pytest.fixture
def interleave(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Interleave:
    """Let one thing begin, and another come while the first one signs."""
    signing, go_on, sign = threading.Event(), threading.Event(), Authority.sign

    def slowly(*values: Any, **more: Any) -> x509.Certificate:
        signing.set()
        assert go_on.wait(PATIENCE)
        return sign(*values, **more)

    def run(first: Callable[[], object], second: Callable[[], object]) -> None:
        monkeypatch.setattr(Authority, "sign", slowly)
        with ThreadPoolExecutor(2) as pool:
            begun = pool.submit(first)
            assert signing.wait(PATIENCE)
            other = pool.submit(second)
            # if it does not wait for the first one, it is done by then
            concurrent.futures.wait([other], timeout=0.5)
            go_on.set()
            begun.result(PATIENCE)
            other.result(PATIENCE)

    return run


def valid(store: Store, name: str) -> list[certificates.Entry]:
    return [one for one in certificates.list_all(store) if one.name == name and one.revoked is None]


@pytest.mark.parametrize("reason", ["unspecified", "keyCompromise"])
def test_a_renewal_that_has_begun(
    home: Home, store: Store, authority: Authority, interleave: Interleave, reason: str
) -> None:
    entry = certificates.current(store, "alice")
    interleave(
        lambda: list(issuing.renew(home, store, authority, ["alice"], NOW)),
        lambda: revocation.revoke(home, store, entry, reason, NOW),
    )
    assert len([one for one in certificates.list_all(store) if one.name == "alice"]) == 2
    assert valid(store, "alice") == []


def test_a_new_key_that_is_being_made_stays(
    home: Home, store: Store, authority: Authority, interleave: Interleave
) -> None:
    entry = certificates.current(store, "alice")
    interleave(
        lambda: issuing.rekey(home, store, authority, "alice", NOW),
        lambda: revocation.revoke(home, store, entry, "keyCompromise", NOW),
    )
    [left] = valid(store, "alice")
    assert left.certificate.public_key() != entry.certificate.public_key()


def test_removing_a_user_while_a_renewal_has_begun(
    home: Home,
    store: Store,
    sealer: Sealer,
    authority: Authority,
    interleave: Interleave,
    run: Run,
) -> None:
    users.add(store, sealer, "alice", "correct horse battery")
    interleave(
        lambda: list(issuing.renew(home, store, authority, ["alice"], NOW)),
        lambda: run("user", "remove", "alice", "--yes"),
    )
    assert [one.name for one in users.list_all(store)] == []
    assert valid(store, "alice") == []


@pytest.mark.parametrize("another", [False, True])
def test_removing_a_user_before_what_was_wished_for_is_made(
    home: Home, store: Store, sealer: Sealer, authority: Authority, another: bool
) -> None:
    """As while somebody is asked for the authority's passphrase."""
    users.add(store, sealer, "alice", "correct horse battery")
    holder = holders_of(store, ["Alice", "nobody"])["alice"]
    wish = issuing.user_wish("alice", "a@x", KeyType.ECDSA, holder=holder)
    users.remove(store, ["alice"])
    if another:
        users.add(store, sealer, "alice", "correct horse battery")
    with pytest.raises(SstpcaError, match="'alice' was removed meanwhile"):
        list(issuing.issue(home, store, authority, [wish], NOW, existing=issuing.Existing.REPLACE))
    with pytest.raises(SstpcaError, match="'alice' was removed meanwhile"):
        issuing.rekey(home, store, authority, "alice", NOW, holder=holder)
    assert valid(store, "alice") == []


def test_an_earlier_certificate_of_a_key(home: Home, store: Store, authority: Authority) -> None:
    """Whoever has the key of one has that of the other; otherwise the later one stays."""
    old = certificates.current(store, "alice")
    list(issuing.renew(home, store, authority, ["alice"], NOW))
    old = certificates.find(store, old.serial)
    assert revocation.revoke(home, store, old, "superseded", NOW) == (old,)
    [new] = valid(store, "alice")
    list(issuing.renew(home, store, authority, ["alice"], NOW))
    new = certificates.find(store, new.serial)
    assert len(revocation.revoke(home, store, new, "keyCompromise", NOW)) == 2
    assert valid(store, "alice") == []


def test_revoking_twice(home: Home, store: Store, authority: Authority) -> None:
    entry = certificates.current(store, "alice")
    revocation.revoke(home, store, entry, "unspecified", NOW)
    with pytest.raises(SstpcaError, match="revoked already"):
        revocation.revoke(home, store, entry, "unspecified", NOW)
