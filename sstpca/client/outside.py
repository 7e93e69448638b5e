"""The way to the server beside the tunnel: the interface that its packets would take without us.

The socket is bound to that, so that no route has to be made. Only where the machine drops packets that
come in by another interface than it would answer by (net.ipv4.conf.*.rp_filter=1, RFC 3704 2.2), the
server's address gets a route of its own. That one may be left behind by a program that is killed; the
next one does not believe it, and replaces it.
"""

import contextlib
import errno
import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Any, Final

from pyroute2 import IPRoute, NetlinkError

_MAIN: Final = 254
#: Who made a route, as ``ip route show proto 84`` has it: "T".
_PROTOCOL: Final = 84
_STRICT: Final = 1


@dataclass(frozen=True, slots=True)
class _Way:
    """The interface, the gateway on it, and whether there is a route to this very address.

    No interface: it is this machine's own address.
    """

    device: str
    gateway: str | None = None
    exact: bool = False

    @property
    def is_watched(self) -> bool:
        """Whether what comes by it is dropped where the answer would leave by another interface."""
        return not self.exact and self.device != "" and _is_strict(self.device)


class Outside:
    """What keeps the server in reach while everything else goes through the tunnel.

    Its methods are called in a thread: pyroute2 has an event loop of its own.

    :param interface: the tunnel's.
    """

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._kept: dict[str, _Way] = {}

    def close(self) -> None:
        """Take back what there is."""
        if self._kept:
            with contextlib.suppress(OSError, NetlinkError), IPRoute() as kernel:
                self._let_go(kernel, self._kept)

    def ways(self, addresses: Sequence[str]) -> dict[str, str]:
        """Return by which interface each address is reached, of those that are, in their order.

        It is empty for one of this machine's own.
        """
        with IPRoute() as kernel:
            found = {one: self._way(kernel, one) for one in addresses}
            known = {address: way for address, way in found.items() if way is not None}
            # without it, strict machines drop the answers
            with contextlib.suppress(NetlinkError, OSError):
                self._keep(kernel, known)
        return {address: way.device for address, way in known.items()}

    def _keep(self, kernel: IPRoute, ways: dict[str, _Way]) -> None:
        """Have routes to these addresses where the machine wants them, and to no others."""
        wanted = {
            one: way for one, way in ways.items() if ":" not in one and _is_strict(way.device)
        }
        self._let_go(kernel, [one for one in (*ways, *self._kept) if one not in wanted])
        for address, way in wanted.items():
            index = socket.if_nametoindex(way.device)
            more = {"scope": "link"} if way.gateway is None else {"gateway": way.gateway}
            kernel.route("replace", dst=f"{address}/32", oif=index, proto=_PROTOCOL, **more)
        self._kept = wanted

    def _let_go(self, kernel: IPRoute, addresses: Iterable[str]) -> None:
        for one in addresses:
            if ":" not in one:
                with _ignoring(errno.ESRCH):
                    kernel.route("del", dst=f"{one}/32", proto=_PROTOCOL)
        self._kept = {}

    def _way(self, kernel: IPRoute, address: str) -> _Way | None:
        target = ip_address(address)
        if target.is_loopback or str(target) in _own_addresses(kernel):
            return _Way("")  # the kernel looks for these first, whatever goes through the tunnel
        family = socket.AF_INET if target.version == 4 else socket.AF_INET6
        names = {one["index"]: one.get_attr("IFLA_IFNAME") for one in kernel.get_links()}
        best: tuple[tuple[int, int], _Way] | None = None
        for network, metric, index, gateway in _routes(kernel, family):
            device, rank = names.get(index), (network.prefixlen, -metric)
            if device is None or device == self._interface or target not in network:
                continue
            if best is None or rank > best[0]:
                exact = network.prefixlen == network.max_prefixlen
                best = rank, _Way(device, gateway, exact)
        return None if best is None else best[1]


def _is_strict(device: str) -> bool:
    values = []
    for one in ("all", device):
        with contextlib.suppress(OSError, ValueError):
            values.append(int(Path(f"/proc/sys/net/ipv4/conf/{one}/rp_filter").read_text()))
    return max(values, default=0) == _STRICT


def _own_addresses(kernel: IPRoute) -> set[str]:
    return {
        str(one.get_attr("IFA_LOCAL") or one.get_attr("IFA_ADDRESS")) for one in kernel.get_addr()
    }


def _routes(
    kernel: IPRoute, family: int
) -> Iterator[tuple[IPv4Network | IPv6Network, int, int, str | None]]:
    """Yield network, metric, interface and gateway of the routes of the main table, without ours."""
    nothing = "0.0.0.0" if family == socket.AF_INET else "::"  # noqa: S104
    kind = IPv4Network if family == socket.AF_INET else IPv6Network
    for one in kernel.get_routes(family=family, table=_MAIN):
        if one["proto"] == _PROTOCOL:
            continue
        index = one.get_attr("RTA_OIF")
        hops: list[Any] = one.get_attr("RTA_MULTIPATH") or []
        ways = [(index, one.get_attr("RTA_GATEWAY"))] if index is not None else []
        ways += [(hop["oif"], hop.get_attr("RTA_GATEWAY")) for hop in hops]
        network = kind(f"{one.get_attr('RTA_DST') or nothing}/{one['dst_len']}")
        for number, gateway in ways:
            yield network, one.get_attr("RTA_PRIORITY") or 0, number, gateway


@contextlib.contextmanager
def _ignoring(*codes: int) -> Iterator[None]:
    try:
        yield
    except NetlinkError as error:
        if error.code not in codes:
            raise OSError(error.code, os.strerror(error.code)) from None
