"""Certificates as PEM, and the fingerprints people compare."""

from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization

from ..errors import SstpcaError

# far more than any chain
_PEM_MAX: Final = 1 << 20

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


def certificate_to_pem(certificate: x509.Certificate) -> bytes:
    """Return ``certificate`` as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def certificates_from_pem(pem: bytes, path: Path) -> tuple[x509.Certificate, ...]:
    """Return the certificates in ``pem``, which was read from ``path``, in their order.

    :raises SstpcaError: if there is none, or one cannot be read.
    """
    try:
        if len(pem) > _PEM_MAX:
            raise ValueError("too long")
        found = tuple(x509.load_pem_x509_certificates(pem))
        for certificate in found:
            # parsed only when asked for: better here, with the file's name, than later without
            _ = certificate.extensions
    except UNREADABLE:
        raise SstpcaError(
            f"{path} has no certificate that can be read", "restore it from a backup of the home"
        ) from None
    return found


def sha256_fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of the certificate as ``AB:CD:...``."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def sha1_fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-1 of the certificate, which Windows calls its thumbprint, as ``ABCD...``."""
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 Windows' name for it
