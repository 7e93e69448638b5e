"""The version of the tables, and what takes a database from each to the next.

A step knows the tables as they were then: it has its own picture of them, and stays as it is when
schema.py goes on. What is there already it leaves alone.
"""

from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn

from . import sqlite
from .schema import metadata, schema

_ZERO: Final = sa.text("0")


def version_of(connection: sa.Connection) -> int | None:
    """Return the version of the database; None if it is none of ours."""
    if not sa.inspect(connection).has_table(schema.name):
        return None
    version: int | None = connection.scalar(sa.select(schema.c.version))
    return version


def create(connection: sa.Connection) -> None:
    """Make all tables, empty, in the newest version."""
    metadata.create_all(connection)
    connection.execute(schema.insert().values(version=SCHEMA_VERSION))


def migrate(connection: sa.Connection) -> None:
    """Take the database to the newest version, from whichever it has: somebody may have been faster.

    :param connection: of Store.writing, so that it is all or nothing.
    """
    version = connection.scalars(sa.select(schema.c.version)).one()
    for step in STEPS[version - 1 :]:
        step(connection)
    if version < SCHEMA_VERSION:
        connection.execute(schema.update().values(version=SCHEMA_VERSION))


def _to_2(connection: sa.Connection) -> None:
    """Every certificate that was issued or taken in."""
    table = sa.Table(
        "certificates",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("key", sa.String(765), nullable=False),
        sa.Column("profile", sa.String(16), nullable=False),
        sa.Column("serial", sa.String(40), nullable=False, unique=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("names", sa.JSON, nullable=False),
        sa.Column("not_before", sa.Float, nullable=False),
        sa.Column("not_after", sa.Float, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("sha1", sa.String(40), nullable=False),
        sa.Column("issuer_sha256", sa.String(64), nullable=False),
        sa.Column("der", sa.LargeBinary, nullable=False),
        sa.Column("requested_by", sa.String(255), nullable=False),
        sa.Column("issued", sa.Float, nullable=False),
        sa.Column("revoked", sa.Float),
        sa.Column("reason", sa.String(32)),
        sa.Column("replaced", sa.Float),
        sqlite_autoincrement=True,
    )
    current = table.c.replaced.is_(None)
    sa.Index("certificates_current", table.c.key, unique=True, sqlite_where=current)
    table.create(connection, checkfirst=True)


def _to_3(connection: sa.Connection) -> None:
    """Every bundle that was made; what clients are told beside addresses."""
    table = sa.Table(
        "bundles",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user", sa.String(64), nullable=False),
        sa.Column("key", sa.String(192), nullable=False, index=True),
        sa.Column("profile", sa.String(64), nullable=False),
        sa.Column("made", sa.Float, nullable=False),
        sa.Column("made_by", sa.String(255), nullable=False),
        sa.Column("platforms", sa.JSON, nullable=False),
        sa.Column("authorities", sa.JSON, nullable=False),
        sa.Column("server", sa.String(300), nullable=False),
        sa.Column("connection", sa.String(255), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("templates", sa.Text, nullable=False),
        sa.Column("told", sa.String(64), nullable=False),
        sa.Column("certificate", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    table.create(connection, checkfirst=True)
    _add(connection, "profiles", sa.Column("client", sa.JSON, nullable=False, server_default="{}"))


def _to_4(connection: sa.Connection) -> None:
    """Bundles are known by a mark; no SHA-256 is kept of one that may have a password in it."""
    mark = sa.Column("mark", sa.String(64), nullable=False, server_default="")
    others = (sa.Column("sha256", sa.String(64)), sa.Column("certificate", sa.String(64)))
    table = sa.Table("bundles", sa.MetaData(), mark, *others)
    _add(connection, "bundles", mark)
    sa.Index("bundles_mark", table.c.mark).create(connection, checkfirst=True)
    sqlite.erase_what_is_overwritten(connection)
    connection.execute(table.update().where(table.c.certificate == "").values(sha256=""))


def _to_5(connection: sa.Connection) -> None:
    """What is promised before the crypto binding holds."""
    _add(
        connection,
        "profiles",
        sa.Column("sessions", sa.Integer, nullable=False, server_default=sa.text("10")),
    )
    _add(connection, "sessions", sa.Column("promised", sa.BigInteger))
    heard = sa.Column("heard", sa.Float, nullable=False, server_default=sa.text("0"))
    _add(connection, "sessions", heard)


def _to_6(connection: sa.Connection) -> None:
    """What is closed to clients unless their access profile opens it."""
    reach = sa.Column("reach", sa.JSON, nullable=False, server_default="[]")
    _add(connection, "profiles", reach)
    inbound = sa.Column("inbound", sa.Boolean, nullable=False, server_default=sa.false())
    _add(connection, "profiles", inbound)


def _to_7(connection: sa.Connection) -> None:
    """What a login looks up among thousands of sessions."""
    names = ("worker_id", "user_id", "promised")
    columns = (sa.Column(name, sa.Integer) for name in (*names, "kill"))
    table = sa.Table("sessions", sa.MetaData(), *columns)
    for name in names:
        sa.Index(f"ix_sessions_{name}", table.c[name]).create(connection, checkfirst=True)
    ending = sa.Index("sessions_ending", table.c.worker_id, sqlite_where=table.c.kill.is_not(None))
    ending.create(connection, checkfirst=True)


def _to_8(connection: sa.Connection) -> None:
    """IPv6 in the tunnel; passwords that have to be changed; wrong ones; weaker ways to log in."""
    _add(connection, "profiles", sa.Column("ipv6", sa.JSON, nullable=False, server_default="{}"))
    static, prefix = sa.Column("static_prefix", sa.String(16)), sa.Column("prefix", sa.String(16))
    _add(connection, "users", static)
    _add(connection, "sessions", prefix)
    sa.Table("users", sa.MetaData(), static)
    sa.Table("sessions", sa.MetaData(), prefix)
    by_user = sa.Index("users_static_prefix", static, unique=True)
    by_user.create(connection, checkfirst=True)
    sa.Index("ix_sessions_prefix", prefix).create(connection, checkfirst=True)
    expired = sa.Column("password_expired", sa.Boolean, nullable=False, server_default=sa.false())
    _add(connection, "users", expired)
    attempts = sa.Table(
        "attempts",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user", sa.String(64), nullable=False),
        sa.Column("key", sa.String(192), nullable=False),
        sa.Column("source", sa.String(64), nullable=False, index=True),
        sa.Column("level", sa.Float, nullable=False),
        sa.Column("counted", sa.Float, nullable=False),
        sa.Column("proved", sa.Float),
        sa.UniqueConstraint("key", "source"),
    )
    attempts.create(connection, checkfirst=True)
    weak = sa.Column("weak_sign_ins", sa.JSON, nullable=False, server_default="[]")
    _add(connection, "profiles", weak)
    _add(connection, "users", sa.Column("password", sa.LargeBinary))


def _to_9(connection: sa.Connection) -> None:
    """Limits, where users may go and the networks behind them; what was used, and by whom."""
    for table in ("profiles", "users"):
        limits = sa.Column("limits", sa.JSON, nullable=False, server_default="{}")
        _add(connection, table, limits)
    allow = sa.Column("allow", sa.JSON, nullable=False, server_default="[]")
    _add(connection, "profiles", allow)
    _add(connection, "users", sa.Column("ends", sa.Float))
    networks = sa.Column("networks", sa.JSON, nullable=False, server_default="[]")
    _add(connection, "users", networks)
    behind = sa.Column("networks", sa.Text, nullable=False, server_default="")
    _add(connection, "sessions", behind)
    _add(
        connection, "sessions", sa.Column("counted", sa.Float, nullable=False, server_default=_ZERO)
    )
    relimit = sa.Column("relimit", sa.Boolean, nullable=False, server_default=sa.false())
    _add(connection, "sessions", relimit)
    worker = sa.Column("worker_id", sa.Integer)
    sa.Table("sessions", sa.MetaData(), worker, relimit)
    sa.Index("sessions_relimit", worker, sqlite_where=relimit).create(connection, checkfirst=True)
    metadata = sa.MetaData()
    sa.Table(
        "usage",
        metadata,
        sa.Column("user_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("sent", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("sessions", sa.Integer, nullable=False),
    )
    past = sa.Table(
        "history",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("user", sa.String(64), nullable=False),
        sa.Column("key", sa.String(192), nullable=False, index=True),
        sa.Column("address", sa.BigInteger, index=True),
        sa.Column("prefix", sa.String(16)),
        sa.Column("peer", sa.String(64), nullable=False),
        sa.Column("client", sa.String(128), nullable=False),
        sa.Column("started", sa.Float, nullable=False),
        sa.Column("ended", sa.Float),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("sent", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(128), nullable=False),
    )
    sa.Table(
        "failures",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.Float, nullable=False, index=True),
        sa.Column("user", sa.String(64), nullable=False),
        sa.Column("key", sa.String(192), nullable=False, index=True),
        sa.Column("peer", sa.String(64), nullable=False),
        sa.Column("client", sa.String(128), nullable=False),
        sa.Column("reason", sa.String(128), nullable=False),
        sa.Column("count", sa.Integer, nullable=False, server_default=sa.text("1")),
    )
    sa.Table(
        "traces",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("session", sa.Integer, nullable=False),
        sa.Column("user", sa.String(64), nullable=False),
        sa.Column("whole", sa.Boolean, nullable=False),
        sa.Column("octets", sa.Integer, nullable=False),
        sa.Column("seen", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    of_trace = sa.ForeignKey("traces.id", ondelete="CASCADE")
    sa.Table(
        "trace_records",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("trace_id", of_trace, nullable=False, index=True),
        sa.Column("records", sa.LargeBinary, nullable=False),
    )
    sa.Index("history_times", past.c.started, past.c.ended)
    sa.Index("history_prefix", past.c.prefix, sqlite_where=past.c.prefix.is_not(None))
    metadata.create_all(connection)


#: the first takes version 1 to 2
STEPS: Final[tuple[Callable[[sa.Connection], None], ...]] = (
    _to_2,
    _to_3,
    _to_4,
    _to_5,
    _to_6,
    _to_7,
    _to_8,
    _to_9,
)

SCHEMA_VERSION: Final = len(STEPS) + 1


def _add(connection: sa.Connection, table: str, column: sa.Column[Any]) -> None:
    """Add a column to a table that lacks it."""
    if column.name not in {one["name"] for one in sa.inspect(connection).get_columns(table)}:
        text = CreateColumn(column).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {text}")
