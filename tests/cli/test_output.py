"""How tables look where they do not fit."""

import pytest

from sstpca.cli.output import _width, table

HEADINGS = ("USER", "FOR", "STATE")
ROWS = [
    ("alice", "windows,linux", "outdated: the access profile is 'office' now; it is called 'VPN'"),
    ("\u540d" * 12, "windows", "current"),
]


def test_a_table_is_no_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = table(HEADINGS, ROWS, empty="").splitlines()
    assert max(map(_width, lines)) <= 40
    assert lines[1].split() == ["alice", "windows,", "outdated:"]
    text = " ".join(" ".join(lines).split())
    assert "outdated:" in text
    # each column stays a column
    assert lines[2].split()[:2] == ["linux", "the"]
    start = lines[0].index("STATE")
    state = " ".join(line[start:].strip() for line in lines[1:] if line[start:].strip())
    assert state.startswith(ROWS[0][2])


def test_what_fits_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    whole = table(HEADINGS, ROWS, empty="")
    # a row is a line where a program reads it
    assert len(whole.splitlines()) == 3
    monkeypatch.setenv("COLUMNS", "200")
    assert table(HEADINGS, ROWS, empty="") == whole
    monkeypatch.setenv("COLUMNS", "5")
    assert table(HEADINGS, ROWS, empty="")
