"""Sessions and leases in the database: the server's store, and what the administrator sees of it."""

import contextlib
import itertools
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from sstpca.server.contracts import Access, Account, Directory, Lease, Sessions

from ..access import connection_settings
from ..access.reach import Reach
from ..errors import SstpcaError
from ..home import Home
from ..secrets import Sealer
from ..store import database as tables
from ..store import leases
from ..store.database import Store, now
from .directory import StoreDirectory

#: Seconds without a beat after which a worker elsewhere counts as dead.
_STALE: Final = 30.0

#: Seconds between two notes that a worker lives, when there is nothing else to write.
_SEEN_EVERY: Final = 5.0

#: Certificates asked about in one query.
_CERTIFICATES: Final = 500


_ACCESS: Final = {
    Reach.CLIENTS: Access.CLIENTS,
    Reach.SERVER: Access.SERVER,
    Reach.LINK_LOCAL: Access.LINK_LOCAL,
    Reach.MULTICAST: Access.MULTICAST,
}


def _this_host() -> str:
    """Name this machine until its next boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class StoreSessions:
    """The sessions of one worker."""

    def __init__(self, store: Store, worker: int) -> None:
        self._store = store
        self._worker = worker
        self._written: dict[int, tuple[int, int]] = {}
        #: The certificates that sessions were opened with, SHA-256.
        self._certificates: dict[int, str] = {}
        #: Sessions that are over and still in the database.
        self._over: set[int] = set()
        self._seen = 0.0

    def promise(self, account: Account, *, peer: str, client: str) -> Lease | None:
        """Keep an address of the user's access profile for a login, and register it."""
        with self._store.writing() as connection:
            row = connection.execute(
                sa.select(tables.users.c.static_address, tables.profiles)
                .join(tables.profiles, tables.users.c.profile_id == tables.profiles.c.id)
                .where(tables.users.c.id == account.id, tables.users.c.enabled)
            ).first()
            if row is None:
                return None
            promised = leases.promise(
                connection,
                account,
                profile=row.id,
                most=row.sessions,
                static_address=row.static_address,
            )
            if promised is None:
                return None
            session = connection.scalars(
                tables.sessions.insert()
                .returning(tables.sessions.c.id)
                .values(
                    worker_id=self._worker,
                    user_id=account.id,
                    user=account.name,
                    address=promised.address if promised.free else None,
                    promised=promised.address,
                    peer=peer,
                    interface="",
                    client=client,
                    started=now(),
                    heard=now(),
                    received=0,
                    sent=0,
                )
            ).one()
        if account.certificate:
            self._certificates[session] = account.certificate
        return _lease(session, promised.address, row)

    def bind(self, session: int) -> str:
        """Make a session of what was promised, and end what it takes over."""
        with self._store.writing() as connection:
            return leases.keep(connection, session)

    def started(self, session: int, interface: str) -> None:
        """Note the interface of a session."""
        sessions = tables.sessions
        with self._store.writing() as connection:
            connection.execute(
                sessions.update().where(sessions.c.id == session).values(interface=interface)
            )

    def close(self, session: int) -> None:
        """Forget the session; if the database does not answer, at one of the next beats."""
        self._over.add(session)
        self._certificates.pop(session, None)
        self._sweep()

    def _sweep(self) -> None:
        sessions = tables.sessions
        with self._store.writing() as connection:
            connection.execute(sessions.delete().where(sessions.c.id.in_(self._over)))
        self._over.clear()

    def beat(self, traffic: dict[int, tuple[int, int]]) -> dict[int, str]:
        """Write what changed, and return the sessions that are to end."""
        sessions = tables.sessions
        if self._over:
            self._sweep()
        changed = [
            self._change(session, count)
            for session, count in traffic.items()
            if self._written.get(session) != count
        ]
        if changed or now() - self._seen > _SEEN_EVERY:
            self._write(changed)
        with self._store.reading() as connection:
            rows = connection.execute(
                sa.select(sessions.c.id, sessions.c.kill).where(
                    sessions.c.worker_id == self._worker
                )
            ).all()
        self._written = dict(traffic)
        known, revoked = {row.id: row.kill for row in rows}, self._revoked()
        ending = {
            session: known.get(session, "its lease was taken away") or revoked.get(session)
            for session in traffic
        }
        return {session: reason for session, reason in ending.items() if reason}

    def _change(self, session: int, count: tuple[int, int]) -> dict[str, Any]:
        """Return what to write of a session; who is only sent packets may be gone."""
        received, sent = count
        heard = now() if self._written.get(session, (0, 0))[0] != received else None
        return {"session": session, "in": received, "out": sent, "heard": heard}

    def _revoked(self) -> dict[int, str]:
        """Return the sessions whose certificate has been revoked since, and what to say of it."""
        if not self._certificates:
            return {}
        table = tables.certificates
        revoked: set[str] = set()
        wanted = iter(set(self._certificates.values()))
        with self._store.reading() as connection:
            while some := list(itertools.islice(wanted, _CERTIFICATES)):
                query = sa.select(table.c.sha256).where(
                    table.c.sha256.in_(some), table.c.revoked.is_not(None)
                )
                revoked.update(connection.scalars(query))
        return {
            session: "its certificate was revoked"
            for session, certificate in self._certificates.items()
            if certificate in revoked
        }

    def _write(self, changed: list[dict[str, Any]]) -> None:
        """Note that this worker lives, and what its sessions carried."""
        sessions, workers = tables.sessions, tables.workers
        self._seen = now()
        with self._store.writing() as connection:
            connection.execute(
                workers.update().where(workers.c.id == self._worker).values(seen=self._seen)
            )
            if changed:
                connection.execute(
                    sessions.update()
                    .where(sessions.c.id == sa.bindparam("session"))
                    .values(
                        received=sa.bindparam("in"),
                        sent=sa.bindparam("out"),
                        heard=sa.func.coalesce(sa.bindparam("heard"), sessions.c.heard),
                    ),
                    changed,
                )


