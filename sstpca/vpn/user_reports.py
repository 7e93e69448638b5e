"""What the report means that ``verify.cmd`` wrote on a user's PC: the likely cause first, and what to do."""

import dataclasses
import functools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..authority.identity import load_server_certificates
from ..bundle.content import texts
from ..disk.reading import STANDARD_INPUT, decode, read_file, shown
from ..doctor.outcome import Verdict
from ..doctor.user_report import Event, Line, UserReport, parse
from ..errors import Command, Refused, Remedy, SstpcaError, command
from ..home import Home
from ..names import quoted
from ..store import users
from ..x509.certificates import sha1_fingerprint
from .explaining import Explanation, Unknown, explain
from .opened import Opened

__all__ = ["Meaning", "Verdict", "read_user_report"]

#: What keeps Windows from connecting, in the order in which it comes to that; the number that it shows
#: for it, where it has one.
_ORDER: Final = {
    "no_connection": "",
    "wrong_settings": "",
    "service_off": "",
    "no_name": "0x80072EE7",
    "no_port": "0x8007274C",
    "silent": "0x80072746",
    "no_tls": "0x80090326",
    "tls": "0x80090326",
    "other_authority": "",
    "dates": "0x800B0101",
    "other_name": "0x800B010F",
    "not_trusted": "0x800B0109",
    "trusted_by_user": "0x800B0109",
    "bad_chain": "0x800B0109",
    "revocation": "0x80092013",
    "no_sstp": "0x80070040",
    "no_user_certificate": "0x80420100",
    "user_certificate_dates": "0x80420102",
    "not_dialed": "",
    "last_bad": "",
    "broken": "",
    "proxy": "",
    "constrained": "",
}
_AGAIN: Final = "start install.cmd of the newest bundle again"
_BUNDLE: Final[Remedy] = (
    "if that bundle is old, make the user another: ",
    command("bundle NAME"),
)
#: For what Windows has no number: what it means, and what to do at the PC and at the server.
_OWN: Final[dict[str, tuple[str, str, Remedy]]] = {
    "no_connection": ("the bundle was not installed in this account, or removed", _AGAIN, _BUNDLE),
    "wrong_settings": (
        "somebody changed the connection, or the bundle is older than what it was installed with",
        _AGAIN,
        _BUNDLE,
    ),
    "service_off": (
        "without the services RasMan and SstpSvc, Windows dials nothing: they were switched off",
        "as administrator: sc config RasMan start= demand, the same for SstpSvc, and restart the PC",
        (),
    ),
    "other_authority": (
        "a proxy or an antivirus program between the PC and the server opens TLS: no SSTP client connects "
        "through that (crypto binding); or the server shows a certificate that is not of this VPN",
        "have the server's name left out of the inspection, or try another network",
        ("see what the server shows from elsewhere: ", command("doctor HOST")),
    ),
    "broken": (
        "a check of the script came to no end; the line above it in the report says why",
        "start verify.cmd again",
        (),
    ),
    "proxy": (
        "Windows goes through this proxy: it has to let CONNECT through, without asking who it is",
        "if it asks for a sign-in (407), have the server's name left out of the proxy",
        (),
    ),
    "constrained": (
        "the rules of that PC (AppLocker, WDAC) keep scripts from opening connections: neither the "
        "server nor the proxy was looked at",
        "look from another PC in the same network",
        (command("doctor HOST"),),
    ),
}
#: What .NET says of a chain (X509ChainStatusFlags), as Windows' numbers.
_CHAIN: Final = {
    "Revoked": "0x800B010C",
    "PartialChain": "0x800B010A",
    "NotTimeValid": "0x800B0101",
    "NotSignatureValid": "0x80096004",
    "NotValidForUsage": "0x800B0110",
    "InvalidBasicConstraints": "0x80096019",
    "InvalidNameConstraints": "0x800B0114",
    "HasNotPermittedNameConstraint": "0x800B0114",
    "HasExcludedNameConstraint": "0x800B0114",
    "UntrustedRoot": "0x800B0109",
}
#: The client's events of Microsoft-Windows-RasSstp.
_SSTP: Final = {
    1: "the request could not be sent: the network, or the certificate",
    2: "the server did not answer by HTTP",
    3: "the answer was of another HTTP than 1.1",
    4: "the server or a proxy refused by HTTP: what answers is no SSTP server, or a proxy",
    5: "the session ended with an error",
    23: "a proxy wants to know who asks: SSTP has no way to say it",
}
_FAILED: Final = 20227
_LAST_NUMBER: Final = re.compile(r"(?<!\w)(0x[0-9A-Fa-f]{1,8}|-?\d{1,10})\W*$")
#: Reasons in the events that are told.
_EVENTS: Final = 5


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one line of a report means.

    :param check: a stable name, for machines.
    :param found: the line itself, in the user's language; or what was found beside it.
    :param forms: the number that Windows shows, as its windows and its logs write it.
    :param causes: the most usual first.
    :param client: what to do at the PC; ``server``, at the server.
    """

    check: str
    verdict: Verdict
    found: str
    forms: tuple[str, ...] = ()
    means: str = ""
    causes: tuple[str, ...] = ()
    client: str = ""
    server: Remedy = ()


def read_user_report(root: Path, path: Path) -> tuple[dict[str, str], list[Meaning]]:
    """Return what a report says of the PC, by name, and what its lines mean, the likely cause first.

    :param root: the home, which need not exist; a report of its users is compared with it.
    :param path: what the user has sent: vpn-report.txt, however encoded; ``-`` is standard input.
    :raises SstpcaError: if it cannot be read, or is no such report.
    """
    report = parse(_text(path))
    if report is None:
        what = "what is " if path == STANDARD_INPUT else ""
        raise Refused(
            f"{what}{shown(path)} is no report of verify.cmd",
            "the user finds it on the desktop: vpn-report.txt",
        )
    return report.facts, list(_meanings(root, report))


def _text(path: Path) -> str:
    content = read_file(path, "the report")
    try:
        return decode(content, "the report")
    except SstpcaError:
        if b"\0" in content:
            raise
        # a German editor saved it again
        return content.decode("cp1252", "replace")


def _meanings(root: Path, report: UserReport) -> Iterator[Meaning]:
    named = [dataclasses.replace(one, name=one.name or _name_of(one.text)) for one in report.lines]
    lines = sorted(named, key=_place)
    for one in lines:
        if one.verdict is Verdict.FAIL:
            yield _of_line(one, report)
    yield from _of_home(root, report)
    told = {form for one in lines for form in _forms_in(one.text)}
    yield from _of_events(report.events, told)
    for one in lines:
        if one.verdict is not Verdict.FAIL:
            yield _of_line(one, report)
    if report.left_out:
        found = f"{report.left_out} more lines were not looked at"
        yield Meaning("report", Verdict.WARN, found)


def _place(line: Line) -> int:
    order = list(_ORDER)
    return order.index(line.name) if line.name in _ORDER else len(order)


@functools.cache
def _known_texts() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return what the lines of bundles look like that name nothing: in each language that comes with us."""
    found = []
    for language in texts.languages():
        said = texts.load(language)
        pairs = [*vars(said.verify).items(), ("tls", vars(said.errors)["tls_means"])]
        for name, text in pairs:
            pieces = re.split(r"\{\d\}", text)
            found.append((re.compile(".{0,300}?".join(map(re.escape, pieces))), name))
    # "trusts {0}." fits what "trusts {0} not." does: the one that says more is meant
    return tuple(sorted(found, key=lambda one: -len(one[0].pattern)))


