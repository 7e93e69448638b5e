"""What the client sets up on its machine: an interface, its addresses, and the routes through it.

All of it is gone with the interface, and the interface with the process, however that ends. The
server's own packets go out by the interface that they would take without us: the socket is bound to
that, so that no route has to be made, and none can be left behind.
"""

import contextlib
import errno
import os
import socket
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import Any, Final

from pyroute2 import IPRoute, NetlinkError

from sstpca.server.errors import ServerError
from sstpca.server.net.tun import Tun, open_tun

from .link import Connected

Network = IPv4Network | IPv6Network

#: All of an address family, in two halves: more exact than the default route, which stays as it is.
EVERYTHING: Final = tuple(map(IPv4Network, ("0.0.0.0/1", "128.0.0.0/1")))
EVERYTHING_IPV6: Final = tuple(map(IPv6Network, ("::/1", "8000::/1")))

_QUEUE: Final = 1000
_MAIN: Final = 254


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
            peer = str(given.server or given.address)
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


def way_to(address: str, without: str) -> str:
    """Return the interface by which an address is reached, were it not for another one.

    :param without: the interface that does not count: ours.
    :raises NetworkError: if there is none.
    """
    target = ip_address(address)
    family = socket.AF_INET if target.version == 4 else socket.AF_INET6
    if target.is_loopback:
        return "lo"
    with _kernel() as route:
        names = {one["index"]: one.get_attr("IFLA_IFNAME") for one in route.get_links()}
        if str(target) in _own_addresses(route):
            return "lo"
        best = max(
            (
                (network.prefixlen, -metric, names.get(index, ""))
                for network, metric, index in _routes(route, family)
                if target in network and names.get(index) not in (without, None)
            ),
            default=None,
        )
    if best is None:
        raise NetworkError(f"there is no route to {address}")
    return str(best[2])


def _own_addresses(route: IPRoute) -> set[str]:
    return {
        str(one.get_attr("IFA_LOCAL") or one.get_attr("IFA_ADDRESS")) for one in route.get_addr()
    }


def _routes(route: IPRoute, family: int) -> Iterator[tuple[Network, int, int]]:
    """Yield network, metric and interface of the routes of the main table."""
    nothing = "0.0.0.0" if family == socket.AF_INET else "::"  # noqa: S104
    for one in route.get_routes(family=family, table=_MAIN):
        index = one.get_attr("RTA_OIF")
        hops: list[Any] = one.get_attr("RTA_MULTIPATH") or []
        indexes = [index] if index is not None else [hop["oif"] for hop in hops]
        network = f"{one.get_attr('RTA_DST') or nothing}/{one['dst_len']}"
        kind = IPv4Network if family == socket.AF_INET else IPv6Network
        for number in indexes:
            yield kind(network), one.get_attr("RTA_PRIORITY") or 0, number


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
