"""Certificates as PEM, and the fingerprints people compare."""

from datetime import timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization

_SHORT: Final = timedelta(days=90)

UNREADABLE: Final = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    x509.InvalidVersion,
)
"""What reading a hostile or damaged certificate, or any field of it, may raise."""


def due_before(life: timedelta, within: timedelta) -> timedelta:
    """Return how long before its end a certificate is due.

    :param life: how long it is valid; of less than 90 days, no more than a third counts.
    :param within: of any other.
    """
    return min(within, life / 3) if life < _SHORT else within


def certificate_to_pem(certificate: x509.Certificate) -> bytes:
    """Return ``certificate`` as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def sha256_fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of the certificate as ``AB:CD:...``."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def sha1_fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-1 of the certificate, which Windows calls its thumbprint, as ``ABCD...``."""
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 Windows' name for it


def issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether ``issuer`` has the name in ``certificate``, and signed it."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True
