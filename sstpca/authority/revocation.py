"""Revocation lists, for those who want one; the Windows SSTP client needs none."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from ..disk.folders import remove
from ..disk.reading import MissingFile, read_file
from ..disk.writing import PUBLIC, write_file
from ..errors import Refused, option
from ..home import SERVER_ECDSA, Home
from ..store import Store, certificates
from ..store.certificates import Entry
from ..x509.certificates import digest
from ..x509.extensions import UNREADABLE
from . import pairs
from .authority import Authority, check_alive

COMPROMISED: Final = "keyCompromise"
#: RFC 5280 5.3.1, those that can be said of a leaf for good
REASONS: Final = (
    "unspecified",
    COMPROMISED,
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "privilegeWithdrawn",
)
DAYS: Final = 30

#: one file for Windows and browsers, one for OpenSSL
DER_NAME: Final = "ca.crl"
PEM_NAME: Final = "ca.crl.pem"
_SKEW: Final = timedelta(days=1)
# a million of revoked certificates
_LIST_MAX: Final = 64 << 20


def revoke(home: Home, store: Store, entry: Entry, reason: str, now: datetime) -> tuple[Entry, ...]:
    """Revoke ``entry`` for good, and what was issued for its key while somebody decided to.

    A renewal that has begun is waited for: its certificate has the same key. Of a key that others
    may have, every certificate is revoked. What is shown beside the server's certificate is taken away.

    :param entry: as it was when it was chosen.
    :param reason: one of REASONS.
    :returns: what was revoked, ``entry`` first.
    :raises SstpcaError: if it is revoked already, or something cannot be read or written.
    """
    with pairs.changing(home, store):
        chosen = [entry, *_of_its_key(store, entry, reason)]
        with store.writing(durable=True) as connection:
            for one in chosen:
                certificates.revoke(connection, one, reason, now)
        if entry.name == SERVER_ECDSA and entry.replaced is None:
            remove(home.server_ecdsa_identity)  # the server does without it
    return tuple(chosen)


def _of_its_key(store: Store, entry: Entry, reason: str) -> Iterator[Entry]:
    """Yield the other certificates that are to be revoked with ``entry``."""
    key = entry.certificate.public_key()
    for one in certificates.list_all(store):
        later = entry.replaced is None and one.id > entry.id and one.name == entry.name
        if (
            (later or reason == COMPROMISED)
            and one.revoked is None
            and one.id != entry.id
            and one.profile != certificates.AUTHORITY
            and one.certificate.public_key() == key
        ):
            yield one


def make_list(
    authority: Authority, revoked: Iterable[Entry], now: datetime, *, number: int, days: int = DAYS
) -> x509.CertificateRevocationList:
    """Return the list of ``revoked``, signed.

    :param number: greater than that of every list before (RFC 5280 5.2.3).
    :param days: until the next one; never longer than the authority.
    """
    now = now.replace(microsecond=0)
    last = authority.certificate.not_valid_after_utc
    identifier = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(max(now - _SKEW, authority.certificate.not_valid_before_utc))
        .next_update(min(now + timedelta(days=days), last))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier.value),
            critical=False,
        )
    )
    for entry in revoked:
        builder = builder.add_revoked_certificate(_revoked(entry))
    return builder.sign(authority.key, hashes.SHA256())


def _revoked(entry: Entry) -> x509.RevokedCertificate:
    builder = (
        x509.RevokedCertificateBuilder()
        .serial_number(int(entry.serial, 16))
        .revocation_date(datetime.fromtimestamp(int(entry.revoked or 0), UTC))
    )
    # RFC 5280 5.3.1: "unspecified" is said by saying nothing
    if entry.reason and entry.reason != REASONS[0]:
        reason = x509.CRLReason(x509.ReasonFlags(entry.reason))
        builder = builder.add_extension(reason, critical=False)
    return builder.build()


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A list that was written.

    :param paths: the files, DER and PEM.
    :param count: how many certificates are in it.
    :param former: how many are not, since a former authority issued them.
    """

    paths: tuple[Path, Path]
    count: int
    former: int
    next_update: datetime


def write_list(
    home: Home,
    store: Store,
    authority: Authority,
    now: datetime,
    *,
    days: int = DAYS,
    folder: Path | None = None,
) -> RevocationList:
    """Write the list of all that is revoked as DER and as PEM.

    :param folder: by default the home.
    :raises SstpcaError: if the authority has ended, or a file cannot be written.
    """
    check_alive(authority.certificate, now)
    der, pem = ((folder or home.root) / name for name in (DER_NAME, PEM_NAME))
    issuer = digest(authority.certificate)
    with home.changing_certificates():
        authority.check_current(home)
        everything = certificates.list_revoked(store)
        revoked = [one for one in everything if one.issuer_sha256 == issuer]
        others = {one.sha256 for one in certificates.list_authorities(store)} - {issuer}
        former = sum(one.issuer_sha256 in others for one in everything)
        number = max(int(now.timestamp() * 1000), _number(der) + 1)
        made = make_list(authority, revoked, now, number=number, days=days)
        write_file(pem, made.public_bytes(serialization.Encoding.PEM), PUBLIC)
        write_file(der, made.public_bytes(serialization.Encoding.DER), PUBLIC)
    return RevocationList((der, pem), len(revoked), former, made.next_update_utc or now)


def _number(path: Path) -> int:
    """Return the number of the list in ``path``, if there is one: clocks are sometimes set back."""
    try:
        found = x509.load_der_x509_crl(read_file(path, "the revocation list", most=_LIST_MAX))
        return found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except MissingFile:
        return 0
    except (*UNREADABLE, x509.ExtensionNotFound):
        raise Refused(
            f"{path} is no revocation list of an authority; it was not overwritten",
            "name another folder with ",
            option("--output"),
        ) from None
