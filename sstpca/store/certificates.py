"""The inventory: every certificate that this home has issued or taken in, and what became of it.

Digests and serials are lower-case hexadecimal without colons. Nothing is ever removed.
"""

import enum
import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa
from cryptography import x509

from ..errors import NotFound, Refused, SstpcaError, command
from ..home import SERVER
from ..names import quoted, user_key
from ..x509.certificates import certificate_to_der, digest, due_before, thumbprint
from ..x509.describe import san_texts
from .database import Store, Transaction
from .schema import certificates

AUTHORITY: Final = "authority"
#: the authority that will follow; no user and no pair can be called so
NEXT: Final = "authority/next"
#: the profile of certificates for users; the profiles "authority" and "server" are named as pairs
USER: Final = "user"
#: as short as a fingerprint may be abbreviated
PREFIX_MIN: Final = 8

# digests asked about in one query
_AT_ONCE: Final = 500


@enum.unique
class CertificateState(enum.Enum):
    """What a certificate is at a certain time; the first that applies."""

    REVOKED = "revoked"
    REPLACED = "replaced"
    EXPIRED = "expired"
    NOT_YET = "not yet valid"
    VALID = "valid"


@dataclass(frozen=True, slots=True)
class Entry:
    """One certificate of the inventory. Times are seconds since 1970.

    :param name: what its pair is called: "authority", "authority/next", "server", or the name given.
    :param profile: "authority", "server" or "user".
    :param names: the subject alternative names: "DNS x", "IP y", "UPN z".
    :param issuer_sha256: of the authority of this home that issued it; empty if another did.
    :param requested_by: the local login of who asked.
    :param reason: RFC 5280 5.3.1, if it is revoked.
    :param replaced: when a newer one of the same name took its place.
    """

    id: int
    name: str
    profile: str
    serial: str
    subject: str
    names: tuple[str, ...]
    not_before: float
    not_after: float
    sha256: str
    sha1: str
    issuer_sha256: str
    der: bytes = field(repr=False)
    requested_by: str
    issued: float
    revoked: float | None
    reason: str | None
    replaced: float | None

    def state(self, now: float) -> CertificateState:
        """Return what the certificate is at ``now``."""
        if self.revoked is not None:
            return CertificateState.REVOKED
        if self.replaced is not None:
            return CertificateState.REPLACED
        if now > self.not_after:
            return CertificateState.EXPIRED
        return CertificateState.NOT_YET if now < self.not_before else CertificateState.VALID

    def due_before(self, within: timedelta) -> timedelta:
        """Return how long before its end the certificate is due: ``within``, or a third of it."""
        return due_before(timedelta(seconds=self.not_after - self.not_before), within)

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate itself."""
        return x509.load_der_x509_certificate(self.der)


def record(
    transaction: Transaction,
    pairs: Iterable[tuple[str, str, x509.Certificate]],
    *,
    issuer: x509.Certificate | None,
    requested_by: str,
    now: datetime,
) -> None:
    """Add certificates, each with its name and profile; those of the same names are replaced.

    :param transaction: of Store.writing; the caller's transaction decides.
    :param issuer: the authority of this home, if it issued them.
    :param requested_by: the local login of who asked; see :func:`login`.
    :param now: an aware time.
    """
    common = {
        "issuer_sha256": "" if issuer is None else digest(issuer),
        "requested_by": requested_by,
        "issued": now.timestamp(),
    }
    rows = [
        _row(name, certificate) | common | {"profile": profile}
        for name, profile, certificate in pairs
    ]
    transaction.execute(
        certificates.update()
        .where(certificates.c.key == sa.bindparam("of"), certificates.c.replaced.is_(None))
        .values(replaced=now.timestamp()),
        [{"of": row["key"]} for row in rows],
    )
    transaction.execute(certificates.insert(), rows)


def _row(name: str, certificate: x509.Certificate) -> dict[str, Any]:
    return {
        "name": name,
        "key": user_key(name),
        "serial": f"{certificate.serial_number:x}",
        "subject": certificate.subject.rfc4514_string(),
        "names": list(san_texts(certificate)),
        "not_before": certificate.not_valid_before_utc.timestamp(),
        "not_after": certificate.not_valid_after_utc.timestamp(),
        "sha256": digest(certificate),
        "sha1": thumbprint(certificate),
        "der": certificate_to_der(certificate),
    }


def record_first(store: Store, authority: x509.Certificate, server: x509.Certificate) -> None:
    """Record the two certificates of a new home."""
    with store.writing() as transaction:
        both = [(AUTHORITY, AUTHORITY, authority), (SERVER, SERVER, server)]
        record(transaction, both, issuer=authority, requested_by=login(), now=datetime.now(UTC))


def list_all(store: Store) -> list[Entry]:
    """Return every certificate, by name and then the newest first."""
    return _entries(store, sa.true())


def list_current(store: Store) -> list[Entry]:
    """Return those that none has replaced, by name."""
    return _entries(store, certificates.c.replaced.is_(None))


def list_authorities(store: Store) -> list[Entry]:
    """Return every authority that this home has had or will have."""
    return _entries(store, certificates.c.profile == AUTHORITY)


def list_revoked(store: Store) -> list[Entry]:
    """Return all that are revoked, by name."""
    return _entries(store, certificates.c.revoked.is_not(None))


def current(store: Store, name: str) -> Entry:
    """Return the certificate of ``name`` that none has replaced, whatever its state.

    :raises SstpcaError: if there is none.
    """
    found = maybe_current(store, name)
    if found is None:
        raise NotFound(
            f"there is no certificate called {quoted(name)}", "see '", command("cert list"), "'"
        )
    return found


def maybe_current(store: Store, name: str) -> Entry | None:
    """Return what :func:`current` does, or None."""
    of_name = certificates.c.key == user_key(name)
    return next(iter(_entries(store, of_name, certificates.c.replaced.is_(None))), None)


def find(store: Store, text: str) -> Entry:
    """Return the certificate that ``text`` means: a name, a serial, or the first digits of one or of a fingerprint.

    :raises SstpcaError: if there is none, or more than one.
    """
    found = maybe_current(store, text)
    if found is not None:
        return found
    number = text.replace(":", "").replace(" ", "").lower()
    matches = _entries(store, certificates.c.serial == number) if number else []
    if not matches and len(number) >= PREFIX_MIN and set(number) <= set("0123456789abcdef"):
        matches = _entries(
            store,
            certificates.c.sha256.startswith(number)
            | certificates.c.sha1.startswith(number)
            | certificates.c.serial.startswith(number),
        )
    if not matches:
        raise NotFound(
            f"there is no certificate with the name, serial or fingerprint {quoted(text)}",
            "see '",
            command("cert list --all"),
            "'",
        )
    if len(matches) > 1:
        raise SstpcaError(
            f"{len(matches)} serials and fingerprints begin with {quoted(text)}", "give more of it"
        )
    return matches[0]


def with_serial(store: Store, serial: str) -> Entry | None:
    """Return the certificate with this serial, if it is recorded."""
    return next(iter(_entries(store, certificates.c.serial == serial)), None)


def with_digest(store: Store, sha256: str) -> Entry | None:
    """Return the certificate with this SHA-256, if it is recorded."""
    return next(iter(_entries(store, certificates.c.sha256 == sha256)), None)


def is_current(store: Store, certificate: x509.Certificate, name: str | None = None) -> bool:
    """Return whether ``certificate`` is recorded, and no other has taken its place.

    :param name: of whom; by default of whoever it is.
    """
    found = sa.select(certificates.c.id).where(
        certificates.c.sha256 == digest(certificate), certificates.c.replaced.is_(None)
    )
    if name is not None:
        found = found.where(certificates.c.key == user_key(name))
    with store.reading() as transaction:
        return transaction.scalar(found) is not None


def holders(store: Store) -> dict[str, tuple[str, bool]]:
    """Return who has a current certificate: by the key (names.user_key) the name, and whether it
    stands in the way of the next. One that has expired or is revoked does not.
    """
    now = datetime.now(UTC).timestamp()
    usable = certificates.c.revoked.is_(None) & (certificates.c.not_after > now)
    wanted = sa.select(certificates.c.key, certificates.c.name, usable.label("usable")).where(
        certificates.c.replaced.is_(None)
    )
    with store.reading() as transaction:
        return {row.key: (row.name, bool(row.usable)) for row in transaction.execute(wanted)}


def revoke(transaction: Transaction, entry: Entry, reason: str, now: datetime) -> None:
    """Revoke ``entry`` for ``reason``, one of RFC 5280 5.3.1.

    :param transaction: of Store.writing; the caller holds ``home.changing_certificates()``.
    :raises SstpcaError: if it is revoked already.
    """
    changed = transaction.execute(
        certificates.update()
        .where(certificates.c.id == entry.id, certificates.c.revoked.is_(None))
        .values(revoked=now.timestamp(), reason=reason)
    )
    if not changed.rowcount:
        raise _revoked_already(entry)


def revoke_all_of(transaction: Transaction, name: str, reason: str, now: datetime) -> None:
    """Revoke every certificate of the user ``name`` for ``reason``, those replaced as well.

    :param transaction: of Store.writing.
    """
    transaction.execute(
        certificates.update()
        .where(
            certificates.c.key == user_key(name),
            certificates.c.profile == USER,
            certificates.c.revoked.is_(None),
        )
        .values(revoked=now.timestamp(), reason=reason)
    )


def check_not_revoked(entry: Entry) -> None:
    """Make sure that ``entry`` can still be revoked.

    :raises SstpcaError: if it is revoked.
    """
    if entry.revoked is not None:
        raise _revoked_already(entry)


def _revoked_already(entry: Entry) -> Refused:
    return Refused(f"the certificate {entry.serial} of '{entry.name}' is revoked already")


def put_back(transaction: Transaction, certificate: x509.Certificate, name: str) -> bool:
    """Make a recorded certificate the current one of ``name`` again; return whether it is recorded.

    :param transaction: of Store.writing.
    """
    known = certificates.c.sha256 == digest(certificate)
    if transaction.scalar(sa.select(certificates.c.id).where(known)) is None:
        return False
    _replace(transaction, name, datetime.now(UTC))
    _rename(transaction, known, name)
    return True


def _replace(transaction: Transaction, name: str, now: datetime) -> None:
    of_name = (certificates.c.key == user_key(name), certificates.c.replaced.is_(None))
    transaction.execute(certificates.update().where(*of_name).values(replaced=now.timestamp()))


def _rename(transaction: Transaction, which: sa.ColumnElement[bool], name: str) -> None:
    """Make ``which`` the current one of ``name``."""
    values = {"name": name, "key": user_key(name), "replaced": None}
    transaction.execute(certificates.update().where(which).values(values))


def succeed(transaction: Transaction, now: datetime) -> None:
    """Let the next authority take the place of the one before.

    :param transaction: of Store.writing.
    """
    _replace(transaction, AUTHORITY, now)
    following = (certificates.c.key == NEXT) & certificates.c.replaced.is_(None)
    _rename(transaction, following, AUTHORITY)


def drop_next(transaction: Transaction, now: datetime) -> None:
    """Let there be no next authority.

    :param transaction: of Store.writing.
    """
    _replace(transaction, NEXT, now)


def revoked_among(store: Store, digests: Iterable[str]) -> set[str]:
    """Return those of the SHA-256 ``digests`` whose certificates are revoked."""
    found: set[str] = set()
    wanted = iter(digests)
    with store.reading() as transaction:
        while some := list(islice(wanted, _AT_ONCE)):
            known = certificates.c.sha256.in_(some) & certificates.c.revoked.is_not(None)
            found.update(transaction.scalars(sa.select(certificates.c.sha256).where(known)))
    return found


def login() -> str:
    """Return who is asking: the login of this process, or of who called sudo."""
    asked = os.environ.get("SUDO_USER", "") if os.getuid() == 0 else ""
    if asked:
        return asked
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _entries(store: Store, *wanted: sa.ColumnElement[bool]) -> list[Entry]:
    columns = [certificates.c[name] for name in Entry.__slots__]
    order = (certificates.c.key, certificates.c.id.desc())
    with store.reading() as transaction:
        rows = transaction.execute(sa.select(*columns).where(*wanted).order_by(*order))
        return [Entry(**{**row._mapping, "names": tuple(row.names)}) for row in rows]
