"""Certificates: what is in one, each fact found here alone; its PEM, and the fingerprints people compare."""

import warnings
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from .extensions import UNREADABLE, Unreadable, read_extensions

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)

#: digests that signatures should no longer have
WEAK: Final = frozenset({"sha1", "md5"})

_SHORT: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """A certificate of which every field has been read once: no check meets one it cannot read.

    :param raw: as the library has it.
    :param serial: as it stands there, also a negative one.
    :param unreadable: extensions that cannot be read, or in part.
    :param key: the public key; None if it is of a kind or size that cannot be read.
    :param hash_name: of the signature: ``sha256``; None where the algorithm has none or is unknown.
    """

    raw: x509.Certificate
    subject: x509.Name
    issuer: x509.Name
    begin: datetime
    end: datetime
    serial: int
    extensions: x509.Extensions
    unreadable: tuple[Unreadable, ...]
    key: object
    hash_name: str | None

    @classmethod
    def of(cls, raw: x509.Certificate) -> "Certificate":
        """Return what is in ``raw``.

        :raises UNREADABLE: if what nobody can do without cannot be read.
        """
        with warnings.catch_warnings():
            # what the library will refuse some day is for the checks to say
            warnings.simplefilter("ignore")
            extensions = read_extensions(raw)
            _ = raw.version, raw.signature_algorithm_oid
            return cls(
                raw=raw,
                subject=raw.subject,
                issuer=raw.issuer,
                begin=raw.not_valid_before_utc,
                end=raw.not_valid_after_utc,
                serial=raw.serial_number,
                extensions=extensions.readable,
                unreadable=extensions.unreadable,
                key=_key(raw),
                hash_name=_hash_name(raw),
            )

    @classmethod
    def read(cls, der: bytes) -> "Certificate":
        """Return the certificate in ``der``; see :meth:`of`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            raw = x509.load_der_x509_certificate(der)
        return cls.of(raw)

    def __eq__(self, other: object) -> bool:
        """Return whether it is the same certificate, to the last byte."""
        return isinstance(other, Certificate) and self.raw == other.raw

    def __hash__(self) -> int:
        """Return what goes with it."""
        return hash(self.raw)

    @property
    def lacking(self) -> Unreadable | None:
        """The first extension that cannot be read, and that it cannot be judged without."""
        return next((one for one in self.unreadable if one.needed), None)

    def extension(self, kind: type[_Kind]) -> _Kind | None:
        """Return the extension of this kind; None if there is none."""
        try:
            return self.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None

    @property
    def names(self) -> tuple[x509.GeneralName, ...]:
        """The subject alternative names."""
        return tuple(self.extension(x509.SubjectAlternativeName) or ())

    @property
    def common_names(self) -> tuple[str, ...]:
        """The common names in its subject; one, mostly."""
        found = self.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(one.value for one in found if isinstance(one.value, str))

    @property
    def common_name(self) -> str:
        """The first of them; empty if there is none."""
        return next(iter(self.common_names), "")

    @property
    def sha256(self) -> str:
        """See :func:`digest`."""
        return digest(self.raw)

    @property
    def self_issued(self) -> bool:
        """Whether issuer and subject are one: a root, by its own word."""
        return self.subject == self.issuer

    @property
    def authority(self) -> bool:
        """Whether it says that it can issue others."""
        basic = self.extension(x509.BasicConstraints)
        return basic is not None and basic.ca

    @property
    def life(self) -> timedelta:
        """How long it is valid; both ends count (RFC 5280 4.1.2.5)."""
        return self.end - self.begin + timedelta(seconds=1)

    def is_valid(self, now: datetime) -> bool:
        """Return whether it is valid at ``now``, an aware time."""
        return self.begin <= now <= self.end

    def is_due(self, now: datetime, within: timedelta) -> bool:
        """Return whether it ends in less than ``within``, or the last third of a short life."""
        return self.end - now < due_before(self.end - self.begin, within)

    def days_left(self, now: datetime) -> int:
        """Return how many whole days are left at ``now``; negative once it has ended."""
        return (self.end - now).days

    @property
    def list_addresses(self) -> tuple[str, ...]:
        """Where its revocation lists are; an empty text for each place that is no URL."""
        points = self.extension(x509.CRLDistributionPoints) or ()
        return tuple(_url(name) for point in points for name in point.full_name or [None])

    @property
    def list_url(self) -> str:
        """Where the first of its revocation lists is that has a URL; empty if none has."""
        return next(filter(None, self.list_addresses), "")

    @property
    def responders(self) -> tuple[str, ...]:
        """Where one asks by OCSP; an empty text for each place that is no URL."""
        return tuple(
            _url(one.access_location)
            for one in self.extension(x509.AuthorityInformationAccess) or ()
            if one.access_method == AuthorityInformationAccessOID.OCSP
        )

    @property
    def revocation_addresses(self) -> tuple[str, ...]:
        """Where one can learn whether it is revoked: lists, then OCSP; see both."""
        return (*self.list_addresses, *self.responders)

    def signed_by(self, issuer: "Certificate") -> bool | None:
        """Return whether ``issuer`` has the name that it has for it, and signed it.

        None where the name fits and the signature is of a kind that cannot be verified here.
        """
        if self.issuer != issuer.subject:
            return False
        try:
            if self.hash_name in WEAK:
                self._verify_weak(issuer.key)
            else:
                self.raw.verify_directly_issued_by(issuer.raw)
        except UnsupportedAlgorithm:
            return None
        except (InvalidSignature, ValueError, TypeError):
            return False
        return True

    def _verify_weak(self, key: object) -> None:
        """Verify a signature that the library's own function does not look at any more."""
        algorithm = self.raw.signature_hash_algorithm
        if algorithm is None:
            raise InvalidSignature
        signature, content = self.raw.signature, self.raw.tbs_certificate_bytes
        match key:
            case rsa.RSAPublicKey():
                key.verify(signature, content, padding.PKCS1v15(), algorithm)
            case ec.EllipticCurvePublicKey():
                key.verify(signature, content, ec.ECDSA(algorithm))
            case _:
                raise InvalidSignature


