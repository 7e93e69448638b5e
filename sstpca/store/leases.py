"""Which address a login is promised; what is written of it is in sessions.py.

A user has at most as many addresses as the access profile allows sessions, promises among them.
Who knows a password, or relays somebody's login, gets no further than to a promise: it takes
nothing from anybody. A user's static address, and all that the user may have when there is no more,
are promised while a session or another promise of the same user has them still, and change hands
when the binding holds: a client that comes back after a broken connection finds its old session
there for up to two minutes, and must not be kept out by it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from .prepared import Direct, Prepared
from .schema import pools, sessions, users

#: One user's promises keep at most one in so many of a profile's addresses from the others.
_SHARE: Final = 4

#: Addresses asked about in one query when a free one is looked for.
_PROBE: Final = 256

# built once, as a server asks for each login
_OWN: Final = Prepared(
    sa.select(sessions.c.id, sessions.c.address, sessions.c.promised, sessions.c.heard).where(
        sessions.c.user_id == sa.bindparam("user")
    )
)
_POOLS: Final = Prepared(
    sa.select(pools.c.first, pools.c.last)
    .where(pools.c.profile_id == sa.bindparam("profile"))
    .order_by(pools.c.first)
)
_HOLDER: Final = Prepared(
    sa.select(sessions.c.id).where(
        sessions.c.address == sa.bindparam("of"), sessions.c.user_id != sa.bindparam("but")
    )
)
_TAKEN: Final = Prepared(
    sa.union(
        *(
            sa.select(column).where(column.between(sa.bindparam("first"), sa.bindparam("last")))
            for column in (sessions.c.address, sessions.c.promised, users.c.static_address)
        )
    )
)
# those that count, the one heard of last first
_RUNNING: Final = Prepared(
    sa.select(sessions.c.id)
    .where(
        sessions.c.user_id == sa.bindparam("user"),
        sessions.c.id != sa.bindparam("but"),
        sessions.c.promised.is_(None),
        sessions.c.kill.is_(None),
    )
    .order_by(sessions.c.heard.desc(), sessions.c.id.desc())
)


@dataclass(frozen=True, slots=True)
class Promise:
    """An address for a login.

    :param free: whether nobody has it: the promise then keeps it from others.
    """

    address: int
    free: bool


def choose(
    transaction: Direct, user: int, *, profile: int, most: int, static_address: int | None
) -> Promise | None:
    """Return an address for a login of ``user``; None when there is none.

    :param user: the user's number; ``profile`` is that of their access profile.
    :param most: how many sessions a user of it may have.
    """
    if static_address is not None:
        foreign = held_by_another(transaction, static_address, user)
        return None if foreign else Promise(static_address, free=False)
    own = transaction.all(_OWN, user=user)
    ranges = [range(row.first, row.last + 1) for row in transaction.all(_POOLS, profile=profile)]
    kept = sum(row.promised is not None and row.address is not None for row in own)
    share = max(1, sum(map(len, ranges)) // _SHARE)
    if len({_address(row) for row in own} - {None}) < most and kept < share:
        free = _free_address(transaction, ranges, user * 7)
        if free is not None:
            return Promise(free, free=True)
    return _shared(own)


def held_by_another(transaction: Direct, address: int, user: int) -> bool:
    """Return whether a session of another user than ``user`` has the address."""
    return transaction.first(_HOLDER, of=address, but=user) is not None


def surplus(transaction: Direct, user: int, session: int, most: int) -> Sequence[int]:
    """Return what the user has beside ``session`` above ``most``: that may be less than it was."""
    running = [row.id for row in transaction.all(_RUNNING, user=user, but=session)]
    return running[most - 1 :]


def _address(row: Any) -> int | None:
    """Return the address that a session has or was promised; None if it has lost it."""
    address: int | None = row.address if row.promised is None else row.promised
    return address


def _shared(own: Sequence[Any]) -> Promise | None:
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


def _free_address(transaction: Direct, ranges: Sequence[range], start: int) -> int | None:
    """Return a free address of the pools; the same ``start`` tends to get the same one."""
    for some in spans(ranges, start):
        taken = {address for (address,) in transaction.all(_TAKEN, first=some[0], last=some[-1])}
        free = next((address for address in some if address not in taken), None)
        if free is not None:
            return free
    return None


def spans(ranges: Sequence[range], start: int, size: int = _PROBE) -> Iterator[range]:
    """Yield every number of the ranges once, beginning ``start`` numbers in (modulo their count).

    :param size: of each span, at most.
    """
    start %= max(1, sum(map(len, ranges)))
    begun, rest = [], []
    for one in ranges:
        begun.append(one[start:])
        rest.append(one[:start])
        start = max(0, start - len(one))
    for one in (*begun, *rest):
        for offset in range(0, len(one), size):
            yield one[offset : offset + size]
