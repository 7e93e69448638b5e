"""Why logins have failed lately, in plain words: the number that the user saw, and what to do."""

import re
import time
from collections.abc import Iterator
from typing import Final

from ..doctor.outcome import Check, Verdict, passed
from ..errors import Remedy, command
from ..lint.findings import Windows
from ..names import quoted
from ..store import Store, failures
from ..store.failures import Failure

_DAY: Final = 86_400.0
#: Reasons that are told, the most frequent ones.
_REASONS: Final = 5

#: What the server notes of a flood, and what is told of it.
_SUMMED: Final = re.compile(r"\d+ more.*")
_FLOOD: Final = "so many came at once that nothing more than that was noted"

#: What a reason of the server's begins with, the number that the client is sent (server/ppp/verdict.py),
#: and what to do.
_KNOWN: Final[tuple[tuple[str, Windows, Remedy], ...]] = (
    (
        "the password is right, but there were too many",
        Windows.PASSWORD,
        (
            "somebody guesses, or a saved password is old; let the user in: ",
            command("lockout clear NAME"),
        ),
    ),
    (
        "the password is right, but this user has to show a certificate",
        Windows.PASSWORD,
        (
            "the sign-in of the access profile is eap-tls: give the user a bundle: ",
            command("bundle NAME"),
        ),
    ),
    (
        "the password is right, but the access profile",
        Windows.PASSWORD,
        (
            "set the client to MS-CHAPv2, or allow that one: ",
            command("profile set NAME --weak-sign-in"),
        ),
    ),
    (
        "too many wrong passwords",
        Windows.PASSWORD,
        ("see who it is: ", command("lockout list"), "; wait, or ", command("lockout clear NAME")),
    ),
    (
        "there is no such user",
        Windows.PASSWORD,
        ("see the names: ", command("user list"), "; users type none of a domain before theirs"),
    ),
    (
        "the password is wrong",
        Windows.PASSWORD,
        ("have it typed again, or give a new one: ", command("user passwd NAME")),
    ),
    (
        "the account is disabled",
        Windows.DISABLED,
        ("if it is not meant so: ", command("user enable NAME")),
    ),
    (
        "the account has expired",
        Windows.ACCOUNT_EXPIRED,
        ("if it is not meant so: ", command("user set NAME --ends DATE")),
    ),
    (
        "the account is not for this hour",
        Windows.HOURS,
        ("see its hours: ", command("user show NAME")),
    ),
    (
        "the password has expired",
        Windows.PASSWORD_EXPIRED,
        ("Windows asks the user for a new one; or give one: ", command("user passwd NAME")),
    ),
)
_OTHER: Final[Remedy] = ("see which: ", command("session failures"))


def check_failed_logins(store: Store) -> Iterator[Check]:
    """Say how many logins have failed in the last 24 hours, and of each reason what it means."""
    found = failures.find(store, since=time.time() - _DAY)
    if not found:
        yield passed("logins", "no login has failed in the last 24 hours")
        return
    reasons: dict[str, list[Failure]] = {}
    for one in found:
        reason = _FLOOD if _SUMMED.fullmatch(one.reason) else one.reason
        reasons.setdefault(reason, []).append(one)
    often = sorted(reasons.items(), key=lambda item: _count(item[1]), reverse=True)
    total = _count(found)
    many = "1 login has failed" if total == 1 else f"{total} logins have failed"
    yield Check("logins", Verdict.WARN, f"{many} in the last 24 hours", _OTHER)
    for reason, these in often[:_REASONS]:
        yield _of_reason(reason, these)


def _count(found: list[Failure]) -> int:
    return sum(one.count for one in found)


def _of_reason(reason: str, these: list[Failure]) -> Check:
    """Tell one reason, of which these are the cases, the newest first."""
    count = _count(these)
    times = "once" if count == 1 else f"{count} times"
    latest = next((one for one in these if one.user), None)
    last = ""
    if latest is not None:
        before = "by" if count == 1 else "the last by"
        last = f"; {before} {quoted(latest.user)} from {latest.peer}, {_ago(latest.at)}"
    for begin, windows, remedy in _KNOWN:
        if reason.startswith(begin):
            return Check("logins", Verdict.WARN, f"{times}: {reason}{last}", remedy, windows)
    return Check("logins", Verdict.WARN, f"{times}: {reason}{last}")


def _ago(at: float) -> str:
    minutes = max(0, round((time.time() - at) / 60))
    return f"{minutes} min ago" if minutes < 120 else f"{minutes // 60} h ago"
