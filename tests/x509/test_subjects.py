"""Names in certificates: what was asked for comes back, and nothing else is issued."""

import subprocess
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sstpca.authority.authority import Authority
from sstpca.errors import InvalidInput, SstpcaError
from sstpca.names import Hosts, check_user_name, parse_hosts
from sstpca.x509.certificate_profiles import (
    SERVER,
    USER,
    Leaf,
    Profile,
    make_authority_certificate,
    make_leaf,
)
from sstpca.x509.certificates import Certificate, certificate_to_pem
from sstpca.x509.describe import san_texts
from sstpca.x509.keys import KEY_TYPES, KeyType, key_type, make_key
from sstpca.x509.name_constraints import check_permitted
from sstpca.x509.subjects import UPN, Subject, check_upn, check_wildcard, upn_of
from tests.support.addresses import addresses
from tests.support.requirements import require

NOW = datetime.now(UTC)
same_key = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

labels = st.from_regex(r"[a-z]([a-z0-9]{0,12}[a-z0-9])?", fullmatch=True)
names = st.lists(labels, min_size=1, max_size=3).map(".".join).filter(lambda one: len(one) < 65)
hosts = (
    st.tuples(
        st.lists(names, max_size=4, unique=True), st.lists(addresses, max_size=3, unique=True)
    )
    .filter(any)
    .map(lambda pair: Hosts(tuple(pair[0]), tuple(pair[1])))
)


def is_user_name(text: str) -> bool:
    try:
        return check_user_name(text) == text
    except InvalidInput:
        return False


user_names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(is_user_name)


def authority_for(key: ec.EllipticCurvePrivateKey, allowed: Hosts) -> Authority:
    return Authority(make_authority_certificate(key, allowed, NOW), key)


def policy(authority: Authority) -> verification.PolicyBuilder:
    store = verification.Store([authority.certificate])
    return verification.PolicyBuilder().time(NOW).store(store)


@same_key
@given(hosts, st.lists(labels, max_size=2, unique=True))
def test_a_server_gets_the_names_asked_for_and_verifies(
    fast_key: ec.EllipticCurvePrivateKey, wanted: Hosts, wild: list[str]
) -> None:
    wildcards = [f"*.{label}.{name}" for label in wild for name in wanted.names]
    asked = Subject.parse([*wildcards, *wanted.names], [str(one) for one in wanted.addresses])
    authority = authority_for(fast_key, wanted)
    leaf = authority.sign(SERVER, asked, fast_key.public_key(), NOW)
    assert Subject.of_certificate(leaf) == asked
    assert asked.common_name == wanted.first
    assert set(wildcards) <= set(asked.dns)
    for name in wanted.names:
        policy(authority).build_server_verifier(x509.DNSName(name)).verify(leaf, [])
    for name in wildcards:
        below = x509.DNSName(name.replace("*", "x"))
        policy(authority).build_server_verifier(below).verify(leaf, [])
    for address in wanted.addresses:
        policy(authority).build_server_verifier(x509.IPAddress(address)).verify(leaf, [])


@same_key
@given(user_names, st.one_of(st.none(), st.tuples(names, names)), hosts)
def test_a_user_gets_the_names_asked_for_and_verifies(
    fast_key: ec.EllipticCurvePrivateKey, name: str, realm: tuple[str, str] | None, around: Hosts
) -> None:
    upn = f"{name}@vpn.example.com" if realm is None else "@".join(realm)
    assume("@" not in name and len(upn) <= 64)
    asked = Subject.of_user(name, upn)
    authority = authority_for(fast_key, around)
    leaf = authority.sign(USER, asked, fast_key.public_key(), NOW)
    assert Subject.of_certificate(leaf) == asked
    assert asked.common_name in (name, upn)
    assert asked.upns == (upn,)
    assert san_texts(leaf) == (f"UPN {upn}",)
    policy(authority).build_client_verifier().verify(leaf, [])


def test_a_users_certificate_in_other_words(fast_key: ec.EllipticCurvePrivateKey) -> None:
    authority = authority_for(fast_key, parse_hosts(["vpn.example.com"]))
    subject = Subject.of_user("alice", "alice@example.com")
    leaf = authority.sign(USER, subject, fast_key.public_key(), NOW)
    extensions = leaf.extensions
    assert leaf.subject.rfc4514_string() == "CN=alice"
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_encipherment
    purposes = list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    assert purposes == [ExtendedKeyUsageOID.CLIENT_AUTH]
    names_in_it = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    # X.690 8.23: UTF8String, its length, the text
    der = b"\x0c\x11alice@example.com"
    assert list(names_in_it) == [
        x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), der)
    ]
    with pytest.raises(x509.ExtensionNotFound):
        extensions.get_extension_for_class(x509.CRLDistributionPoints)