def _key(raw: x509.Certificate) -> object:
    try:
        return raw.public_key()
    except UNREADABLE:
        return None


def _hash_name(raw: x509.Certificate) -> str | None:
    try:
        algorithm = raw.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return None
    return None if algorithm is None else algorithm.name


def _url(place: x509.GeneralName | None) -> str:
    return place.value if isinstance(place, x509.UniformResourceIdentifier) else ""


def issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether ``issuer`` has the name in ``certificate``, and signed it for sure."""
    return Certificate.of(certificate).signed_by(Certificate.of(issuer)) is True


def common_name(certificate: x509.Certificate) -> str:
    """Return the common name in its subject; empty if it has none."""
    return Certificate.of(certificate).common_name


def due_before(life: timedelta, within: timedelta) -> timedelta:
    """Return how long before its end a certificate is due.

    :param life: how long it is valid; of less than 90 days, no more than a third counts.
    :param within: of any other.
    """
    return min(within, life / 3) if life < _SHORT else within


def certificate_to_der(certificate: x509.Certificate) -> bytes:
    """Return ``certificate`` as DER, what Windows calls a .cer file."""
    return certificate.public_bytes(serialization.Encoding.DER)


def certificate_to_pem(certificate: x509.Certificate) -> bytes:
    """Return ``certificate`` as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def digest(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of the certificate as ``ab01...``: what the inventory knows it by."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def thumbprint(certificate: x509.Certificate) -> str:
    """Return the SHA-1 of the certificate as ``ab01...``; Windows' name for it."""
    return certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303 Windows' choice


def sha256_fingerprint(certificate: x509.Certificate) -> str:
    """Return :func:`digest` as people compare it: ``AB:01:...``."""
    return bytes.fromhex(digest(certificate)).hex(":").upper()


def sha1_fingerprint(certificate: x509.Certificate) -> str:
    """Return :func:`thumbprint` as Windows writes it: ``AB01...``."""
    return thumbprint(certificate).upper()
