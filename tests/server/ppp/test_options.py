"""Lists of Configuration Options."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sstpca.server.ppp.options import (
    MAX_OPTIONS,
    Option,
    OptionError,
    decode_options,
    encode_options,
)

options = st.lists(st.builds(Option, st.integers(0, 255), st.binary(max_size=253)), max_size=6)


@given(options)
def test_options_round_trip(listed: list[Option]) -> None:
    assert decode_options(encode_options(listed)) == tuple(listed)


def test_the_options_of_windows_10() -> None:
    data = bytes.fromhex("0104 0FFB  0506 2A3B4C5D  0702  0802  0D03 06")
    assert decode_options(data) == (
        Option(1, b"\x0f\xfb"),
        Option(5, bytes.fromhex("2A3B4C5D")),
        Option(7),
        Option(8),
        Option(13, b"\x06"),
    )


@pytest.mark.parametrize("data", ["01", "0100", "0101", "010401", "0702 05"])
def test_a_length_that_cannot_be(data: str) -> None:
    with pytest.raises(OptionError):
        decode_options(bytes.fromhex(data))


@given(st.binary(max_size=64))
@example(b"\x01\x00" * 4)
def test_garbage_raises_only_option_errors(junk: bytes) -> None:
    with contextlib.suppress(OptionError):
        assert encode_options(decode_options(junk)) == junk


def test_nobody_has_748_options() -> None:
    """RFC 1661 sets no limit; each costs us something."""
    assert len(decode_options(b"\x63\x02" * MAX_OPTIONS)) == MAX_OPTIONS
    with pytest.raises(OptionError):
        decode_options(b"\x63\x02" * (MAX_OPTIONS + 1))
    with pytest.raises(OptionError):
        decode_options(b"\x63\x02" * 748)
