"""The server's identity: every way it can be wrong has a message of its own."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sstpca.authority.authority import Authority, load_ca_certificate
from sstpca.authority.identity import load_identity, load_server_certificate
from sstpca.errors import SstpcaError
from sstpca.home import Home
from sstpca.names import parse_hosts
from sstpca.x509.certificates import certificate_to_pem
from sstpca.x509.keys import KeyType, key_to_pem
from sstpca.x509.loading import certificates_from_pem
from sstpca.x509.pair import identity_to_pem

NOW = datetime.now(UTC)
HOSTS = parse_hosts(["vpn.example.com"])


def foreign(
    key: ec.EllipticCurvePrivateKey,
    *,
    san: list[x509.GeneralName] | None = None,
    purpose: x509.ObjectIdentifier | None = None,
) -> x509.Certificate:
    """Return a certificate by somebody else, as a public authority would issue."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vpn.example.com")]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "public")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=90))
    )
    if san is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(san), critical=False)
    if purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return builder.sign(key, hashes.SHA256())


def test_what_init_made_is_fine(home: Home) -> None:
    identity = load_identity(home)
    assert identity.own
    assert identity.chain == ()
    assert identity.certificate == load_server_certificate(home)
    assert identity.key.public_key() == identity.certificate.public_key()
    assert "PRIVATE" not in repr(identity)
    assert "key=" not in repr(identity)


@pytest.mark.parametrize(
    ("days", "complaint"),
    [(397, r"expired on .*0x800B0101"), (-2, r"begins only on .*0x800B0101")],
)
def test_a_clock_outside_the_validity(home: Home, days: int, complaint: str) -> None:
    with pytest.raises(SstpcaError, match=complaint) as caught:
        load_identity(home, NOW + timedelta(days=days))
    assert "clock" in caught.value.hint


def test_a_key_that_does_not_fit(home: Home, fast_key: ec.EllipticCurvePrivateKey) -> None:
    leaf = load_server_certificate(home)
    home.server_identity.write_bytes(identity_to_pem(fast_key, (leaf,)))
    with pytest.raises(SstpcaError, match="does not fit"):
        load_identity(home)


@pytest.mark.parametrize(
    ("old", "new", "missing"),
    [
        ('["vpn.example.com"]', '["other.example.com"]', "other.example.com"),
        ('["vpn.example.com"]', '["vpn.example.com", "b.example"]', "b.example"),
        ("addresses = []", 'addresses = ["192.0.2.1"]', "192.0.2.1"),
    ],
)
def test_a_name_that_is_not_in_the_certificate(
    home: Home, old: str, new: str, missing: str
) -> None:
    home.settings.write_text(home.settings.read_text().replace(old, new))
    with pytest.raises(SstpcaError, match=rf"is not for {missing}, .*0x800B010F"):
        load_identity(home)


def test_a_name_in_the_settings_that_is_none(home: Home) -> None:
    text = home.settings.read_text()
    home.settings.write_text(text.replace('"vpn.example.com"]', '"https://vpn.example.com"]'))
    with pytest.raises(
        SstpcaError, match=r"settings\.toml, line \d+: \[server\] names: .* is a URL"
    ):
        load_identity(home)


