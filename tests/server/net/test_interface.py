"""Interfaces come and go beside the loop; an address is free when the one before is gone."""

import asyncio
import os
import threading
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import cast

import pytest

from sstpca.server.config import Config
from sstpca.server.contracts import Account, FailedLogin, Lease
from sstpca.server.dataplane.segments import Offload
from sstpca.server.keeper.contract import News, OwnDirectory, OwnInterfaces
from sstpca.server.log import SessionLog
from sstpca.server.net.admission import Admission
from sstpca.server.net.interface import Interface
from sstpca.server.net.shared import Shared
from sstpca.server.net.tls import Presented
from sstpca.server.net.tun import Descriptor, Tun
from tests.support.waiting import PATIENCE, until

LEASE = Lease(7, IPv4Address("10.99.0.10"), IPv4Address("10.99.0.1"))


class Kernel:
    """Makes pipes instead of interfaces, and takes its time when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on = threading.Event()
        self.go_on.set()
        self.said: list[str] = []
        self.threads: set[int] = set()
        self._made: set[int] = set()
        monkeypatch.setattr(os, "close", self.close)

    def make(self, session: int) -> Tun:
        self._wait()
        self.said.append("made")
        near, far = os.pipe()
        CLOSE(far)
        self._made.add(near)
        return Tun(Descriptor(near), "sstp0", Offload.NONE)

    def close(self, descriptor: int) -> None:
        if descriptor in self._made:  # Python closes others, of its own
            self._made.remove(descriptor)
            self._wait()
            self.said.append("gone")
        CLOSE(descriptor)

    def _wait(self) -> None:
        self.threads.add(threading.get_ident())
        self.go_on.wait(PATIENCE)


CLOSE = os.close


class Book:
    """The store, as far as interfaces are concerned."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def failed(self, logins: Sequence[FailedLogin]) -> None:
        raise AssertionError("no login fails")

    def beat(self, traffic: dict[int, tuple[int, int]], version: int) -> News:
        raise AssertionError("nobody beats")

    def promise(self, account: Account, *, peer: str, client: str) -> Lease | None:
        return LEASE

    def traced(self, order: int, records: bytes) -> None:
        raise AssertionError("nothing is traced")

    def up(self, session: int) -> None:
        raise AssertionError("no packet passes")

    def close(self, session: int, reason: str, traffic: tuple[int, int]) -> None:
        self.said.append("free")


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


def shared(kernel: Kernel, book: Book) -> Shared:
    return Shared(
        Config("vpn", (), (Path("none"),), tuple, 1, "sstp", "t", 1400, True),
        cast("Presented", None),
        cast("OwnDirectory", None),
        book,
        cast("OwnInterfaces", kernel),
    )


async def turns(count: int = 20) -> None:
    """Let the loop turn: it would stand still if anybody waited in it."""
    for _ in range(count):
        await asyncio.sleep(0.001)


def test_a_hundred_that_go_together_do_not_hold_the_loop(kernel: Kernel) -> None:
    async def run() -> None:
        common = shared(kernel, Book())
        many = [Interface(common) for _ in range(100)]
        await asyncio.gather(*(one.make(LEASE) for one in many))
        kernel.go_on.clear()
        for one in many:
            one.close()
            assert one.descriptor == -1
        await turns()
        assert kernel.said == ["made"] * 100
        kernel.go_on.set()
        await asyncio.gather(*(one.gone() for one in many))
        assert kernel.said == ["made"] * 100 + ["gone"] * 100
        assert threading.get_ident() not in kernel.threads
        assert len(kernel.threads) <= 4

    asyncio.run(run())


def test_who_waits_for_its_end_waits_until_the_kernel_is_done(kernel: Kernel) -> None:
    async def run() -> None:
        common = shared(kernel, Book())
        one = Interface(common)
        await one.make(LEASE)
        kernel.go_on.clear()
        one.close()
        waiting = asyncio.create_task(one.gone())
        await turns()
        assert not waiting.done()
        assert common.tasks, "the worker does not end before"
        kernel.go_on.set()
        await waiting
        assert kernel.said == ["made", "gone"]

    asyncio.run(run())


def test_closed_while_it_is_made(kernel: Kernel) -> None:
    async def run() -> None:
        one = Interface(shared(kernel, Book()))
        kernel.go_on.clear()
        making = asyncio.create_task(one.make(LEASE))
        await turns()
        one.close()
        waiting = asyncio.create_task(one.gone())
        await turns()
        assert not waiting.done()
        kernel.go_on.set()
        await making
        await waiting
        assert one.descriptor == -1
        assert kernel.said == ["made", "gone"]

    asyncio.run(run())


def test_one_that_never_was_is_gone(kernel: Kernel) -> None:
    async def run() -> None:
        one = Interface(shared(kernel, Book()))
        one.close()
        one.close()
        await one.gone()
        assert kernel.said == []

    asyncio.run(run())


def test_an_address_is_free_when_its_interface_is_gone(kernel: Kernel) -> None:
    """Two interfaces with one address: the kernel would send its packets to the older one."""

    async def run() -> None:
        book = Book()
        book.said = kernel.said
        common = shared(kernel, book)
        admission = Admission(common, SessionLog("x"))
        await admission.promise(Account(1, "alice", True), peer="x", client="")
        await admission.give()
        kernel.go_on.clear()
        admission.end("enough", (0, 0))
        await turns()
        assert kernel.said == ["made"]
        kernel.go_on.set()
        await until(lambda: not common.tasks)
        assert kernel.said == ["made", "gone", "free"]

    asyncio.run(run())
