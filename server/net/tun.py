"""A TUN interface for each session: made with the session, gone with its file descriptor."""

import contextlib
import fcntl
import os
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Final, NewType

from pyroute2 import IPRoute

from ..contracts import Ipv6Lease
from ..dataplane.engine import COMPILED
from ..dataplane.segments import Offload
from ..errors import ServerError, quotation
from . import conntrack, netlink
from .group import MARK, MARK_BITS
from .netlink import Netlink, attribute, message

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

#: One that a process may hand over to another (SCM_RIGHTS, unix(7)).
Descriptor = NewType("Descriptor", int)

DEVICE: Final = Path("/dev/net/tun")

# Linux uapi, linux/if_tun.h
_TUNSETIFF: Final = 0x400454CA
_IFF_TUN: Final = 0x0001
_IFF_NO_PI: Final = 0x1000
_IFF_VNET_HDR: Final = 0x4000
_TUNSETOFFLOAD: Final = 0x400454D0
# Checksums, TCP over IPv4 and IPv6, with ECN; UDP over IPv4 and IPv6, since Linux 6.2
_TUN_F_TCP, _TUN_F_UDP = 0x0F, 0x60
_OFFLOADS: Final = (
    (Offload.TCP | Offload.UDP, _TUN_F_TCP | _TUN_F_UDP),
    (Offload.TCP, _TUN_F_TCP),
)

# linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, linux/if.h
_RTM_NEWLINK, _RTM_DELLINK, _RTM_NEWADDR, _RTM_NEWROUTE = 16, 17, 20, 24
_NEW: Final = netlink.REQUEST | netlink.ACK | 0x600  # NLM_F_CREATE, NLM_F_EXCL
_REPLACE: Final = netlink.REQUEST | netlink.ACK | 0x500  # NLM_F_REPLACE, NLM_F_CREATE
_SET: Final = netlink.REQUEST | netlink.ACK
_MTU, _TXQLEN, _GROUP = 4, 13, 27
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_IFF_UP: Final = 1
_RTA_DST, _RTA_OIF, _RTA_PRIORITY = 1, 4, 6
_RT_TABLE_MAIN, _RTPROT_STATIC, _RTN_UNICAST = 254, 4, 1
_RT_SCOPE_UNIVERSE, _RT_SCOPE_LINK = 0, 253
# struct rtmsg: family, prefix lengths of destination and source, TOS, table, protocol, scope, type,
# flags
_RTMSG: Final = struct.Struct("=BBBBBBBBI")
# struct ifaddrmsg: family, prefix length, flags, scope, index
_IFADDRMSG: Final = struct.Struct("=BBBBI")
# struct ifinfomsg: family, device type, index, flags, which of them change
_IFINFOMSG: Final = struct.Struct("=BxHiII")
_U32: Final = struct.Struct("=I")
# linux/if.h, IFNAMSIZ without the zero at the end
_NAME_SIZE: Final = 15

#: Packets that wait in the kernel until we read them. With the 500 that are usual downloads lose
#: some: we may be busy with other sessions for some milliseconds.
_QUEUE: Final = 2000

# How the kernel is to treat IPv6 on a session's interface (Documentation/networking/ip-sysctl.rst):
# no address of its own making, nothing believed that comes from the client; and forwarded where that
# is not on for the whole machine, since Linux 6.17. IPv6 itself comes last.
_IPV6_SETTINGS: Final = (
    ("addr_gen_mode", b"1"),
    ("accept_ra", b"0"),
    ("accept_redirects", b"0"),
    ("force_forwarding", b"1"),
    ("disable_ipv6", b"0"),
)

# struct ifreq: the name, the flags, padding to 40 bytes
_IFREQ: Final = struct.Struct("16sH22x")


def name_of(prefix: str, session: int) -> str:
    """Return what the interface of a session is called, unless another is called so already."""
    digits = _NAME_SIZE - len(prefix)
    return f"{prefix}{session % 10**digits}"


@dataclass(frozen=True, slots=True)
class Tun:
    """A TUN interface, gone with its descriptor.

    :param descriptor: non-blocking; each read or write is one packet with ``struct virtio_net_hdr``
        before it, and may be of many segments (:mod:`..dataplane.segments`).
    :param offload: of what.
    """

    descriptor: Descriptor
    name: str
    offload: Offload


def open_tun(name: str) -> Tun:
    """Make a TUN interface called ``name``; ``%d`` in it is the next free number.

    The kernel looks through all interfaces for that number.

    It is not persistent: the kernel takes it away with the last descriptor, however we end.

    :raises ServerError: if this machine or user has no TUN.
    """
    try:
        descriptor = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ServerError(
            f"{DEVICE} cannot be opened: {error.strerror}",
            "run the same command as root (sudo), where there is a TUN device (modprobe tun)",
        ) from error
    request = _IFREQ.pack(name.encode(), _IFF_TUN | _IFF_NO_PI | _IFF_VNET_HDR)
    try:
        answer = fcntl.ioctl(descriptor, _TUNSETIFF, request)
        offload = _take_over(descriptor)
    except OSError as error:
        os.close(descriptor)
        raise ServerError(
            f"a TUN interface cannot be made: {error.strerror}",
            "run the same command as root (sudo), or with the capability CAP_NET_ADMIN",
        ) from error
    return Tun(Descriptor(descriptor), answer[:16].rstrip(b"\0").decode(), offload)


def _take_over(descriptor: int) -> Offload:
    """Have the kernel give and take many segments in one packet, of what it can; return that.

    Only what is compiled is faster for it.
    """
    for ours, theirs in _OFFLOADS if COMPILED else ():
        with contextlib.suppress(OSError):
            fcntl.ioctl(descriptor, _TUNSETOFFLOAD, theirs)
            return ours
    return Offload.NONE


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
    os.close(open_tun(f"{prefix}%d").descriptor)