def test_another_authority_of_the_same_name(home: Home) -> None:
    """A forged or mixed-up ca.crt: the same subject, another key."""
    other = Authority.make(HOSTS, NOW)
    certificate = load_ca_certificate(home)
    forged = (
        x509.CertificateBuilder(
            issuer_name=certificate.subject,
            subject_name=certificate.subject,
            public_key=other.key.public_key(),
            serial_number=1,
            not_valid_before=NOW - timedelta(days=1),
            not_valid_after=NOW + timedelta(days=1),
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(other.key, hashes.SHA256())
    )
    home.ca_certificate.write_bytes(certificate_to_pem(forged))
    with pytest.raises(SstpcaError, match=r"does not verify .*0x800B010A"):
        load_identity(home)


def test_a_name_beyond_the_constraints(home: Home) -> None:
    authority = Authority.load(home, None)
    wanted = parse_hosts(["vpn.example.com", "www.example.com"])
    issued = authority.issue_server(wanted, KeyType.ECDSA, NOW)
    home.server_identity.write_bytes(identity_to_pem(issued.key, (issued.certificate,)))
    with pytest.raises(SstpcaError, match=r"'www\.example\.com': .*0x800B0114"):
        load_identity(home)


def test_a_public_certificate_with_its_chain_is_taken(
    home: Home, fast_key: ec.EllipticCurvePrivateKey
) -> None:
    leaf = foreign(fast_key, san=[x509.DNSName("*.Example.com")])
    between = foreign(fast_key)
    home.server_identity.write_bytes(identity_to_pem(fast_key, (leaf, between)))
    identity = load_identity(home)
    assert not identity.own
    assert identity.chain == (between,)


def test_a_wildcard_stands_for_one_label(home: Home, fast_key: ec.EllipticCurvePrivateKey) -> None:
    leaf = foreign(fast_key, san=[x509.DNSName("*.com")])
    home.server_identity.write_bytes(identity_to_pem(fast_key, (leaf,)))
    with pytest.raises(SstpcaError, match="0x800B010F"):
        load_identity(home)


def test_a_common_name_alone_does_not_count(
    home: Home, fast_key: ec.EllipticCurvePrivateKey
) -> None:
    home.server_identity.write_bytes(identity_to_pem(fast_key, (foreign(fast_key),)))
    with pytest.raises(SstpcaError, match="0x800B010F"):
        load_identity(home)


def test_a_client_certificate_is_none_of_a_server(
    home: Home, fast_key: ec.EllipticCurvePrivateKey
) -> None:
    leaf = foreign(
        fast_key,
        san=[x509.DNSName("vpn.example.com")],
        purpose=ExtendedKeyUsageOID.CLIENT_AUTH,
    )
    home.server_identity.write_bytes(identity_to_pem(fast_key, (leaf,)))
    with pytest.raises(SstpcaError, match="0x800B0110"):
        load_identity(home)


@pytest.mark.parametrize("content", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_files_that_are_none(home: Home, content: bytes) -> None:
    for path in (home.server_identity, home.ca_certificate):
        before = path.read_bytes()
        path.write_bytes(content)
        with pytest.raises(SstpcaError, match=rf"{path.name} has no certificate"):
            load_identity(home)
        path.unlink()
        with pytest.raises(SstpcaError, match=rf"{path.name} is missing"):
            load_identity(home)
        path.write_bytes(before)


def test_a_certificate_without_its_key(home: Home) -> None:
    home.server_identity.write_bytes(certificate_to_pem(load_server_certificate(home)))
    with pytest.raises(SstpcaError, match=r"server\.pem has no private key"):
        load_identity(home)


def test_the_authority_loads_with_its_passphrase_only(home: Home) -> None:
    authority = Authority.load(home, None)
    home.ca_key.write_bytes(key_to_pem(authority.key, b"secret"))
    assert Authority.load(home, b"secret").certificate == authority.certificate
    with pytest.raises(SstpcaError, match="is encrypted"):
        Authority.load(home, None)
    with pytest.raises(SstpcaError, match="does not open"):
        Authority.load(home, b"wrong")
    assert "key=" not in repr(authority)


def test_a_passphrase_too_many_and_a_key_of_another(
    home: Home, fast_key: ec.EllipticCurvePrivateKey
) -> None:
    with pytest.raises(SstpcaError, match="is not encrypted"):
        Authority.load(home, b"secret")
    home.ca_key.write_bytes(key_to_pem(fast_key))
    with pytest.raises(SstpcaError, match="does not belong"):
        Authority.load(home, None)
    home.ca_key.write_bytes(b"garbage")
    with pytest.raises(SstpcaError, match="no private key"):
        Authority.load(home, None)


def test_a_file_with_two_authorities_is_refused(home: Home) -> None:
    pem = home.ca_certificate.read_bytes()
    home.ca_certificate.write_bytes(pem + pem)
    with pytest.raises(SstpcaError, match="2 certificates"):
        load_ca_certificate(home)


def test_a_huge_file_is_not_parsed() -> None:
    with pytest.raises(SstpcaError, match="no certificate"):
        certificates_from_pem(b"x" * (1 << 21), Path("ca.crt"))
