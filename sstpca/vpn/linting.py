"""What the Windows SSTP client objects to: in files, in a running server, or in a home."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from ..authority.authority import client_roots, former_authorities, issuer_of
from ..authority.identity import (
    called,
    check_beside,
    load_server_certificate,
    load_server_certificates,
    served_hosts,
)
from ..disk.reading import read_file
from ..errors import Remedy, SstpcaError, Unavailable, command
from ..home import SERVER, Home
from ..lint.checks import Presented, Report, lint, split_port
from ..lint.findings import Finding, Severity, Windows, error, note, warning
from ..lint.probe import Probe, check_server, probe
from ..lint.readable import named
from ..names import Hosts
from ..store import certificates
from ..store.certificates import Entry
from ..x509.certificate_profiles import is_for_vpn_only
from ..x509.certificates import Certificate, digest, sha1_fingerprint, sha256_fingerprint
from ..x509.keys import key_from_pem
from ..x509.loading import load_certificate
from ..x509.parsing import certificates_in
from .opened import Opened

__all__ = [
    "Case",
    "Finding",
    "Probe",
    "Report",
    "Severity",
    "look",
    "sha1_fingerprint",
    "sha256_fingerprint",
]

_ENDS = frozenset({"expired", "ends-soon"})
_CLOCK = "; if it is not that late, correct this machine's clock"


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be looked at.

    :param source: the files or the server, for the heading.
    :param sent: whether a server showed the certificates, so that their order counts.
    :param findings: what is known already.
    """

    source: str
    presented: Sequence[bytes] = field(repr=False)
    hosts: Hosts | None
    sent: bool
    what: str = "the certificate"
    findings: Sequence[Finding] = ()
    seen: Probe | None = None
    trusted: Sequence[x509.Certificate] = ()


def look(
    root: Path,
    files: tuple[Path, ...] = (),
    *,
    connect: str | None = None,
    name: str | None = None,
    ca_file: Path | None = None,
) -> list[tuple[Case, Report]]:
    """Look at a server's certificates as Windows would, and as this home knows more than that.

    There is one, or one for each kind of key.

    :param root: the home, which need not exist where something else is to be looked at.
    :param files: one certificate and its chain, PEM or DER, in any order; none: the home's own.
    :param connect: HOST[:PORT] of a running server to look at instead: TLS and certificates, which are a
        part of what :func:`.examining.examine` looks at.
    :param name: what users dial; by default what is connected to, or the settings have.
    :param ca_file: the authority that clients trust; by default the home's.
    :raises SstpcaError: if something cannot be read, or the server cannot be reached.
    """
    opened = Opened(root)
    try:
        roots = trusted(root, ca_file)
        own = not files and connect is None
        cases = [
            dataclasses.replace(case, trusted=roots)
            for case in _cases(opened, files, connect, name)
        ]
        return [(case, _look_at(opened, Home(root), case, own=own)) for case in cases]
    finally:
        opened.close()


def _look_at(opened: Opened, home: Home, case: Case, *, own: bool) -> Report:
    report = Report((), None)
    if case.seen is None or case.presented:
        report = lint(
            Presented(case.presented, case.what, case.sent),
            hosts=case.hosts,
            trusted=case.trusted,
            now=datetime.now(UTC),
        )
    more = [*case.findings, *_other_certificate(home, case, report.leaf)]
    if home.exists:
        more += [*_former_authority(home, report), *_wide_authority(home, report)]
    return _with_ways(opened, report.with_more(more), case.what, own=own)


def trusted(root: Path, ca_file: Path | None) -> tuple[x509.Certificate, ...]:
    """Return the authorities that clients have beside the public ones.

    :param ca_file: has them; by default, the home in ``root`` does, if there is one.
    :raises SstpcaError: if they cannot be read.
    """
    home = Home(root)
    if ca_file is not None:
        content = read_file(ca_file, "the authority's certificate")
        found = certificates_in(content, str(ca_file))
        return tuple(load_certificate(one, str(ca_file)) for one in found)
    return client_roots(home) if home.exists else ()


def _cases(
    opened: Opened, files: tuple[Path, ...], connect: str | None, name: str | None
) -> Iterator[Case]:
    """Yield what the command line asks to look at."""
    hosts = None if name is None else split_port(name)[0]
    if connect is not None:
        yield from _server_cases(connect, hosts)
    elif files:
        presented = [der for path in files for der in certificates_in(_content(path), str(path))]
        yield Case(", ".join(map(str, files)), presented, hosts, sent=False)
    else:
        yield from (_home_case(opened.home, hosts, one) for one in opened.home.shown)


def _server_cases(connect: str, hosts: Hosts | None) -> Iterator[Case]:
    reached, port = split_port(connect)
    hosts = hosts or reached
    try:
        seen = probe(reached.first, port, hosts.first)
    except (OSError, UnicodeError) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise Unavailable(f"{reached.first} port {port} cannot be reached: {why}") from problem
    first = Case(
        f"{reached.first} port {port}",
        seen.chain,
        hosts,
        sent=True,
        what="the server's certificate",
        findings=tuple(check_server(seen)),
        seen=seen,
    )
    yield first
    for chain in seen.others:
        source = f"{first.source}, for clients with another kind of key"
        yield dataclasses.replace(first, source=source, presented=chain, findings=())