def configure(
    name: str, *, local: IPv4Address, peer: IPv4Address, mtu: int, group: int, kernel: Netlink
) -> None:
    """Give the interface its two addresses, its MTU in bytes and its group, and bring it up.

    Rules let nothing to it until it has its group, when what the address was before is forgotten.

    :param kernel: of :func:`open_kernel`.
    :raises ServerError: if the kernel refuses.
    """
    # Until its client asks for it: without this the kernel sends router solicitations into it.
    _switch(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
    # Where forwarding is on for the whole machine, it is for this as well, and /proc may be read-only.
    _switch(f"/proc/sys/net/ipv4/conf/{name}/forwarding")
    try:
        index = socket.if_nametoindex(name)
        kernel.do(
            _address(index, local, peer), _link(index, {_MTU: mtu, _TXQLEN: _QUEUE}, flags=_IFF_UP)
        )
        # Not before there is the route: by it, others' packets under this address are recognised.
        conntrack.forget(peer)
        kernel.do(_link(index, {_GROUP: group}))
    except OSError as error:
        raise ServerError(f"the interface {name} cannot be set up: {_reason(error)}") from error


def set_mtu(name: str, mtu: int, *, kernel: Netlink) -> None:
    """Change the interface's MTU, in bytes: the client takes smaller packets than others.

    :raises ServerError: if the kernel refuses.
    """
    try:
        kernel.do(_link(socket.if_nametoindex(name), {_MTU: mtu}))
    except OSError as error:
        raise ServerError(
            f"the interface {name} cannot take MTU {mtu}: {_reason(error)}"
        ) from error


def set_ipv6(name: str, lease: Ipv6Lease | None, *, kernel: Netlink) -> None:
    """Give the interface our address and the route to the client's prefix, or take both away.

    The kernel makes no link-local address of its own: what concerns the link, :mod:`..responders`
    answer.

    :raises ServerError: if the kernel refuses.
    """
    settings = Path(f"/proc/sys/net/ipv6/conf/{name}")
    if lease is None:
        _switch(str(settings / "disable_ipv6"))
        return
    for setting, value in _IPV6_SETTINGS:
        _switch(str(settings / setting), value)
    try:
        index = socket.if_nametoindex(name)
        kernel.do(_address(index, lease.local_address), route_to(lease.prefix, index))
        conntrack.forget_prefix(lease.prefix)
    except OSError as error:
        raise ServerError(f"the interface {name} cannot carry IPv6: {_reason(error)}") from error


def take_away(name: str, index: int) -> None:
    """Have an interface gone, whoever has its descriptor still, unless it is gone."""
    with contextlib.suppress(OSError):
        if socket.if_nametoindex(name) == index:
            head = _IFINFOMSG.pack(socket.AF_UNSPEC, 0, index, 0, 0)
            open_kernel().do(message(_RTM_DELLINK, _SET, head))


def open_kernel() -> Netlink:
    """Return what :func:`configure` and :func:`set_mtu` ask, for one thread."""
    return Netlink(socket.NETLINK_ROUTE)


def _address(index: int, local: IPAddress, peer: IPAddress | None = None) -> bytes:
    """Return the message that gives an interface its addresses, and the route to ``peer``."""
    ends = attribute(_IFA_LOCAL, local.packed)
    ends += attribute(_IFA_ADDRESS, (peer or local).packed)
    family = socket.AF_INET if local.version == 4 else socket.AF_INET6
    head = _IFADDRMSG.pack(family, local.max_prefixlen, 0, 0, index)
    return message(_RTM_NEWADDR, _NEW, head + ends)


def route_to(
    network: IPNetwork, index: int, *, protocol: int = _RTPROT_STATIC, metric: int = 0
) -> bytes:
    """Return the message that makes this the route to ``network``, in place of that of a session which
    has lost it and is not gone yet.

    :param index: of the interface.
    :param protocol: who made it.
    :param metric: which routes there can be beside it; 0: that of the family.
    """
    family, scope = (
        (socket.AF_INET, _RT_SCOPE_LINK)
        if network.version == 4
        else (socket.AF_INET6, _RT_SCOPE_UNIVERSE)
    )
    kind = _RT_TABLE_MAIN, protocol, scope, _RTN_UNICAST
    head = _RTMSG.pack(family, network.prefixlen, 0, 0, *kind, 0)
    body = attribute(_RTA_DST, network.network_address.packed)
    body += attribute(_RTA_OIF, _U32.pack(index))
    if metric:
        body += attribute(_RTA_PRIORITY, _U32.pack(metric))
    return message(_RTM_NEWROUTE, _REPLACE, head + body)


def _link(index: int, values: dict[int, int], *, flags: int = 0) -> bytes:
    """Return the message that gives an interface ``values``, and sets ``flags``."""
    head = _IFINFOMSG.pack(socket.AF_UNSPEC, 0, index, flags, flags)
    body = b"".join(attribute(kind, _U32.pack(value)) for kind, value in values.items())
    return message(_RTM_NEWLINK, _SET, head + body)


def _switch(path: str, value: bytes = b"1") -> None:
    """Turn a setting of the kernel on, or to ``value``, if there is such a one that can be."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return
    with contextlib.suppress(OSError):
        os.write(descriptor, value)
    os.close(descriptor)


def _reason(error: OSError) -> str:
    """Return the kernel's reason in its own words, or Python's."""
    return error.strerror or quotation(error)
