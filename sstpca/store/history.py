"""Every session there was: who had which address, from where, from when to when, and why it ended.

A row is begun in the transaction that makes a login a session, and ended in the one that frees its
address: sessions.py calls. While it goes on, what it carried is in the table of sessions.
"""

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Any, Final

import sqlalchemy as sa

from ..access import ipv6
from ..names import on_one_line, user_key
from .database import Store, Transaction
from .prepared import Direct, Prepared
from .schema import history, sessions, workers

#: Why a session ended of which nobody could say more.
UNEXPECTED: Final = "the server ended unexpectedly"

_REASON: Final = 128
_NO_REASON: Final = "no reason was given"

_BEGIN: Final = Prepared(history.insert(), columns=[one.name for one in history.c])
_ENDING: Final = (
    history.update()
    .where(history.c.id == sa.bindparam("session"))
    .values(
        ended=sa.bindparam("at"),
        received=sa.bindparam("in"),
        sent=sa.bindparam("out"),
        reason=sa.bindparam("why"),
    )
)
_END: Final = Prepared(_ENDING)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a session ended.

    :param at: seconds since 1970.
    :param received: bytes of IP packets, from the server's side, as ``sent``.
    """

    session: int
    at: float
    reason: str
    received: int
    sent: int


def begin(transaction: Direct, session: int, row: Any) -> None:
    """Note that a login has become a session.

    :param row: of the table of sessions, with the address in ``promised``.
    """
    transaction.run(
        _BEGIN,
        id=session,
        user_id=row.user_id,
        user=row.user,
        key=user_key(row.user),
        address=row.promised,
        prefix=row.prefix,
        peer=row.peer,
        client=row.client,
        started=row.started,
        ended=None,
        received=0,
        sent=0,
        reason="",
    )


def end(transaction: Direct, ended: Collection[Ended]) -> None:
    """Note that sessions have ended; one that is not kept is no error."""
    rows = [
        {
            "session": one.session,
            "at": one.at,
            "in": one.received,
            "out": one.sent,
            "why": on_one_line(one.reason[:_REASON])[:_REASON] or _NO_REASON,
        }
        for one in ended
    ]
    transaction.run_for_each(_END, rows)


# when its worker was last seen; a session may have begun since
_SEEN: Final = sa.case(
    (workers.c.seen < sessions.c.started, sessions.c.started), else_=workers.c.seen
)


def end_with_workers(transaction: Transaction, dead: sa.ColumnElement[bool]) -> None:
    """Note that the sessions of workers have ended that are to be removed: they are dead.

    :param dead: which rows of the table of workers.
    """
    found = sa.select(sessions.c.id, sessions.c.received, sessions.c.sent, _SEEN.label("seen"))
    joined = found.join(workers, sessions.c.worker_id == workers.c.id)
    rows = [
        {"session": row.id, "at": row.seen, "in": row.received, "out": row.sent, "why": UNEXPECTED}
        for row in transaction.execute(joined.where(dead))
    ]
    if rows:
        transaction.execute(_ENDING, rows)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sessions are asked for.

    :param user: in any case of letters; None: of all.
    :param since: those that went on at that time or later, ``until``: at that time or before.
    :param address: those that had it, or the prefix that it is in.
    :param most: the newest so many; None: all.
    """

    user: str | None = None
    since: float | None = None
    until: float | None = None
    address: IPv4Address | IPv6Address | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class PastSession:
    """A session that there was, or is; bytes are of IP packets, from the server's side.

    :param ended: None while it goes on.
    :param reason: why it ended; empty while it goes on.
    """

    id: int
    user: str
    address: str
    prefix: str
    peer: str
    client: str
    started: float
    ended: float | None
    received: int
    sent: int
    reason: str


def find(store: Store, wanted: Wanted, *, alive: float) -> list[PastSession]:
    """Return the sessions that are asked for, the newest first.

    :param alive: when a worker was seen last, at least, that is no dead one. What a dead one left
        ended when that was last seen, as the next start of the server will write it.
    """
    statement = (
        sa.select(
            history,
            sessions.c.received.label("received_now"),
            sessions.c.sent.label("sent_now"),
            sa.case((workers.c.seen >= alive, None), else_=_SEEN).label("seen"),
        )
        .outerjoin(sessions, sessions.c.id == history.c.id)
        .outerjoin(workers, workers.c.id == sessions.c.worker_id)
        .where(*_conditions(wanted))
        .order_by(history.c.started.desc(), history.c.id.desc())
        .limit(wanted.most)
    )
    with store.reading() as transaction:
        rows = transaction.execute(statement).all()
    return [_past(row) for row in rows]


def _conditions(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.user is not None:
        found.append(history.c.key == user_key(wanted.user))
    if wanted.until is not None:
        found.append(history.c.started <= wanted.until)
    if wanted.since is not None:
        found.append(sa.or_(history.c.ended.is_(None), history.c.ended >= wanted.since))
    match wanted.address:
        case IPv4Address():
            found.append(history.c.address == int(wanted.address))
        case IPv6Address():
            found.append(
                history.c.prefix == ipv6.digits(IPv6Network((int(wanted.address) >> 64 << 64, 64)))
            )
    return found


def _past(row: sa.Row[Any]) -> PastSession:
    ended, reason = row.ended, row.reason
    if ended is None and (row.seen is not None or row.received_now is None):
        ended, reason = row.seen or row.started, UNEXPECTED
    return PastSession(
        id=row.id,
        user=row.user,
        address=str(IPv4Address(row.address)) if row.address is not None else "",
        prefix=str(ipv6.from_digits(row.prefix)) if row.prefix is not None else "",
        peer=row.peer,
        client=row.client,
        started=row.started,
        ended=ended,
        received=row.received if row.received_now is None else row.received_now,
        sent=row.sent if row.sent_now is None else row.sent_now,
        reason=reason,
    )


def count_begun(store: Store, since: float) -> int:
    """Return how many sessions have begun since that time."""
    with store.reading() as transaction:
        begun = sa.select(sa.func.count()).where(history.c.started >= since)
        return int(transaction.scalar(begun) or 0)


def sweep(store: Store, before: float, most: int) -> int:
    """Forget sessions that ended, and began before that time; at most so many at once.

    :returns: how many that were.
    """
    oldest = (
        sa.select(history.c.id)
        .where(history.c.started < before, history.c.ended.is_not(None))
        .order_by(history.c.started)
        .limit(most)
    )
    with store.writing() as transaction:
        return transaction.execute(history.delete().where(history.c.id.in_(oldest))).rowcount
