"""What the server asks of whoever runs it: the people, their sessions, and the certificate.

The server has no store of its own. ``sstpca`` gives it one (sstpca/serving.py); so can others.
"""

import enum
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, Protocol


@enum.unique
class WeakSignIn(enum.Flag):
    """Ways to log in that are weaker than MS-CHAPv2, and closed unless an access profile has them."""

    PAP = 0x01
    CHAP_MD5 = 0x02


NO_WEAK_SIGN_IN: Final = WeakSignIn(0)


@dataclass(frozen=True, slots=True)
class Account:
    """A user as the login needs it.

    :param ended: whether the account was for a time that is over.
    :param in_hours: whether it may be used at this hour.
    :param not_now: why it may not be used just now, for the log: "it has 2 sessions already, and may
        have no more"; empty if it may.
    :param password_expired: whether the password has to be changed before it lets its user in.
    :param certificate_only: whether a password, even the right one, does not let this user in.
    :param certificate: SHA-256 of the certificate that logs in, in lower-case hexadecimal; empty
        if it is a password.
    :param weak_sign_ins: what its access profile takes beside the others.
    """

    id: int
    name: str
    enabled: bool
    ended: bool = False
    in_hours: bool = True
    not_now: str = ""
    password_expired: bool = False
    certificate_only: bool = False
    certificate: str = ""
    weak_sign_ins: WeakSignIn = NO_WEAK_SIGN_IN


@dataclass(frozen=True, slots=True)
class Secrets:
    """What proofs of a user's password are checked with; no worker has them.

    :param nt_hash: MD4 of the password in UTF-16LE, 16 bytes; never shown.
    :param password: itself, never shown; empty if it is not kept. CHAP-MD5 needs it.
    """

    nt_hash: bytes = field(repr=False)
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Standing:
    """What becomes of a login by password because of others before it, whatever its password is.

    :param barred: what there were before so that not even the right one lets in: "too many wrong
        passwords"; empty if it does.
    :param delay: seconds that a refusal takes beyond the usual.
    """

    barred: str = ""
    delay: float = 0.0


#: Nothing was before it.
UNHINDERED: Final = Standing()


@enum.unique
class Cause(enum.Enum):
    """Why a login has failed, as it is counted; the log has it in words.

    ``PASSWORD``: wrong, or there is no such user. ``LOCKOUT``: there were too many wrong ones before.
    ``METHOD``: the user has to log in another way. ``CERTIFICATE``: the client's, or the client does
    not trust ours. ``LIMITS``: the user has too many sessions, or has used too much. ``ADDRESS``: none
    is free. ``BINDING``: the crypto binding does not hold.
    ``PROTOCOL``: the client does not keep to the rules of its way to log in.
    """

    PASSWORD = "password"  # noqa: S105 no password
    LOCKOUT = "lockout"
    DISABLED = "disabled"
    ENDED = "ended"
    HOURS = "hours"
    LIMITS = "limits"
    PASSWORD_EXPIRED = "password_expired"  # noqa: S105
    METHOD = "method"
    CERTIFICATE = "certificate"
    ADDRESS = "address"
    BINDING = "binding"
    PROTOCOL = "protocol"


@enum.unique
class LoginMethod(enum.Enum):
    """How a client logs in."""

    MS_CHAP_V2 = "mschapv2"
    EAP_MS_CHAP_V2 = "eap-mschapv2"
    EAP_TLS = "eap-tls"
    EAP = "eap"  # it has not come to one of these yet
    PAP = "pap"
    CHAP_MD5 = "chap-md5"


class CertificateRefused(Exception):
    """A certificate lets nobody in.

    The message says why, to the administrator, as what follows "its certificate": "is revoked".
    """


class SessionRefused(Exception):
    """What was promised to a login cannot become a session any more; the message says why."""


@enum.unique
class Access(enum.Flag):
    """What is closed to a client, or between others and it, unless its lease opens it.

    ``CLIENTS``: other clients. ``SERVER``: the services of the server's own machine.
    ``LINK_LOCAL``: link-local addresses, among them those where clouds answer their machines.
    ``MULTICAST``: multicast and broadcast. ``INBOUND``: others may open connections to the client.
    """

    CLIENTS = 0x01
    SERVER = 0x02
    LINK_LOCAL = 0x04
    MULTICAST = 0x08
    INBOUND = 0x10


