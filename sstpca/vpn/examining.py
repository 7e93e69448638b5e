"""What the Windows client would see of a server, from its name to a packet through the tunnel."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ..client.sign_in import Credentials
from ..doctor.dialogue import Target, check_dialogue
from ..doctor.outcome import Check, Verdict, failed, of_finding, passed, warned
from ..doctor.reaching import (
    ADDRESSES_MAX,
    Reached,
    check_name,
    check_port,
    check_tls_at_all,
    no_name,
    reach,
    resolve,
)
from ..doctor.revocation import check_revocation
from ..doctor.tunnel import check_tunnel
from ..lint.checks import Report, split_port
from ..lint.findings import Severity, Windows
from ..lint.probe import Hello
from ..names import quoted
from ..x509.certificates import certificate_to_pem
from .linting import Case, look, trusted

__all__ = ["Check", "Credentials", "Verdict", "examine"]

_TIMEOUT: Final = 5.0
#: What the checks of a server's answer are called, and those that are asked in another way here.
_TLS: Final = ("tls", "tls-1.2", "tls-1.3", "tls-old", "tls-weaker", "tls-no-pfs")
_ELSEWHERE: Final = ("connect", "http", "revocation", "revocation-none")
_SYSTEMS: Final = {
    Hello.TLS13: "Windows 11",
    Hello.TLS12: "Windows 10",
    Hello.OLD: "Windows 7 and 8.1",
}


def examine(
    root: Path,
    server: str,
    *,
    name: str | None = None,
    ca_file: Path | None = None,
    credentials: Credentials | None = None,
) -> Iterator[Check]:
    """Yield one check after the other, as it is made; the next ones depend on what went before.

    :param root: the home, which need not exist; its authority is trusted.
    :param server: HOST[:PORT], of whatever make.
    :param name: what users dial, where that is another name.
    :param ca_file: the authority that clients trust; by default the home's.
    :param credentials: who logs in; None looks from outside alone.
    :raises SstpcaError: if what is given cannot be used; nothing that the server does raises.
    """
    hosts, port = split_port(server)
    dialled = split_port(name)[0] if name else hosts
    seen = _Seen()
    try:
        addresses = resolve(hosts.first)[:ADDRESSES_MAX]
    except (OSError, UnicodeError):
        yield no_name(hosts.first)
        return
    yield check_name(hosts.first, addresses)
    came = [(one, reach(one, port, _TIMEOUT)) for one in addresses]
    reached = [one for one, result in came if isinstance(result, Reached)]
    for one, result in came:
        yield check_port(one, port, result, others=bool(reached))
    if not reached:
        return
    found = look(root, connect=server, name=name, ca_file=ca_file)
    yield from seen.noting(_check_tls(found[0][0], reached[0], port))
    if not found[0][0].presented:
        return
    for case, report in found:
        yield from seen.noting(_check_certificate(case, report))
        yield from seen.noting(check_revocation(report.path, datetime.now(UTC), _TIMEOUT))
    target = Target(reached[0], port, dialled.first)
    yield from seen.noting(check_dialogue(target))
    if credentials is not None:
        yield from _log_in(root, ca_file, target, credentials, refused=seen.failed)


class _Seen:
    """Whether anything has failed so far."""

    def __init__(self) -> None:
        self.failed = False

    def noting(self, checks: Iterator[Check]) -> Iterator[Check]:
        for one in checks:
            self.failed |= one.verdict is Verdict.FAIL
            yield one


def _check_tls(case: Case, address: str, port: int) -> Iterator[Check]:
    findings = [one for one in case.findings if one.check in _TLS]
    if case.seen is not None and not case.presented:
        for finding in findings:
            yield check_tls_at_all(address, port, of_finding("tls", finding))
        return
    suites = case.seen.suites if case.seen is not None else {}
    spoken = [f"{system} {suites[one]}" for one, system in _SYSTEMS.items() if suites.get(one)]
    if spoken:
        yield passed("tls", ", ".join(spoken))
    for finding in findings:
        if finding.severity is not Severity.NOTE:
            yield of_finding("tls", finding)


def _check_certificate(case: Case, report: Report) -> Iterator[Check]:
    ours = [one for one in report.findings if one.check not in (*_TLS, *_ELSEWHERE)]
    bad = [of_finding("certificate", one) for one in ours if one.severity is not Severity.NOTE]
    yield from bad
    if report.leaf is not None and not any(one.verdict is Verdict.FAIL for one in bad):
        ends = f"{report.leaf.not_valid_after_utc:%Y-%m-%d}"
        issuer = quoted(report.leaf.issuer.rfc4514_string())
        dialled = case.hosts.first if case.hosts is not None else ""
        yield passed("certificate", f"it is for {dialled} until {ends}, issued by {issuer}")


def _log_in(
    root: Path, ca_file: Path | None, target: Target, credentials: Credentials, *, refused: bool
) -> Iterator[Check]:
    if refused:
        yield warned("login", "nobody logs in where Windows would not connect", "mend that first")
        return
    context = ssl.create_default_context()
    for one in trusted(root, ca_file):
        context.load_verify_locations(cadata=certificate_to_pem(one).decode("ascii"))
    try:
        yield from check_tunnel(target, context, credentials)
    except ssl.SSLCertVerificationError as error:
        yield failed(
            "login",
            f"nobody logs in: this machine does not trust the certificate ({error.verify_message})",
            "name the authority that users' machines trust with --ca FILE",
            windows=Windows.UNTRUSTED_ROOT,
        )
