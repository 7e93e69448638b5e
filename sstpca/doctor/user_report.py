"""The report that ``verify.cmd`` of a bundle writes on a user's PC: what it says, as data.

It comes from anybody: what is taken of it is bounded, and fit for a terminal.
"""

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ..names import on_one_line
from .outcome import Verdict

#: Of one line, and how many findings and events are looked at.
_LENGTH_MAX: Final = 400
_COUNT_MAX: Final = 100

_MARKS: Final = {"OK": Verdict.PASS, "--": Verdict.WARN, "!!": Verdict.FAIL}
_FINDING: Final = re.compile(r"\[ (OK|--|!!) \]\s{1,4}(\S.*)")
_NAMED: Final = re.compile(r"(.+?) {2}\(([a-z_]{1,40})\)")
_FACT: Final = re.compile(r"([A-Z][A-Za-z]{1,11}): {1,12}(\S.*)")
_EVENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d) {2}(RasClient|Microsoft-Windows-RasSstp) (\d{1,5}) *(.*)"
)
#: What the script says of the PC, the connection and the server, the same in every language.
_FACTS: Final = frozenset(
    (
        *("Time", "Windows", "PowerShell", "Account", "Connection", "Server", "User", "Connected"),
        *("Subject", "Issuer", "Thumbprint", "TLS", "Chain"),
    )
)


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that the script has looked at.

    :param name: of what; empty where the bundle is of a release that wrote none.
    :param text: in the user's language.
    :param help: what the user was told to do.
    """

    verdict: Verdict
    name: str
    text: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of Windows' event log.

    :param at: local time of the PC, ISO 8601.
    """

    at: str
    source: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class UserReport:
    """All of it.

    :param facts: by their names: Windows, Server, User, Thumbprint.
    :param events: the newest first.
    :param left_out: findings and events beyond what is looked at.
    """

    facts: dict[str, str]
    lines: tuple[Line, ...]
    events: tuple[Event, ...]
    left_out: int = 0


def parse(text: str) -> UserReport | None:
    """Return what a report says; None if it is none. Nothing in it makes this raise."""
    facts: dict[str, str] = {}
    lines: list[Line] = []
    events: list[Event] = []
    helps = False
    for line in _lines(text):
        if helps and line.startswith("     "):
            lines[-1] = dataclasses.replace(lines[-1], help=line.strip())
        helps = False
        if (finding := _finding(line)) is not None:
            lines.append(finding)
            helps = True
        elif (event := _event(line)) is not None:
            events.append(event)
        elif (fact := _FACT.fullmatch(line)) is not None and fact[1] in _FACTS:
            facts.setdefault(fact[1], fact[2])
    if not lines or not {"Windows", "Server"} <= facts.keys():
        return None
    left_out = max(0, len(lines) - _COUNT_MAX) + max(0, len(events) - _COUNT_MAX)
    return UserReport(facts, tuple(lines[:_COUNT_MAX]), tuple(events[:_COUNT_MAX]), left_out)


def _lines(text: str) -> Iterator[str]:
    """Yield the lines, each safe for a terminal, and no longer than is looked at."""
    for line in re.split(r"\r\n|\r|\n", text):
        # who sends it in a mail quotes it
        plain = on_one_line(line[:_LENGTH_MAX].replace("\t", " ")).rstrip()
        yield plain.removeprefix("> ")


def _finding(line: str) -> Line | None:
    found = _FINDING.fullmatch(line)
    if found is None:
        return None
    named = _NAMED.fullmatch(found[2])
    text, name = (named[1], named[2]) if named is not None else (found[2], "")
    return Line(_MARKS[found[1]], name, text)


def _event(line: str) -> Event | None:
    found = _EVENT.fullmatch(line)
    if found is None:
        return None
    return Event(found[1], found[2], int(found[3]), found[4])
