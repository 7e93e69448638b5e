"""A connection of this machine to some server, as a service: dialled at its start, and kept.

What it needs is in a folder of its own, for root alone: no password is in a unit or on a command line.
"""

import os
import shutil
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ..disk.writing import File
from . import escaping, init_script
from .files import EXECUTABLE, ask, call, public
from .program import Reach, code_paths
from .systemd import UNITS
from .sysvinit import REVIVAL, ROTATION
from .unit_text import CONFINED, reach, unit, with_reading

_FOLDER: Final = Path("/etc/sstpca/connections")
_INSTALLED_BY: Final = "sstpca connect --install"
#: Variables of the program, for what belongs on no command line: a proxy's password.
ENVIRONMENT: Final = "environment"

# interfaces, addresses, routes, nftables; and port 68, from which servers are asked for routes
_CAPABILITIES: Final = ("CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE")
_CALLS: Final = ("@system-service", "~@privileged @resources @keyring @obsolete")
# where resolvconf(8) writes
_WRITTEN: Final = tuple(map(Path, ("/proc/sys/net", "/run/resolvconf", "/etc/resolv.conf")))
#: Seconds that somebody waits to see whether it comes up.
_SOON: Final = 15.0


@dataclass(frozen=True, slots=True)
class Connection(Reach):
    """A connection.

    :param name: letters, digits and ``-``; it tells this one from others of the machine.
    :param server: what it leads to, for people.
    :param words: what stands behind ``connect``.
    """

    name: str
    server: str
    words: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """What is its own."""
        return folder_of(self.name)

    @property
    def command(self) -> tuple[str, ...]:
        """The words that run it; a refusal is for whoever administers the server to mend."""
        program = (sys.executable, "-P", "-m", "sstpca", "connect")
        return (*program, *self.words, "--keep-trying")

    @property
    def used(self) -> tuple[Path, ...]:
        """All that the program reads or writes beyond the system's own folders."""
        return code_paths()


def folder_of(name: str) -> Path:
    """Return the folder with what is a connection's own."""
    return _FOLDER / name


class Manager(Protocol):
    """What starts connections on this machine; as :class:`.files.Manager` for homes."""

    called: str

    def files(self, connection: Connection) -> Sequence[File]:
        """Return what belongs on disk."""

    def owned(self, name: str) -> Sequence[Path]:
        """Return all files that there may be of a connection."""

    def start(self, name: str, changed: Collection[Path]) -> str:
        """Have it dialled, now and with the machine; return how it is, in one line."""

    def stop(self, name: str) -> None:
        """End it, and have it started no more."""

    def forget(self, name: str) -> None:
        """Its files are gone."""


class Systemd:
    """Units, one for each connection.

    :param root: the machine's file system.
    """

    called = "systemd"

    def __init__(self, root: Path = Path("/")) -> None:
        self._folder = root / UNITS

    def files(self, connection: Connection) -> Sequence[File]:
        """Return the unit."""
        return [public(self._folder / _unit_name(connection.name), unit_of(connection))]

    def owned(self, name: str) -> Sequence[Path]:
        """Return the unit's file."""
        return [self._folder / _unit_name(name)]

    def start(self, name: str, changed: Collection[Path]) -> str:
        """Have it dialled, and watch that for a moment.

        :raises SstpcaError: if systemd does not take it.
        """
        named = _unit_name(name)
        if changed:
            call("systemctl", "daemon-reload")
        call("systemctl", "enable", named)
        call("systemctl", "restart" if changed else "start", "--no-block", named)
        end = time.monotonic() + _SOON
        while not (up := _shown(named, "ActiveState") == "active") and time.monotonic() < end:
            time.sleep(0.5)
        said = _shown(named, "StatusText")
        return said if up and said else f"{said or 'it dials'}; see journalctl -u {named}"

    def stop(self, name: str) -> None:
        """End it, and have it started no more."""
        call("systemctl", "disable", "--now", _unit_name(name))

    def forget(self, name: str) -> None:
        """The unit is gone."""
        call("systemctl", "daemon-reload")
        ask("systemctl", "reset-failed", _unit_name(name))


