"""docs/interop.md has what the tests try, and they try nothing else."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.document import CLIENTS, DOCUMENT, TRIED, table, with_table

TESTS = Path(__file__).parents[1]


def row(text: str, client: str) -> list[str]:
    (line,) = (one for one in text.splitlines() if one.startswith(f"| {client} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_table() -> None:
    made = table({"Windows 10": {"password": "yes", "DHCPINFORM": "yes"}})
    cells = dict(zip(row(made, "client"), row(made, "Windows 10"), strict=True))
    assert cells["password"] == cells["DHCPINFORM"] == "yes"
    assert cells["EAP-TLS"] == "–"  # noqa: RUF001
    assert with_table("a\n<!-- clients -->\nold\n<!-- end -->\nb", made).count("old") == 0
    with pytest.raises(ValueError, match="no place"):
        with_table("nothing", made)


def test_the_document_has_every_client_and_all_that_is_tried() -> None:
    text = DOCUMENT.read_text()
    assert row(text, "client")[2:] == list(TRIED)
    for client in CLIENTS:
        assert len(row(text, client)) == 2 + len(TRIED)
        assert "yes" in row(text, client)


def noted(path: Path) -> Iterator[str]:
    """Yield what the tests in a file note of their clients."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Name(id="came"), args=[_, ast.Constant(value=str(what)), *_]):
                yield what


def test_each_outcome_has_its_place() -> None:
    found = {what for path in TESTS.rglob("test_*.py") for what in noted(path)}
    assert found == set(TRIED)
