"""Pairs: a private key with its certificate and chain, one file each, changed with the inventory.

A new pair is staged beside its place, then its certificate is recorded, then the file takes its
place, see disk/staged.py. A run that is killed on the way leaves a pending file, and the inventory
says which way to go: a certificate that is recorded takes its place, another one is dropped. So
there is no certificate that nobody knows of, and none without its key.
"""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from cryptography import x509

from ..disk import staged
from ..disk.folders import listed, make_folder
from ..disk.staged import Change
from ..disk.writing import SECRET, File, write_file
from ..errors import Damaged, InvalidInput, SstpcaError, command
from ..home import SERVERS, Home, read_own
from ..names import check_user_name, quoted, user_key
from ..store import Store, certificates
from ..x509.certificates import digest
from ..x509.keys import key_from_pem
from ..x509.loading import certificates_from_pem
from ..x509.pair import Pair, identity_to_pem
from . import succession
from .reconciliation import reconcile

# of a file name's 255 bytes some are for the ending, and for a temporary name
NAME_BYTES_MAX: Final = 200
_RESERVED: Final = frozenset({*SERVERS, certificates.AUTHORITY, certificates.NEXT})


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
        raise Damaged(
            f"the key in {path} does not fit its certificate",
            "restore it from a backup, or make another: ",
            command("cert rekey {}", name),
        )
    return Pair(name, profile, certificates, key)


def of_entry(home: Home, entry: certificates.Entry) -> Pair:
    """Return the pair of a certificate in the inventory.

    :raises SstpcaError: as :func:`load` does, or if the file has another certificate.
    """
    pair = load(home, entry.name, entry.profile)
    if digest(pair.leaf) != entry.sha256:
        raise Damaged(
            f"{home.pair(entry.name)} has another certificate than the inventory",
            "restore both from one backup, or: ",
            command("cert rekey {}", entry.name),
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
    with staged.recovering(partial(recover, home, store)):
        stage(home, pairs)
        with store.writing(durable=True) as transaction:
            certificates.record(
                transaction,
                [(pair.name, pair.profile, pair.leaf) for pair in pairs],
                issuer=issuer,
                requested_by=certificates.login(),
                now=now,
            )


def stage(home: Home, pairs: Sequence[Pair]) -> None:
    """Write ``pairs`` beside their places, for the caller to record and to :func:`recover`.

    The caller holds ``home.changing_certificates()``.

    :raises SstpcaError: if a file cannot be written.
    """
    if any(pair.name not in SERVERS for pair in pairs):
        make_folder(home.certificates)
    staged.stage(
        [
            File(home.pair(one.name), identity_to_pem(one.key, one.certificates), SECRET)
            for one in pairs
        ]
    )


def keep_server(home: Home, name: str, now: datetime) -> Path | None:
    """Copy the file of a pair of the server beside the others, under a name that no pair has.

    :param name: one of SERVERS.
    :returns: the copy; None if there is nothing to copy.
    :raises SstpcaError: if it cannot be read or written.
    """
    place = home.pair(name)
    if not place.exists():
        return None
    content = read_own(place, "the server's key and certificate")
    make_folder(home.certificates)
    path = home.certificates / f"{place.name}.{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    while path.exists():  # of the same second
        path = path.with_name(f"{path.name}+")
    write_file(path, content, SECRET)
    return path


@contextlib.contextmanager
def changing(home: Home, store: Store) -> Iterator[None]:
    """Keep all others from changing pairs, once what they left half-done is recovered.

    :raises SstpcaError: if something cannot be read or written.
    """
    with home.changing_certificates():
        recover(home, store)
        reconcile(home, store)
        yield


def tidy(home: Home, store: Store) -> None:
    """Do the same for a command that only looks; while another one changes pairs, nothing.

    :raises SstpcaError: if something cannot be read or written.
    """
    with home.changing_certificates(wait=False) as held:
        if held:
            recover(home, store)
            reconcile(home, store)


def recover(home: Home, store: Store) -> None:
    """Finish or undo what has been begun, here or by a run that was killed.

    The caller holds ``home.changing_certificates()``.

    :raises SstpcaError: if a file cannot be renamed or removed, or the database not be read.
    """
    succession.recover(home, store)
    staged.recover(*(_change(store, path) for path in _leftovers(home)))


def _change(store: Store, path: Path) -> Change:
    """Return what is to be asked of the leftover ``path``; a temporary file was never whole."""
    move = staged.to_place(path)
    if move is None:
        return Change(lambda: False, new=(path,))
    return Change(partial(_recorded, store, path), (move,))


def _recorded(store: Store, path: Path) -> bool:
    """Return whether ``path`` holds a pair that has been recorded, and not been replaced since."""
    try:
        leaf = certificates_from_pem(read_own(path, "the new pair"), path)[0]
    except SstpcaError:
        return False
    return certificates.is_current(store, leaf)


def _leftovers(home: Home) -> list[Path]:
    """Return the pending and the temporary files of pairs."""
    # a temporary name of a pending one begins with two dots
    servers = tuple(f"{home.pair(name).name}." for name in SERVERS)
    own = [one for one in listed(home.root) if one.name.lstrip(".").startswith(servers)]
    return [one for one in [*own, *listed(home.certificates)] if one.name.startswith(".")]
