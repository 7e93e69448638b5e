"""What the Windows client would see of a server, from its name to a packet through the tunnel."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ..client.http import Answer
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
from ..errors import Unavailable
from ..lint.checks import Report, split_port
from ..lint.findings import Severity, Windows
from ..lint.probe import Hello
from ..names import quoted
from ..x509.certificates import Certificate, certificate_to_pem
from ..x509.keys import describe_key
from .linting import Case, look, trusted

__all__ = ["ELSEWHERE", "Check", "Credentials", "Examination", "Verdict", "examine"]

_TIMEOUT: Final = 5.0
#: What the checks of a server's answer are called, and those that are asked in another way here.
_TLS: Final = ("tls", "tls-1.2", "tls-1.3", "tls-old", "tls-weaker", "tls-no-pfs")
ELSEWHERE: Final = ("revocation", "revocation-none")
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
    yield from Examination(root, server, name=name, ca_file=ca_file).checks(credentials)


class Examination:
    """Looks at one server; see :func:`examine`.

    :ivar hosts: what users dial.
    :ivar port: where the server is.
    :ivar cases: the certificates that it shows, and what was found of them, once they were looked at.
    :ivar answers: what it said by HTTP.
    """

    def __init__(
        self, root: Path, server: str, *, name: str | None = None, ca_file: Path | None = None
    ) -> None:
        self._root, self._server, self._name, self._ca_file = root, server, name, ca_file
        self._there, self.port = split_port(server)
        self.hosts = split_port(name)[0] if name else self._there
        self.cases: list[tuple[Case, Report]] = []
        self.answers: list[Answer] = []
        self._failed = False

    def checks(self, credentials: Credentials | None = None) -> Iterator[Check]:
        """Yield the checks."""
        host = self._there.first
        # what this machine cannot read is said before anybody is asked
        trusted(self._root, self._ca_file)
        try:
            addresses = resolve(host)[:ADDRESSES_MAX]
        except (OSError, UnicodeError):
            yield no_name(host)
            return
        yield check_name(host, addresses)
        came = [(one, reach(one, self.port, _TIMEOUT)) for one in addresses]
        reached = [one for one, result in came if isinstance(result, Reached)]
        for one, result in came:
            yield check_port(one, self.port, result, others=bool(reached))
        if reached:
            yield from self._noting(self._beyond(reached[0]))
            if credentials is not None and self.cases and self.cases[0][0].presented:
                yield from self._log_in(reached[0], credentials)

    def _noting(self, checks: Iterator[Check]) -> Iterator[Check]:
        for one in checks:
            self._failed |= one.verdict is Verdict.FAIL
            yield one

    def _beyond(self, address: str) -> Iterator[Check]:
        """Yield the checks of what answers at an address."""
        place = f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}"
        name = self.hosts.first
        try:
            self.cases = look(self._root, connect=place, name=name, ca_file=self._ca_file)
        except Unavailable as error:
            yield failed("tcp", str(error), "try again", windows=Windows.RESET)
            return
        first, _ = self.cases[0]
        yield from _check_tls(first, address, self.port)
        if not first.presented:
            return
        for case, report in self.cases:
            yield from _check_certificate(case, report)
            yield from check_revocation(report.path, datetime.now(UTC), _TIMEOUT)
        yield from check_dialogue(self._target(address), self.answers)

    def _target(self, address: str) -> Target:
        return Target(address, self.port, self.hosts.first)

    def _log_in(self, address: str, credentials: Credentials) -> Iterator[Check]:
        if self._failed:
            yield warned(
                "login", "nobody logs in where Windows would not connect", "mend that first"
            )
            return
        context = ssl.create_default_context()
        for one in trusted(self._root, self._ca_file):
            context.load_verify_locations(cadata=certificate_to_pem(one).decode("ascii"))
        try:
            yield from check_tunnel(self._target(address), context, credentials)
        except ssl.SSLCertVerificationError as error:
            yield failed(
                "login",
                f"nobody logs in: this machine does not trust the certificate ({error.verify_message})",
                "name the authority that users' machines trust with --ca FILE",
                windows=Windows.UNTRUSTED_ROOT,
            )


def _check_tls(case: Case, address: str, port: int) -> Iterator[Check]:
    findings = [one for one in case.findings if one.check in _TLS]
    if case.seen is not None and not case.presented:
        silent = isinstance(case.seen.refusal, TimeoutError)
        for finding in findings:
            yield check_tls_at_all(address, port, of_finding("tls", finding), silent=silent)
        return
    suites = case.seen.suites if case.seen is not None else {}
    spoken = [f"{system}: {suites[one]}" for one, system in _SYSTEMS.items() if suites.get(one)]
    if spoken:
        yield passed("tls", "; ".join(spoken))
    for finding in findings:
        if finding.severity is not Severity.NOTE:
            yield of_finding("tls", finding)


def _check_certificate(case: Case, report: Report) -> Iterator[Check]:
    ours = [one for one in report.findings if one.check not in (*_TLS, *ELSEWHERE)]
    bad = [of_finding("certificate", one) for one in ours if one.severity is not Severity.NOTE]
    yield from bad
    if report.leaf is not None and not any(one.verdict is Verdict.FAIL for one in bad):
        ends = f"{report.leaf.not_valid_after_utc:%Y-%m-%d}"
        issuer = quoted(report.leaf.issuer.rfc4514_string())
        dialled = case.hosts.first if case.hosts is not None else ""
        # of a kind that cannot be read, there is a finding
        key = describe_key(Certificate.of(report.leaf).key)
        found = f"it is for {dialled} until {ends}, has a key {key}, and was issued by {issuer}"
        yield passed("certificate", found)
