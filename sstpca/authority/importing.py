"""A server certificate made elsewhere: put together from files, checked, and put in its place."""

import contextlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ..disk.reading import read_file
from ..disk.writing import SECRET, write_file
from ..errors import NotFound, Refused, SstpcaError, command, option
from ..home import SERVER, SERVER_ECDSA, SERVERS, Home
from ..names import quoted
from ..server.net.tls import load_chain
from ..store import Store, certificates
from ..x509.certificates import Certificate, digest
from ..x509.chains import order_chain
from ..x509.keys import PrivateKey
from ..x509.pair import Pair, identity_to_pem
from ..x509.parsing import Contents, Password, merge, parse
from . import pairs, requests
from .authority import client_roots, issuer_of
from .identity import check_beside, check_leaf, load_server_certificate, served_hosts
from .reconciliation import reconcile

_SHOWN_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class Import:
    """What the files come to, checked.

    :param pair: under the name of the server's pair whose place it takes, one of SERVERS.
    :param own: whether the home's own authority issued it.
    :param unused: certificates that are no part of the chain.
    :param revocation: where clients ask whether it is revoked.
    """

    pair: Pair
    own: bool
    unused: tuple[x509.Certificate, ...]
    revocation: tuple[str, ...]


def read_files(paths: Sequence[Path], password: Password) -> Contents:
    """Return the certificates and keys in all ``paths``.

    :raises SstpcaError: if one cannot be read, or has neither.
    """
    return merge([parse(path, read_file(path, "the file"), password) for path in paths])


def prepare(home: Home, contents: Contents, now: datetime, *, beside: bool = False) -> Import:
    """Put the server's certificate, its key and its chain together.

    The key is one of ``contents``, the one of the last request, or the one the server has.

    :param now: an aware time.
    :param beside: whether it is to be another one, with an ECDSA key beside one with RSA. If there
        are two, it takes the place of the one with the same kind of key.
    :raises SstpcaError: saying what does not fit, with Windows' error code where there is one.
    """
    leaf, key = match(contents, _sources(home, contents))
    hosts, name = served_hosts(home), _place(home, leaf, beside=beside)
    check_leaf(home, leaf, hosts, now, name=name)
    chain = order_chain(leaf, contents.certificates, client_roots(home), now)
    used = (leaf, *chain)
    own = check_leaf(home, leaf, hosts, now, chain, name=name)
    _check_other(home, name, leaf)
    _try_out(identity_to_pem(key, used))
    return Import(
        pair=Pair(name, SERVER, used, key),
        own=own,
        unused=tuple(
            one for one in contents.certificates if one not in used and not _ends(one, used)
        ),
        revocation=tuple(
            url for one in used for url in Certificate.of(one).revocation_addresses if url
        ),
    )


def _place(home: Home, leaf: x509.Certificate, *, beside: bool) -> str:
    """Return the name of the server's pair whose place ``leaf`` takes."""
    is_ecdsa = isinstance(leaf.public_key(), ec.EllipticCurvePublicKey)
    if beside and not is_ecdsa:
        raise Refused(
            "the certificate has an RSA key; beside the server's certificate goes one with ECDSA",
            "leave ",
            option("--beside"),
            " out, and it takes that one's place",
        )
    return SERVER_ECDSA if is_ecdsa and (beside or SERVER_ECDSA in home.shown) else SERVER


def _check_other(home: Home, name: str, leaf: x509.Certificate) -> None:
    """Make sure that ``leaf`` and what else the server shows go together.

    :raises SstpcaError: if clients that believe one of them would not believe the other.
    """
    if name == SERVER_ECDSA:
        check_beside(home, load_server_certificate(home), leaf)
    elif SERVER_ECDSA in home.shown:
        # of the same kind as the one before, or it would take the other's place
        check_beside(home, leaf, load_server_certificate(home, SERVER_ECDSA))


# OpenSSL's SSL_R_... constants
_TOO_WEAK: Final = {
    "EE_KEY_TOO_SMALL": "its key is too short",
    "CA_KEY_TOO_SMALL": "an authority's key in its chain is too short",
    "EE_MD_TOO_WEAK": "its signature is too weak",
    "CA_MD_TOO_WEAK": "a signature in its chain is too weak",
}


def _try_out(pem: bytes) -> None:
    """Make sure that this machine's TLS takes the pair: its policy may want more than Windows."""
    try:
        load_chain(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), pem)
    except ssl.SSLError as error:
        reason = getattr(error, "reason", None) or str(error)
        raise Refused(
            "TLS on this machine does not take the certificate: "
            + _TOO_WEAK.get(reason, f"OpenSSL says {quoted(reason)}"),
            "get one with an RSA key of 2048 bits or more, or ECDSA, signed with SHA-256",
        ) from None


