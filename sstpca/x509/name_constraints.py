"""Name constraints, RFC 5280 4.2.1.10: which names an authority may not give. The one judge of them.

Since Vista, Windows does as the RFC says: a kind of name that is not mentioned is free. What the RFC
does not say:

- A wildcard is permitted where every name is that it stands for, and excluded where one of them is:
  who has ``*.example.com`` answers for ``a.example.com`` as well. So judge BoringSSL, Go
  (CVE-2025-61727), rustls and the cryptography package. To OpenSSL, GnuTLS and NSS it is but a text:
  they let it pass beside an excluded name.
- A limit for host names that begins with a dot is for those below it, without the name itself.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from ..errors import InvalidInput, command
from .certificates import Certificate
from .subjects import Subject

# Windows: "The certificate has an invalid name. The name is not included in the permitted list or
# is explicitly excluded." (CERT_E_INVALID_NAME)
_NOT_PERMITTED: Final = "0x800B0114"

_Limits = Iterable[x509.GeneralName] | None


def refused(
    authority: Certificate, names: Iterable[x509.GeneralName]
) -> Iterator[x509.GeneralName]:
    """Yield those of ``names`` that ``authority`` may not give, nor anybody below it."""
    constraints = authority.extension(x509.NameConstraints)
    if constraints is None:
        return
    for name in names:
        judge = _JUDGES.get(type(name))
        permitted = _same_kind(name, constraints.permitted_subtrees)
        excluded = _same_kind(name, constraints.excluded_subtrees)
        if judge is not None and not judge(name.value, permitted, excluded):
            yield name


def all_names(certificate: Certificate) -> list[x509.GeneralName]:
    """Return the names in ``certificate`` that constraints can be for, wherever they stand."""
    return [*certificate.names, *_of_subject(certificate.subject)]


def text_of(name: x509.GeneralName) -> str:
    """Return ``name`` for a message."""
    return name.value.rfc4514_string() if isinstance(name, x509.DirectoryName) else str(name.value)


def may(authority: x509.Certificate, subject: Subject) -> bool:
    """Return whether ``authority`` can issue for all names of ``subject``."""
    return not _refused_to(subject, authority)


def check_permitted(subject: Subject, authority: x509.Certificate) -> None:
    """Check that ``authority`` can issue for all names of ``subject``.

    :raises InvalidInput: naming those for which it cannot.
    """
    names = _refused_to(subject, authority)
    if names:
        raise InvalidInput(
            f"the authority cannot issue for {', '.join(names)}: "
            f"Windows would say {_NOT_PERMITTED}",
            "its name constraints are fixed ('",
            command("ca show"),
            "'); names below a permitted one are allowed, others need a next authority (",
            command("ca rollover --help"),
            ")",
        )


def _refused_to(subject: Subject, authority: x509.Certificate) -> list[str]:
    names = sorted(subject.alternative_name(), key=lambda one: not isinstance(one, x509.IPAddress))
    names += _of_subject(subject.name())
    return list(dict.fromkeys(map(text_of, refused(Certificate.of(authority), names))))


def _of_subject(subject: x509.Name) -> Iterator[x509.GeneralName]:
    """Yield the names in a subject that constraints are for."""
    if subject.rdns:
        yield x509.DirectoryName(subject)
    # an address of mail in the subject counts, as before there were alternative names
    for attribute in subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS):
        with contextlib.suppress(ValueError):
            yield x509.RFC822Name(str(attribute.value))


def _same_kind(name: x509.GeneralName, limits: _Limits) -> list[Any]:
    # an address and a prefix of the other version never match, but the kind is the same
    return [limit.value for limit in limits or () if type(limit) is type(name)]


def _judge(
    name: Any, permitted: list[Any], excluded: list[Any], fits: Callable[[Any, Any], bool]
) -> bool:
    allowed = not permitted or any(fits(name, limit) for limit in permitted)
    return allowed and not any(fits(name, limit) for limit in excluded)


def _judge_host(name: str, permitted: list[str], excluded: list[str]) -> bool:
    return _judge(name, permitted, excluded, _host_fits) and not any(
        _stands_for(name, limit) for limit in excluded
    )


def _host_fits(name: str, limit: str) -> bool:
    """Return whether ``name``, or all that it stands for, is ``limit`` or below it."""
    name, limit = name.lower(), limit.lower()
    if not limit:
        return True
    return name.endswith(limit) if limit.startswith(".") else f".{name}".endswith(f".{limit}")


def _stands_for(wildcard: str, limit: str) -> bool:
    """Return whether ``limit`` is one of the names that ``wildcard`` stands for, if it is one.

    ``w*.example.com`` is one to Windows alone (KB 258858).
    """
    label, _, rest = wildcard.lower().partition(".")
    begin, star, end = label.partition("*")
    first, _, others = limit.lower().partition(".")
    return (
        bool(star and first)
        and rest == others
        and first.startswith(begin)
        and first[len(begin) :].endswith(end)
    )


def _judge_address(
    name: IPv4Address | IPv6Address | IPv4Network | IPv6Network,
    permitted: list[IPv4Network | IPv6Network],
    excluded: list[IPv4Network | IPv6Network],
) -> bool:
    if not isinstance(name, IPv4Address | IPv6Address):  # a network is no address of a host
        return not permitted and not excluded
    return _judge(name, permitted, excluded, lambda one, limit: one in limit)


def _judge_directory(
    name: x509.Name, permitted: list[x509.Name], excluded: list[x509.Name]
) -> bool:
    return _judge(
        name, permitted, excluded, lambda one, limit: one.rdns[: len(limit.rdns)] == limit.rdns
    )


def _judge_mail(name: str, permitted: list[str], excluded: list[str]) -> bool:
    return _judge(name, permitted, excluded, _mail_fits)


def _mail_fits(name: str, limit: str) -> bool:
    """Compare with a mailbox, a host, or all hosts below a domain (``.example.com``)."""
    mailbox, _, host = name.rpartition("@")
    if "@" in limit:
        wanted, _, limit = limit.rpartition("@")
        # 7.5: of a mailbox, only the host may have other letters
        return mailbox == wanted and host.lower() == limit.lower()
    return _host_or_below(host, limit)


def _judge_uri(name: str, permitted: list[str], excluded: list[str]) -> bool:
    """Judge the host of a URI; one that has none is refused wherever its kind is constrained."""
    if not permitted and not excluded:
        return True
    try:
        host = urlsplit(name).hostname or ""
    except ValueError:
        return False
    with contextlib.suppress(ValueError):
        ip_address(host)
        return False
    return bool(host) and _judge(host, permitted, excluded, _host_or_below)


def _host_or_below(host: str, limit: str) -> bool:
    host, limit = host.lower(), limit.lower()
    return host.endswith(limit) if limit.startswith(".") else host == limit


_JUDGES: Final[dict[type[x509.GeneralName], Callable[[Any, list[Any], list[Any]], bool]]] = {
    x509.DNSName: _judge_host,
    x509.IPAddress: _judge_address,
    x509.DirectoryName: _judge_directory,
    x509.RFC822Name: _judge_mail,
    x509.UniformResourceIdentifier: _judge_uri,
}
