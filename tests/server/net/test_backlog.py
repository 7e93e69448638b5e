"""Control packets wait for their turn: nobody's are worked on for long while others wait."""

import asyncio
import time

import pytest

from sstpca.server.net import backlog
from sstpca.server.net.backlog import STRANGERS_BYTES, STRANGERS_PACKETS, Backlog, RoundRobin
from tests.support.waiting import PATIENCE, until


class Client:
    """What was worked on for all of them, in its order; each packet costs what it says."""

    def __init__(self, turns: RoundRobin, name: str, done: list[str], cost: float = 0.0) -> None:
        self.refused: list[str] = []
        self.backlog = Backlog(
            turns, work=self._work, worked=lambda _: None, refuse=self.refused.append
        )
        self._name, self._done, self._cost = name, done, cost

    def _work(self, _packet: bytes) -> None:
        self._done.append(self._name)
        time.sleep(self._cost)


async def empty(*clients: Client) -> int:
    """Wait until all is worked on; return how many turns the loop made."""
    turns = 0
    async with asyncio.timeout(PATIENCE):
        while any(client.backlog.busy for client in clients):
            await asyncio.sleep(0)
            turns += 1
    return turns


def test_all_of_it_is_worked_on_in_its_order() -> None:
    async def run() -> None:
        seen: list[bytes] = []
        turns = RoundRobin(asyncio.get_running_loop())
        one = Backlog(turns, work=seen.append, worked=lambda _: None, refuse=pytest.fail)
        packets = [bytes([number]) for number in range(100)]
        one.add(packets[:60], stranger=True)
        assert seen == [], "not at once"
        one.add(packets[60:], stranger=True)
        while one.busy:
            await asyncio.sleep(0)
        assert seen == packets

    asyncio.run(run())


def test_twenty_clients_with_expensive_packets_do_not_hold_the_loop() -> None:
    """The loop turns in between, however many there are: a turn is bounded for all together."""

    async def run() -> None:
        turns, done = RoundRobin(asyncio.get_running_loop()), list[str]()
        many = [Client(turns, str(number), done, cost=0.0005) for number in range(20)]
        for one in many:
            one.backlog.add([b"x"] * 16, stranger=True)
        # 8 packets of 0.5 ms are more than a turn has: one client's step in each
        assert await empty(*many) >= 40
        assert done == [str(n) for n in range(20) for _ in range(8)] * 2, "by turns"

    asyncio.run(run())


def test_cheap_packets_of_many_are_worked_on_in_one_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "TURN", 10.0)  # whatever else the machine does

    async def run() -> None:
        turns, done = RoundRobin(asyncio.get_running_loop()), list[str]()
        many = [Client(turns, str(number), done) for number in range(5)]
        for one in many:
            one.backlog.add([b"x"] * 4, stranger=True)
        assert await empty(*many) < 5

    asyncio.run(run())


@pytest.mark.parametrize(
    ("packets", "stranger", "said"),
    [
        ([b"x"] * STRANGERS_PACKETS, True, []),
        ([b"x"] * (STRANGERS_PACKETS + 1), True, ["too many packets before its login"]),
        (
            [bytes(4095)] * (STRANGERS_BYTES // 4095 + 1),
            True,
            ["too many packets before its login"],
        ),
        ([bytes(4095)] * 1024, False, []),
        ([b"x"] * 1025, False, ["a flood of control packets"]),
    ],
)
def test_what_a_client_may_come_with(packets: list[bytes], stranger: bool, said: list[str]) -> None:
    async def run() -> None:
        one = Client(RoundRobin(asyncio.get_running_loop()), "", [])
        one.backlog.add(packets, stranger=stranger)
        assert one.refused == said

    asyncio.run(run())


def test_what_a_stranger_may_cost() -> None:
    async def run() -> None:
        one = Client(RoundRobin(asyncio.get_running_loop()), "", [])
        one.backlog.charge(backlog.STRANGERS_COST)
        assert one.refused == []
        one.backlog.charge(0.001)
        assert one.refused == ["too much work before its login"]

    asyncio.run(run())


def test_what_is_forgotten_is_not_worked_on() -> None:
    async def run() -> None:
        done: list[str] = []
        one = Client(RoundRobin(asyncio.get_running_loop()), "x", done)
        one.backlog.add([b"x"] * 50, stranger=True)
        one.backlog.clear()
        await asyncio.sleep(0.01)
        assert done == []

    asyncio.run(run())


def test_what_is_paused_waits_and_goes_on_in_its_order() -> None:
    async def run() -> None:
        seen: list[bytes] = []

        def work(packet: bytes) -> None:
            seen.append(packet)
            if packet == b"2":
                one.pause()

        turns = RoundRobin(asyncio.get_running_loop())
        one = Backlog(turns, work=work, worked=lambda _: None, refuse=pytest.fail)
        one.add([b"1", b"2", b"3"], stranger=False)
        await until(lambda: len(seen) == 2)
        one.add([b"4"], stranger=False)
        await asyncio.sleep(0.01)
        assert (seen, one.busy) == ([b"1", b"2"], True)
        one.resume()
        await until(lambda: not one.busy)
        assert seen == [b"1", b"2", b"3", b"4"]

    asyncio.run(run())


def test_a_step_follows_a_pause_and_nothing_else() -> None:
    """Whoever was paused has to be looked at again, even if nothing has come meanwhile."""

    async def run() -> None:
        steps: list[float] = []
        turns = RoundRobin(asyncio.get_running_loop())
        one = Backlog(turns, work=lambda _: None, worked=steps.append, refuse=pytest.fail)
        one.resume()
        await asyncio.sleep(0.01)
        assert steps == []
        one.pause()
        one.resume()
        one.resume()
        await until(lambda: steps)
        await asyncio.sleep(0.01)
        assert len(steps) == 1
        one.pause()
        one.clear()
        one.resume()
        await asyncio.sleep(0.01)
        assert (len(steps), one.busy) == (1, False)

    asyncio.run(run())
