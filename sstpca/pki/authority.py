"""The authority: a certificate and its key, made or loaded, that issues server certificates."""

from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from ..errors import SstpcaError
from ..home import Home, read_file
from ..names import Hosts
from .certificates import certificates_from_pem
from .keys import KeyType, PrivateKey, PublicKey, key_from_pem, make_authority_key, make_key
from .profiles import (
    Profile,
    make_authority_certificate,
    make_leaf,
    make_server_certificate,
)
from .subjects import Subject, check_permitted


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate just issued, with its key."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority that can sign."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)

    @classmethod
    def make(cls, hosts: Hosts, now: datetime) -> "Authority":
        """Return a new authority that can issue for ``hosts`` and nothing else."""
        key = make_authority_key()
        return cls(make_authority_certificate(key, hosts, now), key)

    @classmethod
    def load(cls, home: Home, passphrase: bytes | None) -> "Authority":
        """Return the authority of ``home``.

        :raises SstpcaError: if a file is missing or damaged, the passphrase is wrong, or the key
            is another certificate's.
        """
        certificate = load_ca_certificate(home)
        pem = read_file(home.ca_key, "the authority's key")
        key = key_from_pem(pem, home.ca_key, passphrase)
        if key.public_key() != certificate.public_key():
            raise SstpcaError(
                f"the key {home.ca_key} does not belong to the certificate {home.ca_certificate}",
                "restore both from the same backup",
            )
        return cls(certificate, key)

    def sign(
        self,
        profile: Profile,
        subject: Subject,
        key: PublicKey,
        now: datetime,
        *,
        days: int | None = None,
        cdp: str = "",
    ) -> x509.Certificate:
        """Return a certificate for ``subject``; see profiles.make_leaf.

        :raises SstpcaError: if the authority has ended, or cannot issue for a name.
        """
        check_alive(self.certificate, now)
        check_permitted(subject, self.certificate)
        return make_leaf(profile, subject, key, self.certificate, self.key, now, days=days, cdp=cdp)

    def issue_server(self, hosts: Hosts, kind: KeyType, now: datetime) -> Issued:
        """Return a new server key and its certificate for ``hosts``."""
        key = make_key(kind)
        certificate = make_server_certificate(
            key.public_key(), hosts, self.certificate, self.key, now
        )
        return Issued(certificate, key)


def check_alive(certificate: x509.Certificate, now: datetime) -> None:
    """Make sure that the authority's certificate is valid at ``now``.

    :raises SstpcaError: if it is not, with Windows' code for what it would have issued.
    """
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begin:
        raise SstpcaError(
            f"the authority begins only on {begin:%Y-%m-%d}: Windows would say 0x800B0101",
            "correct this machine's clock",
        )
    if now > end:
        raise SstpcaError(
            f"the authority ended on {end:%Y-%m-%d}: Windows would say 0x800B0101",
            "make a new home; if it is not that late, correct this machine's clock",
        )


def load_ca_certificate(home: Home) -> x509.Certificate:
    """Return the authority's certificate of ``home``; its key is not needed.

    :raises SstpcaError: if the file is missing, or is not one certificate.
    """
    pem = read_file(home.ca_certificate, "the authority's certificate")
    certificates = certificates_from_pem(pem, home.ca_certificate)
    if len(certificates) != 1:
        raise SstpcaError(f"{home.ca_certificate} has {len(certificates)} certificates, not one")
    return certificates[0]
