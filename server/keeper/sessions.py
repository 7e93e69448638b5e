"""The sessions of one worker, as its keeper remembers them."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..contracts import UNSHAPED, Account, FailedLogin, Lease, SessionRefused, Sessions
from ..errors import ServerError
from ..net import shaping
from ..net.tun import name_of, take_away
from .contract import News
from .directory import KeptDirectory
from .identity import FollowedIdentity


@dataclass(slots=True)
class Kept:
    """What was promised to a worker.

    :ivar bound: whether it is a session by now.
    :ivar name: of its interface; empty as long as there is none.
    :ivar index: the kernel's number of that.
    """

    lease: Lease
    bound: bool = False
    name: str = ""
    index: int = 0


class KeptSessions:
    """What a worker says of its sessions: :class:`.contract.OwnSessions`, over those of the store.

    :param sessions: the store's; called by one thread at a time.
    :param prefix: of the sessions' interfaces.
    :param identity: the server's certificates.
    :param directory: knows who has logged in.
    """

    def __init__(
        self,
        sessions: Sessions,
        prefix: str,
        identity: FollowedIdentity,
        directory: KeptDirectory,
    ) -> None:
        self._sessions = sessions
        self._directory = directory
        self._prefix = prefix
        self._identity = identity
        self._kept: dict[int, Kept] = {}
        self._lock = threading.Lock()

    def promise(self, account: Account, *, peer: str, client: str) -> Lease | None:
        """Keep an address for a login.

        :raises ServerError: if the user has not logged in here.
        """
        own = self._directory.logged_in(account)
        with self._lock:
            lease = self._sessions.promise(own, peer=peer, client=client)
            if lease is not None:
                self._kept[lease.session] = Kept(lease)
            return lease

    def bind(self, session: int) -> Kept:
        """Make what was promised a session.

        :raises SessionRefused: if there can be none any more.
        :raises ServerError: if it was not promised to this worker, or is one already.
        """
        with self._lock:
            kept = self.find(session)
            if kept.bound:
                raise ServerError(f"session {session} is there already")
            if refusal := self._sessions.bind(session, name_of(self._prefix, session)):
                raise SessionRefused(refusal)
            kept.bound = True
            return kept

    def up(self, session: int) -> None:
        """IP flows for the first time.

        :raises ServerError: if there is no such session.
        """
        with self._lock:
            self.find(session)
            self._sessions.up(session)

    def close(self, session: int, reason: str, traffic: tuple[int, int]) -> None:
        """The session is over; an interface that its worker has kept is taken away."""
        with self._lock:
            kept = self._kept.pop(session, None)
            if kept is None:
                return
            if kept.name:
                take_away(kept.name, kept.index)
                shaping.unshape(kept.index)
            self._sessions.close(session, reason, traffic)

    def failed(self, logins: Sequence[FailedLogin]) -> None:
        """Note logins that failed."""
        with self._lock:
            self._sessions.failed(logins)

    def beat(self, traffic: dict[int, tuple[int, int]], version: int) -> News:
        """Note what the sessions carried, and return what its worker has to know."""
        with self._lock:
            own = {session: count for session, count in traffic.items() if session in self._kept}
            orders = self._sessions.beat(own)
            for session, rates in orders.rates.items():
                if (kept := self._kept.get(session)) is not None:
                    kept.lease = replace(kept.lease, rates=rates)
                    if kept.name:
                        shaping.shape(kept.name, rates)
        identities = self._identity.since(version)
        return News(orders.ending, orders.traces, orders.weak_sign_ins, identities)

    def shape(self, kept: Kept, name: str) -> None:
        """Have a new interface called ``name`` no faster than its session may be just now."""
        with self._lock:
            if kept.lease.rates != UNSHAPED:
                shaping.shape(name, kept.lease.rates)
            kept.name = name

    def traced(self, order: int, records: bytes) -> None:
        """Give what came of an order."""
        with self._lock:
            self._sessions.traced(order, records)

    def find(self, session: int) -> Kept:
        """Return what is remembered of a session.

        :raises ServerError: if it was not promised to this worker.
        """
        kept = self._kept.get(session)
        if kept is None:
            raise ServerError(f"session {session} was not promised to this worker")
        return kept

    @contextlib.contextmanager
    def store(self) -> Iterator[Sessions]:
        """Give the store's sessions to another thread than the one that calls the rest."""
        with self._lock:
            yield self._sessions
