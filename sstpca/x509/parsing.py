"""What is in a file of certificates or keys, whatever its format: PEM, DER, PKCS#12 or PKCS#7."""

import base64
import binascii
import contextlib
import enum
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from ..disk.reading import FILE_MAX, shown, without_mark
from ..errors import Damaged, NotFound, Refused, SstpcaError, WrongPassphrase
from .asn1 import INTEGER, OCTETS, OID, SEQUENCE, Asn1Error, children, elements, first, number
from .extensions import UNREADABLE
from .keys import PrivateKey
from .loading import load_certificate
from .pem import Block, PemError, blocks, is_pem
from .trial import opens_in_time
from .work import ROUNDS_MAX, check_work, key_work, too_much

Password = Callable[[Path], bytes]
"""Gives the password of an encrypted file."""

CERTIFICATES_MAX: Final = 100

_BASE64: Final = re.compile(rb"[A-Za-z0-9+/\s]+=*\s*")
_CONTEXT_0: Final = 0xA0
_BIT_STRING: Final = 0x03
_TIMES: Final = (0x17, 0x18)
# what is sent in place of a certificate, by how it begins
_OTHERS: Final = (
    (b"PK\x03\x04", "a zip: unpack it first"),
    (b"\xfe\xed\xfe\xed", "a Java keystore: keytool -importkeystore -deststoretype PKCS12"),
    (b"\0\0\0\0CERT", "a serialized store of Windows (.sst): export it as PKCS #7"),
    (b"\x1e\xf1\xb5\xb0", "a Windows key file (.pvk): export it as PKCS #12"),
    (b"PuTTY-User-Key-File", "a key of PuTTY, which is for SSH"),
    (b"ssh-", "a public key for SSH"),
    (b"<", "a web page: save the file itself"),
    (b"%PDF", "a PDF document"),
)
_KNOWN: Final = "PEM, DER, PKCS#12 (.p12, .pfx) and PKCS#7 (.p7b) are known"


