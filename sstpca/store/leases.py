"""Which address a login is promised, and how it becomes a session's when the crypto binding holds.

A user has at most as many addresses as the access profile allows sessions, promises among them.
Who knows a password, or relays somebody's login, gets no further than to a promise: it takes
nothing from anybody. A user's static address, and all that the user may have when there is no more,
are promised while a session or another promise of the same user has them still, and change hands
when the binding holds: a client that comes back after a broken connection finds its old session
there for up to two minutes, and must not be kept out by it.
"""

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from sstpca.server.contracts import Account

from . import database as tables
from .database import now

#: What an older session is told that ends for a newer one.
REPLACED: Final = "replaced by a newer login of the same user"

#: One user's promises keep at most one in so many of a profile's addresses from the others.
_SHARE: Final = 4

#: Addresses asked about in one query when a free one is looked for.
_PROBE: Final = 256


@dataclass(frozen=True, slots=True)
class Promise:
    """An address for a login.

    :param free: whether nobody has it: the promise then keeps it from others.
    """

    address: int
    free: bool


def promise(
    connection: sa.Connection,
    account: Account,
    *,
    profile: int,
    most: int,
    static_address: int | None,
) -> Promise | None:
    """Return an address for a login of ``account``; None when there is none.

    :param profile: the id of the user's access profile.
    :param most: how many sessions a user of it may have.
    """
    if static_address is not None:
        foreign = _holder(connection, static_address, but=account.id)
        return None if foreign else Promise(static_address, free=False)
    own = _rows_of(connection, account.id)
    pools = _pools(connection, profile)
    kept = sum(row.promised is not None and row.address is not None for row in own)
    share = max(1, sum(map(len, pools)) // _SHARE)
    if len({_address(row) for row in own} - {None}) < most and kept < share:
        free = _free_address(connection, pools, account.id * 7)
        if free is not None:
            return Promise(free, free=True)
    return _shared(own)


def keep(connection: sa.Connection, session: int) -> str:
    """Make a session of what was promised; older sessions that are one too many are told to end.

    :returns: why that cannot be; empty if it is done.
    """
    sessions = tables.sessions
    row = connection.execute(sa.select(sessions).where(sessions.c.id == session)).first()
    if row is None:
        return "its lease was taken away"
    if row.kill is not None:
        return str(row.kill)
    if row.promised is None:
        return ""
    if row.address is None and not _take_over(connection, row.promised, row.user_id):
        return "no address is free"
    connection.execute(
        sessions.update()
        .where(sessions.c.id == session)
        .values(address=row.promised, promised=None, heard=now())
    )
    _end_surplus(connection, row.user_id, session)
    return ""


def _rows_of(connection: sa.Connection, user: int) -> list[sa.Row[Any]]:
    sessions = tables.sessions
    columns = (sessions.c.id, sessions.c.address, sessions.c.promised, sessions.c.heard)
    return list(connection.execute(sa.select(*columns).where(sessions.c.user_id == user)))


def _address(row: sa.Row[Any]) -> int | None:
    """Return the address that a session has or was promised; None if it has lost it."""
    address: int | None = row.address if row.promised is None else row.promised
    return address


def _shared(own: list[sa.Row[Any]]) -> Promise | None:
    """Promise what another login of the user was promised, or else what a session of the user has.

    That of the session that has been silent for the longest time: it is the likeliest to be dead.
    """
    claims = Counter(map(_address, own))
    holders = [row for row in own if row.address is not None]
    if not holders:
        return None
    chosen = min(
        holders, key=lambda row: (row.promised is None, claims[row.address], row.heard, row.id)
    )
    return Promise(chosen.address, free=False)


def _holder(connection: sa.Connection, address: int, *, but: int) -> int | None:
    """Return the session of another user than ``but`` that has the address."""
    sessions = tables.sessions
    return connection.scalar(
        sa.select(sessions.c.id).where(sessions.c.address == address, sessions.c.user_id != but)
    )


def _take_over(connection: sa.Connection, address: int, user: int) -> bool:
    """Free the address for another session of the user; return whether it is free then.

    A session that has it ends. A promise goes on as one that nobody keeps an address for.
    """
    sessions = tables.sessions
    holding = (sessions.c.address == address) & (sessions.c.user_id == user)
    ends = sa.case(
        (sessions.c.promised.is_(None), sa.func.coalesce(sessions.c.kill, REPLACED)),
        else_=sessions.c.kill,
    )
    connection.execute(sessions.update().where(holding).values(address=None, kill=ends))
    return _holder(connection, address, but=user) is None


def _end_surplus(connection: sa.Connection, user: int, session: int) -> None:
    """End what the user has too much beside ``session``: the limit may be lower than it was."""
    sessions, people, profiles = tables.sessions, tables.users, tables.profiles
    most = connection.scalar(
        sa.select(profiles.c.sessions)
        .join(people, people.c.profile_id == profiles.c.id)
        .where(people.c.id == user)
    )
    surplus = (
        sa.select(sessions.c.id)
        .where(
            sessions.c.user_id == user,
            sessions.c.id != session,
            sessions.c.promised.is_(None),
            sessions.c.kill.is_(None),
        )
        .order_by(sessions.c.heard.desc(), sessions.c.id.desc())
        .offset((most or 1) - 1)
    )
    numbers = connection.scalars(surplus).all()
    connection.execute(sessions.update().where(sessions.c.id.in_(numbers)).values(kill=REPLACED))


def _pools(connection: sa.Connection, profile: int) -> list[range]:
    pools = tables.pools
    rows = connection.execute(
        sa.select(pools).where(pools.c.profile_id == profile).order_by(pools.c.first)
    )
    return [range(row.first, row.last + 1) for row in rows]


def _free_address(connection: sa.Connection, pools: list[range], start: int) -> int | None:
    """Return a free address of the pools; the same ``start`` tends to get the same one."""
    sessions, people = tables.sessions, tables.users
    candidates = _from(pools, start)
    while some := list(itertools.islice(candidates, _PROBE)):
        columns = (sessions.c.address, sessions.c.promised, people.c.static_address)
        taken = set(
            connection.scalars(
                sa.union(*(sa.select(column).where(column.in_(some)) for column in columns))
            )
        )
        free = next((address for address in some if address not in taken), None)
        if free is not None:
            return free
    return None


def _from(ranges: list[range], start: int) -> Iterator[int]:
    """Yield every number of the ranges once, beginning ``start`` numbers in (modulo their count)."""
    total = sum(map(len, ranges))
    if total:
        start %= total
        everything = itertools.chain.from_iterable
        yield from itertools.islice(everything(ranges), start, None)
        yield from itertools.islice(everything(ranges), start)
