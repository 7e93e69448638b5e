"""An open database: how it is opened, read and written.

SQLite by path is the embedded default. Tables and statements are SQLAlchemy's (those of each login are
compiled once, see prepared.py), and what is SQLite's alone is in sqlite.py, so that another database is
a URL away.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import sqlalchemy as sa

from ..errors import Damaged, Refused
from . import migrations, sqlite
from .migrations import SCHEMA_VERSION
from .prepared import Direct

#: what Store.reading and Store.writing give: handed to functions of this package, nothing else
Transaction: TypeAlias = sa.Connection


class Store:
    """An open database. Use :meth:`reading` and :meth:`writing`; nothing else opens connections."""

    def __init__(self, path: Path, engine: sa.Engine) -> None:
        self._path = path
        self._engine = engine

    @classmethod
    def create(cls, url: str | Path) -> "Store":
        """Make the database ``url``, see :meth:`open`, readable by its owner alone, and empty.

        :raises SstpcaError: if it exists already, or cannot be made.
        """
        path = sqlite.path_of(url)
        sqlite.make(path)
        store = cls(path, sqlite.engine(path))
        with store.writing() as transaction:
            migrations.create(transaction)
        return store

    @classmethod
    def open(cls, url: str | Path, *, pooled: bool = False) -> "Store":
        """Open the database ``url``, a path or ``sqlite:///path``.

        One of an older release gets the tables and columns that it lacks.

        :param pooled: whether its connection is kept for the next use.
        :raises SstpcaError: if it is missing, no database of ours, or of a newer release.
        """
        store, version = cls._opened(url, pooled=pooled)
        if version < SCHEMA_VERSION:
            store._migrate()
        return store

    @classmethod
    def check(cls, url: str | Path) -> None:
        """Make sure that :meth:`open` would open it; one of an older release stays as it is.

        :raises SstpcaError: as that does.
        """
        store, _ = cls._opened(url)
        store.close()

    @classmethod
    def _opened(cls, url: str | Path, *, pooled: bool = False) -> "tuple[Store, int]":
        path = sqlite.path_of(url)
        store = cls(path, sqlite.engine(path, pooled=pooled))
        with store.reading() as transaction:
            version = migrations.version_of(transaction)
        if version is None:
            raise Damaged(f"{path} is not a database of sstpca", sqlite.RESTORE)
        if version > SCHEMA_VERSION:
            raise Refused(
                f"the database {path} has version {version}, this sstpca reads {SCHEMA_VERSION}",
                "use the sstpca release that made it",
            )
        return store, version

    def _migrate(self) -> None:
        with self.writing() as transaction:
            migrations.migrate(transaction)
        with self._translated(), self._engine.connect() as connection:
            sqlite.forget_log(connection)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Give a transaction that sees one state of the database.

        :raises SstpcaError: if the database cannot be read.
        """
        with self._translated(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[Transaction]:
        """Give a transaction that is the only writer; an exception undoes it.

        :param durable: whether what was committed has to outlive a power cut.
        :raises SstpcaError: if the database cannot be written.
        """
        with self._translated(), self._engine.connect() as plain:
            connection = plain.execution_options(writing=True, durable=durable)
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def directly(self, *, writing: bool) -> Iterator[Direct]:
        """Give a transaction for prepared statements; an exception undoes it.

        :param writing: whether it is to be the only writer.
        :raises SstpcaError: if the database cannot be read or written.
        """
        with (
            self._translated(),
            contextlib.closing(self._engine.raw_connection()) as pooled,
            sqlite.transaction(pooled.dbapi_connection, writing=writing) as connection,
        ):
            yield Direct(connection)

    def copy(self) -> bytes:
        """Return the database as it is at one moment, whoever is writing into it, as one file.

        :raises SstpcaError: if it cannot be read, or is damaged.
        """
        return sqlite.copy(self._path)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the driver's complaints (locked, read-only, full, not a database) into our error.

        Those that only a mistake of ours can cause (of an API, of a constraint) stay as they are.
        """
        try:
            yield
        except (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.DataError):
            raise
        except sa.exc.DatabaseError as error:
            raise sqlite.refusal(self._path, error.orig) from error
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError):
            raise
        except sqlite3.DatabaseError as error:
            raise sqlite.refusal(self._path, error) from error


def database_files(url: str | Path) -> list[Path]:
    """Return the files that the database ``url`` may consist of, itself first."""
    return sqlite.files(sqlite.path_of(url))


def now() -> float:
    """The time as the tables have it."""
    return time.time()
