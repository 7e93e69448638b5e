"""Authorities and certificates for logins, made without the toolkit, so that they can be wrong."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def pem(self) -> bytes:
        """Key and certificate."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return key + self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.DER)


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authority."""

    own: Issued

    @classmethod
    def make(cls, name: str = "") -> "Issuer":
        """Return a new one; by default its name is nobody else's."""
        return cls(_sign(name or f"Test CA {secrets.token_hex(4)}", None, None, days=30))

    @property
    def pem(self) -> str:
        """Its certificate."""
        return self.own.certificate.public_bytes(Encoding.PEM).decode()

    def issue(
        self,
        name: str,
        *purposes: x509.ObjectIdentifier,
        begins: int = -1,
        days: int = 30,
        padding: int = 0,
    ) -> Issued:
        """Return a certificate.

        :param purposes: its extended key usage; none: it has no such extension.
        :param begins: days from now.
        :param padding: bytes that make it larger.
        """
        return _sign(name, self, purposes, begins=begins, days=days, padding=padding)


def _sign(
    name: str,
    issuer: Issuer | None,
    purposes: tuple[x509.ObjectIdentifier, ...] | None,
    *,
    begins: int = -1,
    days: int,
    padding: int = 0,
) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime.now(UTC) + timedelta(days=begins)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.own.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(x509.BasicConstraints(issuer is None, None), critical=True)
    )
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if padding:
        oid = x509.ObjectIdentifier("1.3.6.1.4.1.99999.1")
        builder = builder.add_extension(
            x509.UnrecognizedExtension(oid, bytes(padding)), critical=False
        )
    return Issued(builder.sign(issuer.own.key if issuer else key, hashes.SHA256()), key)
