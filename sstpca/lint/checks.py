"""What the Windows SSTP client would object to in a server's certificate: [MS-SSTP] 3.2.4.1.

The checks stand in leaf (one certificate by itself), eap, host_names (what users dial) and chain
(the path to a root); findings has what they answer.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography import x509

from ..errors import InvalidInput
from ..names import Hosts, parse_hosts, quoted
from ..x509.certificates import Certificate, certificate_to_der
from ..x509.chains import End, Path, Roots, build
from ..x509.roots import PublicRoots
from .chain import check_path
from .eap import check_eap
from .findings import Finding, Severity, error, note, warning
from .host_names import check_names, check_wildcards
from .leaf import check_form, check_key, check_lifetime, check_purpose, check_validity
from .readable import Readable, named, read

# more is no chain, and building a path takes its square
CHAIN_MAX: Final = 32

_ORDER: Final = {severity: index for index, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, the worst first.

    :param leaf: the server's certificate; None if there is none that can be read.
    :param path: from the leaf to as far as issuers are known.
    """

    findings: tuple[Finding, ...]
    leaf: x509.Certificate | None = None
    path: tuple[x509.Certificate, ...] = field(default=(), repr=False)

    @property
    def failed(self) -> bool:
        """Whether Windows would refuse."""
        return any(one.severity is Severity.ERROR for one in self.findings)

    def with_more(self, findings: Iterable[Finding]) -> "Report":
        """Return this report with more ``findings``."""
        return dataclasses.replace(self, findings=_sorted([*findings, *self.findings]))


@dataclass(frozen=True, slots=True)
class Presented:
    """What is looked at.

    :param certificates: DER; the leaf and other certificates, in any order.
    :param what: how findings name the leaf.
    :param sent: whether a server sent these: the leaf is the first then, and the order counts.
    """

    certificates: Sequence[bytes]
    what: str = "the certificate"
    sent: bool = False


def lint(
    presented: Presented,
    *,
    hosts: Hosts | None,
    trusted: Iterable[x509.Certificate],
    now: datetime,
    public: Roots[Certificate] | None = None,
) -> Report:
    """Check a server's certificate with its chain; nothing in them makes this raise.

    :param hosts: what users dial; None if that is not known.
    :param trusted: the roots that clients have besides the public ones; if there are none, a root
        that is not known is a warning only.
    :param now: an aware time.
    :param public: gives the public roots of a name; by default those this machine trusts.
    """
    unreadable, readable = _read_all(presented)
    what, sent = presented.what, presented.sent
    if not readable or (sent and isinstance(read(presented.certificates[0], what), Finding)):
        return Report(_sorted(unreadable or [_nothing(what)]))
    leaf, *others = readable
    known = [
        one
        for one in (read(certificate_to_der(root)) for root in trusted)
        if isinstance(one, Readable)
    ]
    path = build(leaf, others, known, _named(public or PublicRoots()), now)
    findings = [
        *unreadable,
        *_check_leaf(leaf, path, hosts, now),
        *check_path(path, now, expected=bool(known)),
        *_check_order(others, path, sent=sent),
    ]
    return Report(_sorted(findings), leaf.raw, tuple(one.raw for one in path.certificates))


def split_port(text: str, default: int = 443) -> tuple[Hosts, int]:
    """Return the host and the port of ``HOST[:PORT]``; an IPv6 address with a port in brackets.

    :raises InvalidInput: if one of them is none.
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if text.startswith("[") and text.endswith("]"):
        host, port = text[1:-1], str(default)
    elif not colon or (":" in host and not bracketed):
        # an IPv6 address, which has no port unless it is in brackets
        host, port = text, str(default)
    elif bracketed:
        host = host[1:-1]
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        url = "leave out https:// and what comes behind the name: HOST[:PORT]"
        hint = url if "://" in text else "a port is a number from 1 to 65535"
        raise InvalidInput(f"{quoted(port)} is not a port", hint)
    return parse_hosts([host]), int(port)


def _read_all(presented: Presented) -> tuple[list[Finding], list[Readable]]:
    """Return what cannot be read, and what can, the leaf first."""
    unreadable: list[Finding] = []
    readable: list[Readable] = []
    for index, der in enumerate(presented.certificates[:CHAIN_MAX]):
        one = read(der, presented.what if index == 0 and presented.sent else "")
        if isinstance(one, Finding):
            unreadable.append(one)
        elif one not in readable:
            readable.append(one)
    if len(presented.certificates) > CHAIN_MAX:
        unreadable.append(
            warning(
                "too-many",
                f"there are {len(presented.certificates)} certificates; only {CHAIN_MAX} were looked at",
                "give one server's certificate with its chain",
            )
        )
    if readable and not presented.sent:
        leaf = _leaf_of(readable)
        readable.remove(leaf)
        readable.insert(0, dataclasses.replace(leaf, what=presented.what))
    return unreadable, readable


def _leaf_of(readable: Sequence[Readable]) -> Readable:
    """Return the one that issued no other, and best is no authority's."""
    issuers = [one.issuer for one in readable if not one.self_issued]
    return min(readable, key=lambda one: (one.subject in issuers, one.authority))


def _nothing(what: str) -> Finding:
    return error("nothing", f"{what} is not there", "give a file with it, PEM or DER")


def _check_leaf(
    leaf: Readable, path: Path[Readable], hosts: Hosts | None, now: datetime
) -> Iterator[Finding]:
    yield from check_validity(leaf, now)
    yield from check_purpose(leaf)
    yield from check_eap(leaf)
    if hosts is None:
        yield note("no-name", f"{leaf.what} was not compared with a name", "say --name HOST")
    else:
        yield from check_names(leaf, hosts)
    yield from check_wildcards(leaf)
    yield from check_lifetime(leaf, now, public=path.end is End.PUBLIC)
    yield from check_key(leaf)
    yield from check_form(leaf)


def _check_order(
    others: Sequence[Readable], path: Path[Readable], *, sent: bool
) -> Iterator[Finding]:
    """Look at what else came with the leaf."""
    place = {one: index for index, one in enumerate(path.certificates)}
    # an issuer by its name, with another key, has had a finding
    last = path.certificates[-1]
    for one in others:
        if one not in place:
            if path.end is End.FORGED and one.subject == last.issuer:
                continue
            yield note(
                "unrelated",
                f"{one.what} has no part in the chain",
                "leave it out",
            )
        elif one.self_issued and place[one] == len(path.certificates) - 1:
            yield note("root-sent", f"{one.what} is the root", "leave it out: clients have it")
    order = [place[one] for one in others if one in place]
    if sent and order != sorted(order):
        yield warning(
            "order",
            "the chain is not in order; Windows sorts it, others may refuse (RFC 5246 7.4.2)",
            "put the server's certificate first, then its issuer, then that one's",
        )


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda one: _ORDER[one.severity]))


def _named(public: Roots[Certificate]) -> Roots[Readable]:
    return lambda name: list(map(named, public(name)))
