"""The interfaces of one worker's sessions: what the kernel lets nobody do without a capability.

Of privileged work at a login, all is here: each a function of the session's lease and interface.
The descriptor goes to the worker, and none stays: the interface is gone with the worker's.
"""

import os
import socket
import threading
from typing import Final

from ..config import Config
from ..contracts import Lease
from ..errors import ServerError
from ..net import destinations, networks, shaping
from ..net.group import group_of
from ..net.tun import IPNetwork, Tun, configure, name_of, open_kernel, open_tun, set_ipv6, set_mtu
from .sessions import Kept, KeptSessions

#: The smallest MTU that carries IPv4 (RFC 791 3.2).
_MTU_MIN: Final = 68


class _Kernel(threading.local):
    """A netlink socket for each of the threads."""

    def __init__(self) -> None:
        self.netlink = open_kernel()


_KERNEL = _Kernel()


class KernelInterfaces:
    """What a worker has done to its interfaces: :class:`.contract.OwnInterfaces`.

    :param config: says how they are called, and how large packets are.
    """

    def __init__(self, sessions: KeptSessions, config: Config) -> None:
        self._sessions = sessions
        self._config = config

    def make(self, session: int) -> Tun:
        """Make a session of what was promised, and an interface with its addresses and permissions."""
        kept = self._sessions.bind(session)
        prefix = self._config.interface
        tun = _open(prefix, session)
        try:
            kept.index = socket.if_nametoindex(tun.name)
            _bring_up(tun.name, kept.lease, self._config)
            self._sessions.shape(kept, tun.name)
            if tun.name != name_of(prefix, session):
                with self._sessions.store() as store:
                    store.started(session, tun.name)
        except BaseException:
            kept.name = ""
            os.close(tun.descriptor)
            shaping.unshape(kept.index)
            raise
        return tun

    def set_mtu(self, session: int, mtu: int) -> None:
        """Have it take packets of at most ``mtu`` bytes."""
        if not _MTU_MIN <= mtu <= self._config.mtu:
            raise ServerError(f"MTU {mtu} is none that a session can have")
        set_mtu(self._find(session).name, mtu, kernel=_KERNEL.netlink)

    def set_ipv6(self, session: int, *, wanted: bool) -> None:
        """Have it carry IPv6 as the session's lease says, or none."""
        kept = self._find(session)
        lease = kept.lease.ipv6 if wanted else None
        set_ipv6(kept.name, lease, kernel=_KERNEL.netlink)
        if lease is not None:
            table, kernel = self._config.table, _KERNEL.netlink
            networks.lead_to(kept.name, lease.networks, table=table, kernel=kernel)

    def leave(self, session: int) -> None:
        """It is about to go: the rules forget the networks behind it."""
        kept = self._find(session)
        behind: list[IPNetwork] = [*kept.lease.networks]
        behind += kept.lease.ipv6.networks if kept.lease.ipv6 else ()
        networks.forget(kept.name, behind, table=self._config.table)

    def _find(self, session: int) -> Kept:
        kept = self._sessions.find(session)
        if not kept.name:
            raise ServerError(f"session {session} has no interface")
        return kept


def _open(prefix: str, session: int) -> Tun:
    """Open the interface of a session, under another name if there is one with its own."""
    try:
        return open_tun(name_of(prefix, session))
    except ServerError:  # perhaps of another server, with sessions of its own
        return open_tun(f"{prefix}%d")


def _bring_up(name: str, lease: Lease, config: Config) -> None:
    """Give an interface all that a lease says."""
    configure(
        name,
        local=lease.local_address,
        peer=lease.address,
        mtu=config.mtu,
        group=group_of(lease),
        kernel=_KERNEL.netlink,
    )
    networks.lead_to(name, lease.networks, table=config.table, kernel=_KERNEL.netlink)
    destinations.announce(lease)
