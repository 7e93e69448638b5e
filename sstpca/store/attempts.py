"""Wrong passwords: how many there were of each user from each source, and who is locked for that.

What counts is a level, a leaky bucket (ITU-T I.371): each wrong password adds 1, and with time as much
leaks away as there may be in it. Whoever has used that up gets one more whenever one has leaked.
An attempt has three levels, so that nobody is locked out by a stranger elsewhere, nor by a colleague
behind the same address:

- that of the user from the source locks the user there;
- that of all users from the source, but those who come from there, locks all but those who do: who
  comes from there has logged in from there of late;
- that of the user from everywhere locks nobody. Above it, a source that the user does not come from has
  fewer wrong passwords.

An attempt is counted in one transaction with the question whether it may count, and before anybody is
told of it: workers that are asked at once allow no more than one would.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ..names import user_key
from ..settings import LockoutSettings
from .database import Store
from .prepared import Direct, Prepared
from .schema import attempts

#: What stands for all users, and for all sources.
ALL: Final = ""

#: A user from everywhere may have so many times what there may be from one source; above that, a
#: source that the user does not come from has so many.
_EVERYWHERE: Final = 5
_STRANGE: Final = 3

#: Seconds for which a login shows that its user comes from its source; after which it is noted anew.
_COMES: Final = 30 * 86_400.0
_NOTED: Final = 86_400.0

#: Levels that are kept; above that, those that were added to the longest ago go.
KEPT: Final = 100_000

_NAME: Final = 64  # characters of a name that may be nobody's
_KEY: Final = 192

_FIND: Final = Prepared(
    sa.select(attempts).where(
        attempts.c.key == sa.bindparam("of"), attempts.c.source == sa.bindparam("at")
    )
)
_ADD: Final = Prepared(
    attempts.insert(), columns=[one.name for one in attempts.c if one.name != "id"]
)
_SET: Final = Prepared(
    attempts.update()
    .where(attempts.c.id == sa.bindparam("row"))
    .values(
        level=sa.bindparam("new"), counted=sa.bindparam("at"), proved=sa.bindparam("last_proved")
    )
)


def _level(limits: LockoutSettings, row: Any, now: float) -> float:
    """Return what is left of the level of a row, which may be None."""
    most = 0 if row is None else _most(limits, row.key, row.source)
    if not most:
        return 0.0
    leaked = max(0.0, now - row.counted) * most / _seconds(limits)
    left: float = row.level - leaked
    return max(0.0, left)


def _most(limits: LockoutSettings, key: str, source: str) -> int:
    """Return how high the level of this user and source may be."""
    if key == ALL:
        return limits.source
    return limits.user * (_EVERYWHERE if source == ALL else 1)


def _seconds(limits: LockoutSettings) -> float:
    return 60.0 * limits.minutes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of an attempt.

    :param locked: whether not even the right password counts.
    :param fill: how much of what there may be was used up before, from 0 to 1.
    """

    locked: bool
    fill: float


class _Levels:
    """The levels of one attempt, as they are."""

    def __init__(
        self, transaction: Direct, limits: LockoutSettings, key: str, source: str, now: float
    ) -> None:
        self.limits, self.now = limits, now
        self.of_both = transaction.first(_FIND, of=key, at=source)
        self.of_source = transaction.first(_FIND, of=ALL, at=source)
        self.of_user = transaction.first(_FIND, of=key, at=ALL)

    def since_proved(self) -> float:
        """Return the seconds since the user last logged in from the source."""
        proved = None if self.of_both is None else self.of_both.proved
        return float("inf") if proved is None else float(self.now - proved)

    def outcome(self) -> Outcome:
        """Return what becomes of an attempt now."""
        limits, now = self.limits, self.now
        comes = self.since_proved() < _COMES
        most = _most_of_user(limits, _level(limits, self.of_user, now), comes=comes)
        fills = [_fill(_level(limits, self.of_both, now), most)]
        if not comes:
            fills.append(_fill(_level(limits, self.of_source, now), limits.source))
        return Outcome(max(fills) >= 1.0, max(fills))


def _most_of_user(limits: LockoutSettings, everywhere: float, *, comes: bool) -> int:
    """Return how many wrong passwords of a user there may be from a source.

    :param everywhere: the level of the user from everywhere.
    :param comes: whether the user comes from the source.
    """
    many = everywhere >= limits.user * _EVERYWHERE
    return min(_STRANGE, limits.user) if many and not comes else limits.user


def _fill(level: float, most: int) -> float:
    """Return how full a bucket is: 1 if there is no room for another wrong password."""
    if not most:
        return 0.0
    return 1.0 if level + 1 > most + 1e-6 else level / most


