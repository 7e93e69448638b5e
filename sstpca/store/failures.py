"""Logins that failed: who was claimed, from where, and why not. Their number is bounded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ..names import login_names, on_one_line, user_key
from .database import Store
from .prepared import Prepared
from .schema import failures

#: Rows that are kept; above that, the oldest go, whatever the retention is.
KEPT: Final = 100_000

#: What one row may stand for.
_MOST: Final = 1_000_000_000

_LENGTHS: Final = {"user": 64, "key": 192, "peer": 64, "client": 128, "reason": 128}

_ADD: Final = Prepared(
    failures.insert(), columns=[one.name for one in failures.c if one.name != "id"]
)


@dataclass(frozen=True, slots=True)
class Failure:
    """A login that failed, or several.

    :param at: seconds since 1970.
    :param user: who was claimed, fit for a log; empty where it is several.
    :param peer: from where: address and port; where it is several, the source, if it is one.
    :param client: what the client's program calls itself, or empty.
    :param count: how many it stands for.
    """

    at: float
    user: str
    peer: str
    client: str
    reason: str
    count: int = 1


def add(store: Store, found: Sequence[Failure]) -> None:
    """Note logins that failed."""
    with store.directly(writing=True) as transaction:
        transaction.run_for_each(_ADD, map(_row, found))


def _row(one: Failure) -> dict[str, object]:
    texts = {
        "user": one.user,
        "key": _key(one.user),
        "peer": one.peer,
        "client": one.client,
        "reason": one.reason,
    }
    # a worker that strangers have taken over says what it likes
    row: dict[str, object] = {
        name: on_one_line(text[: _LENGTHS[name]])[: _LENGTHS[name]] for name, text in texts.items()
    }
    return row | {"at": one.at, "count": max(1, min(one.count, _MOST))}


def _key(user: str) -> str:
    # of OFFICE\\alice, as the log has it, alice
    return user_key(login_names(user)[-1])


def find(
    store: Store,
    *,
    user: str | None = None,
    since: float | None = None,
    until: float | None = None,
    most: int | None = None,
) -> list[Failure]:
    """Return the newest so many, newest first.

    :param user: those that claimed this name, in any case of letters; None: all.
    """
    statement = sa.select(failures).order_by(failures.c.at.desc(), failures.c.id.desc()).limit(most)
    if user is not None:
        statement = statement.where(failures.c.key == _key(user)[: _LENGTHS["key"]])
    if since is not None:
        statement = statement.where(failures.c.at >= since)
    if until is not None:
        statement = statement.where(failures.c.at <= until)
    with store.reading() as transaction:
        rows = transaction.execute(statement).all()
    return [_failure(row) for row in rows]


def _failure(row: sa.Row[Any]) -> Failure:
    many: int = row._mapping["count"]  # a row has a method of that name
    return Failure(row.at, row.user, row.peer, row.client, row.reason, many)


def count(store: Store, since: float) -> int:
    """Return how many there were since that time."""
    with store.reading() as transaction:
        total = sa.select(sa.func.sum(failures.c.count)).where(failures.c.at >= since)
        return int(transaction.scalar(total) or 0)


def sweep(store: Store, before: float, most: int) -> int:
    """Forget those before that time, and what is above :data:`KEPT`; at most so many at once.

    :returns: how many rows that were.
    """
    with store.writing() as transaction:
        newest = transaction.scalar(sa.select(sa.func.max(failures.c.id))) or 0
        gone = sa.or_(failures.c.at < before, failures.c.id <= newest - KEPT)
        oldest = sa.select(failures.c.id).where(gone).order_by(failures.c.id).limit(most)
        return transaction.execute(failures.delete().where(failures.c.id.in_(oldest))).rowcount
