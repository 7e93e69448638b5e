"""``sstpca cert lint`` and ``cert check``: what Windows would object to, and what is due."""

import contextlib
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click
from cryptography import x509

from ..authority.authority import client_roots, former_authorities, note_on_purposes
from ..authority.due import due, unknown_end
from ..authority.identity import load_server_certificate, served_hosts
from ..disk.reading import read_file
from ..errors import InvalidInput, SstpcaError
from ..home import Home
from ..lint.checks import Report, lint, split_port
from ..lint.findings import Finding, Severity, Windows, error, note, warning
from ..lint.probe import Probe, check_server, probe
from ..names import Hosts, quoted
from ..x509.certificate_profiles import is_for_vpn_only
from ..x509.certificates import sha1_fingerprint, sha256_fingerprint
from ..x509.keys import key_from_pem
from ..x509.loading import load_certificate
from ..x509.parsing import certificates_in
from .cert import cert
from .context import Context
from .lint_ways import with_ways
from .output import echo_json, iso, pairs, table, talk

_WIDTH: Final = 80
# a command is copied as a whole
_COMMAND: Final = re.compile(r"\bsstpca [^;:)]+")
_UNBROKEN: Final = "\0"
# "warning", a code, and the gaps
_MARGIN: Final = len("warning  0x800B010F  ")
_WRAPPER: Final = textwrap.TextWrapper(
    _WIDTH - _MARGIN, break_long_words=False, break_on_hyphens=False
)


@dataclass(frozen=True, slots=True)
class _Case:
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


@cert.command("lint")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, readable=False))
@click.option("--connect", metavar="HOST[:PORT]", help="Look at a running server instead.")
@click.option("--name", metavar="HOST", help="What users dial; by default what is connected to.")
@click.option(
    "--ca",
    "ca_file",
    type=click.Path(path_type=Path, readable=False),
    help="The authority that clients trust; by default this home's.",
)
@click.option("--json", "as_json", is_flag=True, help="A JSON object for machines.")
@click.pass_context
def lint_command(
    ctx: click.Context,
    files: tuple[Path, ...],
    connect: str | None,
    name: str | None,
    ca_file: Path | None,
    as_json: bool,
) -> None:
    """Say what the Windows SSTP client objects to: in FILEs, in a server, or in this home.

    FILEs are one server's certificate and its chain, PEM or DER, in any order. Without any, the
    home's own server certificate is looked at. Exit status 1 means that Windows would refuse.

    \b
        sstpca cert lint
        sstpca cert lint cert.pem chain.pem --name vpn.example.com
        sstpca cert lint --connect vpn.example.com
    """
    home = Home(ctx.obj.home_path)
    trusted = _trusted(home, ca_file)
    case = _case(ctx.obj, files, connect, name)
    report = Report((), None)
    if case.seen is None or case.seen.chain:
        report = lint(
            case.presented,
            hosts=case.hosts,
            trusted=trusted,
            now=datetime.now(UTC),
            what=case.what,
            sent=case.sent,
        )
    more = [*case.findings, *_other_certificate(home, case, report.leaf)]
    if home.exists:
        more += [*_former_authority(home, report), *_wide_authority(home, report)]
    report = report.with_more(more)
    report = with_ways(ctx.obj, report, case.what, own=not files and connect is None)
    if as_json:
        echo_json(_as_json(case, report))
    else:
        click.echo(_as_text(case, report, trusted))
    ctx.exit(1 if report.failed else 0)


def _trusted(home: Home, ca_file: Path | None) -> tuple[x509.Certificate, ...]:
    if ca_file is not None:
        content = read_file(ca_file, "the authority's certificate")
        found = certificates_in(content, str(ca_file))
        return tuple(load_certificate(one, str(ca_file)) for one in found)
    return client_roots(home) if home.exists else ()


