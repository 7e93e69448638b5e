"""What is SQLite's alone: the file, its write-ahead log, its pragmas, its backup, its error codes."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.pool import NullPool, QueuePool

from ..disk.writing import SECRET, unwritable
from ..errors import Damaged, InvalidInput, NotFound, SstpcaError, Unavailable
from ..names import quoted

#: what to do about a database that cannot be read any more
RESTORE: Final = "restore it from a backup of the home"

_LOCK_WAIT: Final = 10.0
# what SQLite puts beside the file
_BESIDE: Final = ("-wal", "-shm", "-journal")


def path_of(url: str | Path) -> Path:
    """Return the file of the database ``url``: a path, or ``sqlite:///path``.

    :raises InvalidInput: if it is the URL of another database.
    """
    if isinstance(url, Path) or "://" not in url:
        return Path(url)
    scheme, _, rest = url.partition("://")
    how = "give the path of the file, or sqlite:///PATH"
    if scheme != "sqlite":
        # the rest may have a password in it
        raise InvalidInput(f"the database is kept in SQLite, not in {quoted(scheme)}", how)
    if not rest.startswith("/") or not rest[1:]:
        raise InvalidInput("the URL of the SQLite database names no file", how)
    return Path(rest[1:])


def files(path: Path) -> list[Path]:
    """Return the files that the database ``path`` may consist of, itself first."""
    return [path, *(path.with_name(path.name + end) for end in _BESIDE)]


def make(path: Path) -> None:
    """Make the empty file ``path``, readable by its owner alone.

    :raises SstpcaError: if it exists already, or cannot be made.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, SECRET))
    except OSError as error:
        raise Unavailable(f"cannot make the database {path}: {error.strerror}") from error


def engine(path: Path, *, pooled: bool = False) -> sa.Engine:
    """Return what connects to the file ``path``, which is there.

    :param pooled: whether a connection is kept for the next use.
    :raises NotFound: if it is missing.
    """
    if not path.exists():
        raise NotFound(f"the database {path} is missing", RESTORE)
    made = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        connect_args={"timeout": _LOCK_WAIT, "check_same_thread": False},
        poolclass=QueuePool if pooled else NullPool,
    )
    _prepare(made)
    return made


def _prepare(engine: sa.Engine) -> None:
    """Make transactions explicit, and each writing one take its lock at the start.

    The recipe is SQLAlchemy's own, "Serializable isolation / Savepoints / Transactional DDL" in
    its SQLite chapter; BEGIN IMMEDIATE keeps two writers from meeting in the middle.
    """

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        try:
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            # SQLAlchemy 2.0 forgets a connection that fails here, and leaves it open
            connection.close()
            raise

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        writing = options.get("writing", False)
        if options.get("durable", False):
            connection.exec_driver_sql("PRAGMA synchronous=FULL")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@contextlib.contextmanager
def transaction(connection: Any, *, writing: bool) -> Iterator[sqlite3.Connection]:
    """Give ``connection``, one of the driver's, with a transaction, as :func:`_prepare` makes them."""
    connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
    try:
        yield connection
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def erase_what_is_overwritten(connection: sa.Connection) -> None:
    """Let nothing of what ``connection`` overwrites stay in the file."""
    connection.exec_driver_sql("PRAGMA secure_delete=ON")


def forget_log(connection: sa.Connection) -> None:
    """Empty the write-ahead log, which has older states; whoever reads just now keeps it.

    :param connection: outside of a transaction.
    """
    connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")


def copy(path: Path) -> bytes:
    """Return the database file ``path`` as it is at one moment, whoever is writing into it.

    :raises SstpcaError: if it cannot be read, or is damaged.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with (
            contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_LOCK_WAIT)) as source,
            contextlib.closing(sqlite3.connect(":memory:")) as target,
        ):
            source.backup(target)
            verdict = target.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict != "ok":
                raise Damaged(
                    f"the database {path} is damaged: SQLite says {quoted(str(verdict))}",
                    "restore an earlier backup",
                )
            return target.serialize()
    except sqlite3.Error as error:
        raise refusal(path, error) from error


# SQLite's primary result codes, https://sqlite.org/rescode.html
_BUSY: Final = (Unavailable, "another program has kept it busy for too long", "try again")
_KNOWN: Final[dict[int, tuple[type[SstpcaError], str, str]]] = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_NOMEM: (Unavailable, "there is not enough memory", ""),
    sqlite3.SQLITE_FULL: (Unavailable, "there is no space left on the disk", "make room on it"),
    sqlite3.SQLITE_IOERR: (Unavailable, "the disk fails", "look into the system's log (dmesg)"),
    sqlite3.SQLITE_CORRUPT: (Damaged, "it is damaged", RESTORE),
    sqlite3.SQLITE_NOTADB: (Damaged, "it is not a database", RESTORE),
    sqlite3.SQLITE_PERM: (
        Unavailable,
        "it is not yours to write",
        "run this as the user who owns the home",
    ),
}
_UNWRITABLE: Final = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})


def refusal(path: Path, error: BaseException | None) -> SstpcaError:
    """Return the error for what SQLite complained of: ours where we know it, else in quotes."""
    # the low byte of an extended code is its primary one
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    unknown = (Unavailable, f"SQLite says {quoted(str(error))}", "")
    kind, what, hint = _KNOWN.get(code, unknown)
    if code in _UNWRITABLE:
        what, hint = unwritable(path)
    return kind(f"the database {path} cannot be used: {what}", *filter(None, (hint,)))
