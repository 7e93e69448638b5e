"""What a worker of the server keeps in the home's database: its sessions."""

import contextlib
import dataclasses
import time
from collections.abc import Collection, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Final

from sstpca.server.contracts import (
    PROFILES,
    Access,
    Account,
    Directory,
    FailedLogin,
    Figures,
    Ipv6Lease,
    Lease,
    Orders,
    Rates,
    Sessions,
    TraceOrder,
)

from ..access.reach import Reach
from ..home import Home
from ..names import on_one_line
from ..secrets import Sealer
from ..settings import HistorySettings, LockoutSettings
from ..store import Store, certificates, failures, profiles, sessions, traces
from ..store.failures import Failure
from ..store.history import Ended
from ..store.promised import Promised
from ..store.sessions import Traffic
from ..store.usage import Used
from .directory import StoreDirectory, weak_sign_ins
from .figures import gather
from .limiting import Limiting
from .past import Past

#: Seconds between two notes that a worker lives, when there is nothing else to write.
_SEEN_EVERY: Final = 5.0

# characters of what a session has
_PEER: Final = 64
_CLIENT: Final = 128

#: Failed logins that a worker tells of at once, at most; an honest one has fewer a minute.
_FAILURES: Final = 1000
#: Seconds after which the time of a session is counted that carries nothing.
_COUNTED_EVERY: Final = 60.0

_LIMITS: Final = LockoutSettings()
_HISTORY: Final = HistorySettings()

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
    """The sessions of one worker.

    :param kept: how long it is remembered what was.
    """

    def __init__(
        self,
        store: Store,
        worker: int,
        kept: HistorySettings = _HISTORY,
    ) -> None:
        self._store = store
        self._worker = worker
        self._past = Past(store, kept)
        self._limiting = Limiting(store, worker)
        #: Those that are in the database as far as we know, and what it has of their traffic.
        self._own: set[int] = set()
        self._written: dict[int, tuple[int, int]] = {}
        #: Whose they are, and, of those that are no promises any more, until when their time counts.
        self._users: dict[int, int] = {}
        self._counted: dict[int, float] = {}
        #: The certificates that sessions were opened with, SHA-256.
        self._certificates: dict[int, str] = {}
        #: Sessions that are over and still in the database.
        self._over: dict[int, Ended] = {}
        self._seen = 0.0

    def promise(self, account: Account, *, peer: str, client: str) -> Lease | None:
        """Keep an address of the user's access profile for a login, and register it."""
        # a worker that strangers have taken over says what it likes, and people will read it
        peer, client = on_one_line(peer)[:_PEER], on_one_line(client)[:_CLIENT]
        promised = sessions.promise(self._store, self._worker, account.id, peer=peer, client=client)
        if promised is None:
            return None
        self._own.add(promised.session)
        if account.certificate:
            self._certificates[promised.session] = account.certificate
        self._users[promised.session] = account.id
        now = time.time()
        return _lease(
            promised, self._limiting.begin(promised.session, account.id, promised.held, now)
        )

    def bind(self, session: int, interface: str) -> str:
        """Make a session of what was promised, and end what it takes over."""
        refusal = sessions.bind(self._store, session, interface, kept=self._past.kept)
        if not refusal:
            self._counted.setdefault(session, time.time())
        return refusal

    def started(self, session: int, interface: str) -> None:
        """Note that a session goes through another interface than it was bound with."""
        sessions.note_interface(self._store, session, interface)

    def up(self, session: int) -> None:
        """Nothing of that is kept: the session began when it was bound."""

    def close(self, session: int, reason: str, traffic: tuple[int, int]) -> None:
        """Forget the session; if the database does not answer, at one of the next beats."""
        self._over[session] = Ended(session, time.time(), reason, *traffic)
        self._certificates.pop(session, None)
        self._sweep()

    def traced(self, order: int, records: bytes) -> None:
        """Give what came of an order to whoever waits for it."""
        traces.put(self._store, order, records)

    def failed(self, logins: Sequence[FailedLogin]) -> None:
        """Note logins that failed, if anything is kept of those that do not."""
        if self._past.kept:
            few = logins[:_FAILURES]
            failures.add(self._store, [Failure(**dataclasses.asdict(one)) for one in few])

    def _sweep(self) -> None:
        used = [
            self._used(number, (one.received, one.sent), one.at)
            for number, one in self._over.items()
            if number in self._users
        ]
        sessions.remove(self._store, self._over.values(), used)
        self._own -= self._over.keys()
        for session in self._over:
            self._limiting.forget(session)
            for known in (self._written, self._users, self._counted):
                known.pop(session, None)
        self._over.clear()

    def beat(self, traffic: dict[int, tuple[int, int]]) -> Orders:
        """Write what changed, and return what the administrator and the limits want."""
        if self._over:
            self._sweep()
        now = time.time()
        active = {
            session: count
            for session, count in traffic.items()
            if session in self._own and self._written.get(session, (0, 0)) != count
        }
        silent = {
            session: self._written.get(session, (0, 0))
            for session, counted in self._counted.items()
            if session not in active and now - counted > _COUNTED_EVERY
        }
        noted = active | silent
        if noted or now - self._seen > _SEEN_EVERY:
            self._seen = now
            changes = [self._change(session, count, now) for session, count in noted.items()]
            sessions.note(self._store, self._worker, changes, now)
        self._past.sweep(now)
        self._written |= active
        self._counted |= dict.fromkeys(noted.keys() & self._counted.keys(), now)
        gone = dict.fromkeys(traffic.keys() - self._own, sessions.TAKEN_AWAY)
        limited = self._limiting.judge(active, now)
        revoked = self._revoked()
        with self._store.directly(writing=False) as transaction:
            told = sessions.orders(transaction, self._worker, self._own)
            wanted = traces.wanted(transaction)
            weak = profiles.weak_sign_ins(transaction)
        return Orders(
            limited | revoked | gone | told,
            rates=self._limiting.rates(),  # told once: after all that may fail
            traces=tuple(TraceOrder(**dataclasses.asdict(one)) for one in wanted),
            weak_sign_ins=weak_sign_ins(weak),
        )

    def _change(self, session: int, count: tuple[int, int], now: float) -> Traffic:
        """Return what to write of a session; who is only sent packets may be gone."""
        received, sent = count
        heard = now if self._written.get(session, (0, 0))[0] != received else None
        return Traffic(session, received, sent, heard, self._used(session, count, now))

    def _used(self, session: int, count: tuple[int, int], now: float) -> Used:
        """Return what a session has used since that was last written."""
        before = self._written.get(session, (0, 0))
        received, sent = (max(0, new - old) for new, old in zip(count, before, strict=True))
        return Used(self._users[session], received, sent, self._counted.get(session, now), now)

    def _revoked(self) -> dict[int, str]:
        """Return the sessions whose certificate has been revoked since, and what to say of it."""
        if not self._certificates:
            return {}
        revoked = certificates.revoked_among(self._store, set(self._certificates.values()))
        return {
            session: "its certificate was revoked"
            for session, certificate in self._certificates.items()
            if certificate in revoked
        }


