"""Strangers' expensive work: where it is made, whose turn it is, and what it may cost."""

import asyncio
import os
import threading
import time

import pytest

from sstpca.server.net import sources
from sstpca.server.net.handshakes import Handshakes
from sstpca.server.net.sources import Source, Sources, TokenBucket
from tests.support.waiting import PATIENCE, until


class Table:
    """The order in which steps are made; the thread can be held up to let others queue."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.sources = Sources(loop.time)
        self.handshakes = Handshakes(loop, self.sources)
        self.begun: list[str] = []
        self.made: list[str] = []
        self.gate = threading.Event()

    def ask(
        self, source: Source, name: str, *, first: bool = True, wanted: bool = True
    ) -> asyncio.Task[str | None]:
        def call() -> str:
            self.begun.append(name)
            self.gate.wait(PATIENCE)
            self.made.append(name)
            return name

        step = self.handshakes.step(source, call, first=first, wanted=lambda: wanted)
        return asyncio.get_running_loop().create_task(step)

    async def all(self, *tasks: asyncio.Task[str | None]) -> list[str | None]:
        await asyncio.sleep(0.05)
        self.gate.set()
        async with asyncio.timeout(PATIENCE):
            return list(await asyncio.gather(*tasks))


def test_the_loop_goes_on_and_the_thread_stands_back() -> None:
    async def run() -> None:
        table = Table()
        seen: list[tuple[int, int]] = []

        def call() -> None:
            thread = threading.get_native_id()
            seen.append((thread, os.getpriority(os.PRIO_PROCESS, thread)))
            table.gate.wait(PATIENCE)

        step = asyncio.create_task(table.handshakes.step(table.sources.find("192.0.2.1"), call))
        for _ in range(20):  # it is held up, the loop is not
            await asyncio.sleep(0.001)
        assert not step.done()
        table.gate.set()
        await step
        own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        [(thread, nice)] = seen
        assert thread != threading.get_native_id()
        assert nice == min(own + 10, 19), "19 is the lowest priority there is"

    asyncio.run(run())


def test_one_step_at_a_time() -> None:
    async def run() -> None:
        table = Table()
        running: list[int] = []
        most: list[int] = []

        def call() -> None:
            running.append(1)
            most.append(len(running))
            time.sleep(0.01)
            running.pop()

        source = table.sources.find("192.0.2.1")
        await asyncio.gather(*(table.handshakes.step(source, call) for _ in range(5)))
        assert most == [1] * 5

    asyncio.run(run())


def test_who_has_cost_the_least_goes_first_and_who_has_users_before_all() -> None:
    async def run() -> None:
        table = Table()
        find = table.sources.find
        greedy, modest, familiar = find("192.0.2.1"), find("192.0.2.2"), find("2001:db8::1")
        now = asyncio.get_running_loop().time()
        greedy.charge(1.0, now)
        familiar.charge(2.0, now)
        familiar.logged_in(now)
        held = table.ask(greedy, "held")
        await until(lambda: table.begun)
        waiting = [
            table.ask(greedy, "greedy"),
            table.ask(modest, "modest"),
            table.ask(familiar, "familiar"),
            table.ask(familiar, "begun already", first=False),
        ]
        await table.all(held, *waiting)
        assert table.made == ["held", "begun already", "familiar", "modest", "greedy"]

    asyncio.run(run())


def test_what_nobody_wants_any_more_is_not_made() -> None:
    async def run() -> None:
        table = Table()
        source = table.sources.find("192.0.2.1")
        held = table.ask(source, "held")
        await until(lambda: table.begun)
        gone, dropped = table.ask(source, "gone", wanted=False), table.ask(source, "dropped")
        last = table.ask(source, "last")
        await asyncio.sleep(0.05)
        dropped.cancel()
        assert await table.all(held, gone, last) == ["held", None, "last"]
        assert table.made == ["held", "last"]

    asyncio.run(run())


def test_a_mistake_reaches_who_asked() -> None:
    async def run() -> None:
        table = Table()
        source = table.sources.find("192.0.2.1")

        def fail() -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await table.handshakes.step(source, fail)
        table.gate.set()
        assert await table.ask(source, "next") == "next"

    asyncio.run(run())


def spend(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


@pytest.mark.parametrize("shared", [False, True], ids=["source", "all"])
def test_who_has_used_up_what_there_is_waits(monkeypatch: pytest.MonkeyPatch, shared: bool) -> None:
    """Handshakes are charged what they cost, to their source and to all."""
    monkeypatch.setattr(sources, "COST_OF_ALL" if shared else "COST", (0.02, 0.02))

    async def run() -> None:
        table = Table()
        table.gate.set()
        source, other = table.sources.find("192.0.2.1"), table.sources.find("192.0.2.2")
        await table.handshakes.step(source, lambda: spend(0.04))  # 1 s to wait for at least
        waits, neighbour = table.ask(source, "waits"), table.ask(other, "neighbour")
        if shared:
            await asyncio.sleep(0.1)  # a tenth of what they wait for
            assert not neighbour.done()
        else:
            assert await neighbour == "neighbour"
        assert not waits.done()
        async with asyncio.timeout(PATIENCE):
            assert await waits == "waits"
            await neighbour

    asyncio.run(run())


def test_handshakes_are_counted_where_they_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "HANDSHAKES", (0.1, 3.0))

    async def run() -> None:
        table = Table()
        table.gate.set()
        source = table.sources.find("192.0.2.1")
        going_on = [table.ask(source, "goes on", first=False) for _ in range(10)]
        await asyncio.gather(*going_on)
        begun = [table.ask(source, "begins") for _ in range(10)]
        await until(lambda: table.made.count("begins") >= 3)
        await asyncio.sleep(0.1)  # another one may begin after ten seconds
        assert table.made.count("goes on") == 10
        assert table.made.count("begins") <= 4
        for step in begun:
            step.cancel()

    asyncio.run(run())


def test_a_bucket_fills_again_up_to_its_limit() -> None:
    bucket = TokenBucket(2.0, 10.0, now=0.0)
    bucket.take(14.0, now=0.0)
    assert bucket.level(0.0) == -4.0
    assert bucket.wait(0.0) == pytest.approx(2.0, abs=0.01)
    assert bucket.wait(3.0) == 0.0
    assert bucket.level(1000.0) == 10.0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:0:0:2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_what_counts_as_one_source(one: str, other: str, same: bool) -> None:
    table = Sources(lambda: 0.0)
    assert (table.find(one) is table.find(other)) is same


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1::1234", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_what_a_source_is_called(host: str, name: str) -> None:
    assert Sources(lambda: 0.0).find(host).name == name


def test_an_office_of_300_is_not_held_up() -> None:
    """All of them behind one address, and to one worker, 10 ms of processor each."""
    office = Source(0.0)
    for number in range(300):
        assert office.wait(number * 0.01) == 0.0
        office.begin(number * 0.01)
        office.charge(0.01, number * 0.01)


def test_the_table_of_sources_has_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is here stays, and who has logged in goes last."""
    monkeypatch.setattr(sources, "_REMEMBERED", 100)
    table = Sources(lambda: 0.0)
    here, home = table.find("192.0.2.1"), table.find("192.0.2.2")
    here.strangers = 1
    home.logged_in(0.0)
    for number in range(1000):
        table.find(f"2001:db8:0:{number:x}::1")
        assert len(table._known) <= 100
    assert table.find("192.0.2.1") is here
    assert table.find("192.0.2.2") is home
