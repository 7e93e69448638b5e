"""How what ``sstpca doctor`` found looks: in columns for people, as JSON for machines."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import click

from ..vpn.examining import Check, Verdict
from ..vpn.user_reports import Meaning
from .output import UNBROKEN, coloured, echo_json, in_columns, rendered

_NAME: Final = 18
_MARGIN: Final = len("pass  ") + _NAME + 2
_COLOURS: Final = {Verdict.PASS: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}
#: What the worst of the checks of a server means.
SUMMARY: Final = {
    Verdict.PASS: "Windows has nothing to object to.",
    Verdict.WARN: "Windows can connect; see what some clients stumble at.",
    Verdict.FAIL: "Windows cannot connect, or not use it; the first failure is the reason.",
}
#: What a report of a PC says of it, in this order.
_FACTS: Final = ("Time", "Windows", "Account", "Connection", "Server", "User")
_PC: Final = {
    Verdict.PASS: "The PC has nothing against it.",
    Verdict.WARN: "Nothing keeps the PC from connecting; see what may be a trouble.",
    Verdict.FAIL: "The PC cannot connect; the first failure is the likely cause of the others.",
}


def show(
    found: Iterable[Check], server: str, *, as_json: bool, summary: Mapping[Verdict, str]
) -> Verdict:
    """Show the checks as they are made; return the worst, which is the exit status."""
    checks: list[Check] = []
    for one in found:
        checks.append(one)
        if not as_json:
            click.echo("\n".join(_lines(one)))
    worst = max((one.verdict for one in checks), default=Verdict.PASS)
    if as_json:
        echo_json(
            {"server": server, "verdict": worst.name.lower(), "checks": list(map(_as_json, checks))}
        )
    else:
        click.echo(f"\n{summary[worst]}")
    return worst


def show_meanings(facts: Mapping[str, str], found: list[Meaning], *, as_json: bool) -> int:
    """Show what a report of a PC means; return the exit status."""
    worst = max((one.verdict for one in found), default=Verdict.PASS)
    if as_json:
        checks = [_meaning_as_json(one) for one in found]
        pc = {name.lower(): text for name, text in facts.items()}
        echo_json({"pc": pc, "verdict": worst.name.lower(), "checks": checks})
        return worst.value
    for name in _FACTS:
        if name in facts:
            click.echo("\n".join(in_columns(f"{name.lower():{_MARGIN}}", [facts[name]], _MARGIN)))
    click.echo()
    for one in found:
        click.echo("\n".join(_lines_of_meaning(one)))
    click.echo(f"\n{_PC[worst]}")
    return worst.value


def _lines(check: Check) -> Iterator[str]:
    """Return one check: verdict, name and words in columns."""
    texts = [check.found]
    if check.windows is not None:
        number = check.windows.code
        if check.windows.decimal != number:
            number += f" ({check.windows.decimal})"
        texts.append(f"Windows: {number} {check.windows.text}")
    if check.remedy:
        texts.append(f"fix: {rendered(check.remedy, blank=UNBROKEN)}")
    yield from in_columns(_head(check.verdict, check.name), texts, _MARGIN)


def _lines_of_meaning(one: Meaning) -> Iterator[str]:
    texts = [one.found]
    if one.forms:
        # hexadecimal first, as everywhere in doctor
        first, *others = sorted(one.forms, key=lambda form: not form.startswith("0x"))
        number = first + (f" ({others[0]})" if others else "")
        texts.append(f"Windows: {number} {one.means}")
    elif one.means:
        texts.append(f"this means: {one.means}")
    texts += [f"cause {number}: {cause}" for number, cause in enumerate(one.causes, 1)]
    if one.client:
        texts.append(f"at the PC: {one.client}")
    if one.server:
        texts.append(f"at the server: {rendered(one.server, blank=UNBROKEN)}")
    yield from in_columns(_head(one.verdict, one.check), texts, _MARGIN)


def _head(verdict: Verdict, name: str) -> str:
    return f"{coloured(verdict.name.lower(), _COLOURS[verdict])}  {name:{_NAME}}  "


def _as_json(one: Check) -> dict[str, Any]:
    windows = one.windows
    return {
        "check": one.name,
        "verdict": one.verdict.name.lower(),
        "found": one.found,
        "fix": rendered(one.remedy),
        "code": None if windows is None else windows.code,
        "decimal": None if windows is None else int(windows.decimal),
        "windows": None if windows is None else windows.text,
    }


def _meaning_as_json(one: Meaning) -> dict[str, Any]:
    return {
        "check": one.check,
        "verdict": one.verdict.name.lower(),
        "found": one.found,
        "code": one.forms[0] if one.forms else None,
        "forms": list(one.forms),
        "means": one.means,
        "causes": list(one.causes),
        "client": one.client,
        "server": rendered(one.server),
    }
