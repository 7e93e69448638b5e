"""Who is connected through which worker: what a login was promised, what runs, what is to end."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, Final

import sqlalchemy as sa

from ..access import connection_settings
from ..access.reach import Reach
from ..errors import Unavailable
from . import leases, schema
from .database import Store, Transaction, now
from .schema import sessions, workers

#: What an older session is told that ends for a newer one.
REPLACED: Final = "replaced by a newer login of the same user"
#: Why a session ends whose row is gone.
TAKEN_AWAY: Final = "its lease was taken away"

#: Seconds without a sign of life after which a worker elsewhere counts as dead.
_STALE: Final = 30.0

# built once, as a server asks for each login
_WHO: Final = (
    sa.select(schema.users.c.name.label("user"), schema.users.c.static_address, schema.profiles)
    .join(schema.profiles, schema.users.c.profile_id == schema.profiles.c.id)
    .where(schema.users.c.id == sa.bindparam("of"), schema.users.c.enabled)
)
_ADD: Final = sessions.insert().returning(sessions.c.id)
_ONE: Final = sa.select(
    sessions.c.user_id, sessions.c.address, sessions.c.promised, sessions.c.kill
).where(sessions.c.id == sa.bindparam("session"))
_BIND: Final = (
    sessions.update()
    .where(sessions.c.id == sa.bindparam("session"))
    .values(address=sa.bindparam("own"), promised=None, heard=sa.bindparam("now"))
)
_INTERFACE: Final = (
    sessions.update()
    .where(sessions.c.id == sa.bindparam("session"))
    .values(interface=sa.bindparam("name"))
)
_TRAFFIC: Final = (
    sessions.update()
    .where(sessions.c.id == sa.bindparam("session"))
    .values(
        received=sa.bindparam("in"),
        sent=sa.bindparam("out"),
        heard=sa.func.coalesce(sa.bindparam("last"), sessions.c.heard),
    )
)
_ORDERS: Final = sa.select(sessions.c.id, sessions.c.kill).where(
    sessions.c.worker_id == sa.bindparam("worker")
)


def add_worker(store: Store, host: str, pid: int) -> int:
    """Register the worker process ``pid`` of the machine ``host``, and return its number."""
    with store.writing() as transaction:
        statement = workers.insert().returning(workers.c.id)
        number: int = transaction.scalar(statement, {"host": host, "pid": pid, "seen": now()})
        return number


def remove_worker(store: Store, host: str, pid: int) -> None:
    """Remove a worker and its sessions."""
    with store.writing() as transaction:
        transaction.execute(workers.delete().where(workers.c.host == host, workers.c.pid == pid))


def remove_dead_workers(store: Store, host: str) -> None:
    """Remove all workers of the machine ``host``, none of which runs, and the dead of others."""
    with store.writing() as transaction:
        transaction.execute(
            workers.delete().where((workers.c.host == host) | (workers.c.seen < now() - _STALE))
        )


@dataclass(frozen=True, slots=True)
class Promised:
    """What a login is given once its crypto binding holds.

    :param name_servers: whom the client asks for the names of some suffixes.
    """

    session: int
    address: IPv4Address
    local_address: IPv4Address
    dns: tuple[IPv4Address, ...]
    name_servers: tuple[IPv4Address, ...]
    reach: frozenset[Reach]
    inbound: bool


def promise(store: Store, worker: int, user: int, *, peer: str, client: str) -> Promised | None:
    """Register a login of ``user`` and keep an address for it; None if there is none to be had.

    :param user: the number of the user, who has to be enabled still.
    :param peer: from where the login comes; ``client`` is what its program calls itself.
    """
    with store.writing() as transaction:
        row = transaction.execute(_WHO, {"of": user}).first()
        if row is None:
            return None
        chosen = leases.choose(
            transaction,
            user,
            profile=row.id,
            most=row.sessions,
            static_address=row.static_address,
        )
        if chosen is None:
            return None
        moment = now()
        values = {
            "worker_id": worker,
            "user_id": user,
            "user": row.user,
            "address": chosen.address if chosen.free else None,
            "promised": chosen.address,
            "peer": peer,
            "interface": "",
            "client": client,
            "started": moment,
            "heard": moment,
            "received": 0,
            "sent": 0,
        }
        session = transaction.scalars(_ADD, values).one()
    return _promised(session, chosen.address, row)


def _promised(session: int, address: int, row: sa.Row[Any]) -> Promised:
    rules = connection_settings.from_json(row.client).name_rules
    return Promised(
        session,
        IPv4Address(address),
        IPv4Address(row.local_address),
        dns=tuple(map(IPv4Address, row.dns)),
        name_servers=tuple(server for rule in rules for server in rule.servers),
        reach=frozenset(map(Reach, row.reach)),
        inbound=row.inbound,
    )


def bind(store: Store, session: int) -> str:
    """Make a session of what was promised; older sessions that are one too many are told to end.

    :returns: why that cannot be; empty if it is done.
    """
    with store.writing() as transaction:
        row = transaction.execute(_ONE, {"session": session}).first()
        if row is None:
            return TAKEN_AWAY
        if row.kill is not None:
            return str(row.kill)
        if row.promised is None:
            return ""
        if row.address is None and not _take_over(transaction, row.promised, row.user_id):
            return "no address is free"
        transaction.execute(_BIND, {"session": session, "own": row.promised, "now": now()})
        older = leases.surplus(transaction, row.user_id, session)
        if older:
            ending = sessions.update().where(sessions.c.id.in_(older))
            transaction.execute(ending.values(kill=REPLACED))
    return ""


def _take_over(transaction: Transaction, address: int, user: int) -> bool:
    """Free the address for another session of the user; return whether it is free then.

    A session that has it ends. A promise goes on as one that nobody keeps an address for.
    """
    holding = (sessions.c.address == address) & (sessions.c.user_id == user)
    ends = sa.case(
        (sessions.c.promised.is_(None), sa.func.coalesce(sessions.c.kill, REPLACED)),
        else_=sessions.c.kill,
    )
    transaction.execute(sessions.update().where(holding).values(address=None, kill=ends))
    return not leases.held_by_another(transaction, address, user)


def note_interface(store: Store, session: int, name: str) -> None:
    """Note through which interface of the machine a session goes."""
    with store.writing() as transaction:
        transaction.execute(_INTERFACE, {"session": session, "name": name})


def remove(store: Store, numbers: Iterable[int]) -> None:
    """Forget sessions that are over."""
    with store.writing() as transaction:
        transaction.execute(sessions.delete().where(sessions.c.id.in_(list(numbers))))


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a session has carried, in bytes of IP packets, from the server's side.

    :param heard: when the client sent the last packet, if it sent one since this was noted.
    """

    session: int
    received: int
    sent: int
    heard: float | None


