"""The database of older releases."""

import sqlite3
from dataclasses import fields
from typing import Any

import pytest

from sstpca.access.connection_settings import ConnectionSettings
from sstpca.errors import SstpcaError
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.store import Store, bundles, profiles, users
from sstpca.store.bundles import Made
from sstpca.store.migrations import SCHEMA_VERSION
from tests.support.files import open_files

# what each version lacks that the next one has
LACKS = {
    5: "ALTER TABLE profiles DROP COLUMN reach; ALTER TABLE profiles DROP COLUMN inbound;",
    4: "ALTER TABLE profiles DROP COLUMN sessions; ALTER TABLE sessions DROP COLUMN promised;"
    " ALTER TABLE sessions DROP COLUMN heard;",
    3: "DROP INDEX bundles_mark; ALTER TABLE bundles DROP COLUMN mark;",
    2: "DROP TABLE bundles; ALTER TABLE profiles DROP COLUMN client;",
    1: "DROP TABLE certificates;",
}


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
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
        assert before[0].client == ConnectionSettings()
        assert (before[0].reach, before[0].inbound) == (frozenset(), False)
        assert [user.name for user in users.list_all(store)] == ["alice"]
        assert bundles.latest(store) == []
        store.close()


def test_the_columns_are_those_of_a_new_database(home: Home) -> None:
    def columns() -> set[tuple[str, ...]]:
        connection = sqlite3.connect(home.database)
        try:
            return {
                (table, *column)
                for table in ("profiles", "sessions", "bundles")
                for column in connection.execute(
                    'SELECT name, type, "notnull", dflt_value FROM pragma_table_info(?)', (table,)
                )
            }
        finally:
            connection.close()

    new = columns()
    connection = sqlite3.connect(home.database)
    connection.executescript(
        LACKS[5] + LACKS[4] + LACKS[3] + LACKS[2] + "UPDATE schema SET version = 2;"
    )
    connection.close()
    assert columns() != new
    Store.open(home.database).close()
    assert columns() == new


def test_digests_over_passwords_are_gone_from_the_file(home: Home) -> None:
    """Those of an older release; a certificate's .p12 file is no help for guessing."""
    store = Store.open(home.database)
    digests = {"alice": "ab" * 32, "bob": "cd" * 32}
    bundles.record(
        store, [_made("alice", digests["alice"], ""), _made("bob", digests["bob"], "ef")]
    )
    store.close()
    connection = sqlite3.connect(home.database)
    connection.executescript(LACKS[4] + LACKS[3] + "UPDATE schema SET version = 3;")
    connection.close()
    assert digests["alice"].encode() in _bytes(home)
    store = Store.open(home.database)
    assert [one.sha256 for one in bundles.latest(store)] == ["", digests["bob"]]
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
