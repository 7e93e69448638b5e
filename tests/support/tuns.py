"""TUN and TAP interfaces in a namespace of the test's own, with and without large segments."""

import contextlib
import fcntl
import os
import platform
import re
import select
import struct
from collections.abc import Iterator

from sstpca.server.dataplane.segments import Offload
from tests.support.netns import Namespace

# Linux uapi, linux/if_tun.h
_TUNSETIFF, _TUNSETOFFLOAD = 0x400454CA, 0x400454D0
_IFF_TUN, _IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0001, 0x0002, 0x1000, 0x4000
_CSUM, _TSO4, _TSO6, _TSO_ECN, _USO4, _USO6 = 0x01, 0x02, 0x04, 0x08, 0x20, 0x40


def open_tun(name: str, *, large: bool = False) -> tuple[int, Offload]:
    """Make a TUN interface in this thread's namespace; gone with the descriptor.

    :param large: whether packets have a virtio header, and segments may be large.
    :returns: the descriptor, and of what they may.
    """
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        flags = _IFF_TUN | _IFF_NO_PI | (_IFF_VNET_HDR if large else 0)
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        if not large:
            return descriptor, Offload.NONE
        usual = _CSUM | _TSO4 | _TSO6 | _TSO_ECN
        try:
            fcntl.ioctl(descriptor, _TUNSETOFFLOAD, usual | _USO4 | _USO6)
        except OSError:
            # Linux before 6.2
            fcntl.ioctl(descriptor, _TUNSETOFFLOAD, usual)
            return descriptor, Offload.TCP
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, Offload.TCP | Offload.UDP


@contextlib.contextmanager
def tun(namespace: Namespace, name: str, *addresses: str, large: bool) -> Iterator[int]:
    """Make a TUN interface that is up, with these addresses; yield its descriptor.

    :param large: whether packets have a virtio header, and segments may be large.
    """
    with namespace.entered():
        descriptor, _ = open_tun(name, large=large)
    try:
        namespace.ip(
            "link", "set", name, "mtu", "1500", "txqueuelen", "2000", "addrgenmode", "none"
        )
        for address in addresses:
            namespace.ip("addr", "add", *address.split(), "dev", name)
        namespace.ip("link", "set", name, "up")
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def tap(namespace: Namespace, name: str, address: str) -> Iterator[int]:
    """Make a TAP interface, which is of Ethernet, that is up; yield its descriptor."""
    # it belongs to the namespace in which the device is opened
    with namespace.entered():
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        request = struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI)
        fcntl.ioctl(descriptor, _TUNSETIFF, request)
        namespace.ip("addr", "add", address, "dev", name)
        namespace.ip("link", "set", name, "up")
        yield descriptor
    finally:
        os.close(descriptor)


def has_uso() -> bool:
    """Whether this kernel gives and takes large UDP, as it does from Linux 6.2 on."""
    return [int(number) for number in re.findall(r"\d+", platform.release())[:2]] >= [6, 2]


def packets(descriptor: int, count: int, seconds: float = 5.0) -> list[bytes]:
    """Return what comes out of an interface: ``count`` packets or more, or what there is in time."""
    found: list[bytes] = []
    while True:
        try:
            found.append(os.read(descriptor, 70_000))
        except BlockingIOError:
            if len(found) >= count or not select.select([descriptor], [], [], seconds)[0]:
                return found


def offload() -> Offload:
    """Return of what this kernel takes many segments in one packet."""
    return Offload.TCP | Offload.UDP if has_uso() else Offload.TCP
