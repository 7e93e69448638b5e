"""The database of older releases."""

import sqlite3

import pytest

from sstpca import profiles, users
from sstpca.bundle import record
from sstpca.clients import Client
from sstpca.errors import SstpcaError
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.store import SCHEMA_VERSION, Store

# what each version lacks that the next one has
LACKS = {
    2: "DROP TABLE bundles; ALTER TABLE profiles DROP COLUMN client;",
    1: "DROP TABLE certificates;",
}


@pytest.mark.parametrize("version", [1, 2])
def test_what_an_older_release_made_is_kept(home: Home, sealer: Sealer, version: int) -> None:
    store = Store.open(home.database)
    users.add(store, sealer, "alice", "correct horse battery")
    before = profiles.list_all(store)
    store.close()
    connection = sqlite3.connect(home.database)
    for one in range(SCHEMA_VERSION - 1, version - 1, -1):
        connection.executescript(LACKS[one])
    connection.execute("UPDATE schema SET version = ?", (version,))
    connection.commit()
    connection.close()
    for _ in range(2):
        store = Store.open(home.database)
        assert profiles.list_all(store) == before
        assert before[0].client == Client()
        assert [user.name for user in users.list_all(store)] == ["alice"]
        assert record.latest(store) == []
        store.close()


def test_the_columns_are_those_of_a_new_database(home: Home) -> None:
    def columns() -> list[tuple[str, ...]]:
        connection = sqlite3.connect(home.database)
        try:
            found = connection.execute(
                "SELECT name, type, \"notnull\" FROM pragma_table_info('profiles')"
            )
            return found.fetchall()
        finally:
            connection.close()

    new = columns()
    connection = sqlite3.connect(home.database)
    connection.executescript(LACKS[2] + "UPDATE schema SET version = 2;")
    connection.close()
    assert columns() != new
    Store.open(home.database).close()
    assert columns() == new


def test_a_newer_release_is_refused(home: Home) -> None:
    connection = sqlite3.connect(home.database)
    connection.execute("UPDATE schema SET version = ?", (SCHEMA_VERSION + 1,))
    connection.commit()
    connection.close()
    with pytest.raises(SstpcaError, match=f"version {SCHEMA_VERSION + 1}"):
        Store.open(home.database)
