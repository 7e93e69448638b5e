"""What users have used in whole months, out of the table that usage.py writes day by day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from .database import Store, Transaction
from .schema import history, usage, users

_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Total:
    """What a user has used in a month of the server's time zone.

    :param user: the name; of who is gone, the last one that the history has, or empty.
    :param month: its first day.
    :param received: bytes of IP packets, from the server's side, as ``sent``.
    :param seconds: how long the sessions lasted, together.
    :param sessions: how many began.
    """

    user: str
    month: date
    received: int
    sent: int
    seconds: float
    sessions: int


def totals(store: Store, months: Sequence[date], user: int | None = None) -> list[Total]:
    """Return them month by month, in each who used the most first.

    :param months: the first day of each.
    :param user: the number of one; None: all.
    """
    with store.reading() as transaction:
        return [one for month in months for one in _of_month(transaction, month, user)]


def _of_month(transaction: Transaction, month: date, user: int | None) -> list[Total]:
    following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    first, end = (one.toordinal() - _EPOCH for one in (month, following))
    names = ("received", "sent", "seconds", "sessions")
    sums = [sa.func.sum(usage.c[name]).label(name) for name in names]
    statement = (
        sa.select(usage.c.user_id, *sums)
        .where(usage.c.day >= first, usage.c.day < end)
        .group_by(usage.c.user_id)
        .order_by((sa.func.sum(usage.c.received) + sa.func.sum(usage.c.sent)).desc())
    )
    if user is not None:
        statement = statement.where(usage.c.user_id == user)
    rows = transaction.execute(statement).all()
    known = _names(transaction, {row.user_id for row in rows})
    return [
        Total(known.get(row.user_id, ""), month, row.received, row.sent, row.seconds, row.sessions)
        for row in rows
    ]


def _names(transaction: Transaction, numbers: set[int]) -> dict[int, str]:
    """Return what users are called, or were."""
    there = {row.id: row.name for row in transaction.execute(sa.select(users.c.id, users.c.name))}
    gone = numbers - there.keys()
    if gone:
        last = (
            sa.select(history.c.user_id, history.c.user)
            .where(history.c.user_id.in_(gone))
            .order_by(history.c.id)
        )
        there |= {row.user_id: row.user for row in transaction.execute(last)}
    return there
