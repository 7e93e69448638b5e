"""Where the users of an access profile may go, of the networks behind the server: ``--allow``.

::

    DESTINATION = WHERE [":" PORT ["-" PORT]] ["/tcp" | "/udp"]
    WHERE       = an address or a prefix; of IPv6 in brackets where there is a port

``10.0.0.0/8``, ``192.168.7.5:443/tcp``, ``10.1.0.0/16:8000-8099``, ``[2001:db8::5]:53``. A port without a
protocol is that of both.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from ..addresses import Kind, kind_of
from ..errors import InvalidInput, option
from ..names import quoted

#: Of one access profile: each may be a rule that a packet is compared with.
DESTINATIONS_MAX: Final = 256

#: What is behind no server.
_NOWHERE: Final = (Kind.LOOPBACK, Kind.MULTICAST, Kind.RESERVED, Kind.MAPPED)

_PORTS: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)

_EXAMPLE: Final = (
    "for example: 10.0.0.0/8, 192.168.7.5:443/tcp, 10.1.0.5:8000-8099, [2001:db8::5]:53"
)


@dataclass(frozen=True, slots=True)
class Destination:
    """An address or a prefix, and what of it.

    :param protocol: "tcp" or "udp"; empty: both where there are ports, else all of IP.
    :param ports: the first and the last; None: all.
    """

    network: IPv4Network | IPv6Network
    protocol: str = ""
    ports: tuple[int, int] | None = None

    def __str__(self) -> str:
        whole = self.network.prefixlen == self.network.max_prefixlen
        text = str(self.network.network_address if whole else self.network)
        if self.ports is not None:
            first, last = self.ports
            text = f"[{text}]" if self.network.version == 6 else text
            text += f":{first}" if first == last else f":{first}-{last}"
        return f"{text}/{self.protocol}" if self.protocol else text


def parse_destination(text: str) -> Destination:
    """Return the destination that ``text`` means, see this module.

    :raises InvalidInput: if it is none, or no client could go there.
    """
    where, protocol = text.strip(), ""
    for one in ("tcp", "udp"):
        if where.lower().endswith(f"/{one}"):
            where, protocol = where[: -len(one) - 1], one
    ports = None
    if where.startswith("["):
        where, closing, rest = where[1:].partition("]")
        if not closing or (not rest.startswith(":") and rest):
            raise InvalidInput(f"{quoted(text)} is not a destination", _EXAMPLE)
        ports = _ports(text, rest[1:]) if rest else None
    elif where.count(":") == 1:
        where, _, rest = where.partition(":")
        ports = _ports(text, rest)
    return checked(Destination(_network(text, where), protocol, ports))


def checked(one: Destination) -> Destination:
    """Return ``one`` if a client could go there.

    :raises InvalidInput: if it is nowhere behind a server.
    """
    network = one.network
    if network.prefixlen and {kind_of(network[0]), kind_of(network[-1])} & set(_NOWHERE):
        raise InvalidInput(
            f"{network} is nowhere behind the server", "give the network that clients are to reach"
        )
    return one


def check_destinations(destinations: Iterable[Destination]) -> tuple[Destination, ...]:
    """Return the destinations, each once.

    :raises InvalidInput: if they are too many, or one is nowhere behind a server.
    """
    found = tuple(dict.fromkeys(map(checked, destinations)))
    if len(found) > DESTINATIONS_MAX:
        raise InvalidInput(
            f"{len(found)} destinations are more than {DESTINATIONS_MAX}",
            "put networks together that are beside each other: ",
            option("--allow"),
            " 10.0.0.0/8",
        )
    return found


def _network(text: str, where: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(where)
    except ValueError:
        pass
    try:
        meant = ip_network(where, strict=False)
    except ValueError:
        raise InvalidInput(f"{quoted(text)} is not a destination", _EXAMPLE) from None
    raise InvalidInput(f"{quoted(text)} has bits set beyond its length", f"for example: {meant}")


def _ports(text: str, ports: str) -> tuple[int, int]:
    found = _PORTS.fullmatch(ports)
    if found is not None:
        first = int(found[1])
        last = int(found[2] or first)
        if 1 <= first <= last <= 65535:
            return first, last
    raise InvalidInput(
        f"{quoted(ports)} in {quoted(text)} is neither a port nor a range of them",
        "from 1 to 65535, for example: 192.168.7.5:443/tcp, 10.1.0.5:8000-8099",
    )
