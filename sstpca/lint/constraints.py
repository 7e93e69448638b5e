"""Name constraints, RFC 5280 4.2.1.10: which of a certificate's names its authority may not give.

Since Vista, Windows does as the RFC says: a kind of name that is not mentioned is free.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from .readable import Readable

_Names = list[x509.GeneralName]


def names_outside(one: Readable, constraints: x509.NameConstraints) -> Iterator[str]:
    """Return the names of ``one`` that ``constraints`` of an authority above it do not allow."""
    permitted = constraints.permitted_subtrees or []
    excluded = constraints.excluded_subtrees or []
    for name in _constrained(one):
        fits = _FITS[type(name)]
        if any(fits(name.value, limit) for limit in _same_kind(name, excluded)):
            yield _text(name)
            continue
        limits = list(_same_kind(name, permitted))
        if limits and not any(fits(name.value, limit) for limit in limits):
            yield _text(name)


def _constrained(one: Readable) -> Iterator[x509.GeneralName]:
    """Return the names whose kind can be compared here."""
    san = one.extension(x509.SubjectAlternativeName)
    yield from (name for name in san or () if type(name) in _FITS)
    if one.subject.rdns:
        yield x509.DirectoryName(one.subject)
    # 4.2.1.10: an address of mail in the subject, as before there were alternative names
    for attribute in one.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS):
        with contextlib.suppress(ValueError):
            yield x509.RFC822Name(str(attribute.value))


def _same_kind(name: x509.GeneralName, subtrees: _Names) -> Iterable[Any]:
    # 4.2.1.10: an address and a prefix of the other version never match, but the kind is the same
    return (limit.value for limit in subtrees if type(limit) is type(name))


def _dns_fits(name: str, limit: str) -> bool:
    name, limit = name.lower(), limit.lower()
    if not limit:
        return True
    # a leading dot is not the RFC's, but Windows and OpenSSL take it: only what is below
    return name.endswith(limit) if limit.startswith(".") else f".{name}".endswith(f".{limit}")


def _address_fits(
    name: IPv4Address | IPv6Address | IPv4Network | IPv6Network, limit: IPv4Network | IPv6Network
) -> bool:
    return isinstance(name, IPv4Address | IPv6Address) and name in limit


def _directory_fits(name: x509.Name, limit: x509.Name) -> bool:
    return name.rdns[: len(limit.rdns)] == limit.rdns


def _mail_fits(name: str, limit: str) -> bool:
    if "@" in limit:
        return name.lower() == limit.lower()
    return _dns_fits(name.rpartition("@")[2], limit) and (
        limit.startswith(".") or name.rpartition("@")[2].lower() == limit.lower()
    )


def _uri_fits(name: str, limit: str) -> bool:
    """Compare the host of a URI; one without a host fits nothing that it could be permitted by."""
    try:
        host = (urlsplit(name).hostname or "").lower()
    except ValueError:
        return False
    limit = limit.lower()
    return host.endswith(limit) if limit.startswith(".") else host == limit


_FITS: dict[type[x509.GeneralName], Callable[[Any, Any], bool]] = {
    x509.DNSName: _dns_fits,
    x509.IPAddress: _address_fits,
    x509.DirectoryName: _directory_fits,
    x509.RFC822Name: _mail_fits,
    x509.UniformResourceIdentifier: _uri_fits,
}


def _text(name: x509.GeneralName) -> str:
    return name.value.rfc4514_string() if isinstance(name, x509.DirectoryName) else str(name.value)
