"""A certificate in an administrator's words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from .certificates import Certificate, sha1_fingerprint, sha256_fingerprint
from .keys import describe_key
from .subjects import NOBODY, upn_of

_PURPOSES: Final = {
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
    ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "any",
}
_NOBODY: Final[dict[x509.GeneralName, str]] = {
    x509.RFC822Name(NOBODY): "all mail",
    x509.UniformResourceIdentifier(NOBODY): "all URIs",
}
_USAGES: Final = {
    "digital_signature": "digitalSignature",
    "content_commitment": "nonRepudiation",
    "key_encipherment": "keyEncipherment",
    "data_encipherment": "dataEncipherment",
    "key_agreement": "keyAgreement",
    "key_cert_sign": "keyCertSign",
    "crl_sign": "cRLSign",
}


@dataclass(frozen=True, slots=True)
class Description:
    """What people look for in a certificate.

    :param names: the subject alternative names.
    :param usages: key usages, then extended ones.
    :param path_length: of an authority; None if it is none, or has no limit.
    :param days_left: whole days until it ends; negative when it has ended.
    :param sha256: the fingerprint with colons.
    :param sha1: Windows' thumbprint, without.
    :param permitted: the names that an authority can issue for; with ``excluded``, its constraints.
    """

    subject: str
    issuer: str
    serial: str
    authority: bool
    path_length: int | None
    names: tuple[str, ...]
    usages: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    days_left: int
    key: str
    sha256: str
    sha1: str
    permitted: tuple[str, ...]
    excluded: tuple[str, ...]


def describe(certificate: x509.Certificate, now: datetime) -> Description:
    """Return what there is to say about ``certificate`` at ``now``, an aware time."""
    one = Certificate.of(certificate)
    constraints = one.extension(x509.NameConstraints)
    basic = one.extension(x509.BasicConstraints)
    return Description(
        subject=one.subject.rfc4514_string(),
        issuer=one.issuer.rfc4514_string(),
        serial=f"{one.serial:x}",
        authority=one.authority,
        path_length=None if basic is None else basic.path_length,
        names=tuple(map(_name, one.names)),
        usages=_usages(one),
        not_before=one.begin,
        not_after=one.end,
        days_left=one.days_left(now),
        key=describe_key(one.key),
        sha256=sha256_fingerprint(certificate),
        sha1=sha1_fingerprint(certificate),
        permitted=_permitted(constraints),
        excluded=_excluded(constraints),
    )


def san_texts(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the subject alternative names: ``DNS x``, ``IP y``, ``mail z``, ``URI u``, ``UPN v``."""
    return tuple(map(_name, Certificate.of(certificate).names))


def _usages(one: Certificate) -> tuple[str, ...]:
    usage = one.extension(x509.KeyUsage)
    purposes = one.extension(x509.ExtendedKeyUsage) or ()
    return (
        *(text for field, text in _USAGES.items() if usage is not None and getattr(usage, field)),
        *(_PURPOSES.get(purpose, purpose.dotted_string) for purpose in purposes),
    )


def _permitted(constraints: x509.NameConstraints | None) -> tuple[str, ...]:
    names = () if constraints is None else constraints.permitted_subtrees or ()
    return tuple(_name(one) for one in names if one not in _NOBODY)


def _excluded(constraints: x509.NameConstraints | None) -> tuple[str, ...]:
    if constraints is None:
        return ()
    # to permit what nobody has is to exclude all
    nobody = [
        text for one, text in _NOBODY.items() if one in (constraints.permitted_subtrees or ())
    ]
    return (*map(_name, constraints.excluded_subtrees or ()), *nobody)


def _name(name: x509.GeneralName) -> str:
    match name:
        case x509.DNSName():
            return f"DNS {name.value}"
        case x509.IPAddress():
            return f"IP {name.value}"
        case x509.RFC822Name():
            return f"mail {name.value}"
        case x509.UniformResourceIdentifier():
            return f"URI {name.value}"
        case x509.OtherName():
            upn = upn_of(name)
            return f"otherName {name.type_id.dotted_string}" if upn is None else f"UPN {upn}"
        case _:
            return f"{type(name).__name__} {name.value}"
