"""How fast a session is: shaped in the kernel, by the session's own interface.

Down, a token bucket filter (tc-tbf(8)) stands at the interface's way out. What the client sends comes
in, where nothing can wait: so that it can, each packet goes round by an interface of the kind ifb, which
has such a filter at its own way out (Documentation/networking, ifb; tc-mirred(8)). A policer, which
drops what is too much, would need no second interface; TCP under it does not come near its rate, and
not every kernel has it.

The filter cuts packets of many segments (GSO) that are more than its bucket holds. Where the kernel has
fq_codel, flows take turns in front of it.
"""

import contextlib
import functools
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from ..contracts import Rates
from ..log import LOGGER

#: What is carried beyond the rate, so that what people measure, which is without the headers of IP and
#: TCP, is near to it.
_HEADERS: Final = 1.02
#: The bucket, and what may wait, in seconds of the rate; in bytes at least so much: two packets, and
#: what lets TCP find its speed.
_BUCKET, _LEAST_BUCKET = 0.02, 3000
_WAITING, _LEAST_WAITING = 0.1, 32_000
# it counts in 32 bits
_MOST: Final = (1 << 32) - 1

# linux/pkt_sched.h; a filter's protocol is ETH_P_ALL
_ROOT, _INGRESS = 0xFFFFFFFF, 0xFFFF0000
_FILTER, _CHILD, _BEFORE = 0x10000, 0x10001, 0x20000
_ETH_P_ALL: Final = 3

#: The second interface, by the number of the first, which no other ever gets.
_SECOND: Final = "shape{}"
_SECONDS: Final = re.compile(r"shape(\d+)", re.ASCII)


def shape(name: str, rates: Rates) -> None:
    """Have the session's interface ``name`` carry so much, from its next packet on.

    What the kernel cannot do is said once, and the session goes on without.
    """
    try:
        index = socket.if_nametoindex(name)
    except OSError:  # the session has ended meanwhile
        return
    with IPRoute() as kernel:
        _attempt("to the client", "sch_tbf", _limit, kernel, index, rates.down)
        modules = "ifb, sch_ingress, cls_u32, act_mirred, sch_tbf"
        _attempt("from the client", modules, _limit_up, kernel, index, rates.up)


def unshape(index: int) -> None:
    """Take away what :func:`shape` has made beside the interface with that number, if it has."""
    second = _SECOND.format(index)
    if any(_indexes(second)):
        with IPRoute() as kernel:
            _remove(kernel, second)


def sweep() -> None:
    """Take away what is left of interfaces that are gone: their server was killed."""
    present = dict(socket.if_nameindex())
    left = [
        name
        for name in present.values()
        if (found := _SECONDS.fullmatch(name)) and int(found[1]) not in present
    ]
    if left:
        with IPRoute() as kernel:
            for name in left:
                _remove(kernel, name)


def _attempt(way: str, modules: str, call: Any, *arguments: Any) -> None:
    try:
        call(*arguments)
    except (NetlinkError, OSError) as error:
        reason = error.args[-1] if error.args else "no answer"
        _warn(way, modules, str(reason))


@functools.cache
def _warn(way: str, modules: str, reason: str) -> None:
    LOGGER.warning(
        "the rate %s cannot be limited, sessions go on without (kernel modules %s): %s",
        way,
        modules,
        reason,
    )


def _limit(kernel: IPRoute, index: int, rate: int) -> None:
    """Have an interface send so many bits a second at most; 0 is no limit."""
    if not rate:
        if _is_limited(kernel, index):
            kernel.tc("del", index=index, parent=_ROOT, handle=_FILTER)
        return
    size = min(round(rate * _HEADERS / 8), _MOST)
    bucket = max(_LEAST_BUCKET, round(size * _BUCKET))
    waiting = bucket + max(_LEAST_WAITING, round(size * _WAITING))
    kernel.tc("replace", "tbf", index, _FILTER, rate=size, burst=bucket, limit=min(waiting, _MOST))
    try:
        kernel.tc("replace", "fq_codel", index, _BEFORE, parent=_CHILD)
    except NetlinkError:
        _say_without_turns()


@functools.cache
def _say_without_turns() -> None:
    LOGGER.info("the kernel has no fq_codel: what waits for a limited session waits in one line")


def _is_limited(kernel: IPRoute, index: int) -> bool:
    return any(one.get_attr("TCA_KIND") == "tbf" for one in kernel.get_qdiscs(index))


def _limit_up(kernel: IPRoute, index: int, rate: int) -> None:
    """Have what comes in by an interface go round by another, if there is a limit."""
    name = _SECOND.format(index)
    second = next(_indexes(name), None)
    if not rate:
        if second is not None:
            kernel.tc("del", "ingress", index)
            kernel.link("del", index=second)
        return
    if second is not None:
        _limit(kernel, second, rate)
        return
    kernel.link("add", ifname=name, kind="ifb")
    try:
        second = next(_indexes(name))
        with contextlib.suppress(
            OSError
        ):  # it is for passing through alone, and says nothing itself
            Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_bytes(b"1")
        _limit(kernel, second, rate)
        kernel.link("set", index=second, state="up")
        kernel.tc("add", "ingress", index)
        kernel.tc(
            "add-filter",
            "u32",
            index,
            parent=_INGRESS,
            prio=1,
            protocol=_ETH_P_ALL,
            target=_FILTER,
            keys=["0x0/0x0+0"],
            action={
                "kind": "mirred",
                "direction": "egress",
                "action": "redirect",
                "ifindex": second,
            },
        )
    except BaseException:
        _remove(kernel, name)
        raise


def _indexes(name: str) -> Iterator[int]:
    """Yield the number of an interface, if there is one of that name."""
    try:
        yield socket.if_nametoindex(name)
    except OSError:
        return


def _remove(kernel: IPRoute, name: str) -> None:
    for index in _indexes(name):
        kernel.link("del", index=index)
