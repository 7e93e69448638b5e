"""Statements that every login takes: SQLAlchemy's, compiled once, and run by the driver itself.

SQLAlchemy takes 50 microseconds to execute one, and 150 for a transaction around them; SQLite a tenth
of that. A login takes a dozen statements in five transactions, and the end of its session as well.
"""

import collections
import functools
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

_SQLITE: Final = sa.make_url("sqlite://").get_dialect()()


class Prepared:
    """One statement.

    :param statement: of SQLAlchemy, for every dialect; its parameters are given by name.
    :param columns: what an INSERT sets.
    """

    def __init__(self, statement: Any, *, columns: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._columns = columns

    def compile(self, dialect: sa.Dialect) -> Any:
        """Return the statement as ``dialect`` has it."""
        return self._statement.compile(dialect=dialect, column_keys=self._columns)

    @functools.cached_property
    def text(self) -> str:
        """The statement in SQLite's words."""
        return str(self._compiled)

    def parameters(self, values: Mapping[str, object]) -> list[object]:
        """Return what SQLite is given, in its order."""
        return [values.get(name, default) for name, default in self._parameters]

    def row(self, found: Sequence[Any]) -> Any:
        """Return a row with names, each value as its column's type has it."""
        return self._row._make(
            value if read is None else read(value)
            for read, value in zip(self._readers, found, strict=True)
        )

    @functools.cached_property
    def _compiled(self) -> Any:
        return self.compile(_SQLITE)

    @functools.cached_property
    def _parameters(self) -> list[tuple[str, object]]:
        return [(name, self._compiled.params.get(name)) for name in self._compiled.positiontup]

    @functools.cached_property
    def _row(self) -> Any:
        names = [column.key for column in self._statement.exported_columns]
        return collections.namedtuple("Row", names)

    @functools.cached_property
    def _readers(self) -> list[Callable[[Any], Any] | None]:
        return [
            column.type.dialect_impl(_SQLITE).result_processor(_SQLITE, None)
            for column in self._statement.exported_columns
        ]


class Direct:
    """A transaction in which prepared statements are run; of Store.directly."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self, statement: Prepared, **values: object) -> list[Any]:
        """Return the rows that a statement finds."""
        found = self._connection.execute(statement.text, statement.parameters(values))
        return [statement.row(one) for one in found]

    def first(self, statement: Prepared, **values: object) -> Any:
        """Return the first of them, or None."""
        found = self._connection.execute(statement.text, statement.parameters(values)).fetchone()
        return None if found is None else statement.row(found)

    def run(self, statement: Prepared, **values: object) -> None:
        """Run a statement that finds nothing."""
        self._connection.execute(statement.text, statement.parameters(values))

    def run_for_each(self, statement: Prepared, rows: Iterable[Mapping[str, object]]) -> None:
        """Run it with one set of values after the other."""
        self._connection.executemany(statement.text, map(statement.parameters, rows))
