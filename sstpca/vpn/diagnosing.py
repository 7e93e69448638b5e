"""What may keep users of this home's server from connecting, as its machine can see."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ..access.profiles import AccessProfile
from ..authority.due import Urgency
from ..authority.identity import load_server_certificates
from ..doctor.machine import (
    Own,
    check_names,
    check_permissions,
    check_pool,
    check_routes,
    check_time,
    clock_state,
    own_networks,
)
from ..doctor.outcome import Check, Verdict, passed, warned
from ..doctor.reaching import resolve
from ..errors import SstpcaError, command
from ..home import Home
from ..serving import checks as serving
from ..serving.checks import State
from ..settings import load
from ..store import profiles
from ..x509.certificates import certificate_to_der
from .failed_logins import check_failed_logins
from .opened import Opened
from .status import ROOM, status

_IPV6: Final = Path("/proc/net/if_inet6")
_VERDICTS: Final = {
    State.GOOD: Verdict.PASS,
    State.DOUBTFUL: Verdict.WARN,
    State.WRONG: Verdict.FAIL,
}


def diagnose(root: Path) -> Iterator[Check]:
    """Yield one check after the other: what a start needs, names, networks, what needs attention.

    :raises SstpcaError: if there is no home.
    """
    home = Home.open(root)
    for one in serving.checks(home):
        yield Check(one.name, _VERDICTS[one.state], one.found, one.remedy)
    yield check_time(clock_state())
    yield from check_permissions(_secrets(home), [root.resolve(), *root.resolve().parents])
    opened = Opened(root)
    try:
        yield from _of_home(opened)
    except SstpcaError as error:
        yield Check("home", Verdict.FAIL, str(error), error.remedy)
    finally:
        opened.close()


def _of_home(opened: Opened) -> Iterator[Check]:
    server = opened.settings.server
    yield from check_names(server.names, _own(opened))
    networks = [
        (network, name) for network, name in own_networks() if not name.startswith(server.interface)
    ]
    given = profiles.list_all(opened.store)
    split = any(not one.full_tunnel for one in given)
    dialled = [one for name in server.names for one in _resolved(name)] if split else []
    for profile in given:
        for first, last in profile.pools:
            yield from check_pool(profile.name, first, last, networks)
        if not profile.full_tunnel:
            addresses = (*dialled, *map(str, server.addresses))
            yield from check_routes(profile.name, profile.routes, addresses)
    yield from _ipv6(given)
    state = status(opened)
    attention = state.attention
    if state.room >= ROOM:
        yield passed("disk", f"{state.room / 1e9:.1f} GB are free where the home is")
    for one in attention:
        verdict = Verdict.FAIL if one.urgency is Urgency.WRONG else Verdict.WARN
        yield Check("attention", verdict, one.what, one.remedy)
    if not attention:
        yield passed("attention", "certificates, pools, backups and disk need nothing")
    yield from check_failed_logins(opened.store)


def _resolved(name: str) -> list[str]:
    try:
        return resolve(name)
    except (OSError, UnicodeError):
        return []


def _secrets(home: Home) -> Iterator[Path]:
    """Yield what nobody but its owner should read."""
    yield from (home.ca_key, home.next_ca_key, home.server_identity, home.server_ecdsa_identity)
    yield from (home.database, home.database_key)
    yield from sorted(home.certificates.glob("*.pem"))
    yield from sorted(home.root.glob("new-password-*.txt"))
    try:
        settings = load(home.settings)
    except SstpcaError:  # said already
        return
    named = {settings.backup.passphrase_file, settings.renewal.passphrase_file} - {""}
    yield from (home.root / one for one in sorted(named))


def _own(opened: Opened) -> Own:
    try:
        shown = tuple(load_server_certificates(opened.home).values())
    except SstpcaError:  # said already
        shown = ()
    return Own(
        opened.settings.server.port,
        frozenset(map(certificate_to_der, shown)),
        opened.home.served() is not None,
    )


def _ipv6(given: Iterable[AccessProfile]) -> Iterator[Check]:
    """Say whether the kernel has the IPv6 that access profiles give."""
    if any(one.ipv6.prefix is not None for one in given):
        if _IPV6.exists():
            yield passed("IPv6", "the kernel has it, as access profiles need")
        else:
            yield warned(
                "IPv6",
                "access profiles give IPv6, which this machine's kernel has not or has off",
                "turn it on (ipv6.disable=0), or give none: ",
                command("profile set NAME --no-ipv6"),
            )
