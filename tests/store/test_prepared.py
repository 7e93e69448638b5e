"""Prepared statements give what SQLAlchemy gives, and fail as it does."""

import sqlite3

import pytest
import sqlalchemy as sa

from sstpca.errors import Unavailable
from sstpca.secrets import Sealer
from sstpca.store import Store, schema, sqlite, users
from sstpca.store.prepared import Prepared

ALL = sa.select(schema.profiles)
RENAME = Prepared(
    schema.profiles.update()
    .where(schema.profiles.c.name == sa.bindparam("of"))
    .values(name=sa.bindparam("new"), inbound=True)
)


def test_rows_have_the_same_names_and_values(store: Store) -> None:
    with store.reading() as transaction:
        expected = transaction.execute(ALL).mappings().one()
    with store.directly(writing=False) as direct:
        row = direct.first(Prepared(ALL))
        assert direct.all(Prepared(ALL)) == [row]
    assert row._asdict() == dict(expected)
    assert row.routes == [] and row.inbound is False


def test_what_is_written_stays_unless_something_goes_wrong(store: Store) -> None:
    with store.directly(writing=True) as direct:
        direct.run(RENAME, of="default", new="first")
    with pytest.raises(ZeroDivisionError), store.directly(writing=True) as direct:
        direct.run_for_each(RENAME, [{"of": "first", "new": "second"}])
        assert direct.first(Prepared(ALL)).name == "second"
        raise ZeroDivisionError
    with store.directly(writing=False) as direct:
        assert direct.first(Prepared(ALL)).name == "first"
        assert direct.first(Prepared(ALL)).inbound is True
        assert direct.first(Prepared(ALL.where(schema.profiles.c.name == "second"))) is None


def test_a_busy_database_is_our_error_and_a_constraint_the_drivers(
    store: Store, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_LOCK_WAIT", 0.05)
    other = Store.open(store._path)
    with (
        store.writing(),
        pytest.raises(Unavailable, match="another program has kept it busy"),
        other.directly(writing=True),
    ):
        pass
    users.add(store, sealer, "alice", "correct horse")
    twice = Prepared(schema.users.update().values(id=sa.bindparam("number"), profile_id=4711))
    with pytest.raises(sqlite3.IntegrityError), store.directly(writing=True) as direct:
        direct.run(twice, number=1)


def test_a_transaction_that_writes_nothing_leaves_the_connection_as_it_was(store: Store) -> None:
    pooled = Store.open(store._path, pooled=True)
    for _ in range(3):
        with pooled.directly(writing=True) as direct:
            assert direct.first(Prepared(ALL)).name == "default"
        with pooled.writing() as transaction:
            transaction.execute(ALL)
    pooled.close()