def _lease(session: int, address: int, profile: Any) -> Lease:
    """Return the lease of ``address`` under an access profile.

    :param profile: a row of the table.
    """
    dns = tuple(map(IPv4Address, profile.dns))
    rules = connection_settings.from_json(profile.client).name_rules
    access = Access.INBOUND if profile.inbound else Access(0)
    for reach in profile.reach:
        access |= _ACCESS[Reach(reach)]
    return Lease(
        session,
        IPv4Address(address),
        IPv4Address(profile.local_address),
        dns=dns,
        resolvers=(*dns, *(server for rule in rules for server in rule.servers)),
        access=access,
    )


class StoreBackend:
    """Opens the home's database in each worker process."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def reset(self) -> None:
        """Forget the workers of this machine, and those elsewhere that stopped beating."""
        workers = tables.workers
        with Store.open(self._home.database).writing() as connection:
            connection.execute(
                workers.delete().where(
                    (workers.c.host == _this_host()) | (workers.c.seen < now() - _STALE)
                )
            )

    @contextlib.contextmanager
    def join(self, pid: int) -> Iterator[tuple[Directory, Sessions]]:
        """Register the worker process ``pid``; its database is open until the end of this."""
        store = Store.open(self._home.database, pooled=True)
        try:
            with store.writing() as connection:
                worker = connection.scalars(
                    tables.workers.insert()
                    .returning(tables.workers.c.id)
                    .values(host=_this_host(), pid=pid, seen=now())
                ).one()
            directory = StoreDirectory(self._home, store, Sealer.load(self._home))
            yield directory, StoreSessions(store, worker)
        finally:
            store.close()

    def forget(self, pid: int) -> None:
        """Remove what the worker left."""
        workers = tables.workers
        with Store.open(self._home.database).writing() as connection:
            connection.execute(
                workers.delete().where(workers.c.host == _this_host(), workers.c.pid == pid)
            )


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
    sessions, workers = tables.sessions, tables.workers
    with store.reading() as connection:
        rows = connection.execute(
            sa.select(sessions, workers.c.pid)
            .join(workers, sessions.c.worker_id == workers.c.id)
            .where(workers.c.seen >= now() - _STALE, sessions.c.promised.is_(None))
            .order_by(sessions.c.id)
        ).all()
    return [_view(row) for row in rows]


def _view(row: Any) -> SessionView:
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

    :raises SstpcaError: if some are still there then.
    """
    sessions = tables.sessions
    wanted = sa.select(sessions.c.id).where(sessions.c.id.in_(list(numbers)))
    with store.writing() as connection:
        connection.execute(
            sessions.update()
            .where(sessions.c.id.in_(wanted))
            .values(kill=sa.func.coalesce(sessions.c.kill, reason))
        )
    end = time.monotonic() + patience
    while True:
        with store.reading() as connection:
            left = connection.scalars(wanted).all()
        if not left:
            return
        if time.monotonic() > end:
            names = ", ".join(map(str, left))
            raise SstpcaError(f"still there after {patience:.0f} s: session {names}")
        time.sleep(0.1)
