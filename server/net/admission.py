"""What one client is given: promised at its login, handed over when its crypto binding holds."""

import time

from ..contracts import Account, Lease
from ..effects import Up
from ..errors import ServerError
from ..log import SessionLog
from .interface import Interface
from .shared import Shared


class Admission:
    """The lease and the interface of one connection.

    :ivar lease: None until something is promised.
    """

    __slots__ = ("_began", "_ended", "_log", "_over", "_shared", "_told", "interface", "lease")

    def __init__(self, shared: Shared, log: SessionLog) -> None:
        self._shared = shared
        self._began = time.monotonic()
        self._log = log
        self._over = False
        self._told: tuple[str, ...] = ()
        self._ended: tuple[str, tuple[int, int]] = ("", (0, 0))
        self.lease: Lease | None = None
        self.interface = Interface(shared)

    async def promise(self, account: Account, *, peer: str, client: str) -> Lease | None:
        """Have an address kept, without anything that packets could pass.

        :returns: None if none is free.
        """
        promise = self._shared.sessions.promise
        lease = await self._shared.ask(promise, account, peer=peer, client=client)
        if lease is not None:
            self.lease = lease
            self._log.know(session=lease.session)
            if self._over:
                await self._release(lease)
        return lease

    async def give(self) -> None:
        """Make it a session, with an interface that is ready.

        :raises SessionRefused: if it cannot be one any more.
        :raises ServerError: if the machine does not let us.
        """
        if self.lease is None:
            raise ServerError("there is nothing to give")
        if not self._over:
            await self.interface.make(self.lease)

    def news(self, lease: Lease, up: Up) -> str:
        """Return what the client has now that no line of the log has named yet; empty if nothing.

        A client may negotiate IPCP and IPV6CP anew as often as it likes: no more word of it then.
        """
        both = [f"address {lease.address}"] * up.ipv4
        if up.ipv6 and lease.ipv6 is not None:
            both.append(f"prefix {lease.ipv6.prefix}")
        new = [one for one in both if one not in self._told]
        self._told += (*new,)
        return " and ".join(new)

    def up(self, lease: Lease) -> None:
        """IP flows for the first time: whoever wants to know is told, and the session goes on."""
        self._shared.tally.up(time.monotonic() - self._began)
        if self._shared.config.hooks.wanted:
            self._shared.spawn(self._tell_up(lease))

    async def _tell_up(self, lease: Lease) -> None:
        try:
            await self._shared.ask(self._shared.sessions.up, lease.session)
        except Exception as error:
            self._log.error("%s", error)

    def withdraw(self) -> None:
        """Let no packet pass any more: a newer session may have the address already."""
        self._over = True
        self.interface.close()

    def end(self, reason: str, traffic: tuple[int, int]) -> None:
        """Give everything back.

        :param reason: why it ends; ``traffic`` is what went through it, received and sent.
        """
        self._ended = (reason, traffic)
        self.withdraw()
        if self.lease is not None:
            self._shared.spawn(self._release(self.lease))

    async def _release(self, lease: Lease) -> None:
        try:
            await self.interface.gone()  # nobody else may have its address before
            await self._shared.ask(self._shared.sessions.close, lease.session, *self._ended)
        except Exception as error:  # the beat or the supervisor frees it later
            self._log.error("%s", error)
