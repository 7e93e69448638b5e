"""What the kernel is asked for where a session has rates: also what no kernel here can do."""

import errno
import logging
import struct
from collections.abc import Iterator
from typing import Any, Final

import pytest
from pyroute2 import IPRoute
from pyroute2.netlink.rtnl import RTM_NEWQDISC
from pyroute2.netlink.rtnl.tcmsg import tcmsg

from sstpca.server.net import shaping

INTERFACE: Final = 7
_NLMSG_ERROR: Final = 2


class Kernel:
    """Takes messages as the kernel would get them, and says of each whether it can do that."""

    def __init__(self, *missing: str) -> None:
        self.missing = missing
        self.asked: list[tcmsg] = []

    def handle(self, message: Any) -> bytes:
        read = tcmsg(bytes(message.data))
        read.decode()
        self.asked.append(read)
        lacks = read.get_attr("TCA_KIND") in self.missing
        # with the message that it is about, netlink(7)
        error = struct.pack("=i", -errno.ENOENT if lacks else 0) + bytes(message.data)
        number, port = struct.unpack_from("=II", message.data, 8)
        return struct.pack("=IHHII", 16 + len(error), _NLMSG_ERROR, 0, number, port) + error


@pytest.fixture
def route() -> Iterator[IPRoute]:
    with IPRoute() as route:
        yield route


def limit(route: IPRoute, kernel: Kernel, rate: int) -> list[tcmsg]:
    """Have the interface limited; return what was asked for."""
    route.asyncore.request_proxy = kernel
    shaping._limit(route, INTERFACE, rate)
    return kernel.asked


def test_flows_take_turns_below_the_bucket(route: IPRoute) -> None:
    """linux/pkt_sched.h: tbf is a class by itself, and takes the queue that is put into it."""
    bucket, turns = limit(route, Kernel(), 8_000_000)
    assert [one.get_attr("TCA_KIND") for one in (bucket, turns)] == ["tbf", "fq_codel"]
    for one in (bucket, turns):
        assert one["header"]["type"] == RTM_NEWQDISC
        assert one["index"] == INTERFACE
    assert (bucket["parent"], bucket["handle"]) == (0xFFFFFFFF, 0x10000), "at the root, 1:"
    assert (turns["parent"], turns["handle"]) == (0x10001, 0x20000), "in 1:1, as 2:"


def test_a_kernel_without_turns_limits_all_the_same(
    route: IPRoute, caplog: pytest.LogCaptureFixture
) -> None:
    shaping._say_without_turns.cache_clear()
    with caplog.at_level(logging.INFO, "sstpca"):
        for _ in range(2):
            limit(route, Kernel("fq_codel"), 8_000_000)
    said = [one.getMessage() for one in caplog.records if "fq_codel" in one.getMessage()]
    assert said == [
        "the kernel has no fq_codel: what waits for a limited session waits in one line"
    ]
