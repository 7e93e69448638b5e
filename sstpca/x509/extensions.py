"""Extensions of other people's certificates, one by one: an odd one does not hide the others.

OpenSSL and Windows read only what they need, the cryptography library all or nothing; and it takes
DER alone, where authorities have written defaults out (X.690 11.5) or bad characters for years.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from .asn1 import (
    BOOLEAN,
    OCTETS,
    OID,
    SEQUENCE,
    Asn1Error,
    Element,
    children,
    dotted,
    elements,
    encoded,
    octets,
)

_Extension = x509.Extension[x509.ExtensionType]

UNREADABLE: Final = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    x509.InvalidVersion,
)
"""What reading a hostile or damaged certificate, or any field of it, may raise."""

# the field of a TBSCertificate, and of a GeneralSubtree the minimum of 0 (RFC 5280 4.1, 4.2.1.10)
_FIELD: Final = 0xA3
_MINIMUM: Final = b"\x80\x01\x00"
# What a chain cannot be judged without; OpenSSL refuses a certificate whose it cannot decode.
_NEEDED: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.NAME_CONSTRAINTS,
    }
)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An extension that cannot be read, or part of one.

    :param needed: whether the certificate cannot be judged without it.
    :param why: in words, after "it".
    """

    oid: x509.ObjectIdentifier
    needed: bool
    why: str

    @property
    def name(self) -> str:
        """What messages call it: ``certificatePolicies (2.5.29.32)``."""
        known = getattr(self.oid, "_name", "Unknown OID")
        number = self.oid.dotted_string
        return number if known == "Unknown OID" else f"{known} ({number})"


@dataclass(frozen=True, slots=True)
class Extensions:
    """What a certificate has.

    :param readable: those that can be read.
    """

    readable: x509.Extensions
    unreadable: tuple[Unreadable, ...] = ()


def read_extensions(certificate: x509.Certificate) -> Extensions:
    """Return the extensions of ``certificate``, whatever some of them are like."""
    try:
        return Extensions(certificate.extensions)
    except UNREADABLE:
        pass
    readable: dict[x509.ObjectIdentifier, _Extension] = {}
    unreadable = list[Unreadable]()
    der = certificate.public_bytes(Encoding.DER)
    for oid, extension in _split(der):
        if oid in readable:
            unreadable.append(Unreadable(oid, True, "is there twice"))
            continue
        found, why = _one(der, oid, extension)
        if found is not None:
            readable[oid] = found
        if why:
            needed = found is None and (oid in _NEEDED or _critical(extension))
            unreadable.append(Unreadable(oid, needed, why))
    return Extensions(x509.Extensions(list(readable.values())), tuple(unreadable))


def _split(der: bytes) -> Iterator[tuple[x509.ObjectIdentifier, bytes]]:
    for field in children(children(der)[0].whole):
        if field.tag == _FIELD:
            for one in children(field.content):
                yield x509.ObjectIdentifier(dotted(children(one.whole, OID)[0].content)), one.whole


def _critical(extension: bytes) -> bool:
    return any(one.tag == BOOLEAN and any(one.content) for one in children(extension))


def _one(der: bytes, oid: x509.ObjectIdentifier, extension: bytes) -> tuple[_Extension | None, str]:
    """Return the extension, also where only part of it can be read, and what is wrong with it."""
    try:
        return _loaded(der, extension), ""
    except UNREADABLE:
        pass
    for mended, why in _mended(der, oid, extension):
        try:
            return _loaded(der, mended), why
        except UNREADABLE:
            continue
    return None, "cannot be read"


def _loaded(der: bytes, extension: bytes) -> _Extension:
    """Return ``extension`` as the library reads it in a certificate that has no other."""
    tbs, *rest = children(der)
    fields = b"".join(one.whole for one in children(tbs.whole) if one.tag != _FIELD)
    fields += encoded(_FIELD, encoded(SEQUENCE, extension))
    whole = encoded(SEQUENCE, fields) + b"".join(one.whole for one in rest)
    return next(iter(x509.load_der_x509_certificate(encoded(SEQUENCE, whole)).extensions))


def _mended(
    der: bytes, oid: x509.ObjectIdentifier, extension: bytes
) -> Iterator[tuple[bytes, str]]:
    """Yield what ``extension`` means in the library's words, and what was left out of it."""
    try:
        *begin, value = children(extension)
        content = octets(value)
        if value.tag != OCTETS:
            return
        parts = children(content)
        if oid == ExtensionOID.BASIC_CONSTRAINTS:
            authority = any(one.tag == BOOLEAN and any(one.content) for one in parts)
            if not authority:  # a path length means nothing then
                yield _with(begin, encoded(SEQUENCE, b"")), ""
        elif oid == ExtensionOID.NAME_CONSTRAINTS:
            yield _with(begin, _without_minimum(content)), ""
        elif oid == ExtensionOID.SUBJECT_ALTERNATIVE_NAME:
            fine = [one.whole for one in parts if _is_fine(der, begin, one.whole)]
            if fine:
                yield _with(begin, encoded(SEQUENCE, b"".join(fine))), "has names of another kind"
    except Asn1Error:
        return


def _with(begin: Sequence[Element], content: bytes) -> bytes:
    head = b"".join(one.whole for one in begin)
    return encoded(SEQUENCE, head + encoded(OCTETS, content))


def _is_fine(der: bytes, begin: Sequence[Element], name: bytes) -> bool:
    try:
        _loaded(der, _with(begin, encoded(SEQUENCE, name)))
    except UNREADABLE:
        return False
    return True


def _without_minimum(content: bytes) -> bytes:
    """Return NameConstraints without minima of 0, which is the default."""
    kinds = b""
    for kind in children(content):
        subtrees = (
            b"".join(one.whole for one in children(subtree.whole) if one.whole != _MINIMUM)
            for subtree in elements(kind.content)
        )
        kinds += encoded(kind.tag, b"".join(encoded(SEQUENCE, one) for one in subtrees))
    return encoded(SEQUENCE, kinds)
