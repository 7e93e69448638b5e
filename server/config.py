"""What the server is told when it starts."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .contracts import Backend, Destination
from .takeover import Handover


@enum.unique
class Compat(enum.Enum):
    """Clients for which less than the usual is taken in TLS.

    ``ROUTEROS_NO_PFS``: RouterOS with pfs=no, which has RSA exchange the keys. No forward secrecy:
    whoever gets at the server's key can read what was recorded.
    """

    NONE = "none"
    ROUTEROS_NO_PFS = "routeros-no-pfs"


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """What the server takes in TLS.

    :param minimum_version: "1.2" or "1.3".
    """

    minimum_version: str = "1.2"
    compat: Compat = Compat.NONE


DEFAULT_TLS: Final = TlsSettings()


@dataclass(frozen=True, slots=True)
class Hooks:
    """Programs that are run for sessions; None: none is.

    :param up: when IP flows; ``down`` when a session has ended for which ``up`` was due.
    :param seconds: for how long one may run.
    """

    up: Path | None = None
    down: Path | None = None
    seconds: float = 10.0

    @property
    def wanted(self) -> bool:
        """Whether there is a program that wants to know of anything."""
        return not (self.up is None and self.down is None)


NO_HOOKS: Final = Hooks()


@dataclass(frozen=True, slots=True)
class Reread:
    """The settings as they are by now.

    :param config: what a server of them is told.
    :param backend: the store, as they have it.
    :param effects: what is different, ``[server] mtu``, and when that takes effect, in words.
    :param renews: whether some of it is for logins from now on.
    :param taken: to be called once the server goes by them.
    """

    config: "Config"
    backend: Backend
    effects: Mapping[str, str]
    renews: bool
    taken: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Config:
    """One server's settings.

    :param name: how the server calls itself to clients, in the MS-CHAPv2 challenge.
    :param listen: addresses and port to listen on.
    :param identities: PEM files with a key, its certificate and the chain, for keys of different
        kinds; the first is there, others may come and go, and all may change.
    :param read_identities: returns what is in those files now, as OpenSSL reads PEM; raises
        ServerError unless clients would believe it.
    :param workers: processes.
    :param interface: prefix of the sessions' interfaces.
    :param table: name of the nftables table: ``sstpca_`` and what no other server's has.
    :param mtu: the largest IP packet in the tunnel, in bytes.
    :param due: says that the certificate ends soon, and what to do; empty while it does not.
    :param nat: whether clients reach other networks under this machine's address.
    :param nat66: the same by IPv6.
    :param ipv6: says whether clients may get IPv6; asked again now and then.
    :param destinations: returns, by the number of an access profile, where its users may go of the
        networks behind the server; what is not there has no list, and its users go everywhere. Asked
        again now and then.
    :param open_firewall: whether other firewalls are told to let the VPN through.
    :param tls: what is taken in TLS.
    :param version: of the program.
    :param hooks: programs that are run for sessions.
    :param metrics: address and port where metrics and health are answered; None: nowhere.
    :param control: the folder of the socket for administrators; None: there is none.
    :param reread: returns the settings as they are by now. What takes effect at a restart alone is as it
        was, unless it is told that this is one. Raises ServerError if they are of no use.
    :param arguments: what starts this server as it was started, behind the program's own name; empty:
        it is a part of another program, and no other can take over from it.
    :param lock: the descriptor that holds the home; -1: none does.
    :param before: what the program before has left, from which this one takes over.
    """

    name: str
    listen: tuple[tuple[str, int], ...]
    identities: tuple[Path, ...]
    read_identities: Callable[[], tuple[bytes, ...]]
    workers: int
    interface: str
    table: str
    mtu: int
    nat: bool
    due: Callable[[], str] = str
    tls: TlsSettings = DEFAULT_TLS
    nat66: bool = False
    ipv6: Callable[[], bool] = bool
    version: str = ""
    metrics: tuple[str, int] | None = None
    destinations: Callable[[], Mapping[int, tuple[Destination, ...]]] = dict
    hooks: Hooks = NO_HOOKS
    open_firewall: bool = False
    control: Path | None = None
    reread: "Callable[[bool], Reread] | None" = None
    arguments: tuple[str, ...] = ()
    lock: int = -1
    before: Handover | None = None