def _home_case(home: Home, hosts: Hosts | None, name: str) -> Case:
    hosts, path = hosts or served_hosts(home), home.pair(name)
    content = _content(path)
    return Case(
        str(path),
        certificates_in(content, str(path)),
        hosts,
        sent=True,
        what=called(name),
        findings=tuple(_key_findings(home, name, content)),
    )


def _content(path: Path) -> bytes:
    return read_file(path, "the certificate")


def _key_findings(home: Home, name: str, content: bytes) -> Iterator[Finding]:
    """Look whether the server could use its certificate."""
    path = home.pair(name)
    try:
        leaf = load_server_certificate(home, name)
        key = key_from_pem(content, path)
    except SstpcaError as problem:
        yield error("key", str(problem), problem.remedy)
        return
    if key.public_key() != leaf.public_key():
        yield error(
            "key",
            f"the key in {path} does not fit its certificate",
            "put key and certificate of the same pair into it, or restore it from a backup",
        )
    if name != SERVER:
        try:
            check_beside(home, load_server_certificate(home), leaf)
        except SstpcaError as problem:
            yield error("beside", str(problem), problem.remedy)


def _other_certificate(home: Home, case: Case, leaf: x509.Certificate | None) -> Iterator[Finding]:
    """Compare what a server of this home shows with what the home has."""
    if case.seen is None or leaf is None or case.hosts is None or not home.exists:
        return
    with contextlib.suppress(SstpcaError):
        served = served_hosts(home)
        ours = case.hosts.first in (*served.names, *map(str, served.addresses))
        if ours and leaf not in load_server_certificates(home).values():
            places = " and ".join(str(home.pair(one)) for one in home.shown)
            yield warning(
                "other-certificate",
                f"the server shows another certificate than {places}",
                "its log says why if it does not take that one; else something in between "
                "decrypts TLS, and no client can connect through it (crypto binding)",
            )


def _former_authority(home: Home, report: Report) -> Iterator[Finding]:
    """Look whether the certificate is of an authority that new bundles do not have any more."""
    if set(report.path) & set(former_authorities(home)):
        yield warning(
            "former-authority",
            "the certificate is of a former authority of this home; machines whose bundle was made "
            "since the rollover do not trust it",
            (command("cert renew NAME"),),
            Windows.UNTRUSTED_ROOT,
        )


def _wide_authority(home: Home, report: Report) -> Iterator[Finding]:
    """Look whether the authority above is one of this home that could issue for more than a VPN."""
    wide = [one for one in client_roots(home) if not is_for_vpn_only(one)]
    if set(report.path) & set(wide):
        yield note(
            "authority-purposes",
            "the authority can also certify publishers of programs and senders of mail",
            ("make a next one that cannot: ", command("ca rollover begin")),
        )


def _with_ways(opened: Opened, report: Report, what: str, *, own: bool) -> Report:
    """Return ``report`` with the command that mends it where something has ended, or will soon.

    :param what: what the report calls the leaf.
    :param own: whether it is what this home's server shows.
    """
    home = Home(opened.root)
    if report.leaf is None or not home.exists:
        return report
    ways = dict(_ways(opened, home, report, what, own=own))
    findings = tuple(
        dataclasses.replace(one, remedy=_fix(ways[subject], one.check))
        if one.check in _ENDS and (subject := _subject(one.found)) in ways
        else one
        for one in report.findings
    )
    return dataclasses.replace(report, findings=findings)


def _subject(found: str) -> str:
    """Return what an end is said of."""
    return found.rpartition(" expired on ")[0] or found.rpartition(" ends on ")[0]


def _fix(way: Remedy, check: str) -> Remedy:
    return (*way, _CLOCK) if check == "expired" else way


def _ways(
    opened: Opened, home: Home, report: Report, what: str, *, own: bool
) -> Iterator[tuple[str, Remedy]]:
    """Yield what each certificate of the path is called, and the way to a new one, if there is one."""
    assert report.leaf is not None
    if issuer_of(home, report.leaf) is not None:
        yield what, _renewal(_entry(opened, report.leaf), own=own)
    elif own:
        yield what, ("get a new one from whoever issued it, then: ", command("cert import FILE..."))
    ours = client_roots(home)
    for one in report.path[1:]:
        if one in ours:
            how = ("make a next authority: ", command("ca rollover begin"))
            yield named(Certificate.of(one)).what, how


def _entry(opened: Opened, leaf: x509.Certificate) -> Entry | None:
    with contextlib.suppress(SstpcaError):
        wanted = digest(leaf)
        return next(
            (one for one in certificates.list_all(opened.store) if one.sha256 == wanted), None
        )
    return None


def _renewal(entry: Entry | None, *, own: bool) -> Remedy:
    if entry is None:
        return (command("cert renew server") if own else command("cert renew NAME"),)
    if entry.replaced is not None:
        return ("a newer one has taken its place: ", command("cert export {}", entry.name))
    if entry.revoked is not None:
        return ("it is revoked as well: ", command("cert rekey {}", entry.name))
    return (command("cert renew {}", entry.name),)
