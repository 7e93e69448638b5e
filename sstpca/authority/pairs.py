"""Pairs: a private key with its certificate and chain, one file each, changed with the inventory.

A new pair is first written beside its place, under a pending name; then its certificate is recorded;
then the file is renamed. A run that is killed on the way leaves a pending file, and the inventory
says which way to go: a certificate that is recorded takes its place, another one is dropped. So
there is no certificate that nobody knows of, and none without its key.
"""

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from ..disk.pending import is_pending, listed, pending, remove, sync, take_place
from ..errors import InvalidInput, SstpcaError
from ..home import SECRET, SERVER, Home, read_own, write_file, write_files
from ..names import check_user_name, quoted, user_key
from ..store import Store, certificates
from ..x509.keys import key_from_pem
from ..x509.loading import certificates_from_pem
from ..x509.pair import Pair, identity_to_pem
from . import succession
from .reconciliation import adopt

# of a file name's 255 bytes some are for the ending, and for a temporary name
NAME_BYTES_MAX: Final = 200
_RESERVED: Final = frozenset({SERVER, certificates.AUTHORITY, certificates.NEXT})


def check_pair_name(name: str) -> str:
    """Return ``name`` in NFC if a pair can be called so: what a user can, and not a reserved name.

    :raises InvalidInput: if it cannot.
    """
    name = check_user_name(name)
    if user_key(name) in _RESERVED:
        raise InvalidInput(f"{quoted(name)} is the name of this home's own", "choose another name")
    if len(name.encode()) > NAME_BYTES_MAX:
        raise InvalidInput(f"the name {quoted(name)} is longer than {NAME_BYTES_MAX} bytes")
    return name


def load(home: Home, name: str, profile: str) -> Pair:
    """Return the pair ``name``.

    :raises SstpcaError: if the file is missing or damaged, or the key is another certificate's.
    """
    path = home.pair(name)
    pem = read_own(path, f"the pair '{name}'")
    certificates, key = certificates_from_pem(pem, path), key_from_pem(pem, path)
    if certificates[0].public_key() != key.public_key():
        raise SstpcaError(
            f"the key in {path} does not fit its certificate",
            f"restore it from a backup, or make another: sstpca cert rekey {name}",
        )
    return Pair(name, profile, certificates, key)


def of_entry(home: Home, entry: certificates.Entry) -> Pair:
    """Return the pair of a certificate in the inventory.

    :raises SstpcaError: as :func:`load` does, or if the file has another certificate.
    """
    pair = load(home, entry.name, entry.profile)
    if certificates.digest(pair.leaf) != entry.sha256:
        raise SstpcaError(
            f"{home.pair(entry.name)} has another certificate than the inventory",
            f"restore both from one backup, or: sstpca cert rekey {shlex.quote(entry.name)}",
        )
    return pair


def put(
    home: Home,
    store: Store,
    pairs: Sequence[Pair],
    *,
    issuer: x509.Certificate | None,
    now: datetime,
) -> None:
    """Write ``pairs`` and record them, all or none; each takes the place of the one before.

    The caller holds ``home.changing_certificates()``.

    :param issuer: the authority of this home, if it issued them.
    :raises SstpcaError: if a file or the database cannot be written; nothing has changed then.
    """
    try:
        places = stage(home, pairs)
        with store.writing(durable=True) as connection:
            certificates.record_all(
                connection,
                [(pair.name, pair.profile, pair.leaf) for pair in pairs],
                issuer=issuer,
                requested_by=certificates.login(),
                now=now.timestamp(),
            )
        for path in places:
            take_place(path)
        _sync(home)
    except BaseException:
        # where even that fails, the next command settles it
        with contextlib.suppress(SstpcaError):
            settle(home, store)
        raise


def stage(home: Home, pairs: Sequence[Pair]) -> list[Path]:
    """Write ``pairs`` under their pending names, which are returned.

    The caller holds ``home.changing_certificates()``, records them, and lets them take their place.

    :raises SstpcaError: if a file cannot be written.
    """
    _make_folder(home.certificates, pairs)
    places = [pending(home.pair(pair.name)) for pair in pairs]
    contents = [identity_to_pem(pair.key, pair.certificates) for pair in pairs]
    write_files(list(zip(places, contents, strict=True)), SECRET)
    _sync(home)
    return places


def _sync(home: Home) -> None:
    for folder in (home.root, home.certificates):
        sync(folder)


def keep_server(home: Home, now: datetime) -> Path | None:
    """Copy server.pem beside the other pairs, under a name that no pair has; return it.

    :raises SstpcaError: if it cannot be read or written.
    """
    if not home.server_identity.exists():
        return None
    content = read_own(home.server_identity, "the server's key and certificate")
    try:
        home.certificates.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SstpcaError(f"cannot make {home.certificates}: {error.strerror}") from error
    path = home.certificates / f"server.pem.{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    while path.exists():  # of the same second
        path = path.with_name(f"{path.name}+")
    write_file(path, content, SECRET)
    return path


def _make_folder(folder: Path, pairs: Sequence[Pair]) -> None:
    if all(pair.name == SERVER for pair in pairs):
        return
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SstpcaError(f"cannot make the folder {folder}: {error.strerror}") from error


@contextlib.contextmanager
def changing(home: Home, store: Store) -> Iterator[None]:
    """Keep all others from changing pairs, once what they left half-done is settled.

    :raises SstpcaError: if something cannot be read or written.
    """
    with home.changing_certificates():
        settle(home, store)
        adopt(home, store)
        yield


def tidy(home: Home, store: Store) -> None:
    """Do the same for a command that only looks; while another one changes pairs, nothing.

    :raises SstpcaError: if something cannot be read or written.
    """
    with home.changing_certificates(wait=False) as held:
        if held:
            settle(home, store)
            adopt(home, store)


def settle(home: Home, store: Store) -> None:
    """Finish or undo what a run that was killed has begun.

    The caller holds ``home.changing_certificates()``.

    :raises SstpcaError: if a file cannot be renamed or removed, or the database not be read.
    """
    succession.settle(home, store)
    for path in list(_leftovers(home)):
        if is_pending(path) and _recorded(store, path):
            take_place(path)
        else:
            remove(path)


def _recorded(store: Store, path: Path) -> bool:
    """Return whether ``path`` holds a pair that has been recorded, and not been replaced since."""
    try:
        leaf = certificates_from_pem(read_own(path, "the new pair"), path)[0]
    except SstpcaError:
        return False
    return certificates.is_current(store, leaf)


def _leftovers(home: Home) -> Iterator[Path]:
    """Yield the pending and the temporary files of pairs."""
    server = home.server_identity.name
    for path in listed(home.root):
        # a temporary name of a pending one begins with two dots
        if path.name.lstrip(".").startswith(f"{server}.") and path.name.startswith("."):
            yield path
    for path in listed(home.certificates):
        if path.name.startswith("."):
            yield path
