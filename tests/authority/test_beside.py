"""A certificate with an ECDSA key beside the server's with RSA: made, renewed, replaced, taken away."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from sstpca.authority import importing, issuing, pairs, revocation, rollover
from sstpca.authority.authority import Authority, load_ca_certificate, trusted
from sstpca.authority.due import Urgency, due
from sstpca.authority.identity import ending, load_identities, load_server_certificates
from sstpca.authority.issuing import Existing, server_wish
from sstpca.errors import InvalidInput, Refused, SstpcaError
from sstpca.home import SERVER, SERVER_ECDSA, SERVERS, Home
from sstpca.names import parse_hosts
from sstpca.store import Store, certificates
from sstpca.vpn import renaming
from sstpca.vpn.renaming import Renaming
from sstpca.x509.keys import KeyType, key_type
from sstpca.x509.pair import Pair, identity_to_pem
from tests.support.forge import NOW

LATER = NOW + timedelta(days=300)


@pytest.fixture
def store(usual_home: Home) -> Store:
    return Store.open(usual_home.database)


@pytest.fixture
def both(usual_home: Home, store: Store) -> Home:
    """A home whose server has an RSA and an ECDSA certificate."""
    issue(usual_home, store)
    return usual_home


def issue(home: Home, store: Store, kind: KeyType = KeyType.ECDSA) -> None:
    wish = server_wish(home, SERVER_ECDSA, (), (), kind)
    list(issuing.issue(home, store, Authority.load(home, None), [wish], NOW))


def kinds(home: Home) -> list[KeyType]:
    return [key_type(one.certificate.public_key()) for one in load_identities(home)]


def is_whole(home: Home, store: Store) -> bool:
    """Whether the inventory has what the files have."""
    shown = load_server_certificates(home)
    return all(certificates.is_current(store, one, name) for name, one in shown.items())


def test_there_is_one_until_somebody_wants_two(usual_home: Home, store: Store) -> None:
    assert kinds(usual_home) == [KeyType.RSA]
    issue(usual_home, store)
    assert kinds(usual_home) == [KeyType.RSA, KeyType.ECDSA]
    assert usual_home.server_ecdsa_identity.stat().st_mode & 0o777 == 0o600
    assert is_whole(usual_home, store)
    entry = certificates.current(store, SERVER_ECDSA)
    assert (entry.profile, entry.name) == ("server", "server/ecdsa")
    assert load_server_certificates(usual_home).keys() == {*SERVERS}


@pytest.mark.parametrize("kind", [KeyType.ECDSA, KeyType.ECDSA_P384])
def test_any_curve_will_do(usual_home: Home, store: Store, kind: KeyType) -> None:
    issue(usual_home, store, kind)
    assert kinds(usual_home) == [KeyType.RSA, kind]


def test_never_two_of_one_kind(both: Home, store: Store) -> None:
    authority = Authority.load(both, None)
    with pytest.raises(InvalidInput, match="server/ecdsa has an ECDSA key"):
        server_wish(both, SERVER_ECDSA, (), (), KeyType.RSA)
    with pytest.raises(InvalidInput, match="an ECDSA key already"):
        server_wish(both, SERVER, (), (), KeyType.ECDSA)
    with pytest.raises(InvalidInput, match="an ECDSA key already"):
        issuing.rekey(both, store, authority, SERVER, NOW, kind=KeyType.ECDSA)
    with pytest.raises(InvalidInput, match="has an ECDSA key"):
        issuing.rekey(both, store, authority, SERVER_ECDSA, NOW, kind=KeyType.RSA)
    assert kinds(both) == [KeyType.RSA, KeyType.ECDSA]
    shutil.copy(both.server_ecdsa_identity, both.server_identity)
    with pytest.raises(Refused, match=r"server-ecdsa\.pem is for a certificate with an ECDSA key"):
        load_identities(both)


def test_not_beside_one_that_is_ecdsa_already(home: Home) -> None:
    with pytest.raises(InvalidInput, match="the server's certificate has an ECDSA key already"):
        server_wish(home, SERVER_ECDSA, (), (), KeyType.ECDSA)


def test_each_is_renewed_and_rekeyed_by_its_name(both: Home, store: Store) -> None:
    authority = Authority.load(both, None)
    before = load_identities(both)
    list(issuing.renew(both, store, authority, SERVERS, NOW))
    renewed = load_identities(both)
    for old, new in zip(before, renewed, strict=True):
        assert old.certificate != new.certificate
        assert old.key.public_key() == new.key.public_key()
    issuing.rekey(both, store, authority, SERVER_ECDSA, NOW, kind=KeyType.ECDSA_P384)
    assert kinds(both) == [KeyType.RSA, KeyType.ECDSA_P384]
    assert load_identities(both)[0].certificate == renewed[0].certificate
    assert is_whole(both, store)


def test_each_is_due_by_its_name(both: Home, store: Store) -> None:
    found = due(both, store, timedelta(days=500), NOW)
    assert [one.name for one in found if one.name in SERVERS] == [*SERVERS]
    assert {one.urgency for one in found} == {Urgency.DUE}
    named = issuing.due(both, store, timedelta(days=500), NOW)
    assert {one.name for one in named} >= {*SERVERS}
    line = ending(both, NOW + timedelta(days=390))
    assert "the server's certificate ends" in line
    assert "the server's ECDSA certificate ends" in line
    assert "cert renew server/ecdsa" in line


def test_what_has_expired_keeps_the_server_from_starting(both: Home, store: Store) -> None:
    list(issuing.renew(both, store, Authority.load(both, None), [SERVER], LATER))
    with pytest.raises(SstpcaError, match=r"the server's ECDSA certificate expired .*0x800B0101"):
        load_identities(both, NOW + timedelta(days=450))


def test_revoked_is_taken_away(both: Home, store: Store) -> None:
    entry = certificates.current(store, SERVER_ECDSA)
    revocation.revoke(both, store, entry, "superseded", NOW)
    assert not both.server_ecdsa_identity.exists()
    assert kinds(both) == [KeyType.RSA]
    assert due(both, store, timedelta(days=30), NOW) == []
    assert SERVER_ECDSA not in [one.name for one in issuing.due(both, store, timedelta(500), NOW)]
    # and another one is made like the first
    issue(both, store)
    assert kinds(both) == [KeyType.RSA, KeyType.ECDSA]
    # a file that comes back is no secret
    shown = both.server_ecdsa_identity.read_bytes()
    revocation.revoke(both, store, certificates.current(store, SERVER_ECDSA), "superseded", NOW)
    both.server_ecdsa_identity.write_bytes(shown)
    (one,) = due(both, store, timedelta(days=30), NOW)
    assert (one.name, one.urgency, one.why) == (SERVER_ECDSA, Urgency.WRONG, "is revoked")


def test_a_revoked_one_that_was_replaced_takes_nothing_away(both: Home, store: Store) -> None:
    old = certificates.current(store, SERVER_ECDSA)
    issuing.rekey(both, store, Authority.load(both, None), SERVER_ECDSA, NOW)
    (old,) = (one for one in certificates.list_all(store) if one.sha256 == old.sha256)
    revocation.revoke(both, store, old, "superseded", NOW)
    assert kinds(both) == [KeyType.RSA, KeyType.ECDSA]


def test_a_rollover_makes_both_anew(both: Home, store: Store) -> None:
    before = load_identities(both)
    rollover.begin(both, store, None, NOW)
    assert trusted(both)[0].subject == before[0].certificate.issuer
    done = rollover.finish(both, store, Authority.load_next(both, None), NOW)
    after = load_identities(both)
    (root,) = trusted(both)
    assert [one.certificate.issuer for one in after] == [root.subject] * 2
    assert kinds(both) == [KeyType.RSA, KeyType.ECDSA]
    assert is_whole(both, store)
    assert rollover.of_former(store) == []
    # the way back: each finds its place by its key
    assert len(done.kept) == 2
    for path, name in zip(done.kept, SERVERS, strict=True):
        found = importing.prepare(both, importing.read_files([path], lambda _: b""), NOW)
        assert found.pair.name == name
        importing.install(both, store, found, NOW)
    assert [one.certificate for one in load_identities(both)] == [one.certificate for one in before]


def test_bundles_have_the_root_of_each(both: Home, store: Store) -> None:
    """When one of the two went back to the authority before."""
    old = trusted(both)[0]
    rollover.begin(both, store, None, NOW)
    done = rollover.finish(both, store, Authority.load_next(both, None), NOW)
    contents = importing.read_files([done.kept[1]], lambda _: b"")
    importing.install(both, store, importing.prepare(both, contents, NOW), NOW)
    assert {*trusted(both)} == {old, load_ca_certificate(both)}


def test_a_rename_is_for_both(usual_home: Home, store: Store) -> None:
    wish = server_wish(usual_home, SERVER_ECDSA, (), (), KeyType.ECDSA)
    authority = Authority.load(usual_home, None)
    list(issuing.issue(usual_home, store, authority, [wish], NOW))
    one = Renaming("vpn.example.com", "eu.vpn.example.com")
    renaming.certify(usual_home, store, authority, one, NOW)
    renaming.switch(usual_home, store, one)
    assert kinds(usual_home) == [KeyType.RSA, KeyType.ECDSA]
    renaming.end(usual_home, store, authority, one, NOW)
    names = x509.DNSName
    for leaf in load_server_certificates(usual_home).values():
        san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert san.get_values_for_type(names) == ["eu.vpn.example.com"]


def test_a_rename_waits_for_the_slower_of_them(both: Home, store: Store) -> None:
    one = Renaming("vpn.example.com", "eu.vpn.example.com")
    wish = server_wish(both, SERVER, ("vpn.example.com", "eu.vpn.example.com"), (), KeyType.RSA)
    authority = Authority.load(both, None)
    list(issuing.issue(both, store, authority, [wish], NOW, existing=Existing.REPLACE))
    with pytest.raises(SstpcaError):
        renaming.switch(both, store, one)


def other_authority(tmp_path: Path, kind: KeyType) -> tuple[Path, Authority]:
    """Return a pair that another authority has issued for the same host."""
    hosts = parse_hosts(["vpn.example.com"])
    authority = Authority.make(hosts, NOW)
    made = authority.issue_server(hosts, kind, NOW)
    path = tmp_path / f"{kind.value}.pem"
    path.write_bytes(identity_to_pem(made.key, (made.certificate, authority.certificate)))
    return path, authority


def test_both_may_be_made_elsewhere(usual_home: Home, store: Store, tmp_path: Path) -> None:
    home = usual_home
    rsa, _ = other_authority(tmp_path, KeyType.RSA)
    ecdsa, _ = other_authority(tmp_path, KeyType.ECDSA)

    def take(path: Path, *, beside: bool = False) -> str:
        contents = importing.read_files([path], lambda _: b"")
        found = importing.prepare(home, contents, NOW, beside=beside)
        importing.install(home, store, found, NOW)
        return found.pair.name

    # not one from here and one from there
    with pytest.raises(Refused, match="would be of different authorities"):
        take(ecdsa, beside=True)
    assert take(rsa) == SERVER
    with pytest.raises(InvalidInput, match="is another authority's"):
        server_wish(home, SERVER_ECDSA, (), (), KeyType.ECDSA)
    with pytest.raises(Refused, match="the certificate has an RSA key"):
        take(rsa, beside=True)
    assert take(ecdsa, beside=True) == SERVER_ECDSA
    assert [one.own for one in load_identities(home)] == [False, False]
    # later ones are known by their keys
    newer, _ = other_authority(tmp_path, KeyType.ECDSA_P384)
    assert take(newer) == SERVER_ECDSA
    assert take(rsa) == SERVER
    assert kinds(home) == [KeyType.RSA, KeyType.ECDSA_P384]
    assert is_whole(home, store)
    with pytest.raises(InvalidInput, match="is another authority's"):
        server_wish(home, SERVER, (), (), KeyType.RSA)


def test_an_ecdsa_one_takes_the_place_of_the_only_one(
    usual_home: Home, store: Store, tmp_path: Path
) -> None:
    """As before there could be two."""
    ecdsa, _ = other_authority(tmp_path, KeyType.ECDSA)
    contents = importing.read_files([ecdsa], lambda _: b"")
    importing.install(usual_home, store, importing.prepare(usual_home, contents, NOW), NOW)
    assert kinds(usual_home) == [KeyType.ECDSA]


def test_what_is_put_there_by_hand_is_known_then(both: Home, store: Store, tmp_path: Path) -> None:
    made = Authority.load(both, None).issue_server(
        parse_hosts(["vpn.example.com"]), KeyType.ECDSA, NOW
    )
    both.server_ecdsa_identity.write_bytes(identity_to_pem(made.key, (made.certificate,)))
    with pairs.changing(both, store):
        pass
    assert certificates.current(store, SERVER_ECDSA).certificate == made.certificate
    assert is_whole(both, store)


def test_a_write_that_was_broken_off_leaves_nothing(both: Home, store: Store) -> None:
    before = load_identities(both)
    made = Authority.load(both, None).issue_server(
        parse_hosts(["vpn.example.com"]), KeyType.ECDSA, NOW
    )
    pairs.stage(both, [Pair(SERVER_ECDSA, SERVER, (made.certificate,), made.key)])
    with pairs.changing(both, store):
        pass
    assert [one.certificate for one in load_identities(both)] == [one.certificate for one in before]
    assert [one.name for one in both.root.iterdir() if one.name.startswith(".server")] == []
