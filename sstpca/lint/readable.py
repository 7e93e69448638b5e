"""Certificates read to the last field, so that no check afterwards meets one it cannot read."""

import warnings
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from ..names import quoted
from ..x509.certificates import UNREADABLE
from ..x509.extensions import Unreadable, read_extensions
from ..x509.loading import explain
from .findings import Finding, Windows, error

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)

#: digests that signatures should no longer have
WEAK: Final = frozenset({"sha1", "md5"})


@dataclass(frozen=True, slots=True)
class Readable:
    """A certificate of which every field has been read once.

    :param what: how findings name it.
    :param key: the public key; None if it is of a kind or size that cannot be read.
    :param serial: as it stands there, also a negative one.
    :param unreadable: extensions that cannot be read, and are not needed.
    :param hash_name: of the signature: ``sha256``; None where the algorithm has none or is unknown.
    """

    certificate: x509.Certificate
    what: str
    subject: x509.Name
    issuer: x509.Name
    begin: datetime
    end: datetime
    serial: int
    extensions: x509.Extensions
    unreadable: tuple[Unreadable, ...]
    key: object
    hash_name: str | None

    def extension(self, kind: type[_Kind]) -> _Kind | None:
        """Return the extension of this kind; None if there is none."""
        try:
            return self.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None

    @property
    def self_issued(self) -> bool:
        """Whether issuer and subject are one."""
        return self.subject == self.issuer

    @property
    def authority(self) -> bool:
        """Whether it says that it can issue others."""
        basic = self.extension(x509.BasicConstraints)
        return basic is not None and basic.ca

    @property
    def fingerprint(self) -> bytes:
        """The SHA-256 of the certificate."""
        return self.certificate.fingerprint(hashes.SHA256())


def read(der: bytes, what: str = "") -> Readable | Finding:
    """Return the certificate in ``der``, or the finding that it cannot be read.

    :param what: how findings name it; by default by its subject.
    """
    try:
        with warnings.catch_warnings():
            # what cryptography will refuse some day is for the checks to say
            warnings.simplefilter("ignore")
            return _read(x509.load_der_x509_certificate(der), what)
    except UNREADABLE:
        found = f"cannot be read: {explain(der)}"
    return _unreadable(f"{what or 'a certificate'} {found}")


def _unreadable(found: str) -> Finding:
    return error(
        "unreadable",
        found,
        "get it again from whoever issued it; copy the whole file",
        Windows.UNREADABLE,
    )


def _read(certificate: x509.Certificate, what: str) -> Readable | Finding:
    subject, found = certificate.subject, read_extensions(certificate)
    for one in found.unreadable:
        if one.needed:
            return _unreadable(f"{what or named(subject)}: the extension {one.name} {one.why}")
    _ = certificate.version, certificate.signature_algorithm_oid
    return Readable(
        certificate=certificate,
        what=what or named(subject),
        subject=subject,
        issuer=certificate.issuer,
        begin=certificate.not_valid_before_utc,
        end=certificate.not_valid_after_utc,
        serial=certificate.serial_number,
        extensions=found.readable,
        unreadable=found.unreadable,
        key=_key(certificate),
        hash_name=_hash_name(certificate),
    )


def named(subject: x509.Name) -> str:
    """Return how findings name a certificate by its subject, safe for a terminal."""
    return f"the certificate {quoted(subject.rfc4514_string())}"


def _key(certificate: x509.Certificate) -> object:
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def _hash_name(certificate: x509.Certificate) -> str | None:
    try:
        algorithm = certificate.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return None
    return None if algorithm is None else algorithm.name


def signed_by(child: Readable, parent: Readable) -> bool:
    """Return whether ``parent``'s key signed ``child``; also where that cannot be verified here."""
    if child.issuer != parent.subject:
        return False
    try:
        if child.hash_name in WEAK:
            _verify_weak(child.certificate, parent.key)
        else:
            child.certificate.verify_directly_issued_by(parent.certificate)
    except (InvalidSignature, ValueError, TypeError):
        return False
    except UnsupportedAlgorithm:
        # what is signed in such a way is a finding of its own
        return True
    return True


def _verify_weak(child: x509.Certificate, key: object) -> None:
    """Verify a signature that cryptography's own function does not look at any more."""
    algorithm = child.signature_hash_algorithm
    if algorithm is None:
        raise InvalidSignature
    signature, content = child.signature, child.tbs_certificate_bytes
    match key:
        case rsa.RSAPublicKey():
            key.verify(signature, content, padding.PKCS1v15(), algorithm)
        case ec.EllipticCurvePublicKey():
            key.verify(signature, content, ec.ECDSA(algorithm))
        case _:
            raise InvalidSignature
