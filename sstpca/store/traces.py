"""Traces that somebody waits for, and what came of them until he fetches it.

Whoever asks for one says all the time that he still waits: an order that nobody waits for any more is
none, and goes with what is left of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from .database import Store, now
from .prepared import Direct, Prepared
from .schema import trace_records, traces, workers

#: Seconds without a word after which nobody waits for a trace any more.
STALE: Final = 10.0

#: Seconds after which a worker counts as dead.
_DEAD: Final = 30.0

#: Bytes that wait to be fetched, of one trace: who does not fetch them loses what comes.
WAITING: Final = 16 << 20

_ALL: Final = Prepared(sa.select(traces).where(traces.c.seen >= sa.bindparam("since")))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A trace that somebody waits for.

    :param session: the number of a session; 0: it is the user's.
    :param user: whose sessions and logins, by name; empty: it is the session's.
    :param whole: whether IP packets are wanted with what they carry.
    :param octets: how many bytes, at most.
    """

    id: int
    session: int
    user: str
    whole: bool
    octets: int


def order(store: Store, *, session: int, user: str, whole: bool, octets: int) -> int:
    """Ask for a trace; return its number. What nobody waits for any more goes."""
    with store.writing() as transaction:
        transaction.execute(traces.delete().where(traces.c.seen < now() - STALE))
        statement = traces.insert().returning(traces.c.id)
        values = {"session": session, "user": user, "whole": whole, "octets": octets, "seen": now()}
        number: int = transaction.scalar(statement, values)
        return number


def fetch(store: Store, number: int) -> list[bytes]:
    """Say that somebody still waits, and return what came since the last time."""
    mine = trace_records.c.trace_id == number
    with store.writing() as transaction:
        transaction.execute(traces.update().where(traces.c.id == number).values(seen=now()))
        rows = transaction.execute(sa.select(trace_records).where(mine).order_by("id")).all()
        if rows:
            transaction.execute(trace_records.delete().where(mine))
    return [row.records for row in rows]


def cancel(store: Store, number: int) -> None:
    """Nobody waits for it any more."""
    with store.writing() as transaction:
        transaction.execute(trace_records.delete().where(trace_records.c.trace_id == number))
        transaction.execute(traces.delete().where(traces.c.id == number))


def serving(store: Store) -> bool:
    """Whether there is a server to trace anything."""
    with store.reading() as transaction:
        alive = sa.select(workers.c.id).where(workers.c.seen >= now() - _DEAD)
        return transaction.scalar(alive.limit(1)) is not None


def wanted(transaction: Direct) -> Sequence[Wanted]:
    """Return the traces that somebody waits for; workers ask for it once a second."""
    rows = transaction.all(_ALL, since=now() - STALE)
    return [Wanted(row.id, row.session, row.user, row.whole, row.octets) for row in rows]


def put(store: Store, number: int, records: bytes) -> None:
    """Keep what came of a trace until it is fetched, if it is still wanted and there is room."""
    with store.writing() as transaction:
        size = sa.select(sa.func.coalesce(sa.func.sum(sa.func.length(trace_records.c.records)), 0))
        waiting = transaction.scalar(size.where(trace_records.c.trace_id == number)) or 0
        there = transaction.scalar(sa.select(traces.c.id).where(traces.c.id == number))
        if there is not None and waiting + len(records) <= WAITING:
            transaction.execute(trace_records.insert().values(trace_id=number, records=records))
