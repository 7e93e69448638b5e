"""sstpca user usage: what users have used in a month."""

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date

import pytest
from click.testing import Result

from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.store import Store, users
from tests.conftest import Run

Refused = Callable[[Result, int], str]


@pytest.fixture
def used(home: Home) -> None:
    """alice and bob in three months; and somebody who is gone."""
    store, sealer = Store.open(home.database), Sealer.load(home)
    numbers = {
        name: users.add(store, sealer, name, "correct horse").id for name in ("alice", "bob")
    }
    rows = [
        (numbers["alice"], date(2026, 11, 1), 10, 1000, 3600.0, 1),
        (numbers["alice"], date(2026, 11, 30), 5, 500, 1800.0, 2),
        (numbers["alice"], date(2026, 12, 1), 1, 1, 1.0, 1),
        (numbers["alice"], date(2026, 10, 31), 2, 2, 2.0, 1),
        (numbers["bob"], date(2026, 11, 15), 7, 9_000_000, 60.0, 1),
        (77, date(2026, 11, 15), 1, 2, 60.0, 1),
        (78, date(2026, 11, 15), 1, 1, 60.0, 1),
    ]
    with closing(sqlite3.connect(home.database)) as connection:
        connection.executemany(
            "INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?)",
            [(user, (day - date(1970, 1, 1)).days, *rest) for user, day, *rest in rows],
        )
        connection.execute(
            "INSERT INTO history VALUES (1, 77, '=carol', '=carol', 1, NULL, '', '', 1, 2, 0, 0, '')"
        )
        connection.commit()


def test_a_month(run: Run, used: None) -> None:
    head, *rows = run("user", "usage", "--month", "2026-11").stdout.splitlines()
    assert head.split() == ["MONTH", "USER", "DOWN", "UP", "HOURS", "SESSIONS"]
    assert [row.split()[1] for row in rows] == ["bob", "alice", "=carol", "(gone)"]
    assert rows[1].split() == ["2026-11", "alice", "1.5", "kB", "15", "B", "1.5", "3"]


def test_the_months_of_a_user(run: Run, used: None) -> None:
    found = json.loads(run("user", "usage", "ALICE", "--month", "2026-12", "--json").stdout)
    assert [(one["month"], one["sent"]) for one in found] == [("2026-12", 1)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sstpca.cli.user_usage.date", _Today)
        found = json.loads(run("user", "usage", "alice", "--json").stdout)
    assert [one["month"] for one in found] == ["2026-12", "2026-11", "2026-10"]


class _Today(date):
    @classmethod
    def today(cls) -> "_Today":
        return cls(2026, 12, 31)


def test_a_table_for_spreadsheets(run: Run, used: None) -> None:
    text = run("user", "usage", "--month", "2026-11", "--csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["user"] for row in rows] == ["bob", "alice", "'=carol", ""]
    assert (rows[1]["seconds"], rows[1]["sessions"]) == ("5400.0", "3")


def test_nothing(run: Run) -> None:
    assert run("user", "usage").stdout == "nothing was used\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nobody",), 1, "there is no user 'nobody'"),
        (("--month", "november"), 2, "'november' is not a month"),
        (("--month", "2026-13"), 2, "'2026-13' is not a month"),
        (("--json", "--csv"), 2, "--json and --csv exclude each other"),
    ],
)
def test_wrong_input(
    run: Run, refused: Refused, arguments: tuple[str, ...], code: int, message: str
) -> None:
    assert refused(run("user", "usage", *arguments), code) == message