@given(names, st.integers(1, 250))
def test_principal_names_of_any_length(realm: str, length: int) -> None:
    upn = "a" * min(length, 254 - len(realm)) + "@" + realm
    subject = Subject("x", upns=(check_upn(upn),))
    assert [upn_of(name) for name in subject.alternative_name()] == [upn]


@given(st.binary(max_size=40))
def test_a_damaged_principal_name_is_none(junk: bytes) -> None:
    found = upn_of(x509.OtherName(UPN, junk))
    assert found is None or found.encode() in junk


def openssl_verify(
    folder: Path, authority: Authority, leaf: x509.Certificate, *options: str
) -> str:
    require("openssl", root=False)
    (folder / "ca.pem").write_bytes(certificate_to_pem(authority.certificate))
    (folder / "leaf.pem").write_bytes(certificate_to_pem(leaf))
    command = ["openssl", "verify", "-x509_strict", "-CAfile", "ca.pem", *options, "leaf.pem"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", ["alice", "john.smith", "j_smith.x", "Zoë", "a b", "x@y.zz"])
def test_openssl_takes_users_whatever_their_name_looks_like(
    tmp_path: Path, fast_key: ec.EllipticCurvePrivateKey, name: str
) -> None:
    authority = authority_for(fast_key, parse_hosts(["vpn.example.com"]))
    upn = name if "@" in name else f"{name}@vpn.example.com"
    leaf = authority.sign(USER, Subject.of_user(name, upn), fast_key.public_key(), NOW)
    assert openssl_verify(tmp_path, authority, leaf, "-purpose", "sslclient") == "leaf.pem: OK\n"
    assert "unsuitable" in openssl_verify(tmp_path, authority, leaf, "-purpose", "sslserver")


def certtool(
    folder: Path, authority: Authority, leaf: x509.Certificate, *options: str
) -> tuple[int, str]:
    require("certtool", root=False)
    (folder / "ca.pem").write_bytes(certificate_to_pem(authority.certificate))
    (folder / "leaf.pem").write_bytes(certificate_to_pem(leaf))
    command = ["certtool", "--verify", "--load-ca-certificate", "ca.pem", "--infile", "leaf.pem"]
    done = subprocess.run(
        [*command, *options], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("vpn.example.com", 0),
        ("eu.vpn.example.com", 0),
        ("a.eu.vpn.example.com", 1),
        ("example.com", 1),
        ("other.example.com", 1),
    ],
)
def test_gnutls_takes_the_right_names_and_no_others(
    tmp_path: Path, fast_key: ec.EllipticCurvePrivateKey, host: str, code: int
) -> None:
    authority = authority_for(fast_key, parse_hosts(["vpn.example.com"]))
    subject = Subject.parse(["vpn.example.com", "*.vpn.example.com"], [])
    leaf = authority.sign(SERVER, subject, fast_key.public_key(), NOW)
    assert certtool(tmp_path, authority, leaf, "--verify-hostname", host)[0] == code


def test_gnutls_takes_users_and_refuses_names_outside(
    tmp_path: Path, fast_key: ec.EllipticCurvePrivateKey
) -> None:
    authority = authority_for(fast_key, parse_hosts(["vpn.example.com"]))
    subject = Subject.of_user("john.smith", "john.smith@corp.example")
    leaf = authority.sign(USER, subject, fast_key.public_key(), NOW)
    client = "--verify-purpose=1.3.6.1.5.5.7.3.2"
    assert certtool(tmp_path, authority, leaf, client)[0] == 0
    outside = Subject("other.example.com", ("other.example.com",))
    leaf = make_leaf(
        Leaf(SERVER, outside, fast_key.public_key()), authority.certificate, fast_key, NOW
    )
    code, said = certtool(tmp_path, authority, leaf, "--verify-hostname", "other.example.com")
    assert code == 1
    assert "violates the signer's constraints" in said


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("*.example.com", "*.example.com"),
        ("*.Example.COM.", "*.example.com"),
        ("*.b\u00fccher.example", "*.xn--bcher-kva.example"),
        ("*", None),
        ("*.com", None),
        ("*.*.example.com", None),
        ("a*.example.com", None),
        ("*a.example.com", None),
        ("a.*.example.com", None),
        ("*.exa mple.com", None),
    ],
)
def test_wildcards(text: str, result: str | None) -> None:
    if result is None:
        with pytest.raises(InvalidInput):
            check_wildcard(text)
    else:
        assert check_wildcard(text) == result


def test_a_wildcard_needs_a_name_beside_it() -> None:
    with pytest.raises(InvalidInput, match="only wildcards"):
        Subject.parse(["*.example.com"], [])
    assert Subject.parse(["*.example.com", "vpn.example.com"], []) == Subject(
        "vpn.example.com", ("vpn.example.com", "*.example.com")
    )


@pytest.mark.parametrize(
    "text", ["", "alice", "@x", "a@", "a@b@c", " a@b", "a@b\n", "a@" + "b" * 300]
)
def test_no_principal_names(text: str) -> None:
    with pytest.raises(InvalidInput):
        check_upn(text)


