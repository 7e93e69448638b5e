"""A server certificate made elsewhere: any files in any order come to the same, and fit."""

import errno
import random
import signal
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, pkcs7, pkcs12
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sstpca.authority import issuing, pairs, requests
from sstpca.authority.authority import Authority
from sstpca.authority.identity import load_identity
from sstpca.authority.importing import Import, install, prepare, read_files
from sstpca.errors import SstpcaError
from sstpca.home import SERVER, Home
from sstpca.store import Store, certificates
from sstpca.x509 import roots
from sstpca.x509.certificates import certificate_to_pem, digest
from sstpca.x509.keys import KeyType, PrivateKey, key_to_pem
from sstpca.x509.parsing import Contents
from tests.support.forge import DAY, NOW, Issuer, authority, changed, make, server_extensions
from tests.support.revoked import mark_revoked
from tests.support.steps import STEPS_MAX, failing_at, in_a_child, kill_me

KEYS = [ec.generate_private_key(ec.SECP256R1()) for _ in range(4)]
KEY = KEYS[0]
ROOT = authority("public root", KEYS[1])
UPPER = authority("upper", KEYS[2], ROOT)
LOWER = authority("lower", KEYS[3], UPPER)
LEAF = make("vpn.example.com", KEY.public_key(), LOWER, server_extensions())
CHAIN = (LOWER.certificate, UPPER.certificate)


