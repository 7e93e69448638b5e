"""The database: its tables, and how it is opened, read and written.

SQLite in WAL mode is the embedded default; the tables and statements are SQLAlchemy Core, so that
another database is the same code. Times are seconds since 1970 (UTC), IPv4 addresses integers.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.pool import NullPool, QueuePool

from ..errors import SstpcaError
from ..home import SECRET, unwritable
from ..names import quoted

SCHEMA_VERSION = 6

_DAMAGED: Final = "restore it from a backup of the home"

metadata = sa.MetaData()

schema = sa.Table("schema", metadata, sa.Column("version", sa.Integer, nullable=False))

profiles = sa.Table(
    "profiles",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    # the server's address in the tunnel
    sa.Column("local_address", sa.BigInteger, nullable=False),
    # JSON arrays of text: addresses, prefixes
    sa.Column("dns", sa.JSON, nullable=False),
    sa.Column("routes", sa.JSON, nullable=False),
    sa.Column("dns_suffix", sa.String(253), nullable=False),
    sa.Column("full_tunnel", sa.Boolean, nullable=False),
    # JSON object, see access/connection_settings.py
    sa.Column("client", sa.JSON, nullable=False, server_default="{}"),
    # how many sessions one user may have at a time
    sa.Column("sessions", sa.Integer, nullable=False, server_default=sa.text("10")),
    # JSON array of text, see access/reach.py
    sa.Column("reach", sa.JSON, nullable=False, server_default="[]"),
    sa.Column("inbound", sa.Boolean, nullable=False, server_default=sa.false()),
)

pools = sa.Table(
    "pools",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("profile_id", sa.ForeignKey("profiles.id", ondelete="CASCADE"), nullable=False),
    sa.Column("first", sa.BigInteger, nullable=False),
    sa.Column("last", sa.BigInteger, nullable=False),
)

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    # the name as it is compared: case-folded, NFC
    sa.Column("key", sa.String(192), nullable=False, unique=True),
    # AES-256-GCM: 12 bytes of nonce, ciphertext, 16 bytes of tag; see secrets.py
    sa.Column("nt_hash", sa.LargeBinary, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("profile_id", sa.ForeignKey("profiles.id"), nullable=False),
    sa.Column("static_address", sa.BigInteger, unique=True),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("password_set", sa.Float, nullable=False),
    # a removed user's number is not given to the next: a session may still have it
    sqlite_autoincrement=True,
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    # which machine: its boot id, so that a reboot ends what it left
    sa.Column("host", sa.String(64), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("seen", sa.Float, nullable=False),
)

# A session's row is also the lease of its address, or what keeps it until the binding holds.
sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("worker_id", sa.ForeignKey("workers.id", ondelete="CASCADE"), nullable=False),
    sa.Column("user_id", sa.Integer, nullable=False),
    sa.Column("user", sa.String(64), nullable=False),
    # NULL once a newer login of the same user has taken the address over, and while one of the
    # user's sessions still has the address that this login was promised
    sa.Column("address", sa.BigInteger, unique=True),
    # the address that was promised; NULL once the crypto binding holds, and it is a session
    sa.Column("promised", sa.BigInteger),
    sa.Column("peer", sa.String(64), nullable=False),
    sa.Column("interface", sa.String(16), nullable=False),
    sa.Column("client", sa.String(128), nullable=False),
    sa.Column("started", sa.Float, nullable=False),
    # when the client last sent an IP packet, as far as its worker has written that
    sa.Column("heard", sa.Float, nullable=False, server_default=sa.text("0")),
    sa.Column("received", sa.BigInteger, nullable=False),
    sa.Column("sent", sa.BigInteger, nullable=False),
    # why the session is to end; its worker looks at it every second
    sa.Column("kill", sa.String(128)),
    sqlite_autoincrement=True,
)

# Every certificate that was issued or taken in; see certificates.py. Digests and the serial are
# lower-case hexadecimal.
certificates = sa.Table(
    "certificates",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    # what the pair is called, and the same as it is compared (names.user_key)
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("key", sa.String(765), nullable=False),
    sa.Column("profile", sa.String(16), nullable=False),
    sa.Column("serial", sa.String(40), nullable=False, unique=True),
    sa.Column("subject", sa.Text, nullable=False),
    # JSON array of text: "DNS x", "IP y", "UPN z"
    sa.Column("names", sa.JSON, nullable=False),
    sa.Column("not_before", sa.Float, nullable=False),
    sa.Column("not_after", sa.Float, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("sha1", sa.String(40), nullable=False),
    # of the authority in this home at that time; empty if another one issued it
    sa.Column("issuer_sha256", sa.String(64), nullable=False),
    sa.Column("der", sa.LargeBinary, nullable=False),
    # the local login of who asked
    sa.Column("requested_by", sa.String(255), nullable=False),
    sa.Column("issued", sa.Float, nullable=False),
    sa.Column("revoked", sa.Float),
    # RFC 5280 5.3.1, as it is spelt there
    sa.Column("reason", sa.String(32)),
    # when a newer one took its place
    sa.Column("replaced", sa.Float),
    sqlite_autoincrement=True,
)
# a name has one current certificate
sa.Index(
    "certificates_current",
    certificates.c.key,
    unique=True,
    sqlite_where=certificates.c.replaced.is_(None),
)

# Every bundle that was made; see bundles.py.
bundles = sa.Table(
    "bundles",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    # whose, and the same as it is compared (names.user_key); the user may be gone
    sa.Column("user", sa.String(64), nullable=False),
    sa.Column("key", sa.String(192), nullable=False, index=True),
    sa.Column("profile", sa.String(64), nullable=False),
    sa.Column("made", sa.Float, nullable=False),
    # the local login of who made it
    sa.Column("made_by", sa.String(255), nullable=False),
    # JSON arrays of text: what it is for; SHA-256 of the authorities in it
    sa.Column("platforms", sa.JSON, nullable=False),
    sa.Column("authorities", sa.JSON, nullable=False),
    # what the client connects to, as Windows' ServerAddress
    sa.Column("server", sa.String(300), nullable=False),
    sa.Column("connection", sa.String(255), nullable=False),
    # what else it was made from, so that it can be compared with what it would be now: two
    # letters; the folder of own templates; a digest, see bundle/ledger/freshness.py; the SHA-256 of the
    # user's certificate in it. Empty where there is none.
    sa.Column("language", sa.String(2), nullable=False),
    sa.Column("templates", sa.Text, nullable=False),
    sa.Column("told", sa.String(64), nullable=False),
    sa.Column("certificate", sa.String(64), nullable=False),
    # of the zip, and where it was written; the SHA-256 is empty where a password is in it, which it
    # would help to guess. The other one takes the key of the home; see secrets.Sealer.mark
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("mark", sa.String(64), nullable=False, server_default=""),
    sa.Column("path", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)
bundles_mark = sa.Index("bundles_mark", bundles.c.mark)


def _prepare_sqlite(engine: sa.Engine) -> None:
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


class Store:
    """An open database. Use :meth:`reading` and :meth:`writing`; nothing else opens connections."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    @classmethod
    def create(cls, path: Path) -> "Store":
        """Make the database file ``path``, readable by its owner alone, with empty tables.

        :raises SstpcaError: if it exists already, or cannot be made.
        """
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, SECRET))
        except OSError as error:
            raise SstpcaError(f"cannot make the database {path}: {error.strerror}") from error
        store = cls(_engine(path))
        with store.writing() as connection:
            metadata.create_all(connection)
            connection.execute(schema.insert().values(version=SCHEMA_VERSION))
        return store

    @classmethod
    def open(cls, path: Path, *, pooled: bool = False) -> "Store":
        """Open the database file ``path``; ``pooled`` keeps its connection for the next use.

        One of an older release gets the tables and columns that it lacks.

        :raises SstpcaError: if it is missing, no database of ours, or of a newer release.
        """
        if not path.exists():
            raise SstpcaError(f"the database {path} is missing", _DAMAGED)
        store = cls(_engine(path, pooled=pooled))
        with store.reading() as connection:
            ours = sa.inspect(connection).has_table(schema.name)
            version = connection.scalar(sa.select(schema.c.version)) if ours else None
        if version is None:
            raise SstpcaError(f"{path} is not a database of sstpca", _DAMAGED)
        if version < SCHEMA_VERSION:
            version = store._migrate()
        if version != SCHEMA_VERSION:
            raise SstpcaError(
                f"the database {path} has version {version}, this sstpca reads {SCHEMA_VERSION}",
                "use the sstpca release that made it",
            )
        return store

    def _migrate(self) -> int:
        """Add what older versions lack, whoever is first; return the version.

        Version 2 has the table of certificates; version 3 that of bundles, and profiles.client;
        version 4 bundles.mark, and no SHA-256 of a bundle that may have a password in it;
        version 5 the columns of what is promised before the crypto binding; version 6
        profiles.reach and profiles.inbound.
        """
        with self.writing() as connection:
            metadata.create_all(connection)
            _add_column(connection, "profiles", "client JSON NOT NULL DEFAULT '{}'")
            if _add_column(connection, "bundles", "mark VARCHAR(64) NOT NULL DEFAULT ''"):
                # what is overwritten is to be gone from the file
                connection.exec_driver_sql("PRAGMA secure_delete=ON")
                password_possible = bundles.c.certificate == ""
                connection.execute(bundles.update().where(password_possible).values(sha256=""))
                bundles_mark.create(connection, checkfirst=True)
            _add_column(connection, "profiles", "sessions INTEGER NOT NULL DEFAULT 10")
            _add_column(connection, "sessions", "promised BIGINT")
            _add_column(connection, "sessions", "heard FLOAT NOT NULL DEFAULT 0")
            _add_column(connection, "profiles", "reach JSON NOT NULL DEFAULT '[]'")
            _add_column(connection, "profiles", "inbound BOOLEAN NOT NULL DEFAULT 0")
            connection.execute(schema.update().values(version=SCHEMA_VERSION))
        self._forget_log()
        return SCHEMA_VERSION

    def _forget_log(self) -> None:
        """Empty the write-ahead log, which has older states; whoever reads just now keeps it."""
        with _translated(self._engine), self._engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that sees one state of the database.

        :raises SstpcaError: if the database cannot be read.
        """
        with _translated(self._engine), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that is the only writer; an exception undoes it.

        :param durable: whether what was committed has to outlive a power cut.
        :raises SstpcaError: if the database cannot be written.
        """
        with _translated(self._engine), self._engine.connect() as plain:
            connection = plain.execution_options(writing=True, durable=durable)
            with connection.begin():
                yield connection