def _name_of(text: str) -> str:
    return next((name for pattern, name in _known_texts() if pattern.fullmatch(text)), "")


def _of_line(line: Line, report: UserReport) -> Meaning:
    verdict = line.verdict
    if verdict is Verdict.WARN and line.name not in _ORDER:
        verdict = Verdict.PASS  # a remark
    meaning = Meaning(line.name or "other", verdict, line.text)
    if verdict is Verdict.PASS:
        return meaning
    if line.name in _OWN:
        means, client, server = _OWN[line.name]
        return dataclasses.replace(meaning, means=means, client=client, server=server)
    number = _ORDER.get(line.name, "")
    if line.name == "bad_chain":
        states = report.facts.get("Chain", "").split(", ")
        number = next((code for state, code in _CHAIN.items() if state in states), number)
    found = _explained(number or line.text)
    return _explaining(meaning, found) if found else dataclasses.replace(meaning, client=line.help)


def _explained(text: str) -> Explanation | Unknown | None:
    try:
        return explain(text)
    except SstpcaError:
        return None


def _forms_in(text: str) -> tuple[str, ...]:
    found = _explained(text)
    return found.forms if isinstance(found, Explanation) else ()


def _explaining(meaning: Meaning, found: Explanation | Unknown) -> Meaning:
    if isinstance(found, Unknown):
        return dataclasses.replace(meaning, forms=found.forms, means=found.line)
    return dataclasses.replace(
        meaning,
        forms=found.forms,
        means=found.means,
        causes=found.causes,
        client=found.client,
        server=tuple(_commands_in(found.server)),
    )


