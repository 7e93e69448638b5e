"""Lockouts: who gave too many wrong passwords, and that they are forgotten."""

import time
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address

from sstpca.server.net.sources import name_of

from ..store import attempts
from ..store.attempts import Lockout
from .opened import Opened

__all__ = ["Lockout", "Lockouts"]


class Lockouts:
    """The wrong passwords of one VPN that are not forgotten; see :class:`.vpn.Vpn`.

    How many there may be, settings.toml says, ``[lockout]``.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def all(self) -> list[Lockout]:
        """Return them by user and source, who is locked first."""
        return attempts.list_all(self._opened.store, self._opened.settings.lockout, time.time())

    def clear(
        self,
        names: Collection[str] = (),
        sources: Collection[IPv4Address | IPv6Address] = (),
    ) -> int:
        """Forget those of these users and from these addresses; all, where none is named.

        :param names: of users, in any case of letters, or what was claimed.
        :param sources: of IPv6, the /64 of each is meant.
        :returns: how many entries of :meth:`all` that were.
        """
        return attempts.clear(
            self._opened.store, names=names, sources=[name_of(one) for one in sources]
        )