def test_a_host_like_name_with_a_long_principal_name_is_refused() -> None:
    with pytest.raises(InvalidInput, match="more than 64"):
        Subject.of_user("john.smith", f"john.smith@{'x' * 60}")
    assert Subject.of_user("john", f"john@{'x' * 60}").common_name == "john"


@same_key
@given(hosts, names, addresses)
def test_what_is_refused_here_openssl_and_cryptography_would_refuse(
    fast_key: ec.EllipticCurvePrivateKey, allowed: Hosts, name: str, address: object
) -> None:
    """Nothing that the check lets through is refused by a verifier, and the other way round."""
    authority = authority_for(fast_key, allowed)
    number = ip_address(str(address))
    for subject, verified in (
        (Subject(name, (name,)), x509.DNSName(name)),
        (Subject(str(number), (), (number,)), x509.IPAddress(number)),
    ):
        leaf = make_leaf(
            Leaf(SERVER, subject, fast_key.public_key()), authority.certificate, fast_key, NOW
        )
        verifier = policy(authority).build_server_verifier(verified)
        try:
            check_permitted(subject, authority.certificate)
        except InvalidInput:
            with pytest.raises(verification.VerificationError):
                verifier.verify(leaf, [])
        else:
            verifier.verify(leaf, [])


def test_the_constraints_of_networks_are_hosts(fast_key: ec.EllipticCurvePrivateKey) -> None:
    authority = authority_for(fast_key, parse_hosts(["192.0.2.1"]))
    constraints = authority.certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert x509.IPAddress(ip_network("192.0.2.1/32")) in (
        constraints.value.permitted_subtrees or []
    )


@pytest.mark.parametrize("text", KEY_TYPES)
def test_kinds_of_keys(text: str) -> None:
    kind = KeyType(text)
    key = make_key(kind).public_key()
    assert key_type(key) is kind
    if isinstance(key, rsa.RSAPublicKey):
        assert kind.value == f"rsa-{key.key_size}"
    else:
        assert kind.value.removeprefix("ecdsa-p") == str(key.key_size)


def test_a_kind_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="dsa"):
        KeyType("dsa")


@pytest.mark.parametrize(
    ("profile", "days", "length"),
    [
        (SERVER, None, 397),
        (SERVER, 90, 90),
        (SERVER, 500, 397),
        (USER, None, 397),
        (USER, 900, 900),
    ],
)
def test_how_long(
    fast_key: ec.EllipticCurvePrivateKey, profile: Profile, days: int | None, length: int
) -> None:
    authority = authority_for(fast_key, parse_hosts(["vpn.example.com"]))
    subject = Subject("vpn.example.com", ("vpn.example.com",))
    leaf = authority.sign(profile, subject, fast_key.public_key(), NOW, days=days)
    # RFC 5280 4.1.2.5: both ends count
    duration = leaf.not_valid_after_utc - leaf.not_valid_before_utc + timedelta(seconds=1)
    assert duration == timedelta(days=length)
    assert leaf.not_valid_before_utc <= NOW - timedelta(hours=23)


def test_the_place_of_the_list_only_when_asked(fast_key: ec.EllipticCurvePrivateKey) -> None:
    authority = authority_for(fast_key, parse_hosts(["vpn.example.com"]))
    subject = Subject("vpn.example.com", ("vpn.example.com",))
    url = "http://pki.example.com/ca.crl"
    leaf = authority.sign(SERVER, subject, fast_key.public_key(), NOW, cdp=url)
    assert Certificate.of(leaf).list_url == url
    plain = authority.sign(SERVER, subject, fast_key.public_key(), NOW)
    assert Certificate.of(plain).list_url == ""


@pytest.mark.parametrize("years", [-1, 11])
def test_an_authority_outside_of_its_time_issues_nothing(
    fast_key: ec.EllipticCurvePrivateKey, years: int
) -> None:
    authority = authority_for(fast_key, parse_hosts(["vpn.example.com"]))
    then = NOW + timedelta(days=366 * years)
    with pytest.raises(SstpcaError, match="0x800B0101"):
        authority.sign(USER, Subject("x", upns=("x@y",)), fast_key.public_key(), then)


def test_names_that_are_not_issued_here_are_not_copied(
    fast_key: ec.EllipticCurvePrivateKey,
) -> None:
    with pytest.raises(SstpcaError, match="not issued here"):
        Subject.of_certificate(
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(x509.Name([]))
            .public_key(fast_key.public_key())
            .serial_number(1)
            .not_valid_before(NOW)
            .not_valid_after(NOW)
            .add_extension(
                x509.SubjectAlternativeName([x509.RFC822Name("a@example.com")]), critical=True
            )
            .sign(fast_key, hashes.SHA256())
        )
