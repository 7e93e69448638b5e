"""The interface of one session, from its login to its end.

The kernel takes its time over interfaces, 20 ms and more to take one away, and everybody who has to
do with another one waits meanwhile. So the keeper makes them (:mod:`..keeper.interfaces`), and they
are taken away in threads, a few of them: the kernel takes interfaces away together as fast as one.
"""

import asyncio
import os

from ..contracts import Lease
from ..dataplane.segments import Offload
from ..errors import ServerError
from ..log import LOGGER
from .shared import Shared


class Interface:
    """Made once; :attr:`descriptor` is -1 before that, and again once it is going."""

    __slots__ = (
        "_going",
        "_ipv6",
        "_leads_on",
        "_making",
        "_over",
        "_session",
        "_shared",
        "descriptor",
        "name",
        "offload",
    )

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._making = asyncio.Lock()
        self._going: asyncio.Task[None] | None = None
        self._over = False
        self._ipv6 = False
        self._session = 0
        self._leads_on = False
        self.descriptor = -1
        self.name = ""
        self.offload = Offload.NONE

    async def make(self, lease: Lease) -> None:
        """Make what ``lease`` promises a session, and the interface with its addresses and permissions.

        If it was closed meanwhile, it is gone again at once.

        :raises SessionRefused: if there can be no session any more.
        :raises ServerError: if the machine does not let us.
        """
        self._session = session = lease.session
        self._leads_on = bool(lease.networks or (lease.ipv6 and lease.ipv6.networks))
        async with self._making:
            tun = await self._shared.arrange(self._shared.interfaces.make, session)
            self.name = tun.name
            if self._over:
                self._take_away(tun.descriptor)
            else:
                self.descriptor, self.offload = tun.descriptor, tun.offload

    async def adapt(self, mtu: int, *, ipv6: bool) -> None:
        """Have it carry what the client has opened, in packets of at most ``mtu`` bytes.

        :raises ServerError: if the machine does not let us.
        """
        if mtu != self._shared.config.mtu:
            await self.set_mtu(mtu)
        await self.set_ipv6(wanted=ipv6)

    async def set_mtu(self, mtu: int) -> None:
        """Have it take packets of at most ``mtu`` bytes, if it is still there.

        :raises ServerError: if the machine does not let us.
        """
        if self.descriptor >= 0:
            await self._shared.arrange(self._shared.interfaces.set_mtu, self._session, mtu)

    async def set_ipv6(self, *, wanted: bool) -> None:
        """Have it carry IPv6 as its session's lease says, or none, if it is still there.

        Where the machine does not let us, that is said, and IPv4 goes on.
        """
        async with self._making:
            if self.descriptor < 0 or wanted == self._ipv6:
                return
            self._ipv6 = wanted
            set_ipv6 = self._shared.interfaces.set_ipv6
            try:
                await self._shared.arrange(set_ipv6, self._session, wanted=wanted)
            except ServerError as error:
                LOGGER.error("%s", error)

    def close(self) -> None:
        """Have it gone, and the route to the client's address with it; not waited for here."""
        self._over = True
        if self.descriptor >= 0:
            self._take_away(self.descriptor)
            self.descriptor = -1

    async def gone(self) -> None:
        """Wait until it is, once it was closed: before that, nobody else may have its address."""
        async with self._making:
            pass
        if self._going is not None:
            await self._going

    def _take_away(self, descriptor: int) -> None:
        self._going = self._shared.spawn(self._let_go(descriptor))

    async def _let_go(self, descriptor: int) -> None:
        if self._leads_on:
            await self._shared.arrange(self._shared.interfaces.leave, self._session)
        await self._shared.arrange(os.close, descriptor)
