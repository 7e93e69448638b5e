"""Which users have what a change needs already, by the bundles made for them.

Each system counts for itself: a new bundle for a phone changes nothing on the PC.
"""

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from ...errors import Command, command
from ...names import user_key
from ...store import Store, bundles, users
from ...store.bundles import Made
from ...x509.certificates import digest

#: what a bundle is for if nothing is said
_ALONE: Final = "windows"


@dataclass(frozen=True, slots=True)
class Without:
    """A user who may not have what is needed.

    :param made: when the latest bundle that lacks it was made, seconds since 1970; None if the user
        never had a bundle.
    :param platforms: the systems whose latest bundle lacks it.
    """

    user: str
    made: float | None
    platforms: tuple[str, ...] = ()


def without(store: Store, authority: x509.Certificate) -> list[Without]:
    """Return the users who may log in and have a system without ``authority``, by name."""
    wanted = digest(authority)
    return _behind(store, lambda made: wanted in made.authorities)


def elsewhere(store: Store, server: str) -> list[Without]:
    """Return the users who may log in and have a system that does not connect to ``server``.

    :param server: as Windows' ServerAddress.
    """
    return _behind(store, lambda made: made.server == server)


def _behind(store: Store, fits: Callable[[Made], bool]) -> list[Without]:
    """Return the users who may log in and have a system whose latest bundle is no good, by name."""
    latest = bundles.latest_by_platform(store)
    found = []
    for user in users.list_all(store):
        # an earlier user's of the same name do not count
        made = {
            platform: one
            for platform, one in latest.get(user_key(user.name), {}).items()
            if one.made >= user.created
        }
        behind = {name: one.made for name, one in made.items() if not fits(one)}
        if user.enabled and (behind or not made):
            when = max(behind.values(), default=None)
            found.append(Without(user.name, when, tuple(sorted(behind))))
    return found


def makes(behind: Iterable[Without]) -> list[Command]:
    """Return the commands that make what they lack, for each of their systems.

    Users of other systems than Windows are named: not everybody's sign-in is one for each system.
    """
    by_systems: dict[tuple[str, ...], list[str]] = {}
    for one in behind:
        by_systems.setdefault(one.platforms or (_ALONE,), []).append(one.user)
    alone = by_systems.pop((_ALONE,), None)
    made = [command("bundle --all")] if alone or not by_systems else []
    for systems, names in sorted(by_systems.items()):
        made.append(Command(shlex.join(["bundle", *names, "--for", ",".join(systems)])))
    return made


def carriers(store: Store, authority: x509.Certificate) -> list[str]:
    """Return who has a system with ``authority``, by name; they may be users no more."""
    wanted = digest(authority)
    found = []
    for made in bundles.latest_by_platform(store).values():
        names = [one.user for one in made.values() if wanted in one.authorities]
        found += names[-1:]
    return found
