"""Who may log in, by password and by certificate, as the server asks."""

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sstpca.authority import issuing, pairs, revocation
from sstpca.authority.authority import Authority, load_ca_certificate
from sstpca.authority.issuing import Existing
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.server.contracts import CertificateRefused
from sstpca.serving.backend import StoreBackend
from sstpca.serving.directory import StoreDirectory
from sstpca.settings import LockoutSettings
from sstpca.store import Store, certificates, schema, users
from sstpca.store.prepared import Prepared
from sstpca.x509.keys import KeyType
from tests.conftest import Run
from tests.support.issuer import CLIENT, Issuer
from tests.support.revoked import mark_revoked

NOW = datetime.now(UTC)


@pytest.fixture
def directory(home: Home, store: Store, sealer: Sealer) -> StoreDirectory:
    for name in ("alice", "Bob"):
        users.add(store, sealer, name, "clientPass")
    return StoreDirectory(home, store, sealer, LockoutSettings())


def issue(home: Home, store: Store, name: str, upn: str = "someone@else") -> bytes:
    """Return a new certificate for the user ``name``, DER."""
    wish = issuing.user_wish(name, upn, KeyType.ECDSA)
    authority = Authority.load(home, None)
    list(issuing.issue(home, store, authority, [wish], NOW, existing=Existing.REPLACE))
    return pairs.load(home, name, "user").leaf.public_bytes(Encoding.DER)


def revoke(store: Store, name: str) -> None:
    mark_revoked(store, certificates.current(store, name), revocation.REASONS[0], NOW)


def refusal(directory: StoreDirectory, der: bytes) -> str:
    with pytest.raises(CertificateRefused) as refused:
        directory.by_certificate(der)
    return str(refused.value)


@pytest.mark.parametrize("sign_in", ["mschapv2", "eap-mschapv2", "eap-tls"])
def test_the_access_profile_says_who_has_to_show_a_certificate(
    run: Run, directory: StoreDirectory, sign_in: str
) -> None:
    assert run("profile", "set", "default", "--sign-in", sign_in, "--yes").exit_code == 0
    found = directory.account("alice")
    assert found is not None
    account, _ = found
    assert account.certificate_only is (sign_in == "eap-tls")
    assert account.certificate == ""


def test_who_has_no_access_profile_is_let_in_by_no_way(
    home: Home, run: Run, directory: StoreDirectory
) -> None:
    assert run("profile", "set", "default", "--sign-in", "eap-tls", "--yes").exit_code == 0
    assert directory.account("alice") is not None
    with contextlib.closing(sqlite3.connect(home.database)) as damaged, damaged:
        damaged.execute("UPDATE users SET profile_id = 4711")
    assert directory.account("alice") is None


