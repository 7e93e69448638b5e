"""Times as people type them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.errors import InvalidInput
from sstpca.times import Span, parse_time


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A zone with summer time; it ended on 2026-10-25 at 3:00."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def now() -> datetime:
    """A Monday, 14:30 in Berlin."""
    return datetime(2026, 11, 30, 13, 30, tzinfo=UTC)


def shown(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("text", "start", "seconds"),
    [
        ("2026-11-24 10:00", "2026-11-24 09:00:00", 60),
        ("2026-11-24T10:00", "2026-11-24 09:00:00", 60),
        ("2026-11-24T10:00:30Z", "2026-11-24 10:00:30", 0),
        ("2026-11-24 10:00+05:30", "2026-11-24 04:30:00", 60),
        ("2026-11-24 10:00:30", "2026-11-24 09:00:30", 1),
        ("2026-11-24", "2026-11-23 23:00:00", 86_400),
        ("24.11.2026 10:00", "2026-11-24 09:00:00", 60),
        ("tuesday 10:00", "2026-11-24 09:00:00", 60),
        ("Tuesday at 10", "2026-11-24 09:00:00", 60),
        ("on Tuesday at 10", "2026-11-24 09:00:00", 60),
        ("last tue 10pm", "2026-11-24 21:00:00", 60),
        ("monday", "2026-11-29 23:00:00", 86_400),
        ("sun 12am", "2026-11-28 23:00:00", 60),
        ("  Yesterday  ", "2026-11-28 23:00:00", 86_400),
        ("yesterday, 10:30", "2026-11-29 09:30:00", 60),
        ("today", "2026-11-29 23:00:00", 86_400),
        ("10:00", "2026-11-30 09:00:00", 60),
        ("at 10am", "2026-11-30 09:00:00", 60),
        ("now", "2026-11-30 13:30:00", 0),
        ("2h", "2026-11-30 11:30:00", 0),
        ("2 hours ago", "2026-11-30 11:30:00", 0),
        ("90s", "2026-11-30 13:28:30", 0),
        ("3d", "2026-11-27 13:30:00", 0),
        ("1 week", "2026-11-23 13:30:00", 0),
        ("2026-10-25", "2026-10-24 22:00:00", 25 * 3600),
        ("2026-07-01 10:00", "2026-07-01 08:00:00", 60),
    ],
)
def test_what_it_means(text: str, start: str, seconds: int) -> None:
    span = parse_time(text, now())
    assert (shown(span.start), span.end - span.start) == (start, seconds)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "soon",
            "10",
            "25:00",
            "10:99",
            "13pm",
            "11/24/2026",
            "2026-13-01",
            "2026-02-30",
        ),
        *(
            "someday 10:00",
            "tuesday morning",
            "tu",
            "999999999w",
            "-2h",
            "2026-11-24 10:00\n11:00x",
        ),
        *("0001-01-01", "yesterday 25", "\u0662h", "x" * 10_000),
    ],
)
def test_what_means_nothing_is_said_in_one_line(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^'.*' is not a time$") as refused:
        parse_time(text, now())
    assert "tuesday 10:00" in refused.value.hint
    assert len(str(refused.value)) < 120


@given(st.text() | st.from_regex(r"[a-z]{0,9} ?\d{0,10}[:.hdms -]?\d{0,4} ?(am|pm|ago)?"))
def test_whatever_is_typed_is_a_time_or_refused(text: str) -> None:
    try:
        span = parse_time(text, now())
    except InvalidInput:
        return
    assert isinstance(span, Span)
    assert span.start <= span.end


@given(st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)))
def test_a_time_is_read_as_it_is_written(moment: datetime) -> None:
    whole = moment.replace(second=0, microsecond=0)
    span = parse_time(whole.isoformat(" ", "minutes"), now())
    assert span == Span(whole.astimezone().timestamp(), span.start + 60)
    aware = moment.replace(tzinfo=UTC)
    assert abs(parse_time(aware.isoformat(), now()).start - aware.timestamp()) < 1e-3
    assert parse_time(f"{whole:%Y-%m-%d}", now()).end - span.start <= 25 * 3600
    assert timedelta(0) <= timedelta(
        seconds=span.start - parse_time(f"{whole:%d.%m.%Y}", now()).start
    )
