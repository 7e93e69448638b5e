"""The catalogue of Windows' error numbers."""

import pytest

from sstpca.bundle.content import texts
from sstpca.bundle.content.codes import CODES, value


@pytest.mark.parametrize("language", texts.languages())
def test_each_code_has_its_texts_and_no_text_is_left_over(language: str) -> None:
    wanted = {f"{code.key}_{part}" for code in CODES for part in ("means", "helps")}
    assert set(vars(texts.load(language).errors)) == wanted


def test_a_number_has_one_meaning() -> None:
    values = [one for code in CODES for one in code.values]
    assert len(values) == len(set(values))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (691, 691),
        (0x800B0109, -2146762487),
        (-2146762487, -2146762487),
        (0x80092013, -2146885613),
        (0x8007274C, 10060),
        (-2147014836, 10060),
        (0x800704C9, 1225),
    ],
)
def test_the_event_log_and_the_window_give_the_same_value(number: int, expected: int) -> None:
    assert value(number) == expected


def test_numbers_are_as_windows_shows_them() -> None:
    for code in CODES:
        for number in code.numbers:
            digits = number.removeprefix("0x")
            assert digits.isdecimal() if digits == number else int(digits, 16) >> 31
            assert digits == digits.upper()
            assert len(digits) == 8 or digits == number
