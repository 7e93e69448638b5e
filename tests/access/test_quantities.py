"""Rates, volumes and times, as people write and read them."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.access import quantities as q
from sstpca.errors import InvalidInput


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (q.parse_rate, "10M", 10_000_000),
        (q.parse_rate, "10m", 10_000_000),
        (q.parse_rate, " 512k ", 512_000),
        (q.parse_rate, "10 Mbit/s", 10_000_000),
        (q.parse_rate, "10Mbps", 10_000_000),
        (q.parse_rate, "1.5G", 1_500_000_000),
        (q.parse_rate, "64000", 64_000),
        (q.parse_volume, "5G", 5 * 10**9),
        (q.parse_volume, "5 GB", 5 * 10**9),
        (q.parse_volume, "5GiB", 5 * 2**30),
        (q.parse_volume, "500m", 500 * 10**6),
        (q.parse_volume, "1000", 1000),
        (q.parse_duration, "8h", 28_800),
        (q.parse_duration, "1h30m", 5400),
        (q.parse_duration, "30min", 1800),
        (q.parse_duration, "2d", 172_800),
        (q.parse_duration, "90", 90),
        (q.parse_duration, "1w 2d", 777_600),
    ],
)
def test_what_is_meant(parse: Callable[[str], int], text: str, value: int) -> None:
    assert parse(text) == value


@pytest.mark.parametrize("parse", [q.parse_rate, q.parse_volume, q.parse_duration])
@pytest.mark.parametrize(
    "text",
    ["", "-1", "0", "fast", "1e9", "10 10", "\u0663", "9" * 40, "nan", "1..5", "10X", "1M\n2M"],
)
def test_what_cannot_be_read(parse: Callable[[str], int], text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert "for example" in caught.value.hint


@pytest.mark.parametrize("text", ["10MB", "10MB/s", "10 MiB", "1", "31G"])
def test_bytes_are_no_rate_nor_is_what_the_kernel_cannot_count(text: str) -> None:
    with pytest.raises(InvalidInput):
        q.parse_rate(text)


@given(st.integers(q.RATE_MIN, q.RATE_MAX))
def test_a_rate_is_read_as_it_is_shown(rate: int) -> None:
    assert q.parse_rate(q.rate_text(rate)) == rate


@given(st.integers(1, 10**12) | st.integers(1, 999).map(lambda n: n << 30))
def test_a_volume_is_read_as_it_is_shown(volume: int) -> None:
    assert q.parse_volume(q.volume_text(volume)) == volume


@given(st.integers(1, q.DURATION_MAX))
def test_a_time_is_read_as_it_is_shown(seconds: int) -> None:
    assert q.parse_duration(q.duration_text(seconds)) == seconds