@enum.unique
class _Kind(enum.Enum):
    """What DER holds, by its first elements."""

    CERTIFICATE = "a certificate"
    REQUEST = "a request for a certificate"
    REVOCATIONS = "a revocation list"
    KEY = "a private key"
    ENCRYPTED_KEY = "an encrypted private key"
    PUBLIC_KEY = "a public key"
    PKCS7 = "PKCS#7"
    PKCS12 = "PKCS#12"
    OTHER = "something else"


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
        raise Refused(
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
        kind that a server cannot use, it takes too much work to open, or the password is wrong.
    """
    name = shown(path)
    if len(content) > FILE_MAX:
        raise Refused(f"{name} is too long for a file with certificates")
    content = without_mark(content)
    reader = _Reader(path, password)
    if is_pem(content):
        reader.read_pem(content)
    else:
        reader.read_der(content)
    found = merge(reader.found)
    if not found.certificates and not found.keys:
        raise reader.nothing()
    return found


def certificates_in(content: bytes, name: str) -> list[bytes]:
    """Return the certificates in a file as DER, in their order, unread.

    PEM may have anything else beside them, private keys too; what is of no format is taken for one.

    :param name: of the file, for the error.
    :raises SstpcaError: if a block is not whole.
    """
    content = without_mark(content)
    if not is_pem(content):
        found = [der for one in _split(content, name) for der in _certificates_of(one)]
        return found or [content]
    try:
        return [der for block in blocks(content) for der in _of_block(block)]
    except PemError as error:
        raise _damaged(name, error) from None


def _split(content: bytes, name: str) -> list[bytes]:
    """Return the elements of DER, or of its base64; what follows the last is not looked at.

    :raises SstpcaError: if one is not whole.
    """
    if _BASE64.fullmatch(content):
        with contextlib.suppress(binascii.Error):
            content = base64.b64decode(b"".join(content.split()), validate=True)
    try:
        return [one.whole for one in elements(content, SEQUENCE)]
    except Asn1Error:
        raise Damaged(
            f"{name} has no certificate and no private key that can be read: it is cut off or "
            "damaged",
            "fetch it again",
        ) from None


def _of_block(block: Block) -> list[bytes]:
    # what is said to be one is shown to whoever explains why it is none
    said = block.label.endswith("CERTIFICATE") and _kind_of(block.der) is _Kind.OTHER
    return [block.der] if said else _certificates_of(block.der)


def _certificates_of(der: bytes) -> list[bytes]:
    match _kind_of(der):
        case _Kind.CERTIFICATE:
            return [first(der).whole]
        case _Kind.PKCS7:
            return _in_pkcs7(der)
        case _:
            return []


def _damaged(name: str, error: PemError) -> SstpcaError:
    return Damaged(f"{name} cannot be read: {error}", "is it whole? fetch or copy it again")


class _Reader:
    """Reads one file; asks for its password once."""

    def __init__(self, path: Path, password: Password) -> None:
        self.found: list[Contents] = []
        self._others: list[str] = []
        self._path = path
        self._name = shown(path)
        self._ask = password
        self._secret: bytes | None = None
        self._rounds = 0

    def read_pem(self, content: bytes) -> None:
        """Read every block."""
        try:
            for block in blocks(content):
                where = f"{self._name}, {block.place},"
                # OpenSSL has headers before keys of older forms alone, and goes by the label
                if block.headers and block.label != "ENCRYPTED PRIVATE KEY":
                    self._count(where, key_work(len(block.der)))
                    self._add_key(where, block.pem, serialization.load_pem_private_key)
                elif block.label == "OPENSSH PRIVATE KEY":
                    raise Refused(
                        f"{where} is a key for SSH",
                        "write it as PKCS#8 first: ssh-keygen -p -m PKCS8 -f FILE",
                    )
                elif not self._add(where, block.der):
                    self._note(block)
        except PemError as error:
            raise _damaged(self._name, error) from None

    def _note(self, block: Block) -> None:
        if block.label.endswith(("CERTIFICATE", "PRIVATE KEY", "PKCS7", "CMS")):
            raise Damaged(
                f"{self._name}, {block.place}, cannot be read: it is not what its label says",
                "is it whole? fetch it again",
            )
        self._others.append(block.label)

    def read_der(self, content: bytes) -> None:
        """Read DER, or its base64 without the lines around it, as AD CS can give it."""
        for one in _split(content, self._name):
            self._add(self._name, one)
        if not self.found and not self._others:
            raise self._strange(content)

    def _strange(self, content: bytes) -> SstpcaError:
        """Return what to say of a file that is of no format."""
        begin = content.lstrip()
        for magic, what in _OTHERS:
            if begin.startswith(magic):
                return Refused(f"{self._name} is {what}", _KNOWN)
        if b"BEGIN CERTIFICATE" in content or b"PRIVATE KEY" in content:
            return Damaged(
                f"{self._name} has no BEGIN and END lines as they should be: five hyphens on "
                "each side",
                "a word processor or a mail changed them: copy the file itself",
            )
        if b"\0" in content[:200] and b"\0B\0E\0G\0I\0N" in content:
            return Damaged(f"{self._name} is UTF-16 without a byte order mark", "save it as UTF-8")
        return Damaged(
            f"{self._name} has no certificate and no private key that can be read", _KNOWN
        )

    def nothing(self) -> SstpcaError:
        """Return what to say where there is neither a certificate nor a key."""
        if _Kind.REQUEST.value in self._others:
            return Refused(
                f"{self._name} is a request for a certificate, not a certificate",
                "send it to the authority, and import what comes back",
            )
        has = f", only {self._others[0]}" if self._others else ""
        return NotFound(f"{self._name} has no certificate and no private key{has}", _KNOWN)

    def _add(self, where: str, der: bytes) -> bool:
        """Take what is in ``der``; return whether it is anything that is known."""
        kind = _kind_of(der)
        match kind:
            case _Kind.CERTIFICATE:
                # OpenSSL's TRUSTED CERTIFICATE has more after it
                self._add_certificates(where, [first(der).whole])
            case _Kind.PKCS7:
                self._add_certificates(where, _in_pkcs7(der))
            case _Kind.KEY | _Kind.ENCRYPTED_KEY:
                self._count(where, check_work(der, where) + key_work(len(der)))
                self._add_key(where, der, serialization.load_der_private_key)
            case _Kind.PKCS12:
                self._add_pkcs12(where, der)
            case _Kind.REQUEST | _Kind.REVOCATIONS | _Kind.PUBLIC_KEY:
                self._others.append(kind.value)
            case _Kind.OTHER:
                return False
        return True

    def _add_certificates(self, where: str, ders: Sequence[bytes]) -> None:
        found = [load_certificate(one, where) for one in ders[: CERTIFICATES_MAX + 1]]
        self.found.append(Contents(tuple(found)))

    def _add_key(self, where: str, content: bytes, load: Callable[..., object]) -> None:
        with self._damage_named(where):
            try:
                key = load(content, None)
            except TypeError:
                secret = self._password()
                with self._wrong_password():
                    key = load(content, secret)
            self.found.append(Contents(keys=(_usable(key, where),)))

    def _add_pkcs12(self, where: str, der: bytes) -> None:
        """Read PKCS#12 (RFC 7292); some programs say no password, some the empty one."""
        self._count(where, check_work(der, where))
        self._try_out(where, der, None, b"")
        with self._damage_named(where):
            for secret in (None, b""):
                with contextlib.suppress(ValueError):
                    self.found.append(_pkcs12_contents(where, der, secret))
                    return
            secret = self._password()
            self._try_out(where, der, secret)
            with self._wrong_password():
                self.found.append(_pkcs12_contents(where, der, secret))

    def _try_out(self, where: str, der: bytes, *secrets: bytes | None) -> None:
        if not opens_in_time(der, secrets):
            raise too_much(where, "too many rounds of hashing, behind its encryption,")

    def _count(self, where: str, rounds: int) -> None:
        """Count how much work it is to open the next one, before that."""
        self._rounds += rounds
        if self._rounds > ROUNDS_MAX:
            raise too_much(where, "too much work")

    def _password(self) -> bytes:
        if self._secret is None:
            self._secret = self._ask(self._path)
        return self._secret

    @contextlib.contextmanager
    def _wrong_password(self) -> Iterator[None]:
        try:
            yield
        except ValueError:
            raise WrongPassphrase(f"the password does not open {self._name}") from None
        except UnsupportedAlgorithm:
            raise Refused(
                f"{self._name} is encrypted in a way that is not known here",
                "write it anew with OpenSSL 3: openssl pkcs12 -legacy",
            ) from None

    @contextlib.contextmanager
    def _damage_named(self, where: str) -> Iterator[None]:
        try:
            yield
        except UNREADABLE:
            raise Damaged(
                f"{where} has a certificate or key that cannot be read",
                "is it whole? fetch it again",
            ) from None


def _kind_of(der: bytes) -> _Kind:
    """Return what ``der`` holds; that it is whole is not looked at."""
    try:
        parts = children(der)
        match [one.tag for one in parts[:3]]:
            case [tag, *_] if tag == OID:
                return _Kind.PKCS7
            case [tag, *_] if tag == INTEGER:
                return _key_kind([one.tag for one in parts], number(parts[0]))
            case [one, two] if (one, two) == (SEQUENCE, OCTETS):
                return _Kind.ENCRYPTED_KEY
            case [one, two] if (one, two) == (SEQUENCE, _BIT_STRING):
                return _Kind.PUBLIC_KEY
            case [one, two, three] if (one, two, three) == (SEQUENCE, SEQUENCE, _BIT_STRING):
                return _signed_kind([one.tag for one in elements(parts[0].content)])
    except Asn1Error:
        pass
    return _Kind.OTHER


def _key_kind(tags: list[int], version: int) -> _Kind:
    # PFX is version 3 (RFC 7292 4); keys are 0 or 1: PKCS#8, PKCS#1 and SEC 1
    if version == 3 and tags[1:2] == [SEQUENCE]:
        return _Kind.PKCS12
    return _Kind.KEY if version in (0, 1) and len(tags) > 2 else _Kind.PUBLIC_KEY


def _signed_kind(tags: list[int]) -> _Kind:
    """Return which of the signed kinds has these fields: RFC 5280 4.1, 5.1, RFC 2986 4.1."""
    if tags[:1] == [_CONTEXT_0]:
        return _Kind.CERTIFICATE
    if any(tag in _TIMES for tag in tags[:4]):
        return _Kind.REVOCATIONS
    if tags[1:4] == [SEQUENCE, SEQUENCE, _CONTEXT_0] or len(tags) < 5:
        return _Kind.REQUEST
    return _Kind.CERTIFICATE


def _in_pkcs7(der: bytes) -> list[bytes]:
    """Return the certificates in PKCS#7 (SignedData, RFC 2315 9.1), which BER may be."""
    try:
        _, wrapped = children(der, OID, _CONTEXT_0)[:2]
        signed = children(wrapped.content, INTEGER)
        groups = [one.content for one in signed if one.tag == _CONTEXT_0]
        return [one.whole for group in groups for one in elements(group) if one.tag == SEQUENCE]
    except (Asn1Error, ValueError):
        return []


def _usable(key: object, where: str) -> PrivateKey:
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise Refused(f"the key in {where} is neither RSA nor ECDSA")
    return key


def _pkcs12_contents(where: str, der: bytes, secret: bytes | None) -> Contents:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pkcs12.load_pkcs12(der, secret)
    held = [found.cert, *found.additional_certs]
    ders = [one.certificate.public_bytes(serialization.Encoding.DER) for one in held if one]
    keys = () if found.key is None else (_usable(found.key, where),)
    return Contents(tuple(load_certificate(one, where) for one in ders), keys)
