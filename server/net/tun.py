"""A TUN interface for each session: made with the session, gone with its file descriptor."""

import contextlib
import fcntl
import os
import socket
import struct
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from ..errors import ServerError, quotation
from . import conntrack
from .group import MARK, MARK_BITS

DEVICE: Final = Path("/dev/net/tun")

# Linux uapi, linux/if_tun.h
_TUNSETIFF: Final = 0x400454CA
_IFF_TUN: Final = 0x0001
_IFF_NO_PI: Final = 0x1000
# struct ifreq: the name, the flags, padding to 40 bytes
_IFREQ: Final = struct.Struct("16sH22x")


def open_tun(prefix: str) -> tuple[int, str]:
    """Make a TUN interface named ``prefix`` and the next free number.

    It is not persistent: the kernel takes it away with the last descriptor, however we end.

    :returns: a non-blocking descriptor (one IP packet a read or write, no header), the name.
    :raises ServerError: if this machine or user has no TUN.
    """
    try:
        descriptor = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ServerError(
            f"{DEVICE} cannot be opened: {error.strerror}",
            "run the same command as root (sudo), where there is a TUN device (modprobe tun)",
        ) from error
    request = _IFREQ.pack(f"{prefix}%d".encode(), _IFF_TUN | _IFF_NO_PI)
    try:
        answer = fcntl.ioctl(descriptor, _TUNSETIFF, request)
    except OSError as error:
        os.close(descriptor)
        raise ServerError(
            f"a TUN interface cannot be made: {error.strerror}",
            "run the same command as root (sudo), or with the capability CAP_NET_ADMIN",
        ) from error
    return descriptor, answer[:16].rstrip(b"\0").decode()


def check_tun(prefix: str) -> None:
    """Raise :class:`ServerError` now rather than at the first session.

    Also if there is another's interface whose name begins with ``prefix``: the rules for sessions
    would cut it off.
    """
    with IPRoute() as route:
        for link in route.get_links():
            name, group = link.get_attr("IFLA_IFNAME"), link.get_attr("IFLA_GROUP") or 0
            if name.startswith(prefix) and group & MARK_BITS != MARK:
                raise ServerError(
                    f"this machine has an interface {quotation(name)}, whose name begins as those of "
                    f"sessions do: {quotation(prefix)}",
                    "choose another prefix in settings.toml: interface in [server]",
                )
    descriptor, _ = open_tun(prefix)
    os.close(descriptor)


def configure(
    name: str, *, local: IPv4Address, peer: IPv4Address, mtu: int, group: int, route: IPRoute
) -> None:
    """Give the interface its two addresses, its MTU in bytes and its group, and bring it up.

    Rules let nothing to it until it has its group, when what the address was before is forgotten.

    :raises ServerError: if the kernel refuses.
    """
    # The tunnel carries IPv4 alone: without this the kernel sends router solicitations into it.
    with contextlib.suppress(OSError):
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
    # Where forwarding is on for the whole machine, it is for this as well, and /proc may be read-only.
    with contextlib.suppress(OSError):
        Path(f"/proc/sys/net/ipv4/conf/{name}/forwarding").write_text("1")
    try:
        index = socket.if_nametoindex(name)
        route.addr("add", index=index, local=str(local), address=str(peer), prefixlen=32)
        route.link("set", index=index, mtu=mtu, state="up")
        # Not before there is the route: by it, others' packets under this address are recognised.
        conntrack.forget(peer)
        route.link("set", index=index, group=group)
    except (OSError, NetlinkError) as error:
        why = _reason(error)
        raise ServerError(f"the interface {name} cannot be set up: {why}") from error


def set_mtu(name: str, mtu: int, *, route: IPRoute) -> None:
    """Change the interface's MTU, in bytes: the client takes smaller packets than others.

    :raises ServerError: if the kernel refuses.
    """
    try:
        route.link("set", index=socket.if_nametoindex(name), mtu=mtu)
    except (OSError, NetlinkError) as error:
        why = _reason(error)
        raise ServerError(f"the interface {name} cannot take MTU {mtu}: {why}") from error


def _reason(error: OSError | NetlinkError) -> str:
    """Return the kernel's reason in its own words; pyroute2 has a number and a text of its own."""
    code = error.code if isinstance(error, NetlinkError) else error.errno
    return os.strerror(code) if code else quotation(error)
