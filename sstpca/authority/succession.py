"""The authorities' files follow the inventory: what a rollover has begun is finished or undone.

Each step of a rollover stages what is new, records it in one transaction, and calls
:func:`recover`; so does the next command when a run was killed on the way, see disk/staged.py. The
inventory says how far it was: who is the authority, and who will be the next.
"""

from functools import partial
from pathlib import Path
from typing import Final

from cryptography import x509

from ..disk import staged
from ..disk.folders import listed, remove
from ..disk.reading import read_file
from ..disk.staged import Change, Move, pending
from ..disk.writing import PUBLIC, File
from ..errors import SstpcaError
from ..home import Home
from ..store import Store, certificates
from ..x509.certificates import certificate_to_pem, digest
from ..x509.loading import certificates_from_pem
from .authority import former_authorities, load_ca_certificate, load_next_certificate

# beginnings of the names that pending and temporary files of ours have, without their dots
_OURS: Final = ("ca-next.", "ca-previous.")


def recover(home: Home, store: Store) -> None:
    """Finish or undo what a rollover has begun, as the inventory has it.

    The caller holds ``home.changing_certificates()``.

    :raises SstpcaError: if a file cannot be renamed, written or removed, or the database not be
        read.
    """
    _recover_begun(home, store)
    _recover_ended(home, store)


def _recover_begun(home: Home, store: Store) -> None:
    """Let the files of a next authority that is recorded take their places; remove others."""
    files = (home.next_ca_key, home.next_ca_certificate)
    moves = tuple(Move(pending(file), file) for file in files)
    staged.recover(Change(partial(_is_recorded, store, moves[-1].waiting), moves))
    for path in listed(home.root):
        if path.name.startswith(".") and path.name.lstrip(".").startswith(_OURS):
            remove(path)


def _recover_ended(home: Home, store: Store) -> None:
    """Let a next authority that is recorded as the authority take its place; remove a dropped one.

    The old key goes with that: nobody is to sign with it what old bundles make clients believe.
    """
    following = load_next_certificate(home)
    succeeds = _has_succeeded(store, following)
    moves = (
        Move(pending(home.previous_ca_certificate), home.previous_ca_certificate),
        Move(home.next_ca_key, home.ca_key),
        Move(home.next_ca_certificate, home.ca_certificate),
    )
    if succeeds and following is not None:
        before = dict.fromkeys((load_ca_certificate(home), *former_authorities(home)))
        content = b"".join(certificate_to_pem(one) for one in before if one != following)
        staged.stage([File(home.previous_ca_certificate, content, PUBLIC)])
    staged.recover(Change(lambda: succeeds, moves))


def _has_succeeded(store: Store, following: x509.Certificate | None) -> bool | None:
    """Return whether ``following`` is the authority now; None while it is the next one.

    What is neither has been dropped, and so was a key without a certificate. One that the inventory
    has never seen was put there by hand, and is nobody's to remove.
    """
    if following is None:
        return None if certificates.maybe_current(store, certificates.NEXT) else False
    if certificates.is_current(store, following, certificates.AUTHORITY):
        return True
    known = {one.sha256: one for one in certificates.list_authorities(store)}
    entry = known.get(digest(following))
    dropped = entry is not None and entry.name == certificates.NEXT and entry.replaced is not None
    return False if dropped else None


def _is_recorded(store: Store, path: Path) -> bool:
    if not path.exists():
        return False
    try:
        one = certificates_from_pem(read_file(path, "the next authority"), path)[0]
    except SstpcaError:
        return False
    return certificates.is_current(store, one, certificates.NEXT)