def _lease(promised: Promised, rates: Rates) -> Lease:
    access = Access.INBOUND if promised.inbound else Access(0)
    for reach in promised.reach:
        access |= _ACCESS[reach]
    return Lease(
        promised.session,
        promised.address,
        promised.local_address,
        dns=promised.dns,
        resolvers=(*promised.dns, *promised.name_servers, *promised.ipv6.dns),
        access=access,
        routes=promised.routes,
        dns_suffix=promised.dns_suffix,
        ipv6=_ipv6(promised),
        networks=tuple(one for one in promised.networks if isinstance(one, IPv4Network)),
        # beyond that the rules would take it for another
        profile=promised.profile if promised.profile <= PROFILES else 0,
        list=promised.list,
        profile_name=promised.profile_name,
        rates=rates,
    )


def _ipv6(promised: Promised) -> Ipv6Lease | None:
    local_address = promised.ipv6.local_address
    if promised.prefix is None or local_address is None:
        return None
    return Ipv6Lease(
        promised.prefix,
        local_address,
        dns=promised.ipv6.dns,
        routes=promised.ipv6.through(full_tunnel=promised.full_tunnel),
        networks=tuple(one for one in promised.networks if isinstance(one, IPv6Network)),
    )


class StoreBackend:
    """Opens the home's database in each worker process.

    :param limits: how many wrong passwords there may be.
    :param kept: how long it is remembered who was there.
    """

    def __init__(
        self,
        home: Home,
        limits: LockoutSettings = _LIMITS,
        kept: HistorySettings = _HISTORY,
    ) -> None:
        self._home = home
        self._limits = limits
        self._kept = kept

    def reset(self, living: Collection[int] = ()) -> None:
        """Forget the workers of this machine but ``living``, and those elsewhere that stopped beating."""
        sessions.remove_dead_workers(Store.open(self._home.database), _this_host(), living)

    @contextlib.contextmanager
    def join(self, pid: int) -> Iterator[tuple[Directory, Sessions]]:
        """Register the worker process ``pid``; its database is open until the end of this."""
        store = Store.open(self._home.database, pooled=True)
        try:
            worker = sessions.add_worker(store, _this_host(), pid)
            directory = StoreDirectory(self._home, store, Sealer.load(self._home), self._limits)
            yield directory, StoreSessions(store, worker, self._kept)
        finally:
            store.close()

    def forget(self, pid: int) -> None:
        """Remove what the worker left."""
        sessions.remove_worker(Store.open(self._home.database), _this_host(), pid)

    def figures(self) -> Figures:
        """Return what metrics say of the home."""
        return gather(self._home, self._limits)
