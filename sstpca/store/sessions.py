"""Who is connected through which worker: what a login was promised, what runs, what is to end."""

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Any, Final

import sqlalchemy as sa

from ..access import ipv6
from ..errors import Unavailable
from . import history, leases, limits, prefixes, schema, usage
from .database import Store, Transaction, now
from .history import Ended
from .limits import Held
from .prepared import Direct, Prepared
from .promised import Promised, choose, promised_of
from .schema import sessions, workers
from .usage import Used

#: What an older session is told that ends for a newer one.
REPLACED: Final = "replaced by a newer login of the same user"
#: Why a session ends whose row is gone.
TAKEN_AWAY: Final = "its lease was taken away"

#: Seconds without a sign of life after which a worker elsewhere counts as dead.
STALE: Final = 30.0

_LATER: Final = {"id", "kill", "relimit"}

# built once, as a server asks for each login
_WHO: Final = Prepared(
    sa.select(
        schema.users.c.name.label("user"),
        schema.users.c.static_address,
        schema.users.c.static_prefix,
        schema.users.c.networks,
        *limits.COLUMNS,
        *(one for one in schema.profiles.c if one.name != "limits"),
    )
    .join(schema.profiles, schema.users.c.profile_id == schema.profiles.c.id)
    .where(schema.users.c.id == sa.bindparam("of"), schema.users.c.enabled)
)
_ADD: Final = Prepared(
    sessions.insert().returning(sessions.c.id),
    columns=[one.name for one in sessions.c if one.name not in _LATER],
)
_ONE: Final = Prepared(
    sa.select(
        sessions.c.user_id,
        sessions.c.user,
        sessions.c.address,
        sessions.c.promised,
        sessions.c.prefix,
        sessions.c.peer,
        sessions.c.client,
        sessions.c.started,
        sessions.c.kill,
    ).where(sessions.c.id == sa.bindparam("session"))
)
_OF_SESSION: Final = sessions.update().where(sessions.c.id == sa.bindparam("session"))
_BIND: Final = Prepared(
    _OF_SESSION.values(
        address=sa.bindparam("own"),
        promised=None,
        interface=sa.bindparam("name"),
        heard=sa.bindparam("now"),
        counted=sa.bindparam("now"),
    )
)
# A session that has the address, or its prefix, ends. A promise goes on as one that nobody keeps an
# address for.
_TAKE_OVER: Final = Prepared(
    sessions.update()
    .where(
        (sessions.c.address == sa.bindparam("of")) | (sessions.c.prefix == sa.bindparam("with")),
        sessions.c.user_id == sa.bindparam("by"),
    )
    .values(
        address=None,
        kill=sa.case(
            (sessions.c.promised.is_(None), sa.func.coalesce(sessions.c.kill, REPLACED)),
            else_=sessions.c.kill,
        ),
    )
)
_REPLACE: Final = Prepared(_OF_SESSION.values(kill=REPLACED))
_INTERFACE: Final = Prepared(_OF_SESSION.values(interface=sa.bindparam("name")))
_TRAFFIC: Final = Prepared(
    _OF_SESSION.values(
        received=sa.bindparam("in"),
        sent=sa.bindparam("out"),
        heard=sa.func.coalesce(sa.bindparam("last"), sessions.c.heard),
        counted=sa.bindparam("until"),
    )
)
_LIMITED: Final = Prepared(_OF_SESSION.values(relimit=sa.false()))
_SEEN: Final = Prepared(
    workers.update().where(workers.c.id == sa.bindparam("worker")).values(seen=sa.bindparam("now"))
)
_REMOVE: Final = Prepared(sessions.delete().where(sessions.c.id == sa.bindparam("session")))
_OF_WORKER: Final = sessions.c.worker_id == sa.bindparam("worker")
_ENDING: Final = Prepared(
    sa.select(sessions.c.id, sessions.c.kill).where(_OF_WORKER, sessions.c.kill.is_not(None))
)
_COUNT: Final = Prepared(
    sa.select(sa.func.count().label("rows")).select_from(sessions).where(_OF_WORKER)
)
_ALL: Final = Prepared(sa.select(sessions.c.id).where(_OF_WORKER))


def add_worker(store: Store, host: str, pid: int) -> int:
    """Register the worker process ``pid`` of the machine ``host``, and return its number."""
    with store.writing() as transaction:
        statement = workers.insert().returning(workers.c.id)
        number: int = transaction.scalar(statement, {"host": host, "pid": pid, "seen": now()})
        return number


