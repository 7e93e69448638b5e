"""One certificate from its DER, read to the last field: what is wrong with it is said here and now.

OpenSSL is more lenient than the cryptography library, which takes DER alone. Extensions that cannot
be read do no harm where nobody needs them; a certificate that cannot be loaded is explained.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography import x509

from ..disk.reading import without_mark
from ..errors import Damaged, Refused, SstpcaError
from ..names import quoted
from .asn1 import BOOLEAN, INTEGER, OID, SEQUENCE, Asn1Error, Element, children, dotted, elements
from .certificates import Certificate
from .extensions import UNREADABLE
from .pem import PemError, blocks

# the times of RFC 5280 4.1.2.5: UTCTime and GeneralizedTime, and how long they are
_TIMES: Final = {0x17: 13, 0x18: 15}
_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_PRINTABLE: Final = 0x13
_TELETEX: Final = 0x14
# X.680 41.4
_SIGNS: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?"
)


def load_certificate(der: bytes, where: str) -> x509.Certificate:
    """Return the certificate in ``der``.

    :param where: names it in the error: the file, and the block in it.
    :raises SstpcaError: if it is none, or what nobody can do without cannot be read.
    """
    try:
        found = Certificate.read(der)
    except UNREADABLE:
        raise Damaged(
            f"{where} has a certificate that cannot be read: {explain(der)}",
            "is it whole? fetch it again, or have the authority issue it in the usual form",
        ) from None
    place, subject = where.rstrip(","), quoted(found.subject.rfc4514_string())
    if found.key is None:
        raise Refused(
            f"{place}: the key of the certificate {subject} is damaged, or of a kind that is not "
            f"known here ({_kind_of_key(der)})",
            "have the authority issue it for an RSA key, or one on the curve P-256 or P-384",
        )
    if found.lacking is not None:
        raise Damaged(
            f"{place}: the extension {found.lacking.name} of the certificate {subject} "
            f"{found.lacking.why}",
            "have the authority issue it again without that",
        )
    return found.raw


def _kind_of_key(der: bytes) -> str:
    """Return the algorithm of the key, and the curve if it has one, as numbers."""
    try:
        fields = [one for one in children(children(der)[0].whole) if one.tag != _VERSION]
        algorithm = children(children(fields[5].whole)[0].whole)
    except (Asn1Error, IndexError):
        return "?"
    return ", ".join(dotted(one.content) for one in algorithm if one.tag == OID)


def certificates_from_pem(pem: bytes, path: Path) -> tuple[x509.Certificate, ...]:
    """Return the certificates in ``pem``, which was read from ``path``, in their order.

    :raises SstpcaError: if there is none, or one cannot be read.
    """
    try:
        found = [one for one in blocks(without_mark(pem)) if one.label.endswith("CERTIFICATE")]
        if found:
            return tuple(load_certificate(one.der, one.place) for one in found)
        why = ""
    except (PemError, SstpcaError) as error:
        why = f": {error}"
    raise Damaged(
        f"{path} has no certificate that can be read{why}", "restore it from a backup of the home"
    )


def explain(der: bytes) -> str:
    """Return why the certificate in ``der`` cannot be read, as far as that can be told."""
    try:
        return next(_reasons(der), "a part of it is of an unknown kind, or damaged")
    except (Asn1Error, IndexError):
        return "it is no certificate, or a damaged one"


def _reasons(der: bytes) -> Iterator[str]:
    fields = children(children(der, SEQUENCE, SEQUENCE)[0].whole)
    if fields[0].tag == _VERSION:
        version = children(fields[0].whole, INTEGER)[0]
        if version.content == b"\0":
            yield "its version is 1, written out where DER leaves it out"
        del fields[0]
    for name, field in (("issuer", fields[2]), ("subject", fields[4])):
        yield from _of_name(name, field)
    for time in elements(fields[3].content):
        if len(time.content) != _TIMES.get(time.tag) or not time.content.endswith(b"Z"):
            text = quoted(time.content.decode("latin-1"))
            yield f"{text} in its validity is a time without seconds, or in another form"
    for field in fields[6:]:
        if field.tag == _EXTENSIONS:
            yield from _of_extensions(children(field.content))


def _of_name(what: str, name: Element) -> Iterator[str]:
    for rdn in elements(name.content):
        if not rdn.content:
            yield f"a part of its {what} is empty"
        for attribute in elements(rdn.content):
            parts = children(attribute.whole, OID)
            oid, value = parts[0], parts[1]
            text = f"{quoted(value.content.decode('latin-1'))} in its {what}"
            kind = f"(attribute {dotted(oid.content)})"
            if value.tag == _PRINTABLE and not _SIGNS.issuperset(value.content):
                yield f"{text} {kind} is no PrintableString, and is said to be one"
            if value.tag == _TELETEX and not value.content.isascii():
                yield f"{text} {kind} is a TeletexString, which is not known here"


def _of_extensions(extensions: list[Element]) -> Iterator[str]:
    for one in extensions:
        oid, *rest = children(one.whole, OID)
        if rest[0].tag == BOOLEAN and rest[0].content != b"\xff":
            name = dotted(oid.content)
            yield f"its extension {name} says whether it is critical in another way than DER"