class SysvInit:
    """Init scripts, one for each connection.

    :param root: the machine's file system.
    """

    called = "an init script and cron"

    def __init__(self, root: Path = Path("/")) -> None:
        self._etc = root / "etc"

    def files(self, connection: Connection) -> Sequence[File]:
        """Return the script, and the files for cron and logrotate."""
        name = _script_name(connection.name)
        script, cron, rotation = self.owned(connection.name)
        revival = REVIVAL.format(by=_INSTALLED_BY, script=f"/etc/init.d/{name}")
        text = init_script.text(
            name,
            f"SSTP connection {connection.name} (sstpca)",
            connection.command,
            environment=connection.folder / ENVIRONMENT,
            by=_INSTALLED_BY,
        )
        return [
            public(script, text, EXECUTABLE),
            public(cron, revival),
            public(rotation, ROTATION.format(by=_INSTALLED_BY, name=name)),
        ]

    def owned(self, name: str) -> Sequence[Path]:
        """Return the script, and the files for cron and logrotate."""
        return [self._etc / one / _script_name(name) for one in ("init.d", "cron.d", "logrotate.d")]

    def start(self, name: str, changed: Collection[Path]) -> str:
        """Have it dialled.

        :raises SstpcaError: if it does not start.
        """
        call("update-rc.d", _script_name(name), "defaults")
        call(str(self.owned(name)[0]), "restart" if changed else "start")
        return f"it dials; see /var/log/{_script_name(name)}.log"

    def stop(self, name: str) -> None:
        """End it."""
        call(str(self.owned(name)[0]), "stop")

    def forget(self, name: str) -> None:
        """The script is gone."""
        call("update-rc.d", _script_name(name), "remove")


def unit_of(connection: Connection) -> str:
    """Return the text of its unit.

    It is started when it is connected, as whoever needs the network behind it wants. The start of the
    machine does not wait for that: a target waits for what it wants, unless that is without the default
    dependencies (systemd.target(5)), which are written out then.
    """
    return unit(
        by=_INSTALLED_BY,
        Unit=[
            (
                "Description",
                f"SSTP connection {connection.name} to {escaping.text(connection.server)}",
            ),
            ("Documentation", "man:sstpca(1)"),
            ("DefaultDependencies", "no"),
            ("Requires", "sysinit.target"),
            ("Wants", "network-online.target"),
            ("After", "sysinit.target basic.target network-online.target"),
            ("Conflicts", "shutdown.target"),
            ("Before", "shutdown.target"),
            ("StartLimitIntervalSec", "0"),
        ],
        Service=[
            ("Type", "notify"),
            ("NotifyAccess", "main"),
            ("EnvironmentFile", escaping.path(f"-{connection.folder / ENVIRONMENT}")),
            ("ExecStart", escaping.command(connection.command)),
            # it goes on trying for as long as there is no server
            ("TimeoutStartSec", "infinity"),
            ("Restart", "always"),
            ("RestartSec", "10"),
            ("KillMode", "mixed"),
            ("TimeoutStopSec", "30"),
            ("CapabilityBoundingSet", " ".join(with_reading(connection, _CAPABILITIES))),
            *CONFINED,
            *reach(connection, _WRITTEN),
            ("DevicePolicy", "closed"),
            ("DeviceAllow", "/dev/net/tun rw"),
            ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK"),
            *(("SystemCallFilter", calls) for calls in _CALLS),
        ],
        Install=[("WantedBy", "multi-user.target")],
    )


def remove_folder(name: str) -> None:
    """Remove what is a connection's own."""
    shutil.rmtree(folder_of(name), ignore_errors=True)


def is_installed(manager: Manager, name: str) -> bool:
    """Whether there is something of this connection."""
    return any(os.path.lexists(one) for one in (folder_of(name), *manager.owned(name)))


def _unit_name(name: str) -> str:
    return f"sstpca-connect@{name}.service"


def _script_name(name: str) -> str:
    return f"sstpca-connect-{name}"


def _shown(unit_name: str, key: str) -> str:
    said = ask("systemctl", "show", f"--property={key}", unit_name).stdout.strip()
    return said.partition("=")[2]
