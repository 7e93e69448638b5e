"""The database as it is opened: of this release, of older ones, of others."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from sstpca.access.connection_settings import ConnectionSettings
from sstpca.errors import InvalidInput, SstpcaError
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.store import Store, bundles, logins, migrations, profiles, users
from sstpca.store.bundles import Made
from sstpca.store.migrations import SCHEMA_VERSION
from tests.support.files import open_files

OLDER = Path(__file__).with_name("older")


def make_older(home: Home, version: int) -> None:
    """Give the home a database as the last program of ``version`` made it, with what is in its own.

    The folder has the tables of each as SQLite's shell prints them (.dump).
    """
    old = home.root / "old.db"
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript((OLDER / f"{version}.sql").read_text())
        connection.execute("ATTACH ? AS new", (str(home.database),))
        tables = connection.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'")
        for (table,) in tables.fetchall():
            if table not in ("schema", "sqlite_sequence"):
                columns = ", ".join(
                    f'"{name}"'
                    for (name,) in connection.execute(
                        "SELECT name FROM pragma_table_info(?, 'main')", (table,)
                    )
                )
                connection.execute(
                    f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}"
                )
        connection.commit()
    old.replace(home.database)


def shape(home: Home) -> set[tuple[str, ...]]:
    """Return the columns of all tables, and their indexes."""
    with closing(sqlite3.connect(home.database)) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        columns = {
            (table, *column)
            for table in tables
            for column in connection.execute(
                'SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info(?)', (table,)
            )
        }
        indexes = connection.execute("SELECT tbl_name, sql FROM sqlite_schema WHERE type = 'index'")
        return columns | set(indexes)


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_what_an_older_release_made_is_kept(home: Home, sealer: Sealer, version: int) -> None:
    new = shape(home)
    store = Store.open(home.database)
    users.add(store, sealer, "alice", "correct horse battery")
    before = profiles.list_all(store)
    store.close()
    make_older(home, version)
    assert shape(home) != new
    for _ in range(2):
        store = Store.open(home.database)
        assert profiles.list_all(store) == before
        assert before[0].client == ConnectionSettings()
        assert (before[0].reach, before[0].inbound) == (frozenset(), False)
        assert [user.name for user in users.list_all(store)] == ["alice"]
        assert logins.login(store, sealer, "alice") is not None
        assert bundles.latest(store) == []
        store.close()
    assert shape(home) == new


def test_two_that_open_an_older_one_at_once(home: Home) -> None:
    make_older(home, 1)
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: Store.open(home.database), range(4)))
    assert {len(profiles.list_all(store)) for store in stores} == {1}


def test_a_step_that_fails_leaves_the_older_one_as_it_was(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_older(home, 1)
    before = shape(home)
    steps = migrations.STEPS
    monkeypatch.setattr(migrations, "STEPS", (*steps[:-1], lambda _: 1 / 0))
    with pytest.raises(ZeroDivisionError):
        Store.open(home.database)
    assert shape(home) == before
    monkeypatch.undo()
    Store.open(home.database).close()


def test_digests_over_passwords_are_gone_from_the_file(home: Home) -> None:
    """Those of an older release; a certificate's .p12 file is no help for guessing."""
    store = Store.open(home.database)
    digests = {"alice": "ab" * 32, "bob": "cd" * 32}
    bundles.record(
        store, [_made("alice", digests["alice"], ""), _made("bob", digests["bob"], "ef")]
    )
    store.close()
    make_older(home, 3)
    assert digests["alice"].encode() in _bytes(home)
    store = Store.open(home.database)
    assert [one.sha256 for one in bundles.latest(store)] == [None, digests["bob"]]
    assert bundles.find(store, Sealer.load(home), digests["bob"])
    assert bundles.find(store, Sealer.load(home), digests["alice"]) is None
    store.close()
    assert digests["alice"].encode() not in _bytes(home)


def _made(user: str, sha256: str, certificate: str) -> Made:
    known: dict[str, Any] = {field.name: "" for field in fields(Made)}
    known |= {"user": user, "made": 2e9, "platforms": (), "authorities": ()}
    return Made(**{**known, "sha256": sha256, "certificate": certificate})


def _bytes(home: Home) -> bytes:
    return b"".join(path.read_bytes() for path in home.root.glob("sstpca.db*"))


def test_a_newer_release_is_refused(home: Home) -> None:
    connection = sqlite3.connect(home.database)
    connection.execute("UPDATE schema SET version = ?", (SCHEMA_VERSION + 1,))
    connection.commit()
    connection.close()
    with pytest.raises(SstpcaError, match=f"version {SCHEMA_VERSION + 1}"):
        Store.open(home.database)


@pytest.mark.parametrize("content", [b"", b"no database\n" * 100])
def test_what_is_no_database_is_closed_again(home: Home, content: bytes) -> None:
    home.database.write_bytes(content)
    with pytest.raises(SstpcaError) as caught:
        Store.open(home.database)
    assert home.database not in open_files(), caught


@pytest.mark.parametrize("prefix", ["", "sqlite:///"])
def test_a_path_or_its_url_opens_the_same(home: Home, prefix: str) -> None:
    store = Store.open(f"{prefix}{home.database}")
    assert [one.name for one in profiles.list_all(store)] == ["default"]
    store.close()


def test_a_url_may_be_relative(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.root)
    Store.open(f"sqlite:///{home.database.name}").close()
    Store.create("sqlite:///other.db").close()
    assert (home.root / "other.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://alice:s3cret@db.example.com/vpn",
        "postgresql+psycopg:///vpn",
        "sqlite://",
        "sqlite:///",
        "sqlite://host/x.db",
        "sqlite+aiosqlite:///x.db",
        "://",
    ],
)
def test_another_database_is_refused_in_one_line(url: str) -> None:
    for way in (Store.open, Store.create):
        with pytest.raises(InvalidInput) as caught:
            way(url)
        said = f"{caught.value} {caught.value.hint}"
        assert "SQLite" in said
        assert "sqlite:///PATH" in said
        assert "s3cret" not in said
        assert "\n" not in said
