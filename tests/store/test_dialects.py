"""The tables and statements are PostgreSQL's as well as SQLite's, as far as compiling shows that."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import CompileError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateIndex, CreateTable

from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.store import Store, attempts, leases, sessions, users
from sstpca.store.prepared import Prepared
from sstpca.store.schema import certificates, metadata, schema
from tests.support.dialects import POSTGRESQL, SQLITE, all_compile_for_postgresql

DIALECTS = (SQLITE, POSTGRESQL)


class OnlySqlites(sa.sql.functions.GenericFunction[float]):
    name = "only_sqlites"
    inherit_cache = True
    type = sa.Float()


@compiles(OnlySqlites, "sqlite")
def _only_sqlites(_function: OnlySqlites, _compiler: Any, **_options: Any) -> str:
    return "julianday('now')"


@compiles(OnlySqlites)
def _no_others(_function: OnlySqlites, _compiler: Any, **_options: Any) -> str:
    raise CompileError("only SQLite has this")


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
def test_the_tables_compile(dialect: sa.Dialect) -> None:
    for table in metadata.sorted_tables:
        assert f"CREATE TABLE {table.name} (" in str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert "CREATE " in str(CreateIndex(index).compile(dialect=dialect))


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
def test_a_name_has_one_current_certificate_in_both(dialect: sa.Dialect) -> None:
    [index] = certificates.indexes
    text = str(CreateIndex(index).compile(dialect=dialect))
    assert " ".join(text.split()).startswith("CREATE UNIQUE INDEX certificates_current ON")
    assert text.endswith("WHERE replaced IS NULL")


def test_what_the_suite_executes_is_compiled(store: Store, sealer: Sealer) -> None:
    with all_compile_for_postgresql() as seen:
        users.add(store, sealer, "alice", "correct horse")
        users.get(store, "alice")
    assert any(one.startswith("INSERT INTO users") for one in seen)
    assert any("users.password_set" in one for one in seen)


PREPARED = {
    f"{module.__name__.rpartition('.')[2]}.{name}": value
    for module in (users, sessions, leases, attempts)
    for name, value in vars(module).items()
    if isinstance(value, Prepared)
}


@pytest.mark.parametrize("name", PREPARED)
def test_what_is_prepared_compiles(name: str) -> None:
    texts = [str(PREPARED[name].compile(dialect)) for dialect in DIALECTS]
    assert texts[0] == PREPARED[name].text
    assert "%(" in texts[1]


@pytest.mark.parametrize("name", PREPARED)
def test_nothing_that_a_login_asks_looks_at_every_session_or_user(store: Store, name: str) -> None:
    """A server has thousands of them, and each login asks."""
    with store.directly(writing=False) as transaction:
        connection = transaction._connection
        plan = connection.execute(
            f"EXPLAIN QUERY PLAN {PREPARED[name].text}", PREPARED[name].parameters({})
        ).fetchall()
    steps = [step for *_, step in plan]
    assert not [step for step in steps if step.startswith(("SCAN sessions", "SCAN users"))], steps


def test_every_test_has_it(home: Home, all_compile: set[str]) -> None:
    before = len(all_compile)
    store = Store.open(home.database)
    with store.reading() as transaction:
        transaction.execute(sa.select(schema.c.version.label("a_name_of_its_own")))
    store.close()
    assert len(all_compile) > before


def test_what_postgresql_has_not_is_found(store: Store) -> None:
    with store.reading() as transaction, pytest.raises(CompileError, match="only SQLite"):
        transaction.execute(sa.select(OnlySqlites()))
