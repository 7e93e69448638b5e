"""What certificates contain, and what other programs make of them."""

import subprocess
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sstpca.names import Hosts, parse_hosts
from sstpca.x509.certificate_profiles import (
    is_constrained,
    is_for_vpn_only,
    make_authority_certificate,
    make_server_certificate,
)
from sstpca.x509.certificates import certificate_to_pem
from sstpca.x509.keys import AUTHORITY_KEY, KeyType, make_authority_key, make_key
from tests.support.addresses import addresses
from tests.support.requirements import require

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
# the key is the same for all examples on purpose
same_key = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

labels = st.from_regex(r"[a-z]([a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
names = st.lists(labels, min_size=1, max_size=3).map(".".join).filter(lambda name: len(name) < 65)
hosts = (
    st.tuples(
        st.lists(names, max_size=4, unique=True), st.lists(addresses, max_size=3, unique=True)
    )
    .filter(any)
    .map(lambda pair: Hosts(tuple(pair[0]), tuple(pair[1])))
)


class Pair:
    """An authority and what it issues, with quick keys."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, allowed: Hosts) -> None:
        self.key = key
        self.authority = make_authority_certificate(key, allowed, NOW)

    def leaf(self, wanted: Hosts) -> x509.Certificate:
        return make_server_certificate(self.key.public_key(), wanted, self.authority, self.key, NOW)

    def verify(self, leaf: x509.Certificate, host: str) -> None:
        """Let cryptography's own verifier judge, which is stricter than most."""
        policy = verification.PolicyBuilder().time(NOW).store(verification.Store([self.authority]))
        try:
            subject: x509.GeneralName = x509.IPAddress(ip_address(host))
        except ValueError:
            subject = x509.DNSName(host)
        assert isinstance(subject, x509.IPAddress | x509.DNSName)
        policy.build_server_verifier(subject).verify(leaf, [])


@same_key
@given(hosts)
def test_what_is_issued_parses_back_to_what_was_asked(
    fast_key: ec.EllipticCurvePrivateKey, wanted: Hosts
) -> None:
    leaf = Pair(fast_key, wanted).leaf(wanted)
    again = x509.load_pem_x509_certificate(certificate_to_pem(leaf))
    san = again.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    dns = san.get_values_for_type(x509.DNSName)
    assert tuple(san.get_values_for_type(x509.IPAddress)) == wanted.addresses
    if wanted.names:
        assert tuple(dns) == wanted.names
    else:
        assert dns == [str(one) for one in wanted.addresses if isinstance(one, IPv4Address)]
    common = again.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert [one.value for one in common] == [wanted.first]


@same_key
@given(hosts)
def test_every_host_verifies(fast_key: ec.EllipticCurvePrivateKey, wanted: Hosts) -> None:
    pair = Pair(fast_key, wanted)
    leaf = pair.leaf(wanted)
    for host in (*wanted.names, *wanted.addresses):
        pair.verify(leaf, str(host))


@same_key
@given(hosts, hosts)
def test_nothing_else_verifies(
    fast_key: ec.EllipticCurvePrivateKey, allowed: Hosts, wanted: Hosts
) -> None:
    """The authority's key in the wrong hands: what it was not made for is refused."""
    pair = Pair(fast_key, allowed)
    leaf = pair.leaf(wanted)
    dns = set(allowed.names) or {str(a) for a in allowed.addresses if a.version == 4}
    fine = all(
        any(name == one or name.endswith("." + one) for one in dns) for name in wanted.names
    ) and set(wanted.addresses) <= set(allowed.addresses)
    if not wanted.names and allowed.names:
        fine = fine and not any(isinstance(a, IPv4Address) for a in wanted.addresses)
    if fine:
        pair.verify(leaf, wanted.first)
    else:
        with pytest.raises(verification.VerificationError):
            pair.verify(leaf, wanted.first)


def constraints(certificate: x509.Certificate) -> tuple[list[object], list[object]]:
    extension = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert extension.critical
    permitted, excluded = extension.value.permitted_subtrees, extension.value.excluded_subtrees
    *hosts, mail, uri = permitted or []
    assert (mail, uri) == (x509.RFC822Name("invalid"), x509.UniformResourceIdentifier("invalid"))
    return [one.value for one in hosts], [one.value for one in excluded or []]


ALL_4, ALL_6 = ip_network("0.0.0.0/0"), ip_network("::/0")


@pytest.mark.parametrize(
    ("typed", "permitted", "excluded"),
    [
        (["vpn.example.com"], ["vpn.example.com"], [ALL_4, ALL_6]),
        (
            ["vpn.example.com", "192.0.2.1"],
            ["vpn.example.com", ip_network("192.0.2.1/32")],
            [ALL_6],
        ),
        (["192.0.2.1"], ["192.0.2.1", ip_network("192.0.2.1/32")], [ALL_6]),
        (["2001:db8::1"], ["invalid", ip_network("2001:db8::1/128")], [ALL_4]),
        (
            ["a.example", "192.0.2.1", "2001:db8::1"],
            ["a.example", ip_network("192.0.2.1/32"), ip_network("2001:db8::1/128")],
            [],
        ),
    ],
)
def test_the_constraints_name_what_is_served_and_exclude_the_other_kinds(
    fast_key: ec.EllipticCurvePrivateKey,
    typed: list[str],
    permitted: list[object],
    excluded: list[object],
) -> None:
    assert constraints(Pair(fast_key, parse_hosts(typed)).authority) == (permitted, excluded)


def test_an_authority_without_constraints_keeps_its_purposes(
    fast_key: ec.EllipticCurvePrivateKey,
) -> None:
    hosts = parse_hosts(["vpn.example.com"])
    one = make_authority_certificate(fast_key, hosts, NOW, constrained=False)
    assert not is_constrained(one)
    assert is_for_vpn_only(one)


def usage(certificate: x509.Certificate) -> set[str]:
    extension = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert extension.critical
    names = "digital_signature content_commitment key_encipherment data_encipherment key_agreement"
    names += " key_cert_sign crl_sign"
    return {name for name in names.split() if getattr(extension.value, name)}


def test_the_authority(fast_key: ec.EllipticCurvePrivateKey) -> None:
    one, other = (Pair(fast_key, parse_hosts(["vpn.example.com"])).authority for _ in range(2))
    basic = one.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.critical
    assert (basic.value.ca, basic.value.path_length) == (True, 0)
    assert usage(one) == {"key_cert_sign", "crl_sign"}
    purposes = one.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert set(purposes.value) == {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    }
    assert is_constrained(one)
    assert is_for_vpn_only(one)
    assert one.not_valid_before_utc == NOW.replace(microsecond=0) - DAY
    assert timedelta(days=3651) < one.not_valid_after_utc - NOW < timedelta(days=3653)
    assert one.subject == one.issuer
    # two authorities for one host are two names, or clients would mix them up
    assert one.subject != other.subject
    assert one.serial_number.bit_length() <= 159
    assert one.serial_number != other.serial_number
    key_id = one.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert key_id == x509.SubjectKeyIdentifier.from_public_key(fast_key.public_key())


def test_a_long_host_name_is_cut_in_the_authoritys_name(
    fast_key: ec.EllipticCurvePrivateKey,
) -> None:
    long = "a" * 50 + ".example.com"
    authority = Pair(fast_key, parse_hosts([long])).authority
    text = authority.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    assert len(text) == 64
    assert constraints(authority)[0] == [long]


def test_authorities_of_one_home_are_told_apart(fast_key: ec.EllipticCurvePrivateKey) -> None:
    names = [
        make_authority_certificate(fast_key, parse_hosts(["a.example"]), NOW, number)
        .subject.rfc4514_string()
        .rsplit(" ", 1)[0]
        for number in (1, 2, 3)
    ]
    assert names == ["CN=VPN CA a.example", "CN=VPN CA G2 a.example", "CN=VPN CA G3 a.example"]


def test_the_keys() -> None:
    authority, server = make_authority_key(AUTHORITY_KEY), make_key(KeyType.RSA)
    assert isinstance(authority, rsa.RSAPrivateKey)
    assert isinstance(server, rsa.RSAPrivateKey)
    assert (authority.key_size, server.key_size) == (3072, 2048)


@pytest.mark.parametrize(
    ("kind", "usages"),
    [
        (KeyType.RSA, {"digital_signature", "key_encipherment"}),
        (KeyType.ECDSA, {"digital_signature"}),
    ],
)
def test_the_server(fast_key: ec.EllipticCurvePrivateKey, kind: KeyType, usages: set[str]) -> None:
    wanted = parse_hosts(["vpn.example.com"])
    authority = Pair(fast_key, wanted).authority
    key = make_key(kind).public_key()
    leaf = make_server_certificate(key, wanted, authority, fast_key, NOW)
    assert usage(leaf) == usages
    purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert leaf.not_valid_before_utc == authority.not_valid_before_utc
    assert timedelta(days=395) < leaf.not_valid_after_utc - NOW
    # both ends count, RFC 5280 4.1.2.5
    whole = leaf.not_valid_after_utc - leaf.not_valid_before_utc + timedelta(seconds=1)
    assert whole == timedelta(days=397)
    found = {extension.oid for extension in leaf.extensions}
    assert found == {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    }


def test_a_server_certificate_stays_within_its_authoritys_life(
    fast_key: ec.EllipticCurvePrivateKey,
) -> None:
    wanted = parse_hosts(["vpn.example.com"])
    authority = Pair(fast_key, wanted).authority
    late = authority.not_valid_after_utc - timedelta(days=100)
    leaf = make_server_certificate(fast_key.public_key(), wanted, authority, fast_key, late)
    assert leaf.not_valid_after_utc == authority.not_valid_after_utc
    early = authority.not_valid_before_utc
    leaf = make_server_certificate(fast_key.public_key(), wanted, authority, fast_key, early)
    assert leaf.not_valid_before_utc == authority.not_valid_before_utc


def openssl(folder: Path, pair: Pair, leaf: x509.Certificate, *options: str) -> str:
    """Return what ``openssl verify`` says: empty when it agrees, else its complaint."""
    require("openssl", root=False)
    (folder / "ca.pem").write_bytes(certificate_to_pem(pair.authority))
    (folder / "leaf.pem").write_bytes(certificate_to_pem(leaf))
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.pem"]
    result = subprocess.run(
        [*command, *options, "leaf.pem"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (result.returncode == 0) == (result.stdout == "leaf.pem: OK\n")
    return "" if result.returncode == 0 else result.stderr


@pytest.mark.parametrize(
    ("typed", "option", "good", "bad"),
    [
        (["vpn.example.com"], "-verify_hostname", "vpn.example.com", "www.example.com"),
        (["büro.example"], "-verify_hostname", "xn--bro-hoa.example", "buro.example"),
        (["a.example", "192.0.2.1"], "-verify_ip", "192.0.2.1", "192.0.2.2"),
        (["192.0.2.1"], "-verify_ip", "192.0.2.1", "192.0.2.2"),
        (["192.0.2.1"], "-verify_hostname", "192.0.2.1", "192.0.2.2"),
        (["2001:db8::1"], "-verify_ip", "2001:db8::1", "2001:db8::2"),
    ],
)
def test_openssl_agrees_on_the_name_and_on_no_other(
    tmp_path: Path,
    fast_key: ec.EllipticCurvePrivateKey,
    typed: list[str],
    option: str,
    good: str,
    bad: str,
) -> None:
    wanted = parse_hosts(typed)
    pair = Pair(fast_key, wanted)
    assert openssl(tmp_path, pair, pair.leaf(wanted), option, good) == ""
    assert "mismatch" in openssl(tmp_path, pair, pair.leaf(wanted), option, bad)


@pytest.mark.parametrize(
    ("allowed", "wanted"),
    [
        (["vpn.example.com"], ["www.example.com"]),
        (["vpn.example.com"], ["example.com"]),
        (["vpn.example.com"], ["vpn.example.com", "192.0.2.1"]),
        (["vpn.example.com"], ["vpn.example.com", "2001:db8::1"]),
        (["192.0.2.1"], ["192.0.2.2"]),
        (["192.0.2.1"], ["192.0.2.1", "2001:db8::1"]),
        (["192.0.2.1"], ["vpn.example.com"]),
        (["2001:db8::1"], ["vpn.example.com"]),
        (["2001:db8::1"], ["2001:db8::2"]),
    ],
)
def test_openssl_refuses_what_the_authority_was_not_made_for(
    tmp_path: Path, fast_key: ec.EllipticCurvePrivateKey, allowed: list[str], wanted: list[str]
) -> None:
    pair = Pair(fast_key, parse_hosts(allowed))
    assert "subtree violation" in openssl(tmp_path, pair, pair.leaf(parse_hosts(wanted)))


def test_openssl_refuses_an_authority_below_this_one(
    tmp_path: Path, fast_key: ec.EllipticCurvePrivateKey
) -> None:
    wanted = parse_hosts(["vpn.example.com"])
    pair = Pair(fast_key, wanted)
    key = ec.generate_private_key(ec.SECP256R1())
    below = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "below")]))
        .issuer_name(pair.authority.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(fast_key.public_key()),
            critical=False,
        )
        .add_extension(
            pair.authority.extensions.get_extension_for_class(x509.KeyUsage).value, critical=True
        )
        .sign(fast_key, hashes.SHA256())
    )
    leaf = make_server_certificate(key.public_key(), wanted, below, key, NOW)
    (tmp_path / "below.pem").write_bytes(certificate_to_pem(below))
    complaint = openssl(tmp_path, pair, leaf, "-untrusted", "below.pem")
    assert "path length constraint exceeded" in complaint
