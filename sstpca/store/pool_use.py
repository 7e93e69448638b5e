"""How many addresses the pools of each access profile have, and how many somebody has."""

from dataclasses import dataclass

import sqlalchemy as sa

from .database import Transaction
from .schema import pools, profiles, sessions, users


@dataclass(frozen=True, slots=True)
class PoolUse:
    """The addresses of an access profile.

    :param used: those of its users' sessions, and those promised to logins; a static address counts,
        whether it is in the pools or not.
    """

    addresses: int
    used: int


def pool_use(transaction: Transaction) -> dict[str, PoolUse]:
    """Return that for each access profile, by its name."""
    size = (
        sa.select(pools.c.profile_id, sa.func.sum(pools.c.last - pools.c.first + 1).label("n"))
        .group_by(pools.c.profile_id)
        .subquery()
    )
    has_one = sa.func.coalesce(sessions.c.address, sessions.c.promised)
    used = (
        sa.select(users.c.profile_id, sa.func.count(has_one.distinct()).label("n"))
        .join(sessions, sessions.c.user_id == users.c.id)
        .group_by(users.c.profile_id)
        .subquery()
    )
    rows = transaction.execute(
        sa.select(profiles.c.name, size.c.n.label("size"), used.c.n.label("used"))
        .outerjoin(size, size.c.profile_id == profiles.c.id)
        .outerjoin(used, used.c.profile_id == profiles.c.id)
        .order_by(profiles.c.name)
    )
    return {row.name: PoolUse(row.size or 0, row.used or 0) for row in rows}
