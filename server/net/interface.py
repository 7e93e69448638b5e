"""The interface of one session, from its login to its end."""

import os

from ..interfaces import Lease
from .shared import Shared
from .tun import configure, open_tun, set_mtu


class Interface:
    """Made once; :attr:`descriptor` is -1 before that, and again once it is gone."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.descriptor = -1
        self.name = ""

    async def make(self, lease: Lease) -> None:
        """Make it, with the addresses of ``lease``, and note it in the store.

        :raises ServerError: if the machine does not let us.
        """
        descriptor, name = open_tun(self._shared.config.interface)
        try:
            await configure(
                name,
                local=lease.local_address,
                peer=lease.address,
                mtu=self._shared.config.mtu,
                route=self._shared.route,
            )
            await self._shared.ask(self._shared.sessions.started, lease.session, name)
        except BaseException:
            os.close(descriptor)
            raise
        self.descriptor, self.name = descriptor, name

    async def fit(self, mtu: int) -> None:
        """Have it take packets of at most ``mtu`` bytes, if it is still there.

        :raises ServerError: if the machine does not let us.
        """
        if self.descriptor >= 0:
            await set_mtu(self.name, mtu, route=self._shared.route)

    def close(self) -> None:
        """Have it gone, and the route to the client's address with it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
