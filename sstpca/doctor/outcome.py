"""What one step of looking at a server came to."""

import enum
from dataclasses import dataclass

from ..errors import Command, Remedy
from ..lint.findings import Finding, Severity, Windows


@enum.unique
class Verdict(enum.IntEnum):
    """How it went; the worst of all is the exit status, as monitoring has it."""

    PASS = 0
    WARN = 1
    FAIL = 2


@dataclass(frozen=True, slots=True)
class Check:
    """One step.

    :param name: a stable name, for machines: "dns", "tcp", "tls".
    :param found: what is the case, in one line.
    :param remedy: what to do, in one line; empty where there is nothing to do.
    :param windows: the error that a user sees; None if Windows has none for it.
    """

    name: str
    verdict: Verdict
    found: str
    remedy: Remedy = ()
    windows: Windows | None = None


def passed(name: str, found: str) -> Check:
    """Return a step that went well."""
    return Check(name, Verdict.PASS, found)


def warned(name: str, found: str, *remedy: str | Command, windows: Windows | None = None) -> Check:
    """Return a step that some clients stumble at."""
    return Check(name, Verdict.WARN, found, remedy, windows)


def failed(name: str, found: str, *remedy: str, windows: Windows | None = None) -> Check:
    """Return a step that ends here."""
    return Check(name, Verdict.FAIL, found, remedy, windows)


_VERDICTS = {
    Severity.ERROR: Verdict.FAIL,
    Severity.WARNING: Verdict.WARN,
    Severity.NOTE: Verdict.PASS,
}


def of_finding(name: str, finding: Finding) -> Check:
    """Return what the checks of certificates found, as a step."""
    verdict = _VERDICTS[finding.severity]
    if verdict is Verdict.PASS:
        return Check(name, verdict, finding.found)
    return Check(name, verdict, finding.found, finding.remedy, finding.windows)
