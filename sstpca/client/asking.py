"""What a server says by DHCP of its network: DNS suffix and routes ([MS-DHCPE], RFC 3442)."""

import asyncio
import secrets
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from sstpca.server.responders.dhcp import CLIENT_PORT, SERVER_PORT, DhcpOption

from . import dhcp

#: Seconds until a question is repeated, and how often it is asked.
_WAIT: Final = 1.5
_TRIES: Final = 3
_BROADCAST: Final = "255.255.255.255"


@dataclass(frozen=True, slots=True)
class Told:
    """What the server pushes."""

    routes: tuple[IPv4Network, ...] = ()
    suffix: str = ""


async def ask(interface: str, address: IPv4Address) -> Told | None:
    """Ask through the tunnel, as Windows does; None if nobody answers."""
    loop, number = asyncio.get_running_loop(), secrets.randbits(32)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        try:
            sock.bind((str(address), CLIENT_PORT))
            for _ in range(_TRIES):
                sock.sendto(dhcp.inform(address, number), (_BROADCAST, SERVER_PORT))
                try:
                    async with asyncio.timeout(_WAIT):
                        while True:
                            told = dhcp.told(await loop.sock_recv(sock, 2048), number)
                            if told is not None:
                                return _read(told)
                except TimeoutError:
                    continue
        except OSError:  # without it there are no pushed routes
            return None
    return None


def _read(options: dict[int, bytes]) -> Told:
    routes = options.get(DhcpOption.ROUTES) or options.get(DhcpOption.MICROSOFT_ROUTES) or b""
    suffix = options.get(DhcpOption.SUFFIX, b"").rstrip(b"\0").decode("ascii", "replace")
    return Told(tuple(dhcp.routes(routes)), suffix if suffix.isprintable() else "")