def _case(
    context: Context, files: tuple[Path, ...], connect: str | None, name: str | None
) -> _Case:
    """Return what the command line asks to look at."""
    hosts = None if name is None else split_port(name)[0]
    if connect is not None:
        if files:
            raise InvalidInput("FILE and --connect exclude each other", "give one of them")
        return _server_case(connect, hosts)
    if files:
        presented = [der for path in files for der in certificates_in(_content(path), str(path))]
        return _Case(", ".join(map(str, files)), presented, hosts, sent=False)
    return _home_case(context.home(), hosts)


def _server_case(connect: str, hosts: Hosts | None) -> _Case:
    reached, port = split_port(connect)
    hosts = hosts or reached
    seen = probe(reached.first, port, hosts.first)
    return _Case(
        f"{reached.first} port {port}",
        seen.chain,
        hosts,
        sent=True,
        what="the server's certificate",
        findings=tuple(check_server(seen)),
        seen=seen,
    )


def _home_case(home: Home, hosts: Hosts | None) -> _Case:
    hosts = hosts or served_hosts(home)
    content = _content(home.server_identity)
    return _Case(
        str(home.server_identity),
        certificates_in(content, str(home.server_identity)),
        hosts,
        sent=True,
        what="the server certificate",
        findings=tuple(_key_findings(home, content)),
    )


def _content(path: Path) -> bytes:
    return read_file(path, "the certificate")


def _key_findings(home: Home, content: bytes) -> Iterator[Finding]:
    """Look whether the server could use its certificate."""
    try:
        leaf = load_server_certificate(home)
        key = key_from_pem(content, home.server_identity)
    except SstpcaError as problem:
        yield error("key", str(problem), problem.hint)
        return
    if key.public_key() != leaf.public_key():
        yield error(
            "key",
            f"the key in {home.server_identity} does not fit its certificate",
            "put key and certificate of the same pair into it, or restore it from a backup",
        )


def _other_certificate(home: Home, case: _Case, leaf: x509.Certificate | None) -> Iterator[Finding]:
    """Compare what a server of this home shows with what the home has."""
    if case.seen is None or leaf is None or case.hosts is None or not home.exists:
        return
    with contextlib.suppress(SstpcaError):
        served = served_hosts(home)
        ours = case.hosts.first in (*served.names, *map(str, served.addresses))
        if ours and load_server_certificate(home) != leaf:
            yield warning(
                "other-certificate",
                f"the server shows another certificate than {home.server_identity}",
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
            "sstpca cert renew NAME",
            Windows.UNTRUSTED_ROOT,
        )


def _wide_authority(home: Home, report: Report) -> Iterator[Finding]:
    """Look whether the authority above is one of this home that could issue for more than a VPN."""
    wide = [one for one in client_roots(home) if not is_for_vpn_only(one)]
    if set(report.path) & set(wide):
        yield note(
            "authority-purposes",
            "the authority can also certify publishers of programs and senders of mail",
            "make a next one that cannot: sstpca ca rollover begin",
        )


def _as_text(case: _Case, report: Report, trusted: Sequence[x509.Certificate]) -> str:
    blocks = [pairs(_heading(case, report, trusted))]
    blocks += ["\n".join(_lines(finding)) for finding in report.findings]
    return "\n\n".join([*blocks, _summary(report)])


def _heading(
    case: _Case, report: Report, trusted: Sequence[x509.Certificate]
) -> Iterator[tuple[str, str]]:
    yield "looked at", case.source
    if report.leaf is not None:
        yield "subject", quoted(report.leaf.subject.rfc4514_string())
        yield "ends", f"{report.leaf.not_valid_after_utc:%Y-%m-%d}"
        digest = sha256_fingerprint(report.leaf)
        # 32 bytes with colons are longer than a line
        yield "SHA-256", digest[:48]
        yield "", digest[48:]
    if case.hosts is not None:
        yield "dialled", ", ".join((*case.hosts.names, *map(str, case.hosts.addresses)))
    for one in trusted:
        yield "trusted", quoted(one.subject.rfc4514_string())
    if case.seen is not None:
        suites = [one for one in dict.fromkeys(case.seen.suites.values()) if one] or ["none"]
        yield from zip(["TLS", *[""] * len(suites)], suites, strict=False)


