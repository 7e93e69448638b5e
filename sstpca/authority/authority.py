"""The authority: a certificate and its key, made or loaded, that issues server certificates."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509

from ..disk.writing import SECRET, write_file
from ..errors import Damaged, InUse, Refused, Remedy, SstpcaError, command
from ..home import Home, read_own
from ..names import Hosts
from ..x509.certificate_profiles import (
    Leaf,
    Profile,
    is_for_vpn_only,
    make_authority_certificate,
    make_leaf,
    make_server_certificate,
)
from ..x509.certificates import issued
from ..x509.keys import (
    AUTHORITY_KEY,
    KeyType,
    PrivateKey,
    PublicKey,
    key_from_pem,
    key_to_pem,
    make_authority_key,
    make_key,
)
from ..x509.loading import certificates_from_pem
from ..x509.name_constraints import check_permitted
from ..x509.stretching import is_weak
from ..x509.subjects import Subject


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
    def make(
        cls,
        hosts: Hosts,
        now: datetime,
        kind: KeyType = AUTHORITY_KEY,
        generation: int = 1,
        *,
        constrained: bool = True,
    ) -> "Authority":
        """Return a new authority that can issue for ``hosts`` and nothing else.

        :param generation: the how many-th of its home, by which people tell it from the others.
        :param constrained: False: for every host; see profiles.make_authority_certificate.
        """
        key = make_authority_key(kind)
        certificate = make_authority_certificate(
            key, hosts, now, generation, constrained=constrained
        )
        return cls(certificate, key)

    @classmethod
    def load(cls, home: Home, passphrase: bytes | None) -> "Authority":
        """Return the authority of ``home``.

        :raises SstpcaError: if a file is missing or damaged, the passphrase is wrong, or the key
            is another certificate's.
        """
        return cls._load(home, home.ca_certificate, home.ca_key, passphrase)

    @classmethod
    def load_next(cls, home: Home, passphrase: bytes | None) -> "Authority":
        """Return the authority that will follow; see :meth:`load`."""
        return cls._load(home, home.next_ca_certificate, home.next_ca_key, passphrase)

    @classmethod
    def _load(
        cls, home: Home, place: Path, key_place: Path, passphrase: bytes | None
    ) -> "Authority":
        certificate = _load_one(place)
        pem = read_own(key_place, "the authority's key")
        key = key_from_pem(pem, key_place, passphrase)
        if key.public_key() != certificate.public_key():
            raise Damaged(
                f"the key {key_place} does not belong to the certificate {place}",
                "restore both from the same backup",
            )
        if passphrase is not None and is_weak(pem):
            _strengthen(home, key_place, pem, key_to_pem(key, passphrase))
        return cls(certificate, key)

    def check_current(self, home: Home) -> None:
        """Make sure that this is still the authority of ``home``.

        The caller holds ``home.changing_certificates()``.

        :raises SstpcaError: if a rollover was finished meanwhile.
        """
        if load_ca_certificate(home) != self.certificate:
            raise InUse("another command has put another authority in place", "try again")

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
        leaf = Leaf(profile, subject, key, days, cdp)
        return make_leaf(leaf, self.certificate, self.key, now)

    def issue_server(self, hosts: Hosts, kind: KeyType, now: datetime) -> Issued:
        """Return a new server key and its certificate for ``hosts``."""
        key = make_key(kind)
        certificate = make_server_certificate(
            key.public_key(), hosts, self.certificate, self.key, now
        )
        return Issued(certificate, key)


def _strengthen(home: Home, path: Path, old: bytes, new: bytes) -> None:
    """Put ``new`` in the place of the same key that an earlier release encrypted.

    It is no matter if that cannot be now: the next command does it.
    """
    with contextlib.suppress(SstpcaError), home.changing_certificates(wait=False) as held:
        if held and read_own(path, "the authority's key") == old:
            write_file(path, new, SECRET)


def check_alive(certificate: x509.Certificate, now: datetime) -> None:
    """Make sure that the authority's certificate is valid at ``now``.

    :raises SstpcaError: if it is not, with Windows' code for what it would have issued.
    """
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begin:
        raise Refused(
            f"the authority begins only on {begin:%Y-%m-%d}: Windows would say 0x800B0101",
            "correct this machine's clock",
        )
    if now > end:
        raise Refused(
            f"the authority ended on {end:%Y-%m-%d}: Windows would say 0x800B0101",
            "make a next one (",
            command("ca rollover begin"),
            "), or correct this machine's clock",
        )


def load_ca_certificate(home: Home) -> x509.Certificate:
    """Return the authority's certificate of ``home``; its key is not needed.

    :raises SstpcaError: if the file is missing, or is not one certificate.
    """
    return _load_one(home.ca_certificate)


def load_next_certificate(home: Home) -> x509.Certificate | None:
    """Return the certificate of the authority that will follow; None outside a rollover.

    :raises SstpcaError: if the file is damaged.
    """
    return _load_one(home.next_ca_certificate) if home.next_ca_certificate.exists() else None


def trusted(home: Home) -> tuple[x509.Certificate, ...]:
    """Return whom clients are to trust now: the authority and, during a rollover, the next one.

    First come those that issued the server's certificates, if ones of this home's did. That is
    the authority before only where somebody put a pair of its back.

    :raises SstpcaError: if a file is damaged, or the authority's is missing.
    """
    found = _load_all(home)
    leaves = list(_server_leaves(home))
    issuers = [one for one in found.all if any(issued(leaf, one) for leaf in leaves)]
    return tuple(dict.fromkeys((*issuers, *found.trusted)))


def client_roots(home: Home) -> tuple[x509.Certificate, ...]:
    """Return the authorities whose certificates the server accepts: this one, the next, the former.

    :raises SstpcaError: if a file is damaged, or the authority's is missing.
    """
    return _load_all(home).all


def issuer_of(home: Home, certificate: x509.Certificate) -> x509.Certificate | None:
    """Return which of this home's authorities signed ``certificate``; None if none did.

    :raises SstpcaError: if a file is damaged, or the authority's is missing.
    """
    return next((one for one in client_roots(home) if issued(certificate, one)), None)


def note_on_purposes(home: Home) -> Remedy:
    """Return what is to be said of an authority that an earlier release made; empty if nothing is.

    :raises SstpcaError: if the file is missing or damaged.
    """
    if is_for_vpn_only(load_ca_certificate(home)):
        return ()
    note = (
        "the authority's key can also certify publishers of programs and senders of mail, and every "
        "PC that has a bundle trusts it: "
    )
    if home.next_ca_certificate.exists():
        return (note, command("ca rollover status"))
    return (note, command("ca rollover begin"), " makes one that cannot")


def former_authorities(home: Home) -> tuple[x509.Certificate, ...]:
    """Return the authorities before this one, the last first; none before a rollover.

    :raises SstpcaError: if the file is damaged.
    """
    path = home.previous_ca_certificate
    if not path.exists():
        return ()
    return certificates_from_pem(read_own(path, "the former authority's certificate"), path)


@dataclass(frozen=True, slots=True)
class _Authorities:
    current: x509.Certificate
    following: x509.Certificate | None
    former: tuple[x509.Certificate, ...]

    @property
    def all(self) -> tuple[x509.Certificate, ...]:
        return tuple(dict.fromkeys((*self.trusted, *self.former)))

    @property
    def trusted(self) -> tuple[x509.Certificate, ...]:
        return (self.current,) if self.following is None else (self.current, self.following)


def _load_all(home: Home) -> _Authorities:
    """Read the certificates of all authorities, as they are at one moment."""
    while True:
        current = load_ca_certificate(home)
        try:
            found = _Authorities(current, load_next_certificate(home), former_authorities(home))
        except SstpcaError:
            if load_ca_certificate(home) == current:
                raise
            continue
        # the end of a rollover renames the next one to this, after all else
        if load_ca_certificate(home) == current:
            return found


def _server_leaves(home: Home) -> Iterator[x509.Certificate]:
    for path in map(home.pair, home.shown):
        with contextlib.suppress(SstpcaError):
            yield certificates_from_pem(read_own(path, "the server certificate"), path)[0]


def _load_one(path: Path) -> x509.Certificate:
    certificates = certificates_from_pem(read_own(path, "the authority's certificate"), path)
    if len(certificates) != 1:
        raise Damaged(f"{path} has {len(certificates)} certificates, not one")
    return certificates[0]
