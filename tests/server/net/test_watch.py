"""What the event loop watches for a connection, in each of its states."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

import pytest

from sstpca.server.dataplane.stream import TlsStream
from sstpca.server.net.interface import Interface
from sstpca.server.net.lifecycle import WATCHED, ConnectionState, Watched
from sstpca.server.net.watch import REST, Steps, Watch

SOCKET, TUN = 5, 7
CROWD = 256 * 1024 + 1


class Loop:
    """An event loop that says what it watches, by the name of the step that it would call."""

    def __init__(self) -> None:
        self.readers: dict[int, str] = {}
        self.writers: dict[int, str] = {}
        self.timers: list[Timer] = []
        self.rests: list[Callable[[], None]] = []

    def add_reader(self, descriptor: int, step: Callable[[], str]) -> None:
        self.readers[descriptor] = step()

    def remove_reader(self, descriptor: int) -> None:
        assert descriptor >= 0
        self.readers.pop(descriptor, None)

    def add_writer(self, descriptor: int, step: Callable[[], str]) -> None:
        self.writers[descriptor] = step()

    def remove_writer(self, descriptor: int) -> None:
        self.writers.pop(descriptor, None)

    def time(self) -> float:
        return 0.0

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        assert seconds == REST
        self.rests.append(call)

    def call_at(self, when: float, call: Callable[[], None]) -> "Timer":
        self.timers.append(Timer(when, call))
        return self.timers[-1]

    @property
    def due(self) -> list[float]:
        return [timer.at for timer in self.timers if not timer.cancelled]


@dataclass
class Timer:
    at: float
    call: Callable[[], None]
    cancelled: bool = False

    def when(self) -> float:
        return self.at

    def cancel(self) -> None:
        self.cancelled = True


class World:
    def __init__(self) -> None:
        self.loop = Loop()
        self.stream = SimpleNamespace(waiting=0, fileno=lambda: SOCKET)
        self.tun = SimpleNamespace(descriptor=TUN)
        self.ticks = 0
        #: whether there is a lot whenever the client is read
        self.brings = False
        steps = SimpleNamespace(
            read=self._read, flush=lambda: "flush", pump=lambda: "pump", tick=self._tick
        )
        self.watch = Watch(
            cast("asyncio.AbstractEventLoop", self.loop),
            cast("TlsStream", self.stream),
            cast("Interface", self.tun),
            cast("Steps", steps),
        )

    def _tick(self) -> None:
        self.ticks += 1

    def _read(self) -> str:
        if self.brings:
            self.watch.client.rest(100.0)
        return "read"

    def set(
        self,
        watched: Watched,
        *,
        busy: bool = False,
        queued: bool = False,
        deadline: float | None = None,
    ) -> None:
        self.watch.set(watched, busy=busy, queued=queued, deadline=deadline)


UP = WATCHED[ConnectionState.UP]
GONE = WATCHED[ConnectionState.GONE]


@pytest.mark.parametrize("waiting", [0, 1, CROWD])
@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("queued", [False, True])
@pytest.mark.parametrize("state", ConnectionState, ids=lambda state: state.value)
def test_every_state(state: ConnectionState, queued: bool, busy: bool, waiting: int) -> None:
    """Whatever was watched before: what it does not want is not watched any more."""
    over = state in (ConnectionState.REFUSED, ConnectionState.GONE)
    unread = over or waiting == CROWD
    pumped = {TUN: "pump"} if state is ConnectionState.UP else {}
    for before in (UP, GONE):
        world = World()
        world.set(before, deadline=3.0)
        world.stream.waiting = waiting
        world.set(WATCHED[state], busy=busy, queued=queued, deadline=4.0)
        # who is busy is read on, until it turns out to send more meanwhile
        rests = unread or (busy and before is GONE)
        assert world.loop.readers == pumped | ({} if rests else {SOCKET: "read"})
        assert world.loop.writers == ({SOCKET: "flush"} if (waiting or queued) and not over else {})
        assert world.loop.due == ([] if over else [4.0])


def test_who_sends_more_while_packets_wait_is_not_read_until_they_are_worked_on() -> None:
    world = World()
    world.set(WATCHED[ConnectionState.CALLING])
    for _ in range(2):
        world.watch.pause()
        world.set(WATCHED[ConnectionState.CALLING], busy=True)
        assert world.loop.readers == {}
    world.set(WATCHED[ConnectionState.CALLING])
    assert world.loop.readers == {SOCKET: "read"}


def test_a_session_without_an_interface() -> None:
    world = World()
    world.tun.descriptor = -1
    world.set(WATCHED[ConnectionState.CALLING])
    assert world.loop.readers == {SOCKET: "read"}


def test_who_sends_a_lot_again_and_again_is_looked_at_from_time_to_time() -> None:
    world = World()
    world.set(UP)
    world.watch.client.rest(5.0)
    assert world.loop.readers == {SOCKET: "read", TUN: "pump"}, "that was the first time"
    world.watch.client.rest(5.0 + REST)
    assert world.loop.readers == {SOCKET: "read", TUN: "pump"}, "that was long ago"
    world.watch.client.rest(5.0 + 1.5 * REST)
    world.set(UP)
    for brings in (True, True, False):
        assert world.loop.readers == {TUN: "pump"}
        world.brings = brings
        [look] = world.loop.rests
        world.loop.rests.clear()
        look()
        assert bool(world.loop.rests) == brings
    assert world.loop.readers == {TUN: "pump", SOCKET: "read"}


@pytest.mark.parametrize("which", ["client", "interface"])
def test_who_is_gone_meanwhile_is_not_read_again(which: str) -> None:
    world = World()
    world.set(UP)
    for _ in range(2):
        getattr(world.watch, which).rest(5.0)
    world.set(GONE)
    assert world.loop.readers == {}
    world.loop.rests[0]()
    assert world.loop.readers == {}


def test_a_timer_is_set_once_for_a_deadline_and_again_behind_it() -> None:
    world = World()
    for _ in range(3):
        world.set(UP, deadline=3.0)
    assert len(world.loop.timers) == 1
    world.loop.timers[0].call()
    assert world.ticks == 1
    world.set(UP, deadline=3.0)
    assert len(world.loop.timers) == 2
    world.set(UP, deadline=None)
    assert world.loop.timers[1].cancelled


def test_far_deadlines_come_together_and_near_ones_when_they_are_due() -> None:
    world = World()
    for deadline in (0.01, 9.99, 10.0, 59.91, 59.95, 60.01):
        world.set(UP, deadline=deadline)
        assert deadline <= world.loop.due[-1] < deadline + 0.1
    at = [timer.at for timer in world.loop.timers]
    assert at[:3] == [0.01, 9.99, 10.0]
    assert at[3] == at[4] == pytest.approx(60.0)
    assert at[5] == pytest.approx(60.1)


@pytest.mark.parametrize("waiting", [0, 1, CROWD])
@pytest.mark.parametrize("queued", [False, True])
def test_what_passes_changes_what_is_watched_and_no_deadline(queued: bool, waiting: int) -> None:
    world = World()
    world.set(UP, deadline=5.0)
    world.stream.waiting = waiting
    world.watch.pass_on(UP, busy=False, queued=queued)
    assert bool(world.loop.readers.get(SOCKET)) == (waiting != CROWD)
    assert bool(world.loop.writers.get(SOCKET)) == (queued or waiting > 0)
    assert world.loop.due == [5.0]
    world.stream.waiting = 0
    world.watch.pass_on(UP, busy=False, queued=False)
    assert (world.loop.readers, world.loop.writers) == ({SOCKET: "read", TUN: "pump"}, {})
