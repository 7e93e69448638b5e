"""How one VPN is, on one screen: what runs, what ends, what is used up, and what needs attention."""

import os
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from .. import __version__
from ..authority import backup_folder, issuing
from ..authority import due as needs
from ..authority.backup_folder import LastBackup
from ..authority.due import Urgency
from ..errors import Remedy, command
from ..home import SERVERS
from ..store import attempts, certificates, database_files, failures, history, pool_use, sessions
from ..store.certificates import AUTHORITY
from ..store.pool_use import PoolUse
from .opened import Opened
from .running import Running

__all__ = ["Attention", "LastBackup", "PoolUse", "ServerState", "Status", "Urgency", "status"]

_DAY: Final = 86_400.0

#: How long before its end a certificate is spoken of; as cert check has it.
_SOON: Final = timedelta(days=30)

#: How much of a pool may be used, how old the last backup may be, and how little room is too little.
_NEARLY_ALL: Final = 0.9
_OLD: Final = 8 * _DAY
ROOM: Final = 200_000_000


@dataclass(frozen=True, slots=True)
class ServerState:
    """The server that runs.

    :param started: seconds since 1970; None where it does not say, as of an earlier release.
    :param alive: how many of its workers have been heard of in the last half minute.
    :param draining: whether it takes no logins any more.
    :param earlier: how many of them are of earlier settings, or of an earlier program, and have
        sessions still.
    """

    pid: int | None
    started: float | None
    version: str
    listen: tuple[str, ...]
    port: int | None
    workers: int | None
    alive: int
    draining: bool = False
    earlier: int = 0


@dataclass(frozen=True, slots=True)
class Attention:
    """What somebody should do something about.

    :param what: is the case, in one line; ``remedy`` is what to do.
    """

    urgency: Urgency
    what: str
    remedy: Remedy


@dataclass(frozen=True, slots=True)
class Status:
    """How a VPN is.

    :param server: None: it does not run.
    :param ends: of the certificates of the server and the authority, in seconds since 1970.
    :param begun: sessions that began in the last 24 hours, ``failed`` logins that failed in them.
    :param locked: users and sources that no password lets in now.
    :param renewals: certificates that a renewal is worth while for.
    :param database: its size in bytes, ``room`` what is free on its disk.
    :param attention: what is wrong first.
    """

    host: str
    version: str
    server: ServerState | None
    ends: dict[str, float]
    pools: dict[str, PoolUse]
    sessions: int
    begun: int
    failed: int
    locked: int
    renewals: int
    backup: LastBackup | None
    database: int
    room: int
    attention: tuple[Attention, ...]


def status(opened: Opened) -> Status:
    """Return how the VPN is now.

    :raises SstpcaError: if its settings or its database cannot be read.
    """
    home, store = opened.recovered()
    now = time.time()
    alive, live = sessions.count_sessions(store)
    with store.reading() as transaction:
        pools = pool_use.pool_use(transaction)
    lockouts = attempts.list_all(store, opened.settings.lockout, now)
    disk = os.statvfs(home.root)
    server, backup = _server(home.served(), alive), backup_folder.last(home)
    if server is not None and (changing := Running(opened).state()) is not None:
        server = replace(server, draining=changing.draining, earlier=changing.earlier)
    room = disk.f_bavail * disk.f_frsize
    found = [*_certificates(opened), *_server_doubts(server), *_pool_doubts(pools)]
    found += [*_backup_doubts(backup, now), *_disk_doubts(room, str(home.root))]
    return Status(
        host=opened.settings.host,
        version=__version__,
        server=server,
        ends={
            one.name: one.not_after
            for one in certificates.list_current(store)
            if one.profile == AUTHORITY or one.name in home.shown
        },
        pools=pools,
        sessions=live,
        begun=history.count_begun(store, now - _DAY),
        failed=failures.count(store, now - _DAY),
        locked=sum(one.until is not None for one in lockouts),
        renewals=len(issuing.due(home, store, _SOON, datetime.now(UTC))),
        backup=backup,
        database=sum(one.stat().st_size for one in database_files(home.database) if one.exists()),
        room=room,
        attention=tuple(sorted(found, key=lambda one: one.urgency is not Urgency.WRONG)),
    )


def _server(said: dict[str, object] | None, alive: int) -> ServerState | None:
    """Return what a server says of itself; who could write that owns the home."""
    if said is None:
        return None

    def number(name: str) -> int | None:
        found = said.get(name)
        return found if isinstance(found, int) else None

    listen, started = said.get("listen"), said.get("started")
    return ServerState(
        pid=number("pid"),
        started=started if isinstance(started, float) else None,
        version=str(said.get("version", "")),
        listen=tuple(map(str, listen)) if isinstance(listen, list) else (),
        port=number("port"),
        workers=number("workers"),
        alive=alive,
    )


def _certificates(opened: Opened) -> list[Attention]:
    found = needs.due(opened.home, opened.store, _SOON, datetime.now(UTC))
    return [
        Attention(
            one.urgency, f"{one.name}: {one.why}" if one.name in SERVERS else one.why, one.remedy
        )
        for one in found
    ]


def _server_doubts(server: ServerState | None) -> list[Attention]:
    if server is None:
        return []
    found = []
    if server.version and server.version != __version__:
        what = f"the server that runs is sstpca {server.version}, this is {__version__}"
        found.append(
            Attention(Urgency.DUE, what, ("have this one take over: ", command("restart")))
        )
    if server.draining:
        what = "the server takes no logins: it is being drained"
        found.append(
            Attention(Urgency.DUE, what, ("have it take some again: ", command("restart")))
        )
    elif server.workers is not None and server.alive - server.earlier < server.workers:
        what = f"of {server.workers} workers, {server.alive} have been heard of lately"
        found.append(Attention(Urgency.WRONG, what, ("see '", command("log"), "'")))
    return found


def _pool_doubts(pools: dict[str, PoolUse]) -> list[Attention]:
    return [
        Attention(
            Urgency.WRONG if one.used >= one.addresses else Urgency.DUE,
            f"of the {one.addresses} addresses of '{name}', {one.used} are in use",
            ("give it more: ", command("profile set {} --pool FIRST-LAST", name)),
        )
        for name, one in pools.items()
        if one.addresses and one.used >= _NEARLY_ALL * one.addresses
    ]


def _backup_doubts(backup: LastBackup | None, now: float) -> list[Attention]:
    if backup is None or now - backup.made < _OLD:
        return []
    what = f"the last backup was made {(now - backup.made) / _DAY:.0f} days ago"
    return [Attention(Urgency.DUE, what, ("make another: ", command("ca backup")))]


def _disk_doubts(room: int, place: str) -> list[Attention]:
    if room >= ROOM:
        return []
    what = f"the disk of {place} has {room // 1_000_000} MB left"
    return [Attention(Urgency.DUE, what, ("make room on it",))]