def _add_column(connection: sa.Connection, table: str, column: str) -> bool:
    """Add a column to a table that lacks it; return whether it did."""
    known = {one["name"] for one in sa.inspect(connection).get_columns(table)}
    if column.split()[0] in known:
        return False
    connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column}")
    return True


def _engine(path: Path, *, pooled: bool = False) -> sa.Engine:
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        connect_args={"timeout": 10.0, "check_same_thread": False},
        poolclass=QueuePool if pooled else NullPool,
    )
    _prepare_sqlite(engine)
    return engine


@contextlib.contextmanager
def _translated(engine: sa.Engine) -> Iterator[None]:
    """Turn the driver's complaints (locked, read-only, full, not a database) into our error.

    Those that only a mistake of ours can cause (of an API, of a constraint) stay as they are.
    """
    try:
        yield
    except (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.DataError):
        raise
    except sa.exc.DatabaseError as error:
        raise refusal(Path(str(engine.url.database)), error.orig) from error


# SQLite's primary result codes, https://sqlite.org/rescode.html
_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: ("another program has kept it busy for too long", "try again"),
    sqlite3.SQLITE_LOCKED: ("another program has kept it busy for too long", "try again"),
    sqlite3.SQLITE_NOMEM: ("there is not enough memory", ""),
    sqlite3.SQLITE_FULL: ("there is no space left on the disk", "make room on it"),
    sqlite3.SQLITE_IOERR: ("the disk fails", "look into the system's log (dmesg)"),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", _DAMAGED),
    sqlite3.SQLITE_NOTADB: ("it is not a database", _DAMAGED),
    sqlite3.SQLITE_PERM: ("it is not yours to write", "run this as the user who owns the home"),
}
_UNWRITABLE: Final = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})


def refusal(path: Path, error: BaseException | None) -> SstpcaError:
    """Return the error for what the driver complained of: ours where we know it, else in quotes.

    :param error: one of sqlite3's; another driver's words are shown as they are.
    """
    # the low byte of an extended code is its primary one
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    what, hint = _SQLITE.get(code, (f"SQLite says {quoted(str(error))}", ""))
    if code in _UNWRITABLE:
        what, hint = unwritable(path)
    return SstpcaError(f"the database {path} cannot be used: {what}", hint)


def now() -> float:
    """The time as the tables have it."""
    return time.time()