@pytest.fixture
def home(quick_home: Home) -> Home:
    """Keys that take no time."""
    return quick_home


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine trust the root of these tests, and no other."""
    monkeypatch.setattr(roots, "system_roots", lambda: [ROOT.certificate])


@pytest.fixture
def opened(home: Home) -> Iterator[Store]:
    store = Store.open(home.database)
    yield store
    store.close()


def no_password(path: Path) -> bytes:
    raise AssertionError(f"there is nothing encrypted in {path}")


def prepared(home: Home, *parts: x509.Certificate | PrivateKey) -> Import:
    certificates = tuple(one for one in parts if isinstance(one, x509.Certificate))
    keys = tuple(one for one in parts if not isinstance(one, x509.Certificate))
    return prepare(home, Contents(certificates, keys), NOW)


def leaf(*others: object, key: object = None, **options: object) -> x509.Certificate:
    """Return a certificate that differs from the usual one in ``others``, its extensions."""
    public = KEY.public_key() if key is None else key
    return make("vpn.example.com", public, LOWER, changed(server_extensions(), *others), **options)  # type: ignore[arg-type]


# how the same things can lie in files
PACKERS: list[Callable[[Sequence[x509.Certificate]], list[bytes]]] = [
    lambda some: [b"".join(map(certificate_to_pem, some))],
    lambda some: [one.public_bytes(Encoding.DER) for one in some],
    lambda some: [certificate_to_pem(one) for one in some],
    lambda some: [pkcs7.serialize_certificates(list(some), Encoding.DER)],
    lambda some: [
        pkcs12.serialize_key_and_certificates(None, None, None, list(some), NoEncryption())
    ],
]


@given(
    st.randoms(use_true_random=False),
    st.booleans(),
    st.integers(0, 4),
    st.lists(st.sampled_from(PACKERS), min_size=4, max_size=4),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_files_in_any_order(
    home: Home,
    tmp_path: Path,
    shuffling: random.Random,
    with_root: bool,
    cut: int,
    packers: list[Callable[[Sequence[x509.Certificate]], list[bytes]]],
) -> None:
    parts = [LEAF, *CHAIN, *([ROOT.certificate] if with_root else [])]
    shuffling.shuffle(parts)
    files = [key_to_pem(KEY)]
    for some, packer in zip((parts[:cut], parts[cut:], parts[:1]), packers, strict=False):
        files += packer(some) if some else []
    shuffling.shuffle(files)
    paths = []
    for number, content in enumerate(files):
        paths.append(tmp_path / f"file{number}")
        paths[-1].write_bytes(content)
    found = prepare(home, read_files(paths, no_password), NOW)
    assert found.pair.certificates == (LEAF, *CHAIN)
    assert found.pair.key.public_key() == KEY.public_key()
    assert not found.own
    assert found.unused == ()


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ((KEY,), "there is no certificate in these files"),
        ((LEAF, *CHAIN), "there is no key in these files"),
        ((LEAF, *CHAIN, KEYS[2]), "the key is an authority's, 'CN=upper'.*0x800B0110"),
        ((LEAF, ec.generate_private_key(ec.SECP256R1())), "the key in these files fits none"),
        ((LEAF, LOWER.certificate, KEY), "the issuer of the last intermediate, 'CN=upper', is"),
        ((LEAF, KEY), "the issuer of the last certificate, 'CN=lower', is missing: .*0x800B010A"),
        ((LEAF, leaf(), *CHAIN, KEY), "2 certificates fit a key, .*'CN=vpn.example.com' until 20"),
        ((LEAF, *CHAIN, KEY, KEYS[3]), "2 certificates fit a key"),
        ((leaf(end=NOW - timedelta(hours=1)), *CHAIN, KEY), "expired on .*0x800B0101"),
        ((leaf(begin=NOW + DAY), *CHAIN, KEY), "begins only on .*0x800B0101"),
        (
            (leaf(x509.SubjectAlternativeName([x509.DNSName("b.example")])), *CHAIN, KEY),
            "is not for vpn.example.com.*: .*0x800B010F",
        ),
        (
            (leaf(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])), *CHAIN, KEY),
            "not for server authentication: .*0x800B0110",
        ),
    ],
)
def test_what_does_not_fit_is_named(
    home: Home, parts: tuple[x509.Certificate | PrivateKey, ...], complaint: str
) -> None:
    with pytest.raises(SstpcaError, match=complaint) as caught:
        prepared(home, *parts)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_a_chain_that_has_expired(home: Home) -> None:
    lower = authority("lower", KEYS[3], UPPER, begin=NOW - 9 * DAY, end=NOW - DAY)
    with pytest.raises(SstpcaError, match=r"expired on .*0x800B0101"):
        prepared(home, LEAF, lower.certificate, UPPER.certificate, KEY)


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        (ec.generate_private_key(ec.SECP521R1()), r"secp521r1.*0x80090326"),
        # Windows would take it, but OpenSSL as Debian sets it up would not
        (rsa.generate_private_key(65537, 1024), r"TLS on this machine .*: its key is too short"),
    ],
)
def test_a_key_that_somebody_does_not_take(home: Home, key: PrivateKey, complaint: str) -> None:
    weak = leaf(key=key.public_key())
    with pytest.raises(SstpcaError, match=complaint):
        prepared(home, weak, *CHAIN, key)


def test_where_revocation_is_asked_for_is_told(home: Home) -> None:
    places = x509.CRLDistributionPoints(
        [
            x509.DistributionPoint(
                [x509.UniformResourceIdentifier("http://crl.example/x")], None, None, None
            )
        ]
    )
    access = x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(method, x509.UniformResourceIdentifier(f"http://{name}"))
            for method, name in (
                (AuthorityInformationAccessOID.OCSP, "ocsp.example"),
                (AuthorityInformationAccessOID.CA_ISSUERS, "issuer.example"),
            )
        ]
    )
    found = prepared(home, leaf(places, access), *CHAIN, KEY)
    assert found.revocation == ("http://crl.example/x", "http://ocsp.example")
    assert prepared(home, LEAF, *CHAIN, KEY).revocation == ()


def test_what_has_no_part_in_it_is_told(home: Home) -> None:
    stranger = authority("stranger", KEYS[1]).certificate
    assert prepared(home, LEAF, *CHAIN, ROOT.certificate, stranger, KEY).unused == (stranger,)


def test_one_of_the_homes_own_authority(home: Home) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    load = Authority.load(home, None)
    own = make(
        "vpn.example.com",
        key.public_key(),
        Issuer(load.certificate, load.key),
        server_extensions(),
    )
    found = prepared(home, own, key)
    assert found.own
    assert found.pair.certificates == (own,)


def test_the_answer_to_a_request_needs_no_key(home: Home, opened: Store) -> None:
    key = requests.make_next_key(home, KeyType.ECDSA)
    answer = leaf(key=key.public_key())
    install(home, opened, prepared(home, answer, *CHAIN), NOW)
    assert load_identity(home).certificate == answer
    assert not requests.next_key_path(home).exists()


def test_a_certificate_for_the_present_key_needs_no_key(home: Home) -> None:
    own = pairs.load(home, SERVER, SERVER)
    answer = leaf(key=own.key.public_key())
    assert prepared(home, answer, *CHAIN).pair.certificates == (answer, *CHAIN)


def test_a_damaged_server_does_not_stand_in_the_way(home: Home, opened: Store) -> None:
    home.server_identity.write_text("garbage")
    install(home, opened, prepared(home, LEAF, *CHAIN, KEY), NOW)
    assert load_identity(home).certificate == LEAF


def test_the_one_before_is_kept_and_the_inventory_knows(home: Home, opened: Store) -> None:
    before = home.server_identity.read_bytes()
    requests.make_next_key(home, KeyType.ECDSA)
    kept = install(home, opened, prepared(home, LEAF, *CHAIN, KEY), NOW)
    assert kept == home.certificates / f"server.pem.{NOW:%Y%m%dT%H%M%SZ}"
    assert kept.read_bytes() == before
    assert kept.stat().st_mode & 0o777 == 0o600
    assert home.certificates.stat().st_mode & 0o777 == 0o700
    identity = load_identity(home)
    assert (identity.certificate, identity.chain, identity.own) == (LEAF, CHAIN, False)
    entry = certificates.current(opened, SERVER)
    assert entry.sha256 == digest(LEAF)
    assert (entry.profile, entry.issuer_sha256) == (SERVER, "")
    assert len(servers(opened)) == 2
    # the request's key is another one, and still waits
    assert requests.next_key_path(home).exists()


def servers(store: Store) -> list[certificates.Entry]:
    return [one for one in certificates.list_all(store) if one.name == SERVER]


def test_the_same_again_and_the_one_before_again(home: Home, opened: Store) -> None:
    first = pairs.load(home, SERVER, SERVER)
    install(home, opened, prepared(home, LEAF, *CHAIN, KEY), NOW)
    install(home, opened, prepared(home, LEAF, *CHAIN, KEY), NOW + timedelta(seconds=1))
    assert load_identity(home).certificate == LEAF
    back = prepared(home, first.leaf, first.key)
    install(home, opened, back, NOW + timedelta(seconds=2))
    assert load_identity(home).own
    assert certificates.current(opened, SERVER).sha256 == digest(first.leaf)
    assert len(servers(opened)) == 2


def test_a_revoked_one_is_refused(home: Home, opened: Store) -> None:
    found = prepared(home, LEAF, *CHAIN, KEY)
    install(home, opened, found, NOW)
    mark_revoked(opened, certificates.current(opened, SERVER), "keyCompromise", NOW)
    before = home.server_identity.read_bytes()
    with pytest.raises(SstpcaError, match=r"is revoked: .*0x800B010C"):
        install(home, opened, found, NOW)
    assert home.server_identity.read_bytes() == before


def test_a_serial_that_is_taken(home: Home, opened: Store) -> None:
    install(home, opened, prepared(home, leaf(serial=7), *CHAIN, KEY), NOW)
    with pytest.raises(SstpcaError, match="another certificate with the serial 7"):
        install(home, opened, prepared(home, leaf(serial=7), *CHAIN, KEY), NOW)


def test_another_pair_of_this_home(home: Home, opened: Store) -> None:
    wish = issuing.server_wish(home, "spare", ["vpn.example.com"], (), KeyType.ECDSA)
    list(issuing.issue(home, opened, Authority.load(home, None), [wish], NOW))
    spare = pairs.load(home, "spare", SERVER)
    with pytest.raises(SstpcaError, match="this home's own pair 'spare'"):
        install(home, opened, prepared(home, spare.leaf, spare.key), NOW)
    assert pairs.load(home, SERVER, SERVER).leaf != spare.leaf


def do_install(home: Home, *parts: x509.Certificate | PrivateKey) -> None:
    store = Store.open(home.database)
    try:
        install(home, store, prepared(home, *parts), NOW)
    finally:
        store.close()


def assert_whole(home: Home) -> None:
    """Settle, as every command does; then file and inventory say the same."""
    store = Store.open(home.database)
    try:
        with pairs.changing(home, store):
            pass
        leaf_now = load_identity(home).certificate
        assert certificates.current(store, SERVER).sha256 == digest(leaf_now)
        assert servers(store)[0].names == ("DNS vpn.example.com",)
    finally:
        store.close()
    assert not list(home.root.glob(".*"))


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_failure_anywhere_changes_nothing(home: Home) -> None:
    before = home.server_identity.read_bytes()
    failures = 0
    for number in range(STEPS_MAX):
        with failing_at(number, full) as steps:
            try:
                do_install(home, LEAF, *CHAIN, KEY)
            except (SstpcaError, OSError) as error:
                failures += 1
                assert "No space left" in str(error)
                if "commit" not in steps[:number]:
                    assert home.server_identity.read_bytes() == before
        assert_whole(home)
        if len(steps) <= number:
            break
    assert failures > 3
    assert load_identity(home).certificate == LEAF


@pytest.mark.parametrize("again", [False, True])
def test_a_kill_anywhere_leaves_the_old_or_the_new(home: Home, again: bool) -> None:
    first = pairs.load(home, SERVER, SERVER)
    parts: list[x509.Certificate | PrivateKey] = [LEAF, *CHAIN, KEY]
    if again:
        do_install(home, *parts)
        parts = [first.leaf, first.key]
    for number in range(STEPS_MAX):
        with failing_at(number, kill_me):
            ended = in_a_child(lambda: do_install(home, *parts))
        assert_whole(home)
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
    assert number > 3
    assert load_identity(home).certificate == parts[0]
