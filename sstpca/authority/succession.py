"""The authorities' files follow the inventory: what a rollover has begun is finished or undone.

Each step of a rollover writes what is new under pending names, then records it in one transaction,
and then calls :func:`settle`; so does the next command when a run was killed on the way. The
inventory says how far it was: who is the authority, and who will be the next.
"""

from pathlib import Path
from typing import Final

from cryptography import x509

from ..disk.pending import listed, pending, remove, sync, take_place
from ..disk.reading import read_file
from ..errors import SstpcaError
from ..home import PUBLIC, Home, write_file
from ..store import Store, certificates
from ..x509.certificates import certificate_to_pem
from ..x509.loading import certificates_from_pem
from .authority import former_authorities, load_ca_certificate, load_next_certificate

# beginnings of the names that pending and temporary files of ours have, without their dots
_OURS: Final = ("ca-next.", "ca-previous.")


def settle(home: Home, store: Store) -> None:
    """Finish or undo what a rollover has begun, as the inventory has it.

    The caller holds ``home.changing_certificates()``.

    :raises SstpcaError: if a file cannot be renamed, written or removed, or the database not be
        read.
    """
    _settle_staged(home, store)
    following = load_next_certificate(home)
    if following is None:
        _drop_key(home, store)
    elif certificates.is_current(store, following, certificates.AUTHORITY):
        _succeed(home, following)
    elif _is_dropped(store, following):
        remove(home.next_ca_certificate)
        remove(home.next_ca_key)
        sync(home.root)


def _settle_staged(home: Home, store: Store) -> None:
    """Let the files of a next authority that is recorded take their places; remove others."""
    certificate, key = pending(home.next_ca_certificate), pending(home.next_ca_key)
    if _is_recorded(store, certificate):
        if key.exists():
            take_place(key)
        take_place(certificate)
        sync(home.root)
    for path in listed(home.root):
        if path.name.startswith(".") and path.name.lstrip(".").startswith(_OURS):
            remove(path)


def _is_recorded(store: Store, path: Path) -> bool:
    if not path.exists():
        return False
    try:
        one = certificates_from_pem(read_file(path, "the next authority"), path)[0]
    except SstpcaError:
        return False
    return certificates.is_current(store, one, certificates.NEXT)


def _is_dropped(store: Store, following: x509.Certificate) -> bool:
    """Whether there was such a next authority, and is none any more.

    One that the inventory has never seen was put there by hand, and is nobody's to remove.
    """
    known = {one.sha256: one for one in certificates.list_authorities(store)}
    entry = known.get(certificates.digest(following))
    return entry is not None and entry.name == certificates.NEXT and entry.replaced is not None


def _drop_key(home: Home, store: Store) -> None:
    """Remove what is left of a next authority without its certificate."""
    if home.next_ca_key.exists() and certificates.maybe_current(store, certificates.NEXT) is None:
        remove(home.next_ca_key)
        sync(home.root)


def _succeed(home: Home, following: x509.Certificate) -> None:
    """Put ``following`` in the place of the authority before.

    Its key goes with that: nobody is to sign with it what old bundles make clients believe. The
    certificate is the last, so that its pending name says how far this was.
    """
    before = load_ca_certificate(home)
    former = dict.fromkeys((before, *former_authorities(home)))
    content = b"".join(certificate_to_pem(one) for one in former if one != following)
    write_file(home.previous_ca_certificate, content, PUBLIC)
    sync(home.root)
    for path, place in (
        (home.next_ca_key, home.ca_key),
        (home.next_ca_certificate, home.ca_certificate),
    ):
        if path.exists():
            try:
                path.rename(place)
            except OSError as error:
                raise SstpcaError(f"cannot write {place}: {error.strerror}") from error
    sync(home.root)
