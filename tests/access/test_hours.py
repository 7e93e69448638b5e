"""Hours of the week: as people write them, over midnight, over the end of a week, where clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.access.hours import DAYS, parse_hours
from sstpca.errors import InvalidInput

# a Monday
START = datetime(2026, 11, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, week: int) -> float:
    day, time = text.split()
    hour, minute = map(int, time.split(":"))
    days = DAYS.index(day) + 7 * week
    return (START + timedelta(days=days, hours=hour, minutes=minute)).timestamp()


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (
            "mon-fri 07:00-19:00",
            ["mon 07:00", "fri 18:59"],
            ["mon 06:59", "fri 19:00", "sat 12:00"],
        ),
        ("Monday-Friday 7-19", ["wed 07:00"], ["wed 19:00", "sun 08:00"]),
        (
            "mon-fri 07:00-12:00, 13:00-19:00; sat 08:00-12:00",
            ["tue 11:59", "tue 13:00", "sat 08:00"],
            ["tue 12:30", "sat 13:00"],
        ),
        (
            "mon-fri 07:00-19:00, sat 08:00-12:00",
            ["fri 08:00", "sat 11:00"],
            ["sat 07:00", "fri 19:30"],
        ),
        ("sat-sun", ["sat 00:00", "sun 23:59"], ["fri 23:59", "mon 00:00"]),
        ("sat; mon 08:00-12:00", ["sat 23:00", "mon 08:00"], ["mon 12:00", "sun 08:00"]),
        ("mon,wed 08:00-12:00", ["mon 08:00", "wed 08:00"], ["tue 08:00", "wed 12:00"]),
        ("07:00-19:00", ["sun 07:00", "thu 18:00"], ["thu 20:00"]),
        ("22:00-06:00", ["mon 23:00", "tue 05:59", "mon 01:00"], ["mon 06:00", "mon 21:59"]),
        ("fri 22:00-06:00", ["fri 22:00", "sat 05:59"], ["fri 05:00", "sat 22:00"]),
        ("sun 22:00-06:00", ["sun 23:59", "mon 05:59"], ["sun 05:00", "tue 05:00"]),
        ("fri-mon 00:00-24:00", ["fri 00:00", "sun 12:00", "mon 23:59"], ["tue 00:00"]),
    ],
)
def test_what_is_meant(text: str, inside: list[str], outside: list[str]) -> None:
    hours = parse_hours(text)
    for week in (0, 1):
        for moment in inside:
            assert hours.contain(at(moment, week), UTC), moment
        for moment in outside:
            assert not hours.contain(at(moment, week), UTC), moment


@pytest.mark.parametrize(
    "text",
    [
        *("", ";", "always", "mon-", "moo 07:00-19:00", "07:00", "07:00-07:00", "25:00-26:00"),
        *(
            "07:60-08:00",
            "24:00-24:00",
            "mon 7:00am-9:00am",
            "-",
            "\u0661\u0660:00-12:00",
            "mon " * 200,
        ),
    ],
)
def test_what_cannot_be_read(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_hours(text)
    assert "\n" not in str(caught.value)
    assert 'for example: --hours "mon-fri' in caught.value.hint


_MINUTES = st.integers(0, 24 * 60 - 1)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


@given(st.integers(0, 6), _MINUTES, _MINUTES, st.integers(0, 7 * 24 * 60 - 1))
def test_one_span_of_any_day(day: int, first: int, end: int, minute: int) -> None:
    """What a model says that knows nothing of weeks: minutes since the span's day began."""
    if first == end:
        return
    hours = parse_hours(f"{DAYS[day]} {_clock(first)}-{_clock(end)}")
    length = (end - first) % (24 * 60)
    expected = (minute - day * 24 * 60 - first) % (7 * 24 * 60) < length
    assert hours.contain(START.timestamp() + 60 * minute + 59, UTC) == expected


@given(st.lists(st.tuples(st.integers(0, 6), _MINUTES, _MINUTES), min_size=1, max_size=6))
def test_what_is_shown_is_read_as_the_same(spans: list[tuple[int, int, int]]) -> None:
    parts = [f"{DAYS[d]} {_clock(a)}-{_clock(b)}" for d, a, b in spans if a != b]
    if not parts:
        return
    hours = parse_hours(" ;; ".join(parts).upper())
    again = parse_hours(hours.text)
    assert (again.text, again.spans) == (hours.text, hours.spans)
    joined = [minute for span in hours.spans for minute in span]
    assert joined == sorted(set(joined))


def test_where_the_clock_goes_forward() -> None:
    """On 2026-03-29, 02:00 to 03:00 does not come in Berlin."""
    hours = parse_hours("sun 01:30-02:30")
    before = datetime(2026, 3, 29, 1, 59, tzinfo=BERLIN).timestamp()
    assert hours.contain(before, BERLIN)
    # a minute later it is 03:00
    assert not hours.contain(before + 60, BERLIN)
    assert parse_hours("sun 03:00-04:00").contain(before + 60, BERLIN)


def test_where_the_clock_goes_back() -> None:
    """On 2026-10-25, 02:00 to 03:00 comes twice in Berlin."""
    hours = parse_hours("sun 02:00-03:00")
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN).timestamp()
    second = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1).timestamp()
    assert second - first == 3600
    for moment in (first, first + 1800 - 1, first + 1800, second, second + 1799):
        assert hours.contain(moment, BERLIN)
    assert not hours.contain(second + 1800, BERLIN)


def test_summer_and_winter_have_the_same_hours_on_the_wall() -> None:
    hours = parse_hours("mon-fri 07:00-19:00")
    for day in (datetime(2026, 7, 1, tzinfo=BERLIN), datetime(2026, 12, 1, tzinfo=BERLIN)):
        assert not hours.contain(day.replace(hour=6, minute=59).timestamp(), BERLIN)
        assert hours.contain(day.replace(hour=7).timestamp(), BERLIN)
        assert hours.contain(day.replace(hour=18, minute=59).timestamp(), BERLIN)
        assert not hours.contain(day.replace(hour=19).timestamp(), BERLIN)
