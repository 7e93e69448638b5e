"""Limits of an access profile, and what differs for one user."""

import time
from collections.abc import Iterator
from dataclasses import fields
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.access import limits
from sstpca.access.hours import parse_hours
from sstpca.access.limits import NO_LIMITS, Limits, OwnLimits, WhenFull
from sstpca.errors import InvalidInput

RATES = st.none() | st.integers(8_000, 10**9)
LIMITS = st.builds(
    Limits,
    rate_down=RATES,
    rate_up=RATES,
    session_timeout=st.none() | st.integers(1, 10**6),
    idle_timeout=st.none() | st.integers(1, 10**6),
    sessions=st.none() | st.integers(1, 100),
    when_full=st.none() | st.sampled_from(WhenFull),
    hours=st.none() | st.sampled_from(["mon-fri 07:00-19:00", "22:00-06:00"]).map(parse_hours),
    volume_day=st.none() | st.integers(1, 10**12),
    volume_month=st.none() | st.integers(1, 10**12),
    slow_to=RATES,
)
NAMES = st.frozensets(st.sampled_from([one.name for one in fields(Limits)]))


@given(LIMITS)
def test_what_is_written_is_read(found: Limits) -> None:
    assert limits.from_json(limits.to_json(found)) == found


@given(LIMITS, LIMITS, NAMES)
def test_a_users_own_are_written_and_hold(
    profile: Limits, own: Limits, names: frozenset[str]
) -> None:
    users = OwnLimits.of({name: getattr(own, name) for name in names})
    assert limits.own_from_json(limits.own_to_json(users)) == users
    held = users.over(profile)
    for one in fields(Limits):
        source = own if one.name in names else profile
        assert getattr(held, one.name) == getattr(source, one.name)


def test_what_an_older_release_wrote_is_no_limit() -> None:
    assert limits.from_json({}) == NO_LIMITS
    assert limits.own_from_json({}).over(NO_LIMITS) == NO_LIMITS


def test_slowed_is_never_faster_than_before() -> None:
    slow = Limits(rate_down=1_000_000, volume_day=1, slow_to=2_000_000).slowed()
    assert (slow.rate_down, slow.rate_up) == (1_000_000, 2_000_000)
    assert Limits(volume_day=1).slowed() == Limits(volume_day=1)


@pytest.mark.parametrize(
    "found",
    [Limits(rate_down=1), Limits(idle_timeout=0), Limits(volume_day=0), Limits(sessions=0)],
)
def test_what_makes_no_sense_is_refused(found: Limits) -> None:
    with pytest.raises(InvalidInput):
        limits.checked(found)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_an_account_ends_with_its_last_day(berlin: None) -> None:
    end = limits.parse_end("2026-12-31")
    assert end == 1798758000.0  # 2026-12-31T23:00:00Z
    assert limits.last_day(end) == date(2026, 12, 31)


@given(st.dates(date(1990, 1, 1), date(2200, 1, 1)))
def test_the_last_day_is_shown_as_it_was_given(day: date) -> None:
    assert limits.last_day(limits.parse_end(day.isoformat())) == day


@pytest.mark.parametrize("text", ["", "soon", "31.12.2026", "2026-02-30", "9999-12-31", "2026"])
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        limits.parse_end(text)
    assert "--ends 2026-12-31" in caught.value.hint