def _ends(root: x509.Certificate, used: Sequence[x509.Certificate]) -> bool:
    return any(one.issuer == root.subject for one in used)


def _sources(home: Home, contents: Contents) -> list[tuple[PrivateKey, ...]]:
    """Return the keys that the certificate may be for, those given before those in ``home``."""
    waiting = requests.load_next_key(home)
    sources = [contents.keys, () if waiting is None else (waiting,)]
    # the server's own may be damaged, and be replaced for that
    for name in home.shown:
        with contextlib.suppress(SstpcaError):
            sources.append((pairs.load(home, name, SERVER).key,))
    return sources


def match(
    contents: Contents, sources: Sequence[Sequence[PrivateKey]]
) -> tuple[x509.Certificate, PrivateKey]:
    """Return the certificate of ``contents`` that fits a key, and that key.

    :param sources: keys; those of the first source that has a fitting one decide.
    :raises SstpcaError: if none fits, several do, or it is an authority's.
    """
    if not contents.certificates:
        raise NotFound("there is no certificate in these files", "give the server's as well")
    for keys in sources:
        fitting = [
            (certificate, key)
            for key in keys
            for certificate in contents.certificates
            if certificate.public_key() == key.public_key()
        ]
        if len(fitting) > 1:
            raise _several([certificate for certificate, _ in fitting])
        if fitting:
            _refuse_authority(fitting[0][0])
            return fitting[0]
    if contents.keys:
        raise Refused(
            "the key in these files fits none of their certificates",
            "give the key that the certificate was requested with",
        )
    raise NotFound(
        "there is no key in these files, and none in the home fits their certificates",
        "give the key that the certificate was requested with",
    )


def _several(fitting: Sequence[x509.Certificate]) -> SstpcaError:
    shown = sorted(
        f"{quoted(one.subject.rfc4514_string())} until {one.not_valid_after_utc:%Y-%m-%d}"
        for one in fitting
    )
    return Refused(
        f"{len(fitting)} certificates fit a key, and only one can be the server's: "
        + "; ".join(shown[:_SHOWN_MAX])
        + ("; ..." if len(shown) > _SHOWN_MAX else ""),
        "leave the files with the others out",
    )


def _refuse_authority(leaf: x509.Certificate) -> None:
    if Certificate.of(leaf).authority:
        raise Refused(
            f"the key is an authority's, {quoted(leaf.subject.rfc4514_string())}, not a server's: "
            "Windows says 0x800B0110",
            "leave that key out: it does not belong on a server",
        )


def install(home: Home, store: Store, found: Import, now: datetime) -> Path | None:
    """Make ``found`` the server's certificate, and return where the one before is kept, if any.

    :raises SstpcaError: if something cannot be written; the server's pair has not changed then.
    """
    with pairs.changing(home, store):
        known = _is_known(store, found.pair.leaf)
        kept = pairs.keep_server(home, found.pair.name, now)
        if known:
            # its chain is new, or it was replaced; the inventory follows the file
            pem = identity_to_pem(found.pair.key, found.pair.certificates)
            write_file(home.pair(found.pair.name), pem, SECRET)
            reconcile(home, store)
        else:
            issuer = issuer_of(home, found.pair.leaf)
            pairs.put(home, store, [found.pair], issuer=issuer, now=now)
        waiting = requests.load_next_key(home)
        if waiting is not None and waiting.public_key() == found.pair.key.public_key():
            requests.next_key_path(home).unlink()
    return kept


def _is_known(store: Store, leaf: x509.Certificate) -> bool:
    """Return whether the inventory has ``leaf`` already, as one of the server's.

    :raises SstpcaError: if it has it as something else, revoked, or another with its serial.
    """
    serial = f"{leaf.serial_number:x}"
    entry = certificates.with_serial(store, serial)
    if entry is None:
        return False
    if entry.sha256 != digest(leaf):
        raise Refused(
            f"the inventory has another certificate with the serial {serial}",
            "have it issued again: an authority should give each a serial of its own",
        )
    if entry.name not in SERVERS:
        raise Refused(
            f"the certificate is this home's own pair '{entry.name}'",
            "to serve with one of this home's authority: ",
            command("cert renew server"),
        )
    if entry.revoked is not None:
        raise Refused("the certificate is revoked: Windows says 0x800B010C", "get another")
    return True
