"""What is in a certificate: each fact is found in one place, and by everybody there."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from sstpca.x509.certificates import (
    Certificate,
    common_name,
    digest,
    issued,
    sha1_fingerprint,
    sha256_fingerprint,
    thumbprint,
)
from tests.support import forge
from tests.support.forge import DAY, NOW, Issuer, authority, make, server_extensions, signed_again

URL = x509.UniformResourceIdentifier
CA_ISSUERS, OCSP = AuthorityInformationAccessOID.CA_ISSUERS, AuthorityInformationAccessOID.OCSP


@pytest.fixture(scope="module")
def root() -> Issuer:
    return authority("root", rsa.generate_private_key(65537, 2048))


def leaf(root: Issuer, *more: Any, subject: str | x509.Name = "vpn", **options: Any) -> Certificate:
    extensions = [*server_extensions(), *more]
    return Certificate.of(make(subject, root.key.public_key(), root, extensions, **options))


def test_fingerprints_are_one_digest_written_in_two_ways(root: Issuer) -> None:
    one = root.certificate
    assert sha256_fingerprint(one).replace(":", "").lower() == digest(one)
    assert sha1_fingerprint(one) == thumbprint(one).upper()
    assert (len(digest(one)), len(thumbprint(one))) == (64, 40)
    assert Certificate.of(one).sha256 == digest(one)


def test_names(root: Issuer) -> None:
    both = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in ("a", "b")])
    assert leaf(root, subject=both).common_names == ("a", "b")
    assert leaf(root, subject=both).common_name == "a"
    assert leaf(root, subject=x509.Name([])).common_name == ""
    assert common_name(root.certificate) == "root"
    assert leaf(root).names == (x509.DNSName(forge.HOST),)
    assert Certificate.of(root.certificate).names == ()


def test_who_is_an_authority(root: Issuer) -> None:
    one = Certificate.of(root.certificate)
    assert (one.authority, one.self_issued) == (True, True)
    assert (leaf(root).authority, leaf(root).self_issued) == (False, False)


def test_time(root: Issuer) -> None:
    one = leaf(root, begin=NOW - DAY, end=NOW + 99 * DAY - timedelta(seconds=1))
    assert one.life == 100 * DAY
    assert one.days_left(NOW) == 98
    assert one.days_left(NOW + 100 * DAY) < 0
    assert one.is_valid(NOW)
    assert not one.is_valid(NOW - 2 * DAY)
    assert not one.is_valid(NOW + 99 * DAY)
    assert not one.is_due(NOW, 30 * DAY)
    assert one.is_due(NOW + 70 * DAY, 30 * DAY)
    short = leaf(root, begin=NOW, end=NOW + 9 * DAY)
    assert not short.is_due(NOW + 5 * DAY, 30 * DAY)
    assert short.is_due(NOW + 7 * DAY, 30 * DAY)


def test_where_revocation_is_asked_for(root: Issuer) -> None:
    relative = x509.RelativeDistinguishedName(forge.common_name("y"))
    points = x509.CRLDistributionPoints(
        [
            x509.DistributionPoint([x509.DirectoryName(forge.common_name("x"))], None, None, None),
            x509.DistributionPoint(None, relative, None, None),
            x509.DistributionPoint([URL("http://a/"), URL("http://b/")], None, None, None),
        ]
    )
    access = x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(CA_ISSUERS, URL("http://not-this/")),
            x509.AccessDescription(OCSP, URL("http://ocsp/")),
            x509.AccessDescription(OCSP, x509.DNSName("ocsp")),
        ]
    )
    one = leaf(root, access, points)
    assert one.list_addresses == ("", "", "http://a/", "http://b/")
    assert one.responders == ("http://ocsp/", "")
    assert one.revocation_addresses == (*one.list_addresses, *one.responders)
    assert one.list_url == "http://a/"
    assert leaf(root).revocation_addresses == ()
    assert leaf(root).list_url == ""


def test_who_signed(root: Issuer, fast_key: ec.EllipticCurvePrivateKey) -> None:
    one = leaf(root)
    assert one.signed_by(Certificate.of(root.certificate)) is True
    namesake = authority("root", fast_key).certificate
    assert one.signed_by(Certificate.of(namesake)) is False
    assert one.signed_by(one) is False
    assert issued(one.raw, root.certificate)
    assert not issued(one.raw, namesake)


@pytest.mark.parametrize("name", ["sha1", "md5"])
def test_a_weak_signature_is_one(root: Issuer, name: str) -> None:
    """The library does not look at these any more; that they are weak is for lint to say."""
    assert isinstance(root.key, rsa.RSAPrivateKey)
    weak = Certificate.read(signed_again(leaf(root).raw, root.key, name))
    assert weak.hash_name == name
    assert weak.signed_by(Certificate.of(root.certificate)) is True
    other = authority("root", rsa.generate_private_key(65537, 2048)).certificate
    assert weak.signed_by(Certificate.of(other)) is False


def test_a_key_that_is_not_known_here(root: Issuer) -> None:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    one = Certificate.of(make("x", key, root, server_extensions()))
    assert one.key == key
    assert one.signed_by(Certificate.of(root.certificate)) is True


def test_equal_to_the_last_byte(root: Issuer) -> None:
    one = leaf(root)
    same = Certificate.of(x509.load_der_x509_certificate(one.raw.public_bytes(Encoding.DER)))
    assert one == same
    assert hash(one) == hash(same)
    assert one != leaf(root)
    assert one != one.raw
