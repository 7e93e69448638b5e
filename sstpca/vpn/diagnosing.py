"""What may keep users of this home's server from connecting, as its machine can see."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..authority.due import Urgency
from ..doctor.machine import (
    check_names,
    check_pool,
    check_routes,
    check_time,
    own_networks,
)
from ..doctor.outcome import Check, Verdict, passed
from ..doctor.reaching import resolve
from ..errors import SstpcaError, command
from ..home import Home
from ..serving import checks as serving
from ..serving.checks import State
from ..store import failures, profiles
from .opened import Opened
from .status import status

_DAY: Final = 86_400.0
_VERDICTS: Final = {
    State.GOOD: Verdict.PASS,
    State.DOUBTFUL: Verdict.WARN,
    State.WRONG: Verdict.FAIL,
}
#: Reasons of failed logins that are told, the most frequent ones.
_REASONS: Final = 5


def diagnose(root: Path) -> Iterator[Check]:
    """Yield one check after the other: what a start needs, names, networks, what needs attention.

    :raises SstpcaError: if there is no home.
    """
    home = Home.open(root)
    for one in serving.checks(home):
        yield Check(one.name, _VERDICTS[one.state], one.found, one.remedy)
    yield check_time()
    opened = Opened(root)
    try:
        yield from _of_home(opened)
    except SstpcaError as error:
        yield Check("home", Verdict.FAIL, str(error), error.remedy)
    finally:
        opened.close()


def _of_home(opened: Opened) -> Iterator[Check]:
    server = opened.settings.server
    yield from check_names(server.names)
    dialled = [address for name in server.names for address in _resolved(name)]
    networks = [
        (network, name) for network, name in own_networks() if not name.startswith(server.interface)
    ]
    for profile in profiles.list_all(opened.store):
        for first, last in profile.pools:
            yield from check_pool(profile.name, first, last, networks)
        if not profile.full_tunnel:
            addresses = (*dialled, *map(str, server.addresses))
            yield from check_routes(profile.name, profile.routes, addresses)
    attention = status(opened).attention
    for one in attention:
        verdict = Verdict.FAIL if one.urgency is Urgency.WRONG else Verdict.WARN
        yield Check("attention", verdict, one.what, one.remedy)
    if not attention:
        yield passed("attention", "certificates, pools, backups and disk need nothing")
    yield _failed_logins(opened)


def _resolved(name: str) -> list[str]:
    try:
        return resolve(name)
    except (OSError, UnicodeError):
        return []


def _failed_logins(opened: Opened) -> Check:
    """Say why logins have failed lately."""
    found = failures.find(opened.store, since=time.time() - _DAY)
    if not found:
        return passed("logins", "no login has failed in the last 24 hours")
    reasons: Counter[str] = Counter()
    for one in found:
        reasons[one.reason] += one.count
    told = "; ".join(f"{count} times: {why}" for why, count in reasons.most_common(_REASONS))
    latest = next((one for one in found if one.user), None)
    last = f"; the last by {latest.user!r} from {latest.peer}" if latest is not None else ""
    return Check(
        "logins",
        Verdict.WARN,
        f"{reasons.total()} logins have failed in the last 24 hours, {told}{last}",
        ("see which: ", command("session failures")),
    )
