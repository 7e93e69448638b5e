"""The interface of one session, from its login to its end.

The kernel takes its time over interfaces, 20 ms and more to take one away, and everybody who has to
do with another one waits meanwhile. So all of that is done in threads, a few of them: the kernel
takes interfaces away together as fast as one.
"""

import asyncio
import os
import threading

from ..config import Config
from ..contracts import Ipv6Lease, Lease
from ..dataplane.segments import Offload
from ..errors import ServerError
from ..log import LOGGER
from . import destinations, networks
from .group import group_of
from .shared import Shared
from .tun import IPNetwork, Tun, configure, name_of, open_kernel, open_tun, set_ipv6, set_mtu


class Interface:
    """Made once; :attr:`descriptor` is -1 before that, and again once it is going."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._making = asyncio.Lock()
        self._going: asyncio.Task[None] | None = None
        self._over = False
        self._ipv6: Ipv6Lease | None = None
        self._networks: tuple[IPNetwork, ...] = ()
        self.descriptor = -1
        self.name = ""
        self.offload = Offload.NONE

    async def make(self, lease: Lease) -> None:
        """Make it, with the addresses and permissions of ``lease``.

        If it was closed meanwhile, it is gone again at once.

        :raises ServerError: if the machine does not let us.
        """
        config = self._shared.config
        async with self._making:
            tun = await self._shared.arrange(_make, config, lease)
            self.name, self._networks = tun.name, lease.networks
            if tun.name != name_of(config.interface, lease.session):
                try:
                    await self._shared.ask(self._shared.sessions.started, lease.session, tun.name)
                except BaseException:
                    self._take_away(tun.descriptor)
                    raise
            if self._over:
                self._take_away(tun.descriptor)
            else:
                self.descriptor, self.offload = tun.descriptor, tun.offload

    async def adapt(self, mtu: int, ipv6: Ipv6Lease | None) -> None:
        """Have it carry what the client has opened, in packets of at most ``mtu`` bytes.

        :raises ServerError: if the machine does not let us.
        """
        if mtu != self._shared.config.mtu:
            await self.set_mtu(mtu)
        await self.set_ipv6(ipv6)

    async def set_mtu(self, mtu: int) -> None:
        """Have it take packets of at most ``mtu`` bytes, if it is still there.

        :raises ServerError: if the machine does not let us.
        """
        if self.descriptor >= 0:
            await self._shared.arrange(_set_mtu, self.name, mtu)

    async def set_ipv6(self, lease: Ipv6Lease | None) -> None:
        """Have it carry IPv6 as ``lease`` says, or none, if it is still there.

        Where the machine does not let us, that is said, and IPv4 goes on.
        """
        async with self._making:
            if self.descriptor < 0 or lease == self._ipv6:
                return
            self._ipv6 = lease
            self._networks += lease.networks if lease else ()
            try:
                await self._shared.arrange(_set_ipv6, self.name, lease, self._shared.config.table)
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
        table = self._shared.config.table
        self._going = self._shared.spawn(
            self._shared.arrange(_close, descriptor, self.name, self._networks, table)
        )


class _Kernel(threading.local):
    """A netlink socket for each of the threads."""

    def __init__(self) -> None:
        self.netlink = open_kernel()


_KERNEL = _Kernel()


def _make(config: Config, lease: Lease) -> Tun:
    """Return a new interface that has its addresses and is up."""
    tun = _open(config.interface, lease.session)
    try:
        configure(
            tun.name,
            local=lease.local_address,
            peer=lease.address,
            mtu=config.mtu,
            group=group_of(lease),
            kernel=_KERNEL.netlink,
        )
        networks.lead_to(tun.name, lease.networks, table=config.table, kernel=_KERNEL.netlink)
        destinations.announce(lease)
    except BaseException:
        os.close(tun.descriptor)
        raise
    return tun


def _open(prefix: str, session: int) -> Tun:
    """Open the interface of a session, under another name if there is one with its own."""
    try:
        return open_tun(name_of(prefix, session))
    except ServerError:  # perhaps of another server, with sessions of its own
        return open_tun(f"{prefix}%d")


def _set_mtu(name: str, mtu: int) -> None:
    set_mtu(name, mtu, kernel=_KERNEL.netlink)


def _set_ipv6(name: str, lease: Ipv6Lease | None, table: str) -> None:
    set_ipv6(name, lease, kernel=_KERNEL.netlink)
    if lease is not None:
        networks.lead_to(name, lease.networks, table=table, kernel=_KERNEL.netlink)


def _close(descriptor: int, name: str, behind: tuple[IPNetwork, ...], table: str) -> None:
    networks.forget(name, behind, table=table)
    os.close(descriptor)
