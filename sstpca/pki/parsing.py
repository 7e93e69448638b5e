"""What is in a file of certificates or keys, whatever its format: PEM, DER, PKCS#12 or PKCS#7."""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12

from ..errors import SstpcaError
from .certificates import UNREADABLE
from .keys import PrivateKey

Password = Callable[[Path], bytes]
"""Gives the password of an encrypted file."""

FILE_MAX: Final = 1 << 20
CERTIFICATES_MAX: Final = 100

_BEGIN: Final = b"-----BEGIN "
_DASHES: Final = b"-----"


@dataclass(frozen=True, slots=True)
class Contents:
    """The certificates and keys of one file, or of several."""

    certificates: tuple[x509.Certificate, ...] = ()
    keys: tuple[PrivateKey, ...] = field(default=(), repr=False)


def merge(many: Sequence[Contents]) -> Contents:
    """Return everything that is in ``many``, each once.

    :raises SstpcaError: if that is more than any chain needs.
    """
    certificates = dict.fromkeys(one for part in many for one in part.certificates)
    keys = {_public(key): key for part in many for key in part.keys}
    if len(certificates) > CERTIFICATES_MAX or len(keys) > CERTIFICATES_MAX:
        raise SstpcaError(
            f"there are more than {CERTIFICATES_MAX} certificates in these files",
            "give the server's and those between it and its root",
        )
    return Contents(tuple(certificates), tuple(keys.values()))


def _public(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def parse(path: Path, content: bytes, password: Password) -> Contents:
    """Return what is in ``content``, which was read from ``path``.

    :raises SstpcaError: if there is no certificate and no key, one of them is damaged or of a
        kind that a server cannot use, or the password is wrong.
    """
    if len(content) > FILE_MAX:
        raise SstpcaError(f"{path} is too long for a file with certificates")
    found = _from_pem(path, content, password) if _BEGIN in content else None
    if found is None:
        found = _from_der(path, content, password)
    if not found.certificates and not found.keys:
        raise SstpcaError(f"{path} has no certificate and no private key")
    return found


def _from_pem(path: Path, content: bytes, password: Password) -> Contents:
    parts = []
    for label, block in _blocks(content):
        if label in ("CERTIFICATE", "X509 CERTIFICATE"):
            with _damage_named(path):
                parts.append(_checked(path, [x509.load_pem_x509_certificate(block)]))
        elif label.endswith("PRIVATE KEY"):
            parts.append(_key(path, block, password))
        elif label in ("PKCS7", "CMS"):
            with _damage_named(path):
                parts.append(_checked(path, pkcs7.load_pem_pkcs7_certificates(block)))
        elif label.endswith("CERTIFICATE REQUEST"):
            raise _request(path)
    return merge(parts)


def _blocks(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Cut PEM (RFC 7468) into its parts, with their labels; what is between them is for people."""
    label, lines = b"", list[bytes]()
    for line in content.splitlines():
        line = line.strip()
        if line.startswith(_BEGIN) and line.endswith(_DASHES):
            label, lines = line[len(_BEGIN) : -len(_DASHES)], []
        if label:
            lines.append(line)
        if label and line == b"-----END " + label + _DASHES:
            yield label.decode("ascii", "replace"), b"\n".join(lines) + b"\n"
            label = b""
    if label:
        # cut off: let whoever reads it complain
        yield label.decode("ascii", "replace"), b"\n".join(lines) + b"\n"


def _from_der(path: Path, content: bytes, password: Password) -> Contents:
    """Try one format after the other: their first bytes are all alike."""
    with contextlib.suppress(*UNREADABLE):
        return _checked(path, [x509.load_der_x509_certificate(content)])
    with contextlib.suppress(*UNREADABLE):
        return _der_key(path, content, password)
    with contextlib.suppress(*UNREADABLE):
        return _from_pkcs12(path, content, password)
    with contextlib.suppress(*UNREADABLE):
        return _checked(path, pkcs7.load_der_pkcs7_certificates(content))
    with contextlib.suppress(*UNREADABLE):
        x509.load_der_x509_csr(content)
        raise _request(path)
    raise SstpcaError(
        f"{path} has no certificate and no private key that can be read",
        "PEM, DER, PKCS#12 (.p12, .pfx) and PKCS#7 (.p7b) are known",
    )


def _checked(path: Path, certificates: Sequence[x509.Certificate]) -> Contents:
    """Read all of each certificate now, with the file's name at hand, rather than later."""
    with _damage_named(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in certificates:
            _ = one.extensions, one.subject, one.issuer, one.not_valid_after_utc, one.public_key()
    return Contents(certificates=tuple(certificates))


def _key(path: Path, block: bytes, password: Password) -> Contents:
    with _damage_named(path):
        try:
            key = serialization.load_pem_private_key(block, None)
        except TypeError:
            secret = password(path)
            with _wrong_password(path):
                key = serialization.load_pem_private_key(block, secret)
        return Contents(keys=(_usable(key, path),))


def _der_key(path: Path, content: bytes, password: Password) -> Contents:
    try:
        key = serialization.load_der_private_key(content, None)
    except TypeError:
        secret = password(path)
        with _wrong_password(path):
            key = serialization.load_der_private_key(content, secret)
    return Contents(keys=(_usable(key, path),))


def _usable(key: object, path: Path) -> PrivateKey:
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise SstpcaError(f"the key in {path} is neither RSA nor ECDSA")
    return key


def _from_pkcs12(path: Path, content: bytes, password: Password) -> Contents:
    """Read PKCS#12 (RFC 7292); some programs say no password, some the empty one."""
    for secret in (None, b""):
        with contextlib.suppress(ValueError):
            return _pkcs12_contents(path, content, secret)
    if not _is_pkcs12(content):
        raise ValueError("no PKCS#12")
    secret = password(path)
    with _wrong_password(path):
        return _pkcs12_contents(path, content, secret)


def _is_pkcs12(content: bytes) -> bool:
    """Return whether this begins as PFX does: SEQUENCE, INTEGER 3 (RFC 7292 4)."""
    return content[:1] == b"\x30" and b"\x02\x01\x03\x30" in content[:12]


def _pkcs12_contents(path: Path, content: bytes, secret: bytes | None) -> Contents:
    found = pkcs12.load_pkcs12(content, secret)
    mine = () if found.cert is None else (found.cert.certificate,)
    others = tuple(one.certificate for one in found.additional_certs)
    keys = () if found.key is None else (_usable(found.key, path),)
    return Contents(_checked(path, (*mine, *others)).certificates, keys)


@contextlib.contextmanager
def _wrong_password(path: Path) -> Iterator[None]:
    try:
        yield
    except ValueError:
        raise SstpcaError(f"the password does not open {path}") from None
    except UnsupportedAlgorithm:
        raise SstpcaError(
            f"{path} is encrypted in a way that is not known here",
            "write it anew with OpenSSL 3: openssl pkcs12 -legacy",
        ) from None


@contextlib.contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except UNREADABLE:
        raise SstpcaError(
            f"{path} has a certificate or key that cannot be read", "is it whole? fetch it again"
        ) from None


def _request(path: Path) -> SstpcaError:
    return SstpcaError(
        f"{path} is a request for a certificate, not a certificate",
        "send it to the authority, and import what comes back",
    )
