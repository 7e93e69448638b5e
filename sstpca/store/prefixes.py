"""Which IPv6 prefix goes with the address that a login is promised; what is written is in sessions.py.

A prefix stays with its address: a login that is promised the address of another session of its user,
to take it over when the binding holds, is promised the prefix of that one as well. A user's static
prefix is as a static address is: it belongs to one session of the user at a time, the newest.
"""

from ipaddress import IPv6Network
from typing import Final

import sqlalchemy as sa

from ..access import ipv6
from .leases import spans
from .prepared import Direct, Prepared
from .schema import sessions, users

_WITH_PREFIX: Final = Prepared(
    sa.select(sessions.c.user_id, sessions.c.address, sessions.c.promised)
    .where(sessions.c.prefix == sa.bindparam("of"))
    .order_by(sessions.c.id.desc())
)
_OF_ADDRESS: Final = Prepared(
    sa.select(sessions.c.prefix)
    .where(
        sessions.c.user_id == sa.bindparam("user"),
        sessions.c.prefix.is_not(None),
        (sessions.c.address == sa.bindparam("address"))
        | (sessions.c.promised == sa.bindparam("address")),
    )
    .order_by(sessions.c.id.desc())
)
_TAKEN: Final = Prepared(
    sa.union(
        *(
            sa.select(column).where(column.between(sa.bindparam("first"), sa.bindparam("last")))
            for column in (sessions.c.prefix, users.c.static_prefix)
        )
    )
)
_STATIC: Final = Prepared(sa.select(users.c.id).where(users.c.static_prefix == sa.bindparam("of")))


def held_by_another(transaction: Direct, prefix: str, user: int) -> bool:
    """Return whether a session of another user than ``user`` has the prefix."""
    return any(row.user_id != user for row in transaction.all(_WITH_PREFIX, of=prefix))


def address_with(transaction: Direct, prefix: str, user: int) -> int | None:
    """Return the address of the user's own session that has the prefix; None if there is none."""
    for row in transaction.all(_WITH_PREFIX, of=prefix):
        address: int | None = row.address if row.promised is None else row.promised
        if row.user_id == user and address is not None:
            return address
    return None


def choose(
    transaction: Direct, user: int, *, address: int, out_of: IPv6Network, static: str | None
) -> str | None:
    """Return the prefix for a login of ``user`` that is promised ``address``; None if none is free.

    :param user: the user's number.
    :param out_of: the prefix of the user's access profile.
    :param static: the user's own.
    """
    if static is not None:
        return static
    for row in transaction.all(_OF_ADDRESS, user=user, address=address):
        kept = str(row.prefix)
        if ipv6.from_digits(kept).subnet_of(out_of) and not transaction.all(_STATIC, of=kept):
            return kept
    first = int(ipv6.digits(out_of), 16)
    # the first /64 is the server's
    numbers = range(first + 1, first + (1 << ipv6.SESSION_PREFIX - out_of.prefixlen))
    return _free(transaction, numbers, user * 7)


def _free(transaction: Direct, numbers: range, start: int) -> str | None:
    """Return a free one of ``numbers``; the same ``start`` tends to get the same one."""
    for some in spans([numbers], start):
        ends = {"first": f"{some[0]:016x}", "last": f"{some[-1]:016x}"}
        taken = {prefix for (prefix,) in transaction.all(_TAKEN, **ends)}
        free = next((one for number in some if (one := f"{number:016x}") not in taken), None)
        if free is not None:
            return free
    return None
