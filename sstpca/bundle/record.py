"""The record of bundles made: who has which, for what, made when."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ..names import user_key
from ..store import Store, bundles


@dataclass(frozen=True, slots=True)
class Made:
    """One bundle that was made.

    :param made: seconds since 1970.
    :param made_by: the local login of who made it.
    :param authorities: SHA-256 of the authorities' certificates in it, lower-case hexadecimal.
    :param server: what the client connects to, as Windows' ServerAddress.
    :param sha256: of the zip.
    :param path: where the zip was written.
    """

    user: str
    profile: str
    made: float
    made_by: str
    platforms: tuple[str, ...]
    authorities: tuple[str, ...]
    server: str
    connection: str
    sha256: str
    path: str


def record(store: Store, made: Iterable[Made]) -> None:
    """Add what was made.

    :raises SstpcaError: if the database cannot be written.
    """
    rows = [
        {
            "user": one.user,
            "key": user_key(one.user),
            "profile": one.profile,
            "made": one.made,
            "made_by": one.made_by,
            "platforms": list(one.platforms),
            "authorities": list(one.authorities),
            "server": one.server,
            "connection": one.connection,
            "sha256": one.sha256,
            "path": one.path,
        }
        for one in made
    ]
    if rows:
        with store.writing() as connection:
            connection.execute(bundles.insert(), rows)


def latest(store: Store) -> list[Made]:
    """Return the last bundle of each user, by name."""
    last = sa.select(sa.func.max(bundles.c.id)).group_by(bundles.c.key)
    with store.reading() as connection:
        rows = connection.execute(
            sa.select(bundles).where(bundles.c.id.in_(last)).order_by(bundles.c.key)
        ).all()
    return [_made(row) for row in rows]


def history(store: Store, user: str) -> list[Made]:
    """Return all bundles of ``user``, the newest first."""
    statement = sa.select(bundles).where(bundles.c.key == user_key(user))
    with store.reading() as connection:
        rows = connection.execute(statement.order_by(bundles.c.id.desc())).all()
    return [_made(row) for row in rows]


def _made(row: sa.Row[Any]) -> Made:
    return Made(
        user=row.user,
        profile=row.profile,
        made=row.made,
        made_by=row.made_by,
        platforms=tuple(row.platforms),
        authorities=tuple(row.authorities),
        server=row.server,
        connection=row.connection,
        sha256=row.sha256,
        path=row.path,
    )
