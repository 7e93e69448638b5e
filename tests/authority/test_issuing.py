"""Issue, renew, rekey: what may be made, and what stays the same."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from sstpca.authority import issuing, pairs
from sstpca.authority.authority import Authority
from sstpca.authority.identity import load_identity
from sstpca.authority.issuing import Existing
from sstpca.errors import InvalidInput, SstpcaError
from sstpca.home import SERVER, Home
from sstpca.names import parse_hosts
from sstpca.store import Store, certificates
from sstpca.x509.certificates import Certificate
from sstpca.x509.keys import KeyType, key_to_pem
from sstpca.x509.pair import identity_to_pem
from sstpca.x509.subjects import Subject
from tests.support.revoked import mark_revoked

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=100)
KIND = KeyType.ECDSA


@pytest.fixture
def home(quick_home: Home) -> Home:
    return quick_home


@pytest.fixture
def authority(home: Home) -> Authority:
    return Authority.load(home, None)


def issue(
    home: Home,
    store: Store,
    authority: Authority,
    *names: str,
    existing: Existing = Existing.REFUSE,
) -> None:
    wishes = [issuing.user_wish(name, f"{name}@x", KIND) for name in names]
    list(issuing.issue(home, store, authority, wishes, NOW, existing=existing))


def leaf_of(home: Home, name: str) -> x509.Certificate:
    return pairs.load(home, name, "user").leaf


def test_a_renewal_keeps_all_but_the_dates(home: Home, store: Store, authority: Authority) -> None:
    url = "http://pki.example.com/ca.crl"
    hosts = ["eu.vpn.example.com", "*.vpn.example.com"]
    wish = replace(issuing.server_wish(home, "eu", hosts, [], KIND), cdp=url)
    list(issuing.issue(home, store, authority, [wish], NOW))
    before = pairs.load(home, "eu", "server")
    list(issuing.renew(home, store, authority, ["eu"], LATER))
    after = pairs.load(home, "eu", "server")
    assert key_to_pem(after.key) == key_to_pem(before.key)
    assert Subject.of_certificate(after.leaf) == Subject.of_certificate(before.leaf)
    assert Certificate.of(after.leaf).list_url == url
    assert after.leaf.serial_number != before.leaf.serial_number
    # a day early at the beginning, and both ends count
    end = LATER.replace(microsecond=0) + timedelta(days=396) - timedelta(seconds=1)
    assert after.leaf.not_valid_after_utc == end
    entry = certificates.current(store, "eu")
    assert (entry.certificate, entry.profile) == (after.leaf, "server")


def test_a_new_key_keeps_the_names(home: Home, store: Store, authority: Authority) -> None:
    issue(home, store, authority, "alice")
    before = pairs.load(home, "alice", "user")
    made = issuing.rekey(home, store, authority, "alice", NOW)
    assert made.leaf == leaf_of(home, "alice")
    assert made.leaf.public_key() != before.leaf.public_key()
    assert Subject.of_certificate(made.leaf) == Subject.of_certificate(before.leaf)
    other = issuing.rekey(home, store, authority, "alice", NOW, kind=KeyType.ECDSA_P384)
    assert other.key.key_size == 384


def test_the_servers_own_pair(home: Home, store: Store, authority: Authority) -> None:
    before = load_identity(home)
    list(issuing.renew(home, store, authority, [SERVER], LATER))
    renewed = load_identity(home, LATER)
    assert renewed.own
    assert renewed.certificate.public_key() == before.certificate.public_key()
    issuing.rekey(home, store, authority, SERVER, LATER)
    assert load_identity(home, LATER).certificate.public_key() != before.certificate.public_key()
    # even when the pair is lost
    home.server_identity.unlink()
    issuing.rekey(home, store, authority, SERVER, LATER)
    assert load_identity(home, LATER).own


def test_a_name_is_taken_until_its_certificate_ends(
    home: Home, store: Store, authority: Authority
) -> None:
    issue(home, store, authority, "alice")
    first = leaf_of(home, "alice")
    with pytest.raises(InvalidInput, match="already"):
        issue(home, store, authority, "Alice")
    issue(home, store, authority, "alice", "bob", existing=Existing.SKIP)
    assert leaf_of(home, "alice") == first
    issue(home, store, authority, "ALICE", existing=Existing.REPLACE)
    assert leaf_of(home, "alice") != first
    assert {path.name for path in home.certificates.iterdir()} == {"alice.pem", "bob.pem"}
    mark_revoked(store, certificates.current(store, "alice"), "superseded", NOW)
    issue(home, store, authority, "alice")
    assert certificates.current(store, "alice").revoked is None


def test_the_same_name_twice_in_one_run(home: Home, store: Store, authority: Authority) -> None:
    with pytest.raises(InvalidInput, match="given twice"):
        issue(home, store, authority, "bob", "alice", "ALICE")
    assert not home.certificates.exists()


def test_names_are_checked_before_anything_is_signed(
    home: Home, store: Store, authority: Authority
) -> None:
    good = issuing.server_wish(home, "a.vpn.example.com", [], [], KIND)
    for hosts, addresses in ((["x.example.com"], []), (["vpn.example.com"], ["192.0.2.1"])):
        bad = issuing.server_wish(home, "b", hosts, addresses, KIND)
        with pytest.raises(InvalidInput, match="0x800B0114"):
            list(issuing.issue(home, store, authority, [good, bad], NOW))
    long = replace(issuing.server_wish(home, "b", ["vpn.example.com"], [], KIND), days=398)
    with pytest.raises(InvalidInput, match="at most 397 days"):
        list(issuing.issue(home, store, authority, [good, long], NOW))
    assert len(certificates.list_all(store)) == 2


def test_the_server_is_never_known_by_a_wildcard_alone(home: Home) -> None:
    wish = issuing.server_wish(home, SERVER, [], [], KIND)
    assert wish.subject == Subject.of_hosts(parse_hosts(["vpn.example.com"]))
    hosts = ["eu.vpn.example.com", "*.vpn.example.com"]
    with pytest.raises(InvalidInput, match="0x800B010F"):
        issuing.server_wish(home, SERVER, hosts, [], KIND)
    text = home.settings.read_text().replace('"vpn.example.com"]', '"us.vpn.example.com"]')
    home.settings.write_text(text)
    with pytest.raises(InvalidInput, match=r"us\.vpn\.example\.com"):
        issuing.server_wish(home, SERVER, hosts, [], KIND)
    wish = issuing.server_wish(home, SERVER, [*hosts, "us.vpn.example.com"], [], KIND)
    assert set(wish.subject.dns) == {*hosts, "us.vpn.example.com"}


def test_what_cannot_be_renewed(home: Home, store: Store, authority: Authority) -> None:
    issue(home, store, authority, "alice", "bob", "carol")
    mark_revoked(store, certificates.current(store, "alice"), "superseded", NOW)
    home.pair("bob").unlink()
    home.pair("carol").write_bytes(home.server_identity.read_bytes())
    before = certificates.list_all(store)
    for name, complaint in (
        ("alice", "is revoked"),
        ("bob", r"bob\.pem is missing"),
        ("carol", "another certificate than the inventory"),
        ("dave", "no certificate called"),
        (certificates.AUTHORITY, "authority's own"),
    ):
        with pytest.raises(SstpcaError, match=complaint):
            list(issuing.renew(home, store, authority, [SERVER, name], LATER))
    assert certificates.list_all(store) == before
    complaints: list[SstpcaError] = []
    list(
        issuing.renew(
            home, store, authority, ["alice", SERVER, "bob"], LATER, broken=complaints.append
        )
    )
    assert len(complaints) == 2
    assert load_identity(home, LATER).certificate == certificates.current(store, SERVER).certificate
    for name in ("alice", "bob", "carol"):
        issuing.rekey(home, store, authority, name, LATER)
    list(issuing.renew(home, store, authority, ["alice", "bob", "carol"], LATER))


def test_one_of_another_authority_is_left_alone(
    home: Home, store: Store, authority: Authority
) -> None:
    hosts = parse_hosts(["vpn.example.com"])
    issued = Authority.make(hosts, NOW).issue_server(hosts, KIND, NOW)
    home.server_identity.write_bytes(identity_to_pem(issued.key, (issued.certificate,)))
    pairs.tidy(home, store)
    for make in (
        lambda: list(issuing.renew(home, store, authority, [SERVER], NOW)),
        lambda: issuing.rekey(home, store, authority, SERVER, NOW),
    ):
        with pytest.raises(SstpcaError, match="another authority"):
            make()
    assert issuing.due(home, store, timedelta(days=9999), NOW) == []


def test_what_is_due(home: Home, store: Store, authority: Authority) -> None:
    issue(home, store, authority, "alice", "bob", "carol")
    mark_revoked(store, certificates.current(store, "carol"), "superseded", NOW)
    list(issuing.renew(home, store, authority, ["bob"], LATER))

    def due(days: int, when: datetime = NOW) -> list[str]:
        return [one.name for one in issuing.due(home, store, timedelta(days=days), when)]

    assert due(30) == []
    assert due(400) == ["alice", SERVER]
    assert due(600) == ["alice", "bob", SERVER]
    assert due(30, NOW + timedelta(days=370)) == ["alice", SERVER]
    # one that has ended is due more than ever
    assert due(1, NOW + timedelta(days=420)) == ["alice", SERVER]


def test_nothing_is_due_for_ever_because_the_authority_ends(
    home: Home, store: Store, authority: Authority
) -> None:
    last = authority.certificate.not_valid_after_utc - timedelta(days=20)
    list(issuing.renew(home, store, authority, [SERVER], last))
    entry = certificates.current(store, SERVER)
    assert entry.certificate.not_valid_after_utc == authority.certificate.not_valid_after_utc
    assert issuing.due(home, store, timedelta(days=30), last) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ca.crl",
        "https://x.example/ca.crl",
        "ldap://x/",
        "http://",
        "http://x/\n",
        "http://[x/a",
    ],
)
def test_places_windows_cannot_fetch_from(url: str) -> None:
    with pytest.raises(InvalidInput):
        issuing.check_cdp(url)
    assert issuing.check_cdp("http://x.example/ca.crl") == "http://x.example/ca.crl"


def test_the_default_principal_name() -> None:
    assert issuing.default_upn("alice", "vpn.example.com") == "alice@vpn.example.com"
    assert issuing.default_upn("alice@corp.example", "vpn.example.com") == "alice@corp.example"