def remove_worker(store: Store, host: str, pid: int) -> None:
    """Remove a worker and its sessions, which have ended with it."""
    with store.writing() as transaction:
        _remove(transaction, (workers.c.host == host) & (workers.c.pid == pid))


def remove_dead_workers(store: Store, host: str, living: Collection[int] = ()) -> None:
    """Remove the workers of the machine ``host`` that do not run, and the dead of others.

    :param living: the processes of those that run.
    """
    here = workers.c.host == host
    with store.writing() as transaction:
        gone = (here & workers.c.pid.not_in(living)) | (~here & (workers.c.seen < now() - STALE))
        _remove(transaction, gone)


def _remove(transaction: Transaction, dead: sa.ColumnElement[bool]) -> None:
    history.end_with_workers(transaction, dead)
    usage.end_with_workers(transaction, dead)
    transaction.execute(workers.delete().where(dead))


def promise(store: Store, worker: int, user: int, *, peer: str, client: str) -> Promised | None:
    """Register a login of ``user`` and keep an address for it; None if there is none to be had.

    :param user: the number of the user, who has to be enabled still.
    :param peer: from where the login comes; ``client`` is what its program calls itself.
    """
    with store.directly(writing=True) as transaction:
        row = transaction.first(_WHO, of=user)
        if row is None:
            return None
        chosen, prefix = choose(transaction, user, row)
        if chosen is None:
            return None
        promised = promised_of(chosen.address, prefix, row)
        moment = now()
        session = transaction.first(
            _ADD,
            worker_id=worker,
            user_id=user,
            user=row.user,
            address=chosen.address if chosen.free else None,
            promised=chosen.address,
            prefix=prefix,
            peer=peer,
            interface="",
            client=client,
            started=moment,
            heard=moment,
            received=0,
            sent=0,
            counted=0.0,
            networks=" ".join(map(str, promised.networks)),
        )
    return replace(promised, session=session.id)


def bind(store: Store, session: int, interface: str, *, kept: bool = True) -> str:
    """Make a session of what was promised; older sessions that are one too many are told to end.

    :param kept: whether the history has it.
    :returns: why that cannot be; empty if it is done.
    """
    with store.directly(writing=True) as transaction:
        row = transaction.first(_ONE, session=session)
        if row is None:
            return TAKEN_AWAY
        if row.kill is not None:
            return str(row.kill)
        if row.promised is None:
            return ""
        found = limits.of_user(transaction, row.user_id)
        if found is None:
            return TAKEN_AWAY
        if refusal := limits.too_many(limits.running(transaction, row.user_id), found):
            return refusal
        if row.address is None and not _take_over(transaction, row):
            return "no address is free"
        moment = now()
        transaction.run(_BIND, session=session, own=row.promised, name=interface, now=moment)
        if kept:
            history.begin(transaction, session, row)
        usage.add(transaction, [Used(row.user_id, 0, 0, moment, moment, begun=1)])
        for older in leases.surplus(transaction, row.user_id, session, found.sessions):
            transaction.run(_REPLACE, session=older)
    return ""


def _take_over(transaction: Direct, row: Any) -> bool:
    """Free address and prefix for another session of the user; return whether they are free then."""
    address, prefix, user = row.promised, row.prefix, row.user_id
    transaction.run(_TAKE_OVER, **{"of": address, "with": prefix, "by": user})
    return not (
        leases.held_by_another(transaction, address, user)
        or (prefix is not None and prefixes.held_by_another(transaction, prefix, user))
    )


def note_interface(store: Store, session: int, name: str) -> None:
    """Note through which interface of the machine a session goes."""
    with store.directly(writing=True) as transaction:
        transaction.run(_INTERFACE, session=session, name=name)


