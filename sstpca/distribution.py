"""Which users have the next authority's certificate already, by the bundles made for them."""

from dataclasses import dataclass

from cryptography import x509

from . import users
from .bundle import record
from .names import user_key
from .pki.inventory import digest
from .store import Store


@dataclass(frozen=True, slots=True)
class Without:
    """A user who may not have it.

    :param made: when the latest bundle was made, seconds since 1970; None if none ever was.
    """

    user: str
    made: float | None


def without(store: Store, authority: x509.Certificate) -> list[Without]:
    """Return the users who may log in and whose latest bundle lacks ``authority``, by name."""
    wanted = digest(authority)
    latest = {user_key(one.user): one for one in record.latest(store)}
    found = []
    for user in users.list_all(store):
        made = latest.get(user_key(user.name))
        if made is not None and made.made < user.created:
            made = None  # an earlier user's of the same name
        if user.enabled and (made is None or wanted not in made.authorities):
            found.append(Without(user.name, None if made is None else made.made))
    return found


def carriers(store: Store, authority: x509.Certificate) -> list[str]:
    """Return whose latest bundle has ``authority``; they may be users no more."""
    wanted = digest(authority)
    return [one.user for one in record.latest(store) if wanted in one.authorities]