CLOSED: Final = Access(0)


#: The highest number of an access profile that the rules can tell from others.
PROFILES: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class Destination:
    """Where clients may go, of the networks behind the server.

    :param protocol: "tcp" or "udp"; empty: both where there are ports, else all of IP.
    :param ports: the first and the last; None: all.
    """

    network: IPv4Network | IPv6Network
    protocol: str = ""
    ports: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Ipv6Lease:
    """What a session is given of IPv6.

    :param prefix: a /64; all addresses in it are the client's.
    :param local_address: the server's own address, in none of these prefixes.
    :param dns: the DNS servers that the client is told, as they are reached by IPv6.
    :param routes: where the client sends packets through the tunnel; ``::/0`` for everywhere.
    :param networks: what is behind the client, and routed to it.
    """

    prefix: IPv6Network
    local_address: IPv6Address
    dns: tuple[IPv6Address, ...] = ()
    routes: tuple[IPv6Network, ...] = ()
    networks: tuple[IPv6Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast a session may be, in bits of IP packets a second; 0 is no limit.

    :param down: to the client; ``up``: from it.
    """

    down: int = 0
    up: int = 0


UNSHAPED: Final = Rates()


@dataclass(frozen=True, slots=True)
class Lease:
    """What a login is promised, and a session is given: number, address, and what goes with it.

    :param dns: the DNS servers that the client is told.
    :param routes: the networks that a client sends through the tunnel, if that is split; a client
        that asks by DHCP is told, as it is of ``dns_suffix``, which is ASCII, and empty where there
        is none.
    :param resolvers: all that it may ask for names, ``dns`` and others: of those that are closed
        to it otherwise, it reaches this service.
    :param ipv6: None: the client gets no IPv6.
    :param networks: what is behind the client, and routed to it.
    :param profile: the number of its access profile, from 1 to :data:`PROFILES`: what may be reached
        where that has a list (Config.destinations); 0: there is none, and no list.
    :param list: stands for that list, as it is when this is given; 0: there is none. As long as the
        rules do not have it, nothing of it can be reached.
    :param profile_name: the name of the access profile, for programs of the administrator's.
    :param rates: how fast it is, from its first packet on.
    """

    session: int
    address: IPv4Address
    local_address: IPv4Address
    dns: tuple[IPv4Address, ...] = ()
    resolvers: tuple[IPv4Address | IPv6Address, ...] = ()
    access: Access = CLOSED
    routes: tuple[IPv4Network, ...] = ()
    dns_suffix: str = ""
    ipv6: Ipv6Lease | None = None
    networks: tuple[IPv4Network, ...] = ()
    profile: int = 0
    list: int = 0
    profile_name: str = ""
    rates: Rates = UNSHAPED


@dataclass(frozen=True, slots=True)
class FailedLogin:
    """A login that failed; of a flood, several.

    :param at: seconds since 1970.
    :param user: who was claimed, fit for a log; empty where it is several.
    :param peer: from where, address and port; where it is several, the source, if it is one.
    :param client: what the client's program calls itself, or empty.
    :param count: how many it stands for.
    """

    at: float
    user: str
    peer: str
    client: str
    reason: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class TraceOrder:
    """Somebody wants the packets of a session.

    :param session: its number; 0: it is the user's.
    :param user: whose sessions and logins, by the account's name; empty: it is the session's.
    :param whole: whether IP packets are wanted with what they carry, or their headers alone.
    :param octets: how many bytes, at most.
    """

    id: int
    session: int
    user: str
    whole: bool
    octets: int


@dataclass(frozen=True, slots=True)
class Orders:
    """What is wanted of a worker: the answer to its beat.

    :param ending: the sessions that are to end, and why.
    :param rates: the sessions that have other rates than their leases or the last answer said.
    :param traces: which packets somebody wants.
    :param weak_sign_ins: what at least one access profile takes: a client says how before it says who.
    """

    ending: dict[int, str] = field(default_factory=dict)
    rates: dict[int, Rates] = field(default_factory=dict)
    traces: tuple[TraceOrder, ...] = ()
    weak_sign_ins: WeakSignIn = NO_WEAK_SIGN_IN


class Directory(Protocol):
    """The users. Called from a thread, never from the event loop."""

    def account(self, name: str) -> tuple[Account, Secrets] | None:
        """Return the user whom a client means by that name, or None.

        :param name: all of what it sent, with domain, blanks and all, as text.
        """

    def change_password(self, account: Account, before: Secrets, password: str) -> str:
        """Give a user who has proved to know the old password another one.

        :param before: as the login was checked with it: whoever was given another password or was
            shut out meanwhile keeps it, and stays out.
        :returns: why it cannot be, for the log; empty if it is done.
        """

    def attempt(self, name: str, source: str, *, right: bool) -> Standing:
        """Count a login by password, before anybody is told what became of it.

        All workers count together: of logins that come at once, none is told more than the last
        one that may be.

        :param name: of the user, or what was claimed where there is no such user.
        :param source: where it comes from: an IPv4 address, or an IPv6 prefix of 64 bits.
        :param right: whether the password is right.
        """

    def by_certificate(self, der: bytes) -> Account:
        """Return the user to whom this certificate belongs, for a login with it.

        Its signature and validity are checked elsewhere.

        :raises CertificateRefused: if it is revoked, not known, or nobody's who may log in.
        """

    def client_roots(self) -> tuple[bytes, ...]:
        """Return the certificates, DER, of the authorities that issue to users."""


class Sessions(Protocol):
    """The sessions of all workers, and the leases. Called from a thread, one call at a time."""

    def promise(self, account: Account, *, peer: str, client: str) -> Lease | None:
        """Keep an address for a login of ``account`` whose crypto binding does not hold yet.

        It counts among the user's own sessions and ends nobody's. :meth:`close` gives it back.

        :returns: None when no address is free.
        """

    def bind(self, session: int, interface: str) -> str:
        """The binding holds: make what was promised a session.

        What it takes over, from older sessions of the same user, ends.

        :param interface: through which it will go.
        :returns: why there can be no session any more; empty if it is one now.
        """

    def started(self, session: int, interface: str) -> None:
        """Note that a session goes through another interface than it was bound with."""

    def up(self, session: int) -> None:
        """IP flows for the first time."""

    def close(self, session: int, reason: str, traffic: tuple[int, int]) -> None:
        """The session is over: its address is free. One that is gone already is no error.

        What fails here is made up for by a later :meth:`beat`.

        :param reason: why it ended, in words.
        :param traffic: the bytes received and sent by the end.
        """

    def failed(self, logins: Sequence[FailedLogin]) -> None:
        """Note logins that failed. Not all of a flood come here, and others stand for several."""

    def traced(self, order: int, records: bytes) -> None:
        """Give what came of an order: see :mod:`.trace.records`; of one that is over, nothing is kept."""

    def beat(self, traffic: dict[int, tuple[int, int]]) -> Orders:
        """Once a second: note that this worker lives and what its sessions carried.

        :param traffic: for each session that changed, the bytes received and sent until now.
        """


@dataclass(frozen=True, slots=True)
class Pool:
    """The addresses of an access profile: how many there are, and how many somebody has."""

    addresses: int
    used: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What the store knows, and no worker counts.

    :param pools: by access profile.
    :param lockouts: how many are locked, by what is: a user from a source, or a source.
    :param certificates: when each ends, seconds since 1970; the server's own is ``server``.
    """

    pools: Mapping[str, Pool] = field(default_factory=dict)
    lockouts: Mapping[str, int] = field(default_factory=dict)
    certificates: Mapping[str, float] = field(default_factory=dict)


class Backend(Protocol):
    """Gives each worker process its part of the store."""

    def reset(self, living: Collection[int] = ()) -> None:
        """Of this machine's workers, ``living`` run: forget what an earlier run left of others."""

    def join(self, pid: int) -> AbstractContextManager[tuple[Directory, Sessions]]:
        """Register the calling worker process; what it gives is for that process alone.

        At the end of the context, what it opened is closed.
        """

    def forget(self, pid: int) -> None:
        """The worker ``pid`` has ended: forget its sessions, free their addresses."""

    def figures(self) -> Figures:
        """Return what metrics have to say that no worker counts; asked every few seconds."""
