"""``sstpca cert lint`` and ``cert check``: what Windows would object to, and what is due."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click

from ..errors import InvalidInput
from ..names import Hosts, quoted
from ..vpn import linting
from ..vpn.examining import ELSEWHERE, Check, Examination, Verdict
from ..vpn.linting import (
    Case,
    Finding,
    Probe,
    Report,
    Severity,
    sha1_fingerprint,
    sha256_fingerprint,
)
from .cert import cert
from .context import Context
from .doctor_view import SUMMARY, show
from .output import UNBROKEN, echo_json, in_columns, iso, pairs, rendered, table, talk

# "warning", a code, and the gaps
_MARGIN: Final = len("warning  0x800B010F  ")


@cert.command("lint")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, readable=False))
@click.option("--connect", metavar="HOST[:PORT]", help="The same as 'sstpca doctor HOST[:PORT]'.")
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
    """Say what the Windows SSTP client objects to: in FILEs, or in this home.

    FILEs are one server's certificate and its chain, PEM or DER, in any order. Without any, the
    home's own server certificates are looked at. Exit status 1 means that Windows would refuse.
    At a server that runs, 'sstpca doctor' looks.

    \b
        sstpca cert lint
        sstpca cert lint cert.pem chain.pem --name vpn.example.com
    """
    if connect is not None:
        if files:
            raise InvalidInput("FILE and --connect exclude each other", "give one of them")
        server = Examination(ctx.obj.home_path, connect, name=name, ca_file=ca_file)
        ctx.exit(_examine(server, connect, as_json=as_json))
    found = linting.look(ctx.obj.home_path, files, name=name, ca_file=ca_file)
    if as_json:
        first, *beside = [_as_json(case, report) for case, report in found]
        echo_json(first | ({"beside": beside} if beside else {}))
    else:
        click.echo("\n\n".join(_as_text(case, report) for case, report in found))
    ctx.exit(1 if any(report.failed for _, report in found) else 0)


def _examine(server: Examination, place: str, *, as_json: bool) -> int:
    """Show what doctor finds at a server, for machines in the form of this command; return 1 for a failure."""
    if not as_json:
        return int(show(server.checks(), place, as_json=False, summary=SUMMARY) is Verdict.FAIL)
    checks = list(server.checks())
    first, *beside = _of_server(server, checks, place)
    echo_json(first | ({"beside": beside} if beside else {}))
    return int(any(one.verdict is Verdict.FAIL for one in checks))


def _of_server(server: Examination, checks: list[Check], place: str) -> Iterator[dict[str, Any]]:
    """Yield what was seen of each certificate; the first has what is the server's own as well."""
    # what the certificates' findings say with more than a verdict
    own = [one for one in checks if one.name not in ("tls", "certificate")]
    more = [_check_as_json(one) for one in own if one.verdict is not Verdict.PASS]
    failed = any(one.verdict is Verdict.FAIL for one in own)
    cases = server.cases or [(Case(place, (), server.hosts, sent=True), Report(()))]
    for case, report in cases:
        findings = [one for one in report.findings if one.check not in ELSEWHERE]
        shown = _as_json(dataclasses.replace(case, source=place), report)
        if case.seen is not None:
            shown["server"]["status"] = server.answers[0].line if server.answers else ""
        shown["findings"] = [*more, *map(_finding_as_json, findings)]
        shown["failed"] = failed or report.failed
        yield shown
        more, failed = [], False


def _check_as_json(one: Check) -> dict[str, Any]:
    return {
        # what earlier releases called it
        "check": "connect" if one.name in ("dns", "tcp") else one.name,
        "severity": "error" if one.verdict is Verdict.FAIL else "warning",
        "found": one.found,
        "fix": rendered(one.remedy),
        "code": None if one.windows is None else one.windows.code,
        "windows": None if one.windows is None else one.windows.text,
    }


def _as_text(case: Case, report: Report) -> str:
    blocks = [pairs(_heading(case, report))]
    blocks += ["\n".join(_lines(finding)) for finding in report.findings]
    return "\n\n".join([*blocks, _summary(report)])


def _heading(case: Case, report: Report) -> Iterator[tuple[str, str]]:
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
    for one in case.trusted:
        yield "trusted", quoted(one.subject.rfc4514_string())


def _lines(finding: Finding) -> Iterator[str]:
    """Return one finding: severity, code and words in columns."""
    code = "" if finding.windows is None else finding.windows.code
    texts = [finding.found]
    if finding.windows is not None and finding.severity is not Severity.NOTE:
        texts.append(f"Windows: {finding.windows.text}")
    texts.append(f"fix: {rendered(finding.remedy, blank=UNBROKEN)}")
    head = f"{finding.severity.value:7}  {code:10}  "
    yield from in_columns(head, texts, _MARGIN)


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


def _as_json(case: Case, report: Report) -> dict[str, Any]:
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
    return {"suites": suites, "status": "", "sent": len(seen.chain)}


def _finding_as_json(one: Finding) -> dict[str, Any]:
    return {
        "check": one.check,
        "severity": one.severity.value,
        "found": one.found,
        "fix": rendered(one.remedy),
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
    found = context.vpn.certificates.attention(timedelta(days=days))
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
        for said in context.vpn.certificates.notes():
            talk("note: ", *said)
    ctx.exit(1 if found else 0)
