"""Failed logins on their way to the store: whatever comes, a few rows a minute."""

from hypothesis import given
from hypothesis import strategies as st

from sstpca.server.contracts import FailedLogin
from sstpca.server.net.failures import OF_ALL, OF_SOURCE, Failures


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def add(failures: Failures, source: str, user: str = "alice") -> None:
    failures.add(source, user=user, peer=f"{source}:5", client="MSRASV5.20", reason="wrong")


def test_one_is_told_as_it_was() -> None:
    clock = Clock()
    failures = Failures(clock)
    clock.now += 3
    add(failures, "192.0.2.1", "a'b")
    expected = FailedLogin(1003.0, "a'b", "192.0.2.1:5", "MSRASV5.20", "wrong")
    assert failures.waiting() == failures.waiting() == [expected]
    failures.forget(1)
    assert failures.waiting() == []


def test_of_a_source_that_floods_the_rest_is_one_row() -> None:
    clock = Clock()
    failures = Failures(clock)
    for _ in range(1000):
        add(failures, "192.0.2.1")
    add(failures, "192.0.2.2", "bob")
    assert [one.user for one in failures.waiting()] == ["alice"] * OF_SOURCE + ["bob"]
    clock.now += 61
    *_, rest = failures.waiting()
    assert (rest.user, rest.peer, rest.count) == ("", "192.0.2.1", 1000 - OF_SOURCE)
    assert rest.reason == f"{1000 - OF_SOURCE} more from there within a minute"
    failures.forget(len(failures.waiting()))
    add(failures, "192.0.2.1")
    assert [one.count for one in failures.waiting()] == [1]


def test_the_clock_may_be_set_back() -> None:
    clock = Clock()
    failures = Failures(clock)
    for _ in range(OF_SOURCE + 1):
        add(failures, "192.0.2.1")
    clock.now -= 86_400
    add(failures, "192.0.2.1")
    assert [one.count for one in failures.waiting()] == [1] * OF_SOURCE + [1, 1]


# seconds that pass, and where they come from, how many
_FLOOD = st.lists(
    st.tuples(st.floats(0, 90), st.integers(0, 3000), st.integers(1, 50)), min_size=1, max_size=60
)


@given(_FLOOD, st.booleans())
def test_none_is_lost_and_the_rows_are_few(
    flood: list[tuple[float, int, int]], answers: bool
) -> None:
    """A store that does not answer for long loses some, and costs no more memory."""
    clock = Clock()
    failures = Failures(clock)
    begun, rows, told = clock.now, 0, 0
    for seconds, source, many in flood:
        clock.now += seconds
        for _ in range(many):
            add(failures, f"source {source}")
        waiting = failures.waiting()
        assert len(waiting) <= 1000
        if answers:
            rows += len(waiting)
            told += sum(one.count for one in waiting)
            failures.forget(len(waiting))
    clock.now += 61
    if answers:
        left = failures.waiting()
        assert told + sum(one.count for one in left) == sum(many for *_, many in flood)
        minutes = (clock.now - begun) // 60 + 1
        assert rows + len(left) <= minutes * (OF_ALL + 21)
