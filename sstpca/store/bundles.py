"""The record of bundles made: who has which, for what, made when."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ..names import user_key
from ..secrets import Sealer
from .database import Store, Transaction
from .schema import bundles

# what is not there is an empty text in these columns
_OR_EMPTY: Final = ("templates", "certificate", "sha256", "mark")


@dataclass(frozen=True, slots=True)
class Made:
    """One bundle that was made.

    :param made: seconds since 1970.
    :param made_by: the local login of who made it.
    :param authorities: SHA-256 of the authorities' certificates in it, lower-case hexadecimal.
    :param server: what the client connects to, as Windows' ServerAddress.
    :param language: of its texts.
    :param templates: the administrator's folder of templates.
    :param told: a digest of what the client was told beside that, see bundle/content/told.py.
    :param certificate: SHA-256 of the user's certificate in it.
    :param sha256: of the zip; None if a password is in it.
    :param mark: what secrets.Sealer.mark makes of that digest, by which a zip is known again; None
        of a bundle of before there were marks.
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
    language: str
    templates: str | None
    told: str
    certificate: str | None
    sha256: str | None
    mark: str | None
    path: str


def record(store: Store, made: Iterable[Made]) -> None:
    """Add what was made.

    :raises SstpcaError: if the database cannot be written.
    """
    with store.writing() as transaction:
        add(transaction, made)


def add(transaction: Transaction, made: Iterable[Made]) -> None:
    """Add what was made in the caller's transaction (Store.writing)."""
    rows = [
        {name: getattr(one, name) for name in Made.__slots__}
        | {name: getattr(one, name) or "" for name in _OR_EMPTY}
        | {
            "key": user_key(one.user),
            "platforms": list(one.platforms),
            "authorities": list(one.authorities),
        }
        for one in made
    ]
    if rows:
        transaction.execute(bundles.insert(), rows)


def find(store: Store, sealer: Sealer, sha256: str) -> Made | None:
    """Return the newest bundle whose zip has this SHA-256, in lower-case hexadecimal."""
    known = bundles.c.mark == sealer.mark(sha256)
    # those of before there were marks
    known |= (bundles.c.sha256 == sha256) & (bundles.c.mark == "")
    with store.reading() as transaction:
        statement = sa.select(bundles).where(known).order_by(bundles.c.id.desc())
        row = transaction.execute(statement).first()
    return None if row is None else _made(row)


def latest(store: Store) -> list[Made]:
    """Return the last bundle of each user, by name."""
    last = sa.select(sa.func.max(bundles.c.id)).group_by(bundles.c.key)
    with store.reading() as transaction:
        rows = transaction.execute(
            sa.select(bundles).where(bundles.c.id.in_(last)).order_by(bundles.c.key)
        ).all()
    return [_made(row) for row in rows]


def latest_by_platform(store: Store) -> dict[str, dict[str, Made]]:
    """Return the last bundle for each system of each user, by names.user_key, then by platform."""
    statement = sa.select(bundles).order_by(bundles.c.key, bundles.c.id)
    found: dict[str, dict[str, Made]] = {}
    with store.reading() as transaction:
        for row in transaction.execute(statement):
            made = _made(row)
            found.setdefault(row.key, {}).update(dict.fromkeys(made.platforms, made))
    return found


def history(store: Store, user: str) -> list[Made]:
    """Return all bundles of ``user``, the newest first."""
    statement = sa.select(bundles).where(bundles.c.key == user_key(user))
    with store.reading() as transaction:
        rows = transaction.execute(statement.order_by(bundles.c.id.desc())).all()
    return [_made(row) for row in rows]


def _made(row: sa.Row[Any]) -> Made:
    values = {name: row._mapping[name] for name in Made.__slots__}
    lists = {name: tuple(values[name]) for name in ("platforms", "authorities")}
    return Made(**{**values, **lists, **{name: values[name] or None for name in _OR_EMPTY}})
