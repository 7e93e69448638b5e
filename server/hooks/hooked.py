"""Sessions whose coming and going programs are told of."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..config import Hooks
from ..contracts import Account, FailedLogin, Lease, Orders, Sessions
from ..log import LOGGER
from .program import objection
from .runner import Run, Runner

#: Seconds that programs have to end when there are no sessions any more.
_FAREWELL: Final = 3.0


def check(hooks: Hooks) -> None:
    """Say which programs are not going to be run, and why; they are looked at again each time."""
    for name, path in (("up", hooks.up), ("down", hooks.down)):
        if path is not None and (why := objection(path)):
            LOGGER.error("[hooks] %s: %s is not run: %s", name, path, why)


@contextlib.contextmanager
def hooked(sessions: Sessions, hooks: Hooks) -> Iterator[Sessions]:
    """Give sessions whose coming and going programs are told of, if there are such programs.

    At the end, those of sessions that nobody closed are told as well, and the last are waited for.
    """
    if not hooks.wanted:
        yield sessions
        return
    made = HookedSessions(sessions, hooks)
    try:
        yield made
    finally:
        made.finish()


@dataclass(slots=True)
class _Known:
    """What a program is told of a session.

    :ivar since: when it came up, of the monotonic clock; None: it has not, and nobody was told.
    """

    lease: Lease
    user: str
    peer: str
    client: str
    interface: str = ""
    since: float | None = None

    def told(self, event: str) -> dict[str, str]:
        lease = self.lease
        return {
            "SSTPCA_EVENT": event,
            "SSTPCA_SESSION": str(lease.session),
            "SSTPCA_USER": self.user,
            "SSTPCA_PROFILE": lease.profile_name,
            "SSTPCA_INTERFACE": self.interface,
            "SSTPCA_ADDRESS": str(lease.address),
            "SSTPCA_LOCAL_ADDRESS": str(lease.local_address),
            "SSTPCA_PREFIX": str(lease.ipv6.prefix) if lease.ipv6 else "",
            "SSTPCA_PEER": self.peer,
            "SSTPCA_CLIENT": self.client,
        }


class HookedSessions:
    """The store's sessions, and programs that hear of them; see the contract of that name.

    :param sessions: the store's.
    """

    def __init__(self, sessions: Sessions, hooks: Hooks) -> None:
        self._sessions = sessions
        self._hooks = hooks
        self._known: dict[int, _Known] = {}
        self._runner = Runner(hooks.seconds)

    def promise(self, account: Account, *, peer: str, client: str) -> Lease | None:
        """Keep an address for a login."""
        lease = self._sessions.promise(account, peer=peer, client=client)
        if lease is not None:
            self._known[lease.session] = _Known(lease, account.name, peer, client)
        return lease

    def bind(self, session: int, interface: str) -> str:
        """Make what was promised a session."""
        self._name(session, interface)
        return self._sessions.bind(session, interface)

    def started(self, session: int, interface: str) -> None:
        """Note that a session goes through another interface."""
        self._name(session, interface)
        self._sessions.started(session, interface)

    def _name(self, session: int, interface: str) -> None:
        if session in self._known:
            self._known[session].interface = interface

    def up(self, session: int) -> None:
        """IP flows: have the program run, once for each session."""
        self._sessions.up(session)
        known = self._known.get(session)
        if known is not None and known.since is None:
            known.since = time.monotonic()
            self._run(self._hooks.up, known, known.told("up"))

    def close(self, session: int, reason: str, traffic: tuple[int, int]) -> None:
        """The session is over: have the program run, if it has come up."""
        self._say_down(session, reason, traffic)
        self._sessions.close(session, reason, traffic)

    def _say_down(self, session: int, reason: str, traffic: tuple[int, int]) -> None:
        known = self._known.pop(session, None)
        if known is None or known.since is None:
            return
        received, sent = traffic
        ended = {
            "SSTPCA_REASON": reason,
            "SSTPCA_SECONDS": f"{time.monotonic() - known.since:.0f}",
            "SSTPCA_RECEIVED": str(received),
            "SSTPCA_SENT": str(sent),
        }
        self._run(self._hooks.down, known, known.told("down") | ended)

    def _run(self, path: Path | None, known: _Known, told: dict[str, str]) -> None:
        if path is not None:
            # no value of an environment can have a NUL
            clean = {name: value.replace("\0", "") for name, value in told.items()}
            self._runner.add(Run(path, known.lease.session, clean))

    def failed(self, logins: Sequence[FailedLogin]) -> None:
        """Note logins that failed."""
        self._sessions.failed(logins)

    def traced(self, order: int, records: bytes) -> None:
        """Give what came of an order."""
        self._sessions.traced(order, records)

    def beat(self, traffic: dict[int, tuple[int, int]]) -> Orders:
        """Note what the sessions carried, and return what is wanted."""
        return self._sessions.beat(traffic)

    def finish(self) -> None:
        """There are no sessions any more, however they ended: say so of those that nobody closed."""
        for session in list(self._known):
            self._say_down(session, "the worker ended", (0, 0))
        self._runner.finish(_FAREWELL)
