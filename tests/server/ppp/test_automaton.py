"""The automaton against the table that RFC 1661 4.1 prints."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.ppp.automaton import (
    TRANSITIONS,
    Action,
    Automaton,
    AutomatonEvent,
    AutomatonState,
)

VECTORS = Path(__file__).parents[2] / "vectors"
Cells = dict[tuple[AutomatonState, AutomatonEvent], str]


def printed_table() -> Cells:
    """Return the cells of the RFC's two half tables, with the letters of their footnotes."""
    cells: Cells = {}
    columns: list[AutomatonState] = []
    for line in (VECTORS / "rfc1661-table.txt").read_text().splitlines():
        name, bar, row = line.partition("|")
        if not name.strip() and row.split() and row.split()[0].isdigit():
            columns = [AutomatonState(int(number)) for number in row.split()]
        elif bar and name.strip() not in ("", "Events"):
            found = zip(columns, row.split(), strict=True)
            cells |= {(state, AutomatonEvent(name.strip())): cell for state, cell in found}
    return cells


PRINTED = printed_table()


def test_the_whole_table_is_read() -> None:
    assert len(PRINTED) == len(AutomatonState) * len(AutomatonEvent) == 160


@pytest.mark.parametrize("event", AutomatonEvent, ids=lambda event: event.value)
@pytest.mark.parametrize("state", AutomatonState, ids=lambda state: state.name)
def test_every_cell(state: AutomatonState, event: AutomatonEvent) -> None:
    cell = PRINTED[state, event].rstrip("prx")
    automaton = Automaton(state=state)
    if cell == "-":
        with pytest.raises(LookupError):
            automaton.feed(event, 0)
        assert automaton == Automaton(state=state)
        return
    actions, _, new_state = cell.rpartition("/")
    assert [action.value for action in automaton.feed(event, 0)] == [
        *filter(None, actions.split(","))
    ]
    assert automaton.state == int(new_state)


def footnoted(letter: str) -> set[tuple[AutomatonState, AutomatonEvent]]:
    return {key for key, cell in PRINTED.items() if cell.endswith(letter)}


def test_footnote_p_we_are_not_passive() -> None:
    """After the last timeout the link is given up, not waited for."""
    assert footnoted("p") == {
        (state, AutomatonEvent.TIMEOUT_LAST)
        for state in (AutomatonState.REQ_SENT, AutomatonState.ACK_RCVD, AutomatonState.ACK_SENT)
    }
    for key in footnoted("p"):
        assert TRANSITIONS[key] == ((Action.THIS_LAYER_FINISHED,), AutomatonState.STOPPED)


def test_footnote_r_open_does_not_restart() -> None:
    states = (
        AutomatonState.STOPPED,
        AutomatonState.CLOSING,
        AutomatonState.STOPPING,
        AutomatonState.OPENED,
    )
    assert footnoted("r") == {(state, AutomatonEvent.OPEN) for state in states}
    for key in footnoted("r"):
        assert TRANSITIONS[key][0] == ()


def test_footnote_x_a_crossed_connection_asks_again() -> None:
    assert footnoted("x") == {
        (state, event)
        for state in (AutomatonState.ACK_RCVD, AutomatonState.OPENED)
        for event in (AutomatonEvent.ACK, AutomatonEvent.NAK_OR_REJECT)
    }
    for key in footnoted("x"):
        assert TRANSITIONS[key][0][-1] is Action.SEND_CONFIGURE_REQUEST
        assert TRANSITIONS[key][1] is AutomatonState.REQ_SENT


def starting() -> Automaton:
    automaton = Automaton()
    automaton.feed(AutomatonEvent.OPEN, 0)
    automaton.feed(AutomatonEvent.UP, 0)
    return automaton


def run_out(automaton: Automaton) -> list[tuple[float, tuple[Action, ...]]]:
    """Let the automaton alone and return what it does, and when."""
    done = []
    while (now := automaton.deadline) is not None:
        assert automaton.tick(now - 0.001) == ()
        done.append((now, automaton.tick(now)))
    return done


def test_ten_configure_requests_three_seconds_apart() -> None:
    done = run_out(starting())
    again = [(3.0 * n, (Action.SEND_CONFIGURE_REQUEST,)) for n in range(1, 10)]
    assert done == [*again, (30.0, (Action.THIS_LAYER_FINISHED,))]


def test_two_terminate_requests_within_two_seconds() -> None:
    automaton = starting()
    automaton.feed(AutomatonEvent.CLOSE, 10)
    assert run_out(automaton) == [
        (11.0, (Action.SEND_TERMINATE_REQUEST,)),
        (12.0, (Action.THIS_LAYER_FINISHED,)),
    ]
    assert automaton.state is AutomatonState.CLOSED


def test_a_terminated_layer_waits_one_restart_time() -> None:
    """RFC 1661 3.7, 4.4: zrc lets the peer go first."""
    automaton = Automaton(state=AutomatonState.OPENED)
    automaton.feed(AutomatonEvent.TERMINATE_REQUEST, 5)
    assert run_out(automaton) == [(8.0, (Action.THIS_LAYER_FINISHED,))]


def test_an_answer_starts_the_count_again() -> None:
    automaton = starting()
    for _ in range(5):
        automaton.tick(automaton.deadline or 0)
    automaton.feed(AutomatonEvent.NAK_OR_REJECT, 20)
    assert sum(Action.SEND_CONFIGURE_REQUEST in actions for _, actions in run_out(automaton)) == 9


def test_the_timer_does_not_run_when_open() -> None:
    automaton = starting()
    automaton.feed(AutomatonEvent.REQUEST_GOOD, 1)
    automaton.feed(AutomatonEvent.ACK, 1)
    assert (automaton.state, automaton.deadline) == (AutomatonState.OPENED, None)


@given(st.lists(st.sampled_from(AutomatonEvent), max_size=60))
def test_layer_up_and_down_alternate(events: list[AutomatonEvent]) -> None:
    automaton = Automaton()
    told = [Action.THIS_LAYER_DOWN]
    for now, event in enumerate(events):
        if (automaton.state, event) in TRANSITIONS:
            told += automaton.feed(event, now)
        running = (automaton.state, AutomatonEvent.TIMEOUT) in TRANSITIONS
        assert (automaton.deadline is not None) == running
    told = [a for a in told if a in (Action.THIS_LAYER_UP, Action.THIS_LAYER_DOWN)]
    assert all(one is not other for one, other in itertools.pairwise(told))