def _lines(finding: Finding) -> Iterator[str]:
    """Return one finding: severity, code and words in columns."""
    code = "" if finding.windows is None else finding.windows.code
    texts = [finding.found]
    if finding.windows is not None and finding.severity is not Severity.NOTE:
        texts.append(f"Windows: {finding.windows.text}")
    texts.append(f"fix: {finding.fix}")
    head = f"{finding.severity.value:7}  {code:10}  "
    for text in texts:
        whole = _COMMAND.sub(lambda command: command[0].replace(" ", _UNBROKEN), text)
        for line in _WRAPPER.wrap(whole):
            yield head + line.replace(_UNBROKEN, " ")
            head = " " * _MARGIN


def _summary(report: Report) -> str:
    if not report.findings:
        return "Windows has nothing to object to."
    counts = [
        (severity.value, sum(one.severity is severity for one in report.findings))
        for severity in Severity
    ]
    return ", ".join(
        f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts if count
    )


def _as_json(case: _Case, report: Report) -> dict[str, Any]:
    leaf = report.leaf
    hosts = case.hosts or Hosts()
    return {
        "source": case.source,
        "dialled": [*hosts.names, *map(str, hosts.addresses)],
        "failed": report.failed,
        "subject": None if leaf is None else leaf.subject.rfc4514_string(),
        "not_after": None if leaf is None else iso(leaf.not_valid_after_utc),
        "sha256": None if leaf is None else sha256_fingerprint(leaf),
        "sha1": None if leaf is None else sha1_fingerprint(leaf),
        "path": [one.subject.rfc4514_string() for one in report.path],
        "server": None if case.seen is None else _seen_as_json(case.seen),
        "findings": [_finding_as_json(one) for one in report.findings],
    }


def _seen_as_json(seen: Probe) -> dict[str, Any]:
    suites = {hello.name.lower(): suite for hello, suite in seen.suites.items()}
    return {"suites": suites, "status": seen.status, "sent": len(seen.chain)}


def _finding_as_json(one: Finding) -> dict[str, Any]:
    return {
        "check": one.check,
        "severity": one.severity.value,
        "found": one.found,
        "fix": one.fix,
        "code": None if one.windows is None else one.windows.code,
        "windows": None if one.windows is None else one.windows.text,
    }


@cert.command("check")
@click.option(
    "--days",
    type=click.IntRange(0, 36500),
    default=30,
    show_default=True,
    help="How long before its end a certificate is due; of a short life, a third.",
)
@click.option("--json", "as_json", is_flag=True, help="A JSON array for machines.")
@click.pass_context
def check(ctx: click.Context, days: int, as_json: bool) -> None:
    """Say which certificates need attention; for timers and monitoring.

    The server, all users, and the authority, which is due a year before its end. Exit status 1 means that one is due or wrong.

    \b
        sstpca cert check
        sstpca cert check --days 14 --json
    """
    context: Context = ctx.obj
    now = datetime.now(UTC)
    found = due(context.home(), context.store(), timedelta(days=days), now)
    if as_json:
        echo_json(
            [
                {
                    "name": one.name,
                    "urgency": one.urgency.value,
                    "not_after": None if one.not_after is None else iso(one.not_after),
                    "why": one.why,
                    "fix": one.fix,
                }
                for one in found
            ]
        )
    else:
        rows = [
            (one.urgency.value, one.name, ": ".join(filter(None, (one.why, one.fix))))
            for one in found
        ]
        click.echo(table(("", "NAME", "WHAT"), rows, empty="all certificates are in order"))
        for said in (unknown_end(context.home(), now), note_on_purposes(context.home())):
            if said:
                talk(f"note: {said}")
    ctx.exit(1 if found else 0)