def attempt(
    store: Store, limits: LockoutSettings, name: str, source: str, *, right: bool, now: float
) -> Outcome:
    """Count a login by password, and return whether it may count.

    :param name: of the user, or what was claimed where there is none.
    """
    key = _key(name)
    with store.directly(writing=False) as transaction:
        levels = _Levels(transaction, limits, key, source, now)
        outcome = levels.outcome()
    if outcome.locked or (right and _is_noted(levels)):
        return outcome
    with store.directly(writing=True) as transaction:
        levels = _Levels(transaction, limits, key, source, now)
        outcome = levels.outcome()
        if not outcome.locked:
            _write(transaction, levels, (name[:_NAME], key, source), right=right)
    return outcome


def _key(name: str) -> str:
    # a blank: whoever gives no name is not all users together
    return user_key(name)[:_KEY] or " "


def _is_noted(levels: _Levels) -> bool:
    """Whether a right password changes nothing."""
    return levels.since_proved() < _NOTED and not levels.of_both.level


def _write(transaction: Direct, levels: _Levels, who: tuple[str, str, str], *, right: bool) -> None:
    user, key, source = who
    if right:
        _put(transaction, levels, levels.of_both, (user, key, source), proved=True)
        return
    _put(transaction, levels, levels.of_both, (user, key, source))
    _put(transaction, levels, levels.of_user, (user, key, ALL))
    if levels.since_proved() >= _COMES:
        _put(transaction, levels, levels.of_source, (ALL, ALL, source))


def _put(
    transaction: Direct,
    levels: _Levels,
    row: Any,
    who: tuple[str, str, str],
    *,
    proved: bool = False,
) -> None:
    """Write a level: one higher; or none, once the right password has come."""
    now = levels.now
    level = 0.0 if proved else _level(levels.limits, row, now) + 1
    before = None if row is None else row.proved
    last = now if proved else before
    if row is None:
        user, key, source = who
        transaction.run(
            _ADD, user=user, key=key, source=source, level=level, counted=now, proved=last
        )
    else:
        transaction.run(_SET, row=row.id, new=level, at=now, last_proved=last)


def sweep(store: Store, limits: LockoutSettings, now: float) -> None:
    """Forget what says nothing any more, and what is too much."""
    leaked = attempts.c.counted < now - _seconds(limits)
    gone = sa.or_(attempts.c.proved.is_(None), attempts.c.proved < now - _COMES)
    oldest = (
        sa.select(attempts.c.id)
        .where(attempts.c.proved.is_(None))
        .order_by(attempts.c.counted.desc())
        .offset(KEPT)
    )
    with store.writing() as transaction:
        transaction.execute(attempts.delete().where(leaked, gone))
        transaction.execute(attempts.delete().where(attempts.c.id.in_(oldest)))


@dataclass(frozen=True, slots=True)
class Lockout:
    """Wrong passwords that are not forgotten.

    :param user: whose; "" for all users from the source together.
    :param source: an IPv4 address, an IPv6 prefix; "" for everywhere.
    :param wrong: how many there are still.
    :param until: when one more may count, seconds since 1970; None: now.
    """

    user: str
    source: str
    wrong: int
    until: float | None


def list_all(store: Store, limits: LockoutSettings, now: float) -> list[Lockout]:
    """Return what is not forgotten, who is locked first."""
    with store.reading() as transaction:
        rows = transaction.execute(sa.select(attempts).where(attempts.c.level > 0)).all()
    everywhere = {row.key: _level(limits, row, now) for row in rows if row.source == ALL}
    found = []
    for row in rows:
        level, most = _level(limits, row, now), _most(limits, row.key, row.source)
        if not level or (row.source == ALL and level < most):
            continue
        if row.key != ALL and row.source != ALL:
            comes = row.proved is not None and now - row.proved < _COMES
            most = _most_of_user(limits, everywhere.get(row.key, 0.0), comes=comes)
        locked = row.source != ALL and _fill(level, most) >= 1.0
        wait = (level + 1 - most) * _seconds(limits) / _most(limits, row.key, row.source)
        until = now + wait if locked else None
        found.append(Lockout(row.user, row.source, -int(-level // 1), until))
    return sorted(found, key=lambda one: (one.until is None, one.user.casefold(), one.source))


def clear(store: Store, *, names: Collection[str] = (), sources: Collection[str] = ()) -> int:
    """Forget the wrong passwords of these users and from these sources; of all, if none is named.

    :returns: how many levels that were.
    """
    of_them = attempts.c.level > 0
    if names or sources:
        of_them &= sa.or_(
            attempts.c.key.in_(map(_key, names)),
            attempts.c.source.in_(sources),
        )
    with store.writing() as transaction:
        return transaction.execute(attempts.update().where(of_them).values(level=0.0)).rowcount