def note(store: Store, worker: int, traffic: Sequence[Traffic], seen: float) -> None:
    """Note that a worker lives, and what its sessions have carried."""
    rows = [
        {"session": one.session, "in": one.received, "out": one.sent, "last": one.heard}
        for one in traffic
    ]
    with store.writing() as transaction:
        transaction.execute(workers.update().where(workers.c.id == worker).values(seen=seen))
        if rows:
            transaction.execute(_TRAFFIC, rows)


def orders(store: Store, worker: int) -> dict[int, str | None]:
    """Return the sessions of a worker that are registered, and why they are to end, if they are."""
    with store.reading() as transaction:
        rows = transaction.execute(_ORDERS, {"worker": worker})
        return {row.id: row.kill for row in rows}


def end_all_of(transaction: Transaction, user: int, reason: str) -> None:
    """Tell the sessions of ``user``, a number, to end, in the caller's transaction."""
    of_user = (sessions.c.user_id == user) & sessions.c.kill.is_(None)
    transaction.execute(sessions.update().where(of_user).values(kill=reason))


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as the administrator sees it; bytes are of IP packets, from the server's side."""

    id: int
    user: str
    address: str
    peer: str
    interface: str
    client: str
    started: float
    received: int
    sent: int
    worker: int


def list_sessions(store: Store) -> list[SessionView]:
    """Return the sessions of all workers that live, oldest first; a promise is none yet."""
    with store.reading() as transaction:
        rows = transaction.execute(
            sa.select(sessions, workers.c.pid)
            .join(workers, sessions.c.worker_id == workers.c.id)
            .where(workers.c.seen >= now() - _STALE, sessions.c.promised.is_(None))
            .order_by(sessions.c.id)
        ).all()
    return [_view(row) for row in rows]


def _view(row: sa.Row[Any]) -> SessionView:
    return SessionView(
        id=row.id,
        user=row.user,
        address=str(IPv4Address(row.address)) if row.address is not None else "",
        peer=row.peer,
        interface=row.interface,
        client=row.client,
        started=row.started,
        received=row.received,
        sent=row.sent,
        worker=row.pid,
    )


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