def test_an_access_profile_that_changes_meanwhile_opens_no_other_way(
    directory: StoreDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """User and access profile are of one moment: one query."""
    asked: list[str] = []
    parameters = Prepared.parameters

    def note(statement: Prepared, values: Mapping[str, object]) -> list[object]:
        asked.append(statement.text)
        return parameters(statement, values)

    monkeypatch.setattr(Prepared, "parameters", note)
    assert directory.account("alice") is not None
    [text] = asked
    assert "JOIN profiles" in text


@pytest.mark.parametrize("name", ["alice", "BOB"])
def test_the_name_of_the_pair_decides(
    home: Home, store: Store, directory: StoreDirectory, name: str
) -> None:
    der = issue(home, store, name, "alice@vpn.example.com")
    account = directory.by_certificate(der)
    assert account.name.casefold() == name.casefold()
    assert account.certificate == hashlib.sha256(der).hexdigest()
    assert account.enabled


def test_one_that_was_replaced_is_still_good_until_it_is_revoked(
    home: Home, store: Store, directory: StoreDirectory
) -> None:
    former, new = issue(home, store, "alice"), issue(home, store, "alice")
    assert directory.by_certificate(former).name == "alice"
    revoke(store, "alice")
    assert directory.by_certificate(former).name == "alice"
    assert refusal(directory, new).endswith(" of 'alice' is revoked")


def test_a_certificate_of_nobody(home: Home, store: Store, directory: StoreDirectory) -> None:
    der = issue(home, store, "carol", "alice@vpn.example.com")
    assert refusal(directory, der) == "is for 'carol', and there is no such user"


def test_a_certificate_that_nobody_knows(directory: StoreDirectory) -> None:
    der = Issuer.make().issue("alice", CLIENT).der
    digest = hashlib.sha256(der).hexdigest()
    assert refusal(directory, der) == f"is not in the inventory (SHA-256 {digest})"


def test_a_servers_certificate(home: Home, directory: StoreDirectory) -> None:
    pem = home.server_identity.read_bytes()
    der = x509.load_pem_x509_certificates(pem)[0].public_bytes(Encoding.DER)
    assert refusal(directory, der).endswith(" of 'server' is no user's")


def test_a_disabled_user(home: Home, store: Store, directory: StoreDirectory) -> None:
    der = issue(home, store, "Bob")
    users.set_enabled(store, ["bob"], False)
    assert refusal(directory, der) == "is for 'Bob', whose account is disabled"


def test_a_removed_user(home: Home, store: Store, directory: StoreDirectory) -> None:
    der = issue(home, store, "alice")
    users.remove(store, ["alice"])
    assert refusal(directory, der).endswith(" of 'alice' is revoked")


def test_a_later_user_of_the_same_name_is_somebody_else(
    home: Home, store: Store, sealer: Sealer, directory: StoreDirectory
) -> None:
    former, last, bobs = (issue(home, store, name) for name in ("alice", "alice", "bob"))
    users.remove(store, ["ALICE"])
    users.add(store, sealer, "alice", "clientPass")
    for der in (former, last):
        assert refusal(directory, der).endswith(" is revoked")
    assert directory.by_certificate(bobs).name == "Bob"
    assert {entry.reason for entry in certificates.list_revoked(store)} == {"cessationOfOperation"}
    assert directory.by_certificate(issue(home, store, "alice")).name == "alice"


def test_the_authority_of_the_home(home: Home, directory: StoreDirectory) -> None:
    assert directory.client_roots() == (load_ca_certificate(home).public_bytes(Encoding.DER),)


def test_sessions_end_with_their_certificate(
    home: Home, store: Store, directory: StoreDirectory
) -> None:
    """And no others of the same user."""
    found = directory.account("alice")
    assert found is not None
    accounts = [
        found[0],
        directory.by_certificate(issue(home, store, "Bob")),
        directory.by_certificate(issue(home, store, "alice")),
    ]
    with StoreBackend(home).join(os.getpid()) as (_, sessions):
        leases = [
            sessions.promise(account, peer="203.0.113.9:1", client="") for account in accounts
        ]
        traffic = {lease.session: (0, 0) for lease in leases if lease}
        assert sessions.beat(traffic).ending == {}
        revoke(store, "alice")
        _, bobs, last = traffic
        assert sessions.beat(traffic).ending == {last: "its certificate was revoked"}
        sessions.close(last, "over", (0, 0))
        del traffic[last]
        assert sessions.beat(traffic).ending == {}
        users.remove(store, ["bob"])
        assert sessions.beat(traffic).ending == {bobs: "the user was removed"}


def test_a_user_changes_an_expired_password(
    directory: StoreDirectory, store: Store, sealer: Sealer
) -> None:
    users.expire_passwords(store, ["alice"])
    found = directory.account("alice")
    assert found is not None
    account, before = found
    assert account.password_expired
    short = directory.change_password(account, before, "short")
    assert short == "the password is shorter than 8 characters"
    assert directory.change_password(account, before, "another one") == ""
    found = directory.account("alice")
    assert found is not None
    changed, after = found
    assert not changed.password_expired
    assert after.nt_hash != before.nt_hash
    assert "changed meanwhile" in directory.change_password(account, before, "yet another one")


@pytest.mark.parametrize(
    "typed",
    [
        *("alice", "ALICE", "OFFICE\\alice", "alice@office.example.com", " Alice", "alice. "),
        *("OFFICE\\ALICE@corp \u00a0", "\u200ealice"),
    ],
)
def test_a_name_as_people_type_it(directory: StoreDirectory, typed: str) -> None:
    found = directory.account(typed)
    assert found is not None
    assert found[0].name == "alice"


@pytest.mark.parametrize("typed", ["J\u00f6rg", "Jo\u0308rg", "JO\u0308RG", "OFFICE\\j\u00f6rg"])
def test_a_letter_composed_or_not(
    directory: StoreDirectory, store: Store, sealer: Sealer, typed: str
) -> None:
    users.add(store, sealer, "J\u00f6rg", "clientPass")
    found = directory.account(typed)
    assert found is not None
    assert found[0].name == "J\u00f6rg"


def test_a_realm_that_is_part_of_a_name(
    directory: StoreDirectory, store: Store, sealer: Sealer
) -> None:
    """The whole name counts first: a guest's is not that of somebody in the house."""
    users.add(store, sealer, "alice@guests.example.com", "clientPass")
    names = [directory.account(f"alice@{one}.example.com") for one in ("guests", "office")]
    assert [one[0].name for one in names if one] == ["alice@guests.example.com", "alice"]


def test_a_certificate_is_for_the_very_name_that_it_was_issued_for(
    home: Home, directory: StoreDirectory, store: Store, sealer: Sealer
) -> None:
    """Of a user who is gone, it is not that of another without the realm."""
    users.add(store, sealer, "alice@guests.example.com", "clientPass")
    der = issue(home, store, "alice@guests.example.com")
    assert directory.by_certificate(der).name == "alice@guests.example.com"
    with store.writing() as transaction:
        table = schema.users
        gone = table.c.name == "alice@guests.example.com"
        transaction.execute(table.delete().where(gone))
    assert "there is no such user" in refusal(directory, der)
