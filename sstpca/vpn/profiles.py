"""Access profiles: the addresses, DNS servers and routes that users are given."""

from typing import Any

from ..access.profiles import AccessProfile
from ..store import profiles
from .opened import Opened


class AccessProfiles:
    """The access profiles of one VPN; see :class:`.vpn.Vpn`."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def all(self) -> list[AccessProfile]:
        """Return all access profiles, by name."""
        return profiles.list_all(self._opened.store)

    def get(self, name: str) -> AccessProfile:
        """Return the access profile ``name``.

        :raises NotFound: if there is none.
        """
        return profiles.get(self._opened.store, name)

    def add(self, profile: AccessProfile) -> AccessProfile:
        """Add ``profile`` and return it as it was stored.

        :raises InvalidInput: if it makes no sense, its name is taken, or it collides with others.
        """
        return profiles.add(self._opened.store, profile)

    def change(self, name: str, **changes: Any) -> AccessProfile:
        """Change fields of the access profile ``name`` and return it as it is then.

        Running sessions keep what they were given.

        :param changes: fields of :class:`AccessProfile` but its name.
        :raises InvalidInput: if the change makes no sense, or collides with others.
        :raises NotFound: if there is none of that name.
        """
        return profiles.change(self._opened.store, name, **changes)

    def remove(self, name: str) -> None:
        """Remove the access profile ``name``.

        :raises NotFound: if there is none.
        :raises InUse: if users have it.
        """
        profiles.remove(self._opened.store, name)
