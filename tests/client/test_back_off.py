"""When the client tries again: the times themselves, by a clock and a chance of the test's."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from sstpca.client import keeping
from sstpca.client.back_off import FIRST, LASTED, MOST, REFUSED, BackOff


def test_each_wait_is_twice_the_one_before_up_to_a_minute() -> None:
    back_off = BackOff(lambda: 1.0)
    assert [back_off.pause(0) for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_half_of_it_is_chance() -> None:
    chances = iter([0.0, 0.5, 1.0, 0.25])
    back_off = BackOff(lambda: next(chances))
    assert [back_off.pause(0) for _ in range(4)] == [0.5, 1.5, 4, 5]


def test_a_session_that_lasted_begins_anew() -> None:
    back_off = BackOff(lambda: 1.0)
    assert [back_off.pause(0) for _ in range(5)][-1] == 16
    # one that is lost at once again is no better than none
    assert back_off.pause(LASTED) == 32
    assert back_off.pause(LASTED + 1) == FIRST
    assert back_off.pause(0) == 2 * FIRST


def test_refusals_are_not_hammered() -> None:
    back_off = BackOff(lambda: 0.0)
    assert [back_off.pause(0, refused=True) for _ in range(3)] == 3 * [REFUSED / 2]
    assert REFUSED / 2 >= 600 > MOST
    assert back_off.pause(0) == FIRST / 2


class Script:
    """A keeper whose tries end as it is told, over a clock that only its pauses move."""

    def __init__(self, *ends: str | keeping.Refusal, **wishes: Any) -> None:
        self._ends = list(ends)
        self.pauses: list[float] = []
        self.said: list[str] = []
        self.stop = asyncio.Event()
        wished = keeping.Wishes(**wishes)
        self._keeper = keeping._Keeper.__new__(keeping._Keeper)
        self._keeper._wishes = wished
        self._keeper._up_since = 0.0
        self._keeper._was_up = False
        self._keeper._once = self._try  # type: ignore[method-assign]
        self._keeper._say = self._hear  # type: ignore[method-assign]
        self._keeper._pause = self._wait  # type: ignore[method-assign]

    async def _try(self, stop: asyncio.Event) -> str:
        end = self._ends.pop(0)
        if not self._ends:
            self.stop.set()
        if isinstance(end, keeping.Refusal):
            raise end
        return end

    def _hear(self, text: str, *, connected: bool) -> None:
        assert not connected
        self.said.append(text)

    async def _wait(self, seconds: float, stop: asyncio.Event) -> None:
        self.pauses.append(seconds)

    def run(self, *, was_up: bool = False) -> None:
        self._keeper._was_up = was_up
        asyncio.run(self._keeper._run(self.stop))


@pytest.fixture(autouse=True)
def _no_chance(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("random.random", lambda: 1.0)
    yield


WRONG = keeping.Refusal("the server refuses name or password (691)")


def test_a_loss_is_tried_again() -> None:
    script = Script("it is gone", "it is gone", "enough")
    script.run()
    assert script.pauses == [1, 2]
    assert script.said == ["it is gone; trying again in 1 s", "it is gone; trying again in 2 s"]


def test_a_refusal_ends_it() -> None:
    script = Script(WRONG, "never tried")
    with pytest.raises(keeping.Refusal, match="691"):
        script.run()
    assert script.pauses == []


def test_a_refusal_is_tried_again_late_if_it_is_wished() -> None:
    script = Script("it is gone", WRONG, "it is gone", "enough", keep_trying=True)
    script.run()
    assert script.pauses == [1, REFUSED, 2]
    assert script.said[1] == "the server refuses name or password (691); trying again in 20 min"


def test_the_kill_switch_does_not_open_for_a_refusal() -> None:
    """Whoever is on the way could make one, and would see what goes beside the tunnel then."""
    script = Script(WRONG, "enough", kill_switch=True)
    script.run(was_up=True)
    assert script.pauses == [REFUSED]
    script = Script(WRONG, "never tried", kill_switch=True)
    with pytest.raises(keeping.Refusal):
        script.run()


def test_once_is_once() -> None:
    with pytest.raises(keeping.Refusal, match="it is gone"):
        Script("it is gone", "never tried", once=True).run()
    with pytest.raises(keeping.Refusal, match="691"):
        Script(WRONG, "never tried", once=True, keep_trying=True).run()