def _commands_in(text: str) -> Iterator[str | Command]:
    """Yield a text whose commands are between backticks, as a remedy has them."""
    for index, piece in enumerate(text.split("`")):
        own = index % 2 and piece.startswith("sstpca ")
        yield Command(piece.removeprefix("sstpca ")) if own else piece


def _of_events(events: tuple[Event, ...], told: set[str]) -> Iterator[Meaning]:
    """Say what else Windows has noted: each reason once, how often, and when last."""
    times: Counter[str] = Counter()
    latest: dict[str, Meaning] = {}
    for one in events:
        meaning = _of_event(one)
        if meaning is None or set(meaning.forms) & told:
            continue
        key = meaning.forms[0] if meaning.forms else meaning.means
        times[key] += 1
        latest.setdefault(key, meaning)
    for key, count in times.most_common(_EVENTS):
        often = "once, on" if count == 1 else f"{count} times, the last on"
        found = f"Windows has noted {often} {latest[key].found}"
        yield dataclasses.replace(latest[key], found=found)


def _of_event(event: Event) -> Meaning | None:
    when = event.at.replace("T", " ")
    if event.source == "RasClient" and event.number == _FAILED:
        # the number is the last one: connections may be called "Office 5"
        number = _LAST_NUMBER.search(event.text)
        found = _explained(number[1]) if number is not None else None
        if isinstance(found, Explanation):
            meaning = Meaning("event", Verdict.WARN, f"{when}: a connection failed")
            return _explaining(meaning, found)
    elif event.source != "RasClient" and event.number in _SSTP:
        said = f"{when}: RasSstp {event.number}, {event.text}"
        return Meaning("event", Verdict.WARN, said, means=_SSTP[event.number])
    return None


def _of_home(root: Path, report: UserReport) -> Iterator[Meaning]:
    """Compare a report with the home that its user is of, if there is one."""
    if not Home(root).exists:
        return
    opened = Opened(root)
    try:
        server = opened.settings.server
        host = report.facts["Server"]
        if host.removesuffix(f":{server.port}").strip("[]") not in server.names + server.addresses:
            found = f"the connection is to {quoted(host)}, which is no name of this home"
            yield Meaning("server", Verdict.WARN, found, client=_AGAIN, server=_BUNDLE)
            return
        yield from _of_user(opened, report.facts.get("User", ""))
        yield from _of_certificate(opened.home, report.facts.get("Thumbprint", ""))
    except SstpcaError as error:
        found = f"the report was not compared with this home: {error}"
        yield Meaning("home", Verdict.WARN, found, server=error.remedy)
    finally:
        opened.close()


def _of_user(opened: Opened, name: str) -> Iterator[Meaning]:
    if not name:
        return
    try:
        user = users.get(opened.store, name)
    except SstpcaError:
        found = f"there is no user {quoted(name)} in this home"
        fix: Remedy = ("make one: ", command("user add {}", name))
        yield Meaning("user", Verdict.WARN, found, server=fix)
        return
    if not user.enabled:
        found, fix = f"the user '{user.name}' is disabled", (command("user enable {}", user.name),)
        yield Meaning("user", Verdict.FAIL, found, server=fix)
    if user.password_expired:
        found = f"the password of '{user.name}' has expired"
        fix = (command("user passwd {}", user.name),)
        yield Meaning("user", Verdict.WARN, found, server=fix)


def _of_certificate(home: Home, thumbprint: str) -> Iterator[Meaning]:
    """Say whether the certificate that the PC saw is this server's own."""
    if not re.fullmatch(r"[0-9A-F]{40}", thumbprint):
        return
    shown_here = [
        sha1_fingerprint(one).replace(":", "").upper()
        for one in load_server_certificates(home).values()
    ]
    if thumbprint not in shown_here:
        means, client, server = _OWN["other_authority"]
        found = f"the PC saw another certificate than this server's: SHA-1 {thumbprint}"
        yield Meaning("certificate", Verdict.WARN, found, (), means, (), client, server)
