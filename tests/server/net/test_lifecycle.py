"""The tables of a connection's life, against what a connection has been through."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.net.lifecycle import (
    TRANSITIONS,
    WATCHED,
    ConnectionEvent,
    ConnectionState,
    Lifecycle,
    Packets,
    Watched,
)
from sstpca.server.net.strangers import Progress


@pytest.mark.parametrize("event", ConnectionEvent, ids=lambda event: event.value)
@pytest.mark.parametrize("state", ConnectionState, ids=lambda state: state.value)
def test_every_cell(state: ConnectionState, event: ConnectionEvent) -> None:
    life = Lifecycle(state, Progress.PROVEN)
    following = TRANSITIONS.get((state, event))
    if following is None:
        with pytest.raises(LookupError, match=f"{event.value} cannot happen in {state.name}"):
            life.feed(event)
        assert life == Lifecycle(state, Progress.PROVEN)
        return
    assert life.feed(event) is (following is not state)
    assert life == Lifecycle(following, Progress.PROVEN)
    assert life.watched is WATCHED[following]


def test_every_state_is_reached() -> None:
    reached = {ConnectionState.CALLING}
    while new := {to for (state, _), to in TRANSITIONS.items() if state in reached} - reached:
        reached |= new
    assert reached == set(ConnectionState) == set(WATCHED)


@pytest.mark.parametrize("state", ConnectionState, ids=lambda state: state.value)
def test_a_connection_can_end_at_any_time_and_nothing_comes_behind_that(
    state: ConnectionState,
) -> None:
    life = Lifecycle(state)
    stranger = life.watched.pays
    life.feed(ConnectionEvent.END)
    assert life.over
    assert life.watched.pays == stranger
    for event in ConnectionEvent:
        assert TRANSITIONS.get((life.state, event), life.state) is life.state


@dataclass
class Flags:
    """What a connection has been through: what the tables say in ten words, in flags."""

    proven: bool = False
    bound: bool = False
    made: bool = False  # its interface
    up: bool = False
    told: bool = False  # to go
    over: bool = False

    def can(self, event: ConnectionEvent) -> bool:
        """Whether ``event`` may come now: each effect comes once and in its order."""
        match event:
            case ConnectionEvent.ADMIT:
                return not (self.proven or self.told or self.over)
            case ConnectionEvent.BIND:
                return self.proven and not self.bound and not self.over
            case ConnectionEvent.GIVEN:  # whatever has happened since Bind
                return self.bound and not self.made
            case ConnectionEvent.UP:
                return self.made and not (self.up or self.told or self.over)
            case ConnectionEvent.DOWN:
                return self.up and not self.over
            case _:
                return True

    def feed(self, event: ConnectionEvent) -> None:
        match event:
            case ConnectionEvent.ADMIT:
                self.proven = True
            case ConnectionEvent.BIND:
                self.bound = True
            case ConnectionEvent.GIVEN:
                self.made = True
            case ConnectionEvent.UP:
                self.up = True
            case ConnectionEvent.DOWN:
                self.up = False
            case ConnectionEvent.TERMINATE:
                self.told = True
            case ConnectionEvent.END:
                self.over = True

    @property
    def packets(self) -> Packets:
        if self.over:
            return Packets.FORGOTTEN
        waits = self.bound and not (self.made or self.told)
        return Packets.PAUSED if waits else Packets.WORKED_ON


def walk(events: list[ConnectionEvent]) -> tuple[Lifecycle, Flags]:
    """Feed what can come of ``events``, and look at what is watched after each."""
    life, flags = Lifecycle(), Flags()
    for event in events:
        if not flags.can(event):
            continue
        life.feed(event)
        flags.feed(event)
        assert life.over == flags.over
        assert life.progress is (Progress.PROVEN if flags.proven else Progress.CALLING)
        watched = life.watched
        assert watched == Watched(
            progress=watched.progress,
            pays=not flags.bound,
            packets=flags.packets,
            socket=not flags.over,
            timer=not flags.over,
            ip=flags.up and not (flags.told or flags.over),
        )
    return life, flags


@given(st.lists(st.sampled_from(ConnectionEvent), max_size=20))
def test_what_is_watched_follows_from_what_has_been(events: list[ConnectionEvent]) -> None:
    walk(events)


ADMIT, BIND, GIVEN = ConnectionEvent.ADMIT, ConnectionEvent.BIND, ConnectionEvent.GIVEN
UP, DOWN = ConnectionEvent.UP, ConnectionEvent.DOWN
TERMINATE, END = ConnectionEvent.TERMINATE, ConnectionEvent.END


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], ConnectionState.CALLING),
        ([ADMIT], ConnectionState.PROVEN),
        ([ADMIT, BIND], ConnectionState.ADMITTED),
        ([ADMIT, BIND, GIVEN], ConnectionState.READY),
        ([ADMIT, BIND, GIVEN, UP], ConnectionState.UP),
        ([ADMIT, BIND, GIVEN, UP, DOWN], ConnectionState.DOWN),
        ([ADMIT, BIND, GIVEN, UP, DOWN, UP], ConnectionState.UP),
        ([ADMIT, BIND, GIVEN, UP, TERMINATE, DOWN], ConnectionState.ENDING),
        ([ADMIT, BIND, TERMINATE, GIVEN, END], ConnectionState.GONE),
        ([ADMIT, BIND, END, GIVEN], ConnectionState.GONE),
        # its Call-Connected was on its way when we began to say goodbye
        ([ADMIT, TERMINATE, BIND, GIVEN], ConnectionState.ENDING),
        ([ADMIT, TERMINATE, END], ConnectionState.REFUSED),
        ([TERMINATE, TERMINATE], ConnectionState.DISMISSED),
        ([END, END, TERMINATE], ConnectionState.REFUSED),
    ],
)
def test_lives(events: list[ConnectionEvent], state: ConnectionState) -> None:
    life, flags = walk(events)
    assert life.state is state
    assert flags.over == life.over
