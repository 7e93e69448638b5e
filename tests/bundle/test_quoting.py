import contextlib
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sstpca.bundle.content.quoting import Literal, batch, powershell
from sstpca.errors import InvalidInput
from tests.bundle.powershell_literals import QUOTES, read_literal

PRINTABLE = st.characters(exclude_categories=("Cc", "Cs"))
NASTY = st.sampled_from([*QUOTES, '"', "\u201c", "\u201d", "$", "`", ";", "&", "%", "!", "(", "#"])


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("alice", "'alice'"),
        ("", "''"),
        ("O'Hara", "'O''Hara'"),
        ("O\u2019Hara", "'O\u2019\u2019Hara'"),
        ("\u2018\u201a\u201b", "'\u2018\u2018\u201a\u201a\u201b\u201b'"),
        ('$(calc) `n "x"', "'$(calc) `n \"x\"'"),
        (True, "$true"),
        (False, "$false"),
        (443, "443"),
        ((), "@()"),
        (("10.0.0.0/8", "'"), "@('10.0.0.0/8', '''')"),
    ],
)
def test_powershell_literals(value: object, literal: str) -> None:
    assert powershell(value) == literal
    assert isinstance(powershell(value), Literal)


@given(st.text(PRINTABLE) | st.text(NASTY))
@example("'; calc #")
@example("\u2019; calc #")
def test_powershell_reads_back_the_very_value(value: str) -> None:
    source = powershell(value)
    assert read_literal(source, 0) == (value, len(source))


@pytest.mark.parametrize("sign", ["\r", "\n", "\0", "\x1b", "\x85", "\x7f", "\ud800"])
def test_no_line_break_nor_other_control_gets_into_a_script(sign: str) -> None:
    with pytest.raises(InvalidInput, match="control character"):
        powershell(f"a{sign}b")


def test_other_types_are_a_mistake_of_the_template() -> None:
    with pytest.raises(TypeError):
        powershell(1.5)


def test_batch_takes_plain_words_only() -> None:
    assert batch("install.ps1") == "install.ps1"


@given(st.text(min_size=1, max_size=8))
@example("a b")
@example("a&b")
@example("%PATH%")
@example("a\n")
@example("-x")
def test_batch_lets_nothing_through_that_cmd_reads_otherwise(value: str) -> None:
    plain = set(string.ascii_letters + string.digits + "._-")
    with contextlib.suppress(InvalidInput):
        assert set(batch(value)) <= plain