def remove(store: Store, over: Collection[Ended], used: Iterable[Used] = ()) -> None:
    """Forget sessions that are over, but for what the history has of them.

    :param used: what they have used that is not written yet.
    """
    with store.directly(writing=True) as transaction:
        history.end(transaction, over)
        usage.add(transaction, used)
        transaction.run_for_each(_REMOVE, [{"session": one.session} for one in over])


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a session has carried, in bytes of IP packets, from the server's side.

    :param heard: when the client sent the last packet, if it sent one since this was noted.
    :param used: what of it, and of its time, has not been noted yet.
    """

    session: int
    received: int
    sent: int
    heard: float | None
    used: Used


def note(store: Store, worker: int, traffic: Sequence[Traffic], seen: float) -> None:
    """Note that a worker lives, and what its sessions have carried."""
    rows = [
        {
            "session": one.session,
            "in": one.received,
            "out": one.sent,
            "last": one.heard,
            "until": one.used.until,
        }
        for one in traffic
    ]
    with store.directly(writing=True) as transaction:
        transaction.run(_SEEN, worker=worker, now=seen)
        usage.add(transaction, [one.used for one in traffic])
        transaction.run_for_each(_TRAFFIC, rows)


def orders(transaction: Direct, worker: int, own: Collection[int]) -> dict[int, str]:
    """Return which of its sessions ``own`` a worker is to end, and why.

    That is asked once a second, and must not look at each of thousands.
    """
    ending = {row.id: str(row.kill) for row in transaction.all(_ENDING, worker=worker)}
    if transaction.first(_COUNT, worker=worker).rows < len(own):
        there = {row.id for row in transaction.all(_ALL, worker=worker)}
        ending |= {number: TAKEN_AWAY for number in own if number not in there}
    return ending


def limit_again(transaction: Transaction, whose: sa.ColumnElement[bool]) -> None:
    """Have the limits read again that hold for the sessions of users, in the caller's transaction.

    :param whose: which users.
    """
    of_them = sessions.c.user_id.in_(sa.select(schema.users.c.id).where(whose))
    transaction.execute(sessions.update().where(of_them).values(relimit=True))


def limits_changed(store: Store, worker: int) -> dict[int, Held]:
    """Return what holds now for the sessions of a worker whose limits have changed, once."""
    with store.directly(writing=False) as transaction:
        if not limits.changed(transaction, worker):
            return {}
    with store.directly(writing=True) as transaction:
        found = limits.changed(transaction, worker)
        transaction.run_for_each(_LIMITED, [{"session": number} for number in found])
    return found


def end_all_of(transaction: Transaction, user: int, reason: str) -> None:
    """Tell the sessions of ``user``, a number, to end, in the caller's transaction."""
    of_user = (sessions.c.user_id == user) & sessions.c.kill.is_(None)
    transaction.execute(sessions.update().where(of_user).values(kill=reason))


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as the administrator sees it; bytes are of IP packets, from the server's side.

    :param networks: the prefixes behind its client.
    """

    id: int
    user: str
    address: str
    prefix: str
    peer: str
    interface: str
    client: str
    started: float
    received: int
    sent: int
    worker: int
    networks: tuple[str, ...] = ()


def list_sessions(store: Store) -> list[SessionView]:
    """Return the sessions of all workers that live, oldest first; a promise is none yet."""
    with store.reading() as transaction:
        rows = transaction.execute(
            sa.select(sessions, workers.c.pid)
            .join(workers, sessions.c.worker_id == workers.c.id)
            .where(workers.c.seen >= now() - STALE, sessions.c.promised.is_(None))
            .order_by(sessions.c.id)
        ).all()
    return [_view(row) for row in rows]


def _view(row: sa.Row[Any]) -> SessionView:
    return SessionView(
        id=row.id,
        user=row.user,
        address=str(IPv4Address(row.address)) if row.address is not None else "",
        prefix=str(ipv6.from_digits(row.prefix)) if row.prefix is not None else "",
        peer=row.peer,
        interface=row.interface,
        client=row.client,
        started=row.started,
        received=row.received,
        sent=row.sent,
        worker=row.pid,
        networks=tuple(row.networks.split()),
    )


def count_sessions(store: Store) -> tuple[int, int]:
    """Return how many workers live, and how many sessions go through them."""
    living = workers.c.seen >= now() - STALE
    of_them = (
        sa.select(sa.func.count())
        .select_from(sessions)
        .join(workers, sessions.c.worker_id == workers.c.id)
        .where(living, sessions.c.promised.is_(None))
    )
    with store.reading() as transaction:
        many = transaction.scalar(sa.select(sa.func.count()).select_from(workers).where(living))
        return many or 0, transaction.scalar(of_them) or 0


def end_sessions(store: Store, numbers: Iterable[int], *, reason: str, patience: float) -> None:
    """Ask the workers to end these sessions, and wait until they have, ``patience`` s at most.

    :raises Unavailable: if some are still there then.
    """
    wanted = sa.select(sessions.c.id).where(sessions.c.id.in_(list(numbers)))
    with store.writing() as transaction:
        transaction.execute(
            sessions.update()
            .where(sessions.c.id.in_(wanted))
            .values(kill=sa.func.coalesce(sessions.c.kill, reason))
        )
    end = time.monotonic() + patience
    while True:
        with store.reading() as transaction:
            left = transaction.scalars(wanted).all()
        if not left:
            return
        if time.monotonic() > end:
            names = ", ".join(map(str, left))
            raise Unavailable(f"still there after {patience:.0f} s: session {names}")
        time.sleep(0.1)
