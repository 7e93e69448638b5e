"""What each user has used on each day of the server's time zone: bytes, time, sessions.

A row is written with what a worker writes of its sessions anyway. What a worker that dies has not
written is the traffic since its last beat.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import sqlalchemy as sa

from ..access.limits import day_of, midnight, number_of
from .database import Store, Transaction
from .prepared import Direct, Prepared
from .schema import sessions, usage, workers

_USER = sa.bindparam("of", type_=sa.Integer)
_DAY = sa.bindparam("on", type_=sa.Integer)
_OF_DAY: Final = sa.and_(usage.c.user_id == _USER, usage.c.day == _DAY)
_ZEROS: Final[list[sa.ColumnElement[int]]] = [sa.literal_column("0")] * 4

# built once, as they are run with each beat
_BEGINNING: Final = usage.insert().from_select(
    [one.name for one in usage.c],
    sa.select(_USER, _DAY, *_ZEROS).where(~sa.exists().where(_OF_DAY)),
)
_ADDING: Final = (
    usage.update()
    .where(_OF_DAY)
    .values(
        received=usage.c.received + sa.bindparam("in"),
        sent=usage.c.sent + sa.bindparam("out"),
        seconds=usage.c.seconds + sa.bindparam("time"),
        sessions=usage.c.sessions + sa.bindparam("begun"),
    )
)
_BEGIN, _ADD = Prepared(_BEGINNING), Prepared(_ADDING)
_BYTES: Final = usage.c.received + usage.c.sent
_USED: Final = Prepared(
    sa.select(
        sa.func.coalesce(sa.func.sum(sa.case((usage.c.day == _DAY, _BYTES), else_=0)), 0).label(
            "today"
        ),
        sa.func.coalesce(sa.func.sum(_BYTES), 0).label("month"),
    ).where(usage.c.user_id == _USER, usage.c.day >= sa.bindparam("first"))
)


@dataclass(frozen=True, slots=True)
class Used:
    """What a session has used since this was last written of it.

    :param user: the user's number.
    :param received: bytes from the client; ``sent``: to it.
    :param since: from when, seconds since 1970; ``until``: to when.
    :param begun: 1 if this is the session's beginning, else 0.
    """

    user: int
    received: int
    sent: int
    since: float
    until: float
    begun: int = 0


def add(transaction: Direct, used: Iterable[Used]) -> None:
    """Add to the rows of the users what their sessions have used, one statement for all.

    Time that goes over midnight is of both days. Bytes are of the day on which they are written: at
    most a beat after they passed.
    """
    rows = [row for one in used for row in _rows(one)]
    transaction.run_for_each(_BEGIN, rows)
    transaction.run_for_each(_ADD, rows)


def end_with_workers(transaction: Transaction, dead: sa.ColumnElement[bool]) -> None:
    """Count the time of sessions whose workers are dead, until those were last seen.

    :param dead: which rows of the table of workers.
    """
    left = sa.select(sessions.c.user_id, sessions.c.counted, workers.c.seen).join(
        workers, sessions.c.worker_id == workers.c.id
    )
    found = transaction.execute(left.where(dead, sessions.c.counted > 0)).all()
    used = (Used(row.user_id, 0, 0, row.counted, row.seen) for row in found)
    for row in (row for one in used for row in _rows(one)):
        transaction.execute(_BEGINNING, row)
        transaction.execute(_ADDING, row)


def _rows(one: Used) -> list[dict[str, object]]:
    last = day_of(one.until)
    day = min(day_of(one.since), last)
    rows: list[dict[str, object]] = []
    start = one.since
    while day < last:
        end = midnight(day + timedelta(days=1))
        rows.append(_row(one.user, day, end - start))
        day, start = day + timedelta(days=1), end
    final = _row(one.user, last, max(0.0, one.until - start))
    final |= {"in": one.received, "out": one.sent}
    rows.append(final)
    rows[0]["begun"] = one.begun
    return rows


def _row(user: int, day: date, seconds: float) -> dict[str, object]:
    number = number_of(day)
    return {"of": user, "on": number, "in": 0, "out": 0, "time": seconds, "begun": 0}


@dataclass(frozen=True, slots=True)
class Volume:
    """The bytes of a user's sessions, both ways together: of one day, and of its month until now."""

    day: int
    month: int


def used(store: Store, user: int, day: date) -> Volume:
    """Return what the sessions of ``user``, a number, have used on ``day`` and in its month."""
    with store.directly(writing=False) as transaction:
        first = number_of(day.replace(day=1))
        row = transaction.first(_USED, of=user, on=number_of(day), first=first)
    return Volume(row.today, row.month)
