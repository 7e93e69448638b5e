"""The limits that hold for a user, as logins and running sessions are held to them."""

import time
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ..access import limits
from ..access.limits import Limits, day_of
from ..access.quantities import volume_text
from . import schema, usage
from .database import Store
from .prepared import Direct, Prepared

#: What :func:`held` reads, of a join of users and access profiles.
OF_USERS: Final = (schema.users.c.limits.label("own_limits"), schema.users.c.ends)
OF_PROFILES: Final = (
    schema.profiles.c.limits.label("profile_limits"),
    schema.profiles.c.sessions.label("most"),
)
COLUMNS: Final = (*OF_USERS, *OF_PROFILES)

_WITH_PROFILE: Final = schema.users.c.profile_id == schema.profiles.c.id
_OF_USER: Final = Prepared(
    sa.select(*COLUMNS)
    .join_from(schema.users, schema.profiles, _WITH_PROFILE)
    .where(schema.users.c.id == sa.bindparam("user"))
)
_CHANGED: Final = Prepared(
    sa.select(schema.sessions.c.id, *COLUMNS)
    .join_from(schema.sessions, schema.users, schema.sessions.c.user_id == schema.users.c.id)
    .join(schema.profiles, _WITH_PROFILE)
    .where(schema.sessions.c.worker_id == sa.bindparam("worker"), schema.sessions.c.relimit)
)
_RUNNING: Final = Prepared(
    sa.select(sa.func.count().label("rows"))
    .select_from(schema.sessions)
    .where(
        schema.sessions.c.user_id == sa.bindparam("user"),
        schema.sessions.c.promised.is_(None),
        schema.sessions.c.kill.is_(None),
    )
)


@dataclass(frozen=True, slots=True)
class Held:
    """What holds for one user.

    :param limits: the access profile's, with the user's own over them.
    :param sessions: how many at a time.
    :param ends: when the account is over, seconds since 1970; None: never.
    """

    limits: Limits
    sessions: int
    ends: float | None = None

    def ended(self, now: float) -> bool:
        """Return whether the account is over."""
        return self.ends is not None and now >= self.ends

    def in_hours(self, now: float) -> bool:
        """Return whether it may be used at this hour."""
        return self.limits.hours is None or self.limits.hours.contain(now)


def held(row: Any) -> Held:
    """Return what holds, of a row with :data:`COLUMNS`."""
    found = limits.from_json(row.profile_limits)
    if row.own_limits:
        found = limits.own_from_json(row.own_limits).over(found)
    return Held(found, found.sessions or row.most, row.ends)


def of_user(transaction: Direct, user: int) -> Held | None:
    """Return what holds for ``user``, a number; None if there is no such user."""
    row = transaction.first(_OF_USER, user=user)
    return None if row is None else held(row)


def changed(transaction: Direct, worker: int) -> dict[int, Held]:
    """Return what holds for the sessions of a worker whose limits have changed."""
    return {row.id: held(row) for row in transaction.all(_CHANGED, worker=worker)}


def running(transaction: Direct, user: int) -> int:
    """Return how many sessions a user has, without those that are told to end."""
    count: int = transaction.first(_RUNNING, user=user).rows
    return count


def used_up(store: Store, user: int, found: Limits, now: float) -> str:
    """Return which volume of a user is used up: "its volume of the day, 5 GB"; empty if none is."""
    if not found.by_volume:
        return ""
    volume = usage.used(store, user, day_of(now))
    for what, used, most in (
        ("day", volume.day, found.volume_day),
        ("month", volume.month, found.volume_month),
    ):
        if most is not None and used >= most:
            return f"its volume of the {what}, {volume_text(most)}"
    return ""


def objection(store: Store, user: int, found: Held, now: float | None = None) -> str:
    """Return why a user gets no session just now; empty if nothing speaks against it."""
    now = time.time() if now is None else now
    if found.limits.slow_to is None and (volume := used_up(store, user, found.limits, now)):
        return f"{volume}, is used up"
    if found.limits.refuses:
        with store.directly(writing=False) as transaction:
            return too_many(running(transaction, user), found)
    return ""


def too_many(count: int, found: Held) -> str:
    """Return why one session more than ``count`` is refused; empty if it is not."""
    if not found.limits.refuses or count < found.sessions:
        return ""
    return f"it has {count} {'session' if count == 1 else 'sessions'} already, and may have no more"
