"""Who has which bundle, and whether it still fits."""

from dataclasses import dataclass

from ...home import Home
from ...names import is_text, user_key
from ...settings import Settings
from ...store import Store, bundles, users
from ...store.bundles import Made
from .freshness import Present


@dataclass(frozen=True, slots=True)
class Listed:
    """A bundle that was made, or a user who has none.

    :param profile: the user's access profile now; of a user who is gone, that of the bundle.
    :param faults: why it does not fit any more.
    """

    user: str
    profile: str
    made: Made | None
    faults: tuple[str, ...]
    disabled: bool = False

    @property
    def state(self) -> str:
        """Return "current", "outdated" or "none"; "disabled" of a user who may not log in."""
        if self.disabled:
            return "disabled"
        if self.made is None:
            return "none"
        return "outdated" if self.faults else "current"


def latest(home: Home, store: Store, settings: Settings) -> list[Listed]:
    """Return the last bundle of each user there is, and those who have none, by name.

    :raises SstpcaError: if something cannot be read, or Windows would refuse the server's
        certificate: no bundle fits then.
    """
    present = Present.load(home, store, settings)
    last = {user_key(made.user): made for made in bundles.latest(store)}
    return [
        _listed(present, last[key])
        if key in last
        else Listed(user.name, user.profile, None, (), not user.enabled)
        for key, user in sorted(present.users.items())
    ]


def history(home: Home, store: Store, settings: Settings, name: str) -> list[Listed]:
    """Return all bundles of the user ``name``, the newest first.

    :raises SstpcaError: as :func:`latest` does, or if there is neither a user nor a bundle.
    """
    made = bundles.history(store, name) if is_text(name) else []
    user = None if made else users.get(store, name)
    present = Present.load(home, store, settings)
    if user is not None:
        return [Listed(user.name, user.profile, None, (), not user.enabled)]
    return [_listed(present, one) for one in made]


def _listed(present: Present, made: Made) -> Listed:
    user = present.users.get(user_key(made.user))
    profile = made.profile if user is None else user.profile
    faults = tuple(text for _, text in present.faults(made))
    return Listed(made.user, profile, made, faults, user is not None and not user.enabled)
