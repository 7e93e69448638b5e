"""docs/interop.md has what the tests try, and they try nothing else."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.document import DOCUMENT, TABLES, renewed

TESTS = Path(__file__).parents[1]


def row(text: str, who: str) -> list[str]:
    (line,) = (one for one in text.splitlines() if one.startswith(f"| {who} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_table() -> None:
    clients = TABLES[0]
    made = clients.made({"Windows 10": {"password": "yes", "DHCPINFORM": "yes"}})
    cells = dict(zip(row(made, "client"), row(made, "Windows 10"), strict=True))
    assert cells["password"] == cells["DHCPINFORM"] == "yes"
    assert cells["EAP-TLS"] == "–"  # noqa: RUF001
    assert clients.put("a\n<!-- clients -->\nold\n<!-- end -->\nb", made).count("old") == 0
    with pytest.raises(ValueError, match="no place"):
        clients.put("nothing", made)


def test_what_was_not_tried_this_time_stays() -> None:
    text = "".join(f"<!-- {table.name} -->\n<!-- end -->\n" for table in TABLES)
    first = renewed(text, {"accel-ppp": {"password": "yes"}, "Windows 11": {"password": "yes"}})
    again = renewed(first, {"accel-ppp": {"password": "no", "doctor": "yes"}})
    cells = dict(zip(row(again, "server"), row(again, "accel-ppp"), strict=True))
    assert (cells["password"], cells["doctor"], cells["pin"]) == ("no", "yes", "–")  # noqa: RUF001
    assert row(again, "Windows 11") == row(first, "Windows 11")


def test_the_document_has_every_row_and_all_that_is_tried() -> None:
    text = DOCUMENT.read_text()
    for table in TABLES:
        assert row(text, table.name.removesuffix("s"))[2:] == list(table.tried)
        for who, how in table.rows.items():
            assert row(text, who)[1] == how
            assert len(row(text, who)) == 2 + len(table.tried)
            assert "yes" in row(text, who)


def noted(path: Path) -> Iterator[str]:
    """Yield what the tests in a file note of their clients."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Name(id="came"), args=[_, ast.Constant(value=str(what)), *_]):
                yield what


def test_each_outcome_has_its_place() -> None:
    found = {what for path in TESTS.rglob("test_*.py") for what in noted(path)}
    assert found == {what for table in TABLES for what in table.tried}
