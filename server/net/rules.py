"""The rules and switches of one server, and that they stay while it runs.

Whoever loads rules of their own often clears the kernel of all others first: ``nft flush ruleset``
stands at the top of Debian's /etc/nftables.conf, which ``systemctl restart nftables`` runs. Without
our rules the machine would be a router for everybody, and open to clients. So the kernel tells of
every change, by netlink (Linux uapi, linux/netfilter/nfnetlink.h) and a signal, and what is missing
is there again at once.
"""

import contextlib
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final

from ..config import Config
from ..firewalls.opening import Opening
from .firewall import Firewall
from .forwarding import IPV4, TABLES, Forwarding
from .forwarding_ipv6 import ForwardingEverywhere, forwarding_of_ipv6
from .nft import CHANGED as CHANGED
from .presence import present

_NETLINK_NETFILTER: Final = 12
_NFNLGRP_NFTABLES: Final = 7
_PIECE: Final = 32_768
# of all that may be waiting in the socket's buffer
_PIECES_MAX: Final = 1000


@contextlib.contextmanager
def rules_of(config: Config) -> Iterator["Rules"]:
    """Have the rules and switches of a server while the block runs.

    :raises ServerError: if this machine cannot have them; nothing is left of them then.
    """
    firewall = Firewall(config)
    forwarding = Forwarding(config.table, config.interface, IPV4)
    forwarding_ipv6 = forwarding_of_ipv6(config)
    with ExitStack() as stack:
        before = config.before
        sign = stack.enter_context(present(config.table, before.presence if before else -1))
        changes = stack.enter_context(_changes())
        firewall.open()
        stack.callback(firewall.close)
        stack.callback(forwarding.close)
        forwarding.open()
        stack.callback(forwarding_ipv6.close)
        opening = Opening(config)
        stack.callback(opening.close)
        opening.open()
        rules = Rules(
            firewall,
            forwarding,
            WhenWanted(forwarding_ipv6, config.ipv6),
            changes,
            opening,
            names=(config.table, *TABLES),
            sign=sign,
        )
        rules.reconcile()
        yield rules


class WhenWanted:
    """Forwarding that is left alone until clients may have IPv6.

    :param wanted: whether they may by now.
    """

    def __init__(
        self, forwarding: Forwarding | ForwardingEverywhere, wanted: Callable[[], bool]
    ) -> None:
        self._forwarding = forwarding
        self._wanted = wanted
        self._opened = False

    def reconcile(self) -> None:
        """Turn it on, once it is wanted; see what has changed after that.

        :raises ServerError: if what has to be done cannot.
        """
        if self._opened:
            self._forwarding.reconcile()
        elif self._wanted():
            self._forwarding.open()
            self._opened = True

    def restore(self) -> None:
        """Have its rule again if somebody took it away.

        :raises ServerError: if that cannot be.
        """
        if self._opened:
            self._forwarding.restore()


class Rules:
    """They are there; :meth:`reconcile` keeps it so.

    :param changes: a netlink socket that tells of every change.
    :param opening: what is done about the firewalls of others.
    :param names: of the tables.
    :param sign: shows others of this machine that this server runs.
    """

    def __init__(
        self,
        firewall: Firewall,
        forwarding: Forwarding,
        forwarding_ipv6: "WhenWanted",
        changes: socket.socket,
        opening: Opening,
        *,
        names: tuple[str, ...],
        sign: socket.socket,
    ) -> None:
        self._firewall = firewall
        self._forwarding = forwarding
        self._forwarding_ipv6 = forwarding_ipv6
        self._changes = changes
        self._opening = opening
        self._names = [name.encode() + b"\0" for name in names]
        self._doubtful = False
        self.sign = sign

    def follow(self, config: Config) -> None:
        """Have the rules as other settings have them, from the next :meth:`reconcile` on."""
        self._firewall.follow(config)

    def reconcile(self) -> None:
        """See what has changed, and put right what concerns us.

        :raises ServerError: if that cannot be; the next look tries again.
        """
        ours, theirs = self._heard()
        self._doubtful = ours or self._doubtful
        if self._doubtful:
            self._firewall.restore()
            self._forwarding.restore()
            self._forwarding_ipv6.restore()
            self._doubtful = False
        self._firewall.reconcile()
        self._forwarding.reconcile()
        self._forwarding_ipv6.reconcile()
        self._opening.reconcile(changed=theirs)

    def _heard(self) -> tuple[bool, bool]:
        """Whether something happened to a table of ours, or may have; and to anybody's."""
        ours = theirs = False
        for _ in range(_PIECES_MAX):
            try:
                piece = self._changes.recv(_PIECE)
            except BlockingIOError:
                return ours, theirs
            except OSError:  # more than the buffer holds
                ours = theirs = True
            else:
                theirs = True
                ours = ours or any(name in piece for name in self._names)
        return True, True


@contextlib.contextmanager
def _changes() -> Iterator[socket.socket]:
    """Open a socket that gets every change of rules, and sends this process :data:`CHANGED`."""
    flags = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, flags, _NETLINK_NETFILTER) as changes:
        changes.bind((0, 1 << _NFNLGRP_NFTABLES - 1))
        fcntl.fcntl(changes, fcntl.F_SETOWN, os.getpid())
        flags = fcntl.fcntl(changes, fcntl.F_GETFL)
        fcntl.fcntl(changes, fcntl.F_SETFL, flags | os.O_ASYNC)
        yield changes
