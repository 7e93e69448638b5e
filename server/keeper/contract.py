"""What a worker may ask of its keeper: all that there is.

Whoever has taken a worker over can call this and nothing else. So it names a session by its number
and no more: which addresses, permissions and limits that has, the keeper remembers itself. What is
added here travels by itself; its types are those of :mod:`.codec`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..contracts import Account, FailedLogin, Lease, TraceOrder, WeakSignIn
from ..net.tun import Tun
from ..ppp.judging import Changed, Judgement
from ..ppp.proofs import PasswordChange, Proof


@dataclass(frozen=True, slots=True)
class Identities:
    """The server's keys, certificates and chains, as :func:`..net.tls.load` takes them.

    :param version: which of those that this keeper has had.
    """

    version: int
    pems: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class News:
    """What a worker is told once a second; the first three as in :class:`..contracts.Orders`.

    :param identities: what it is to show from now on; None if that is what it shows. It has one from
        its beginning, and opens no file.
    """

    ending: dict[int, str]
    traces: tuple[TraceOrder, ...]
    weak_sign_ins: WeakSignIn
    identities: Identities | None = None


class OwnDirectory(Protocol):
    """The users, without anything that a password could be found or proved with."""

    def log_in(self, name: str, source: str, proof: Proof) -> Judgement:
        """Judge a login by password, and count it before anything of it is told.

        :param name: of the user, as the client sent it, with its domain and all.
        :param source: where it comes from; see :meth:`..contracts.Directory.attempt`.
        """

    def change_password(self, account: Account, wish: PasswordChange) -> Changed:
        """Give a user another password whose last login here was right, but for its expired password.

        One login is good for one change.
        """

    def by_certificate(self, der: bytes) -> Account:
        """Return the user to whom this certificate belongs; see :meth:`..contracts.Directory`."""

    def client_roots(self) -> tuple[bytes, ...]:
        """Return the authorities that issue to users; see :meth:`..contracts.Directory`."""


class OwnSessions(Protocol):
    """The worker's own sessions; what is said of others is refused, or passed over."""

    def promise(self, account: Account, *, peer: str, client: str) -> Lease | None:
        """Keep an address for a login; see :meth:`..contracts.Sessions.promise`.

        :raises ServerError: if the user has not logged in through this worker.
        """

    def up(self, session: int) -> None:
        """IP flows for the first time; see :meth:`..contracts.Sessions.up`."""

    def close(self, session: int, reason: str, traffic: tuple[int, int]) -> None:
        """The session is over; see :meth:`..contracts.Sessions.close`. Its interface is gone then."""

    def failed(self, logins: Sequence[FailedLogin]) -> None:
        """Note logins that failed; see :meth:`..contracts.Sessions.failed`."""

    def beat(self, traffic: dict[int, tuple[int, int]], version: int) -> News:
        """Note what the sessions carried; see :meth:`..contracts.Sessions.beat`.

        All that a worker asks for once a second is in this one call.

        :param version: of the certificates that the worker shows.
        """

    def traced(self, order: int, records: bytes) -> None:
        """Give what came of an order; see :meth:`..contracts.Sessions.traced`."""


class OwnInterfaces(Protocol):
    """The interfaces of the worker's sessions. Several threads may call, each for another session."""

    def make(self, session: int) -> Tun:
        """The binding holds: make what was promised a session, as :meth:`..contracts.Sessions.bind` does.

        :returns: a new interface that has its addresses and permissions, and is up.
        :raises SessionRefused: if there can be no session any more.
        :raises ServerError: if it was not promised to this worker, or is one already, or the machine
            does not let us.
        """

    def set_mtu(self, session: int, mtu: int) -> None:
        """Have it take packets of at most ``mtu`` bytes.

        :raises ServerError: if there is none, or the machine does not let us.
        """

    def set_ipv6(self, session: int, *, wanted: bool) -> None:
        """Have it carry IPv6 as the session's lease says, or none.

        :raises ServerError: if there is none, or the machine does not let us.
        """

    def leave(self, session: int) -> None:
        """It is about to go: the rules forget the networks behind it."""
