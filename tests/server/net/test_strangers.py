"""Who goes when there are too many who have not logged in."""

import pytest

from sstpca.server.net import strangers
from sstpca.server.net.sources import Source
from sstpca.server.net.strangers import Progress, Strangers


class Somebody:
    def __init__(self, table: Strangers, progress: Progress) -> None:
        self.progress = progress
        self.reason = ""
        self._table = table

    def drop(self, reason: str) -> None:
        self.reason = reason
        self._table.remove(self)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Strangers:
    monkeypatch.setattr(strangers, "LIMIT", 40)
    monkeypatch.setattr(strangers, "_AT_ONCE", 4)
    return Strangers(lambda: 100.0)


def come(
    table: Strangers, source: Source, count: int, progress: Progress = Progress.SILENT
) -> list[Somebody]:
    found = []
    for _ in range(count):
        table.make_room()
        found.append(Somebody(table, progress))
        table.add(found[-1], source)
    return found


def gone(people: list[Somebody]) -> int:
    return sum(bool(one.reason) for one in people)


def test_nobody_goes_before_there_are_too_many(table: Strangers) -> None:
    people = come(table, Source(0.0), 40)
    assert gone(people) == 0
    assert len(table) == 40


def test_the_least_far_along_goes_first(table: Strangers) -> None:
    """However many of them: slow logins outlive any number of bare connections."""
    office = Source(0.0)
    slow = [
        *come(table, office, 5, Progress.CALLING),
        *come(table, office, 5, Progress.SECURE),
        *come(table, office, 3, Progress.PROVEN),
    ]
    flood = [come(table, Source(0.0), 50) for _ in range(50)]
    assert gone(slow) == 0
    assert sum(map(gone, flood)) > 2400
    assert len(table) <= 40


def test_a_source_with_many_is_trimmed_first(table: Strangers) -> None:
    many, few = Source(0.0), Source(0.0)
    modest = come(table, few, 3)
    crowd = come(table, many, 200)
    assert gone(modest) == 0
    oldest = crowd[: gone(crowd)]
    assert all(one.reason for one in oldest), "the oldest of them first"


def test_a_source_where_people_log_in_may_have_more(table: Strangers) -> None:
    office, flood = Source(0.0), [Source(0.0) for _ in range(10)]
    for _ in range(30):
        office.logged_in(90.0)
    people = come(table, office, 20)
    for source in flood * 20:
        come(table, source, 1)
    assert gone(people) == 0


def test_who_has_gone_is_not_counted(table: Strangers) -> None:
    source = Source(0.0)
    people = come(table, source, 10)
    for one in people:
        table.remove(one)
        table.remove(one)
    assert (len(table), source.strangers) == (0, 0)
