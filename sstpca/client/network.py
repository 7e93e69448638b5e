"""What the client sets up on its machine: an interface, its addresses, and the routes through it.

All of it is gone with the interface, and the interface with the process, however that ends.
"""

import contextlib
import errno
import os
import socket
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Final

from pyroute2 import IPRoute, NetlinkError

from sstpca.server.errors import ServerError
from sstpca.server.net.tun import Tun, open_tun

from .link import Connected

Network = IPv4Network | IPv6Network

#: All of an address family, in two halves: more exact than the default route, which stays as it is.
EVERYTHING: Final = tuple(map(IPv4Network, ("0.0.0.0/1", "128.0.0.0/1")))
EVERYTHING_IPV6: Final = tuple(map(IPv6Network, ("::/1", "8000::/1")))

_QUEUE: Final = 1000


class NetworkError(Exception):
    """The machine does not let us; one line, for people."""


class ClientInterface:
    """A TUN interface that stays while sessions come and go.

    :param name: ``vpn%d`` is the next free number.
    :raises NetworkError: if the machine or user has none.
    """

    def __init__(self, name: str) -> None:
        try:
            self.tun: Tun = open_tun(name)
        except ServerError as error:
            raise NetworkError(str(error), error.hint) from None
        self._index = socket.if_nametoindex(self.tun.name)
        self._given: Connected | None = None
        self._routes: set[Network] = set()

    def __enter__(self) -> "ClientInterface":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.tun.descriptor)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.tun.name

    @property
    def routes(self) -> list[Network]:
        """What goes through it."""
        return sorted(self._routes, key=str)

    def give(self, given: Connected) -> None:
        """Give it what the server has given us.

        :raises NetworkError: if the kernel refuses.
        """
        if given == self._given:
            return
        before, self._given = self._given, given
        with _kernel() as route, _refused(self.name):
            if before is not None and before.address != given.address:
                route.flush_addr(index=self._index)
                self._routes.clear()
            route.link("set", index=self._index, mtu=given.mtu, txqlen=_QUEUE, state="up")
            peer = str(_peer(given))
            with _ignoring(errno.EEXIST):
                route.addr(
                    "add",
                    index=self._index,
                    local=str(given.address),
                    address=peer,
                    prefixlen=32,
                )
            self._set_ipv6(route, given)

    def _set_ipv6(self, route: IPRoute, given: Connected) -> None:
        settings = Path(f"/proc/sys/net/ipv6/conf/{self.name}")
        if given.ipv6 is None:
            _write(settings / "disable_ipv6", "1")
            return
        # the identifier that was agreed on; the prefix comes by router advertisements
        _write(settings / "addr_gen_mode", "1")
        _write(settings / "accept_ra", "2")
        _write(settings / "disable_ipv6", "0")
        link_local = IPv6Address(b"\xfe\x80" + bytes(6) + given.ipv6.own)
        with _ignoring(errno.EEXIST):
            route.addr("add", index=self._index, address=str(link_local), prefixlen=64)

    def lead(self, networks: Iterable[Network]) -> None:
        """Have these networks, and no others, go through it.

        :raises NetworkError: if the kernel refuses.
        """
        wanted = set(networks)
        with _kernel() as route, _refused(self.name):
            for one in self._routes - wanted:
                with _ignoring(errno.ESRCH, errno.ENOENT):
                    route.route("del", dst=str(one), oif=self._index)
            for one in sorted(wanted - self._routes, key=str):
                with _ignoring(errno.EEXIST):
                    route.route("add", dst=str(one), oif=self._index)
        self._routes = wanted


def _peer(given: Connected) -> IPv4Address:
    """Return the other end's address, which goes through the tunnel with it.

    SoftEther VPN says 1.0.0.1, which is somebody else's; others their own outside.
    """
    server = given.server
    return given.address if server is None or server.is_global else server


@contextlib.contextmanager
def _kernel() -> Iterator[IPRoute]:
    with IPRoute() as route:
        yield route


@contextlib.contextmanager
def _refused(name: str) -> Iterator[None]:
    try:
        yield
    except NetlinkError as error:
        why = os.strerror(error.code) if error.code else str(error)
        raise NetworkError(f"the interface {name} cannot be set up: {why}") from None


@contextlib.contextmanager
def _ignoring(*codes: int) -> Iterator[None]:
    try:
        yield
    except NetlinkError as error:
        if error.code not in codes:
            raise


def _write(path: Path, value: str) -> None:
    """Turn a setting of the kernel on, where there is such a one that can be."""
    with contextlib.suppress(OSError):
        path.write_text(value)
