"""The VPN as a service of its machine: installed, shown, taken away."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sstpca.server.net.presence import is_present

from ..authority import backup_folder
from ..disk.folders import make_folder
from ..disk.writing import File
from ..errors import InUse, Refused, Remedy, Unavailable, command
from ..home import Home
from ..service import files, systemd
from ..service.files import Manager, Part
from ..service.program import lacks_passphrase, program_of
from ..service.systemd import Systemd
from ..service.sysvinit import SysvInit
from ..serving.checks import State, checks
from ..serving.server import table_of
from .opened import Opened

__all__ = ["KINDS", "Installed", "Part", "Service"]

#: what can manage services
KINDS = ("systemd", "sysvinit")


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation does, or has done.

    :param manager: who starts the service, as people call it.
    :param written: the files that are new, or other than they were.
    :param removed: those that go.
    :param passphrase: the file with the backups' passphrase, if it was made just now.
    :param outdated: whether the server runs on as the files were before.
    :param warnings: what will not work, each with what to do.
    """

    manager: str
    written: tuple[File, ...]
    removed: tuple[Path, ...]
    passphrase: Path | None
    outdated: bool
    warnings: tuple[tuple[str, Remedy], ...]


class Service:
    """The service of one home; see :class:`.vpn.Vpn`."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def plan(
        self, kind: str | None = None, *, socket: bool = False, open_firewall: bool = False
    ) -> Installed:
        """Return what :meth:`install` would do, and do nothing.

        :raises SstpcaError: if it cannot be done for this home.
        """
        return self._planned(self._manager(kind, socket=socket, open_firewall=open_firewall))

    def install(
        self, kind: str | None = None, *, socket: bool = False, open_firewall: bool = False
    ) -> Installed:
        """Write what the service needs, and start it: server, renewal and backups, by time.

        Where it is installed already, what has changed is written; a server that runs goes on.

        :param kind: one of KINDS; by default what manages this machine.
        :param socket: whether systemd is to listen for the server.
        :param open_firewall: whether the server is to have other firewalls let the VPN through.
        :raises SstpcaError: if this is not root, something cannot be written, or does not start; if the
            server would not start, or is run otherwise, nothing is written.
        """
        _only_root()
        manager = self._manager(kind, socket=socket, open_firewall=open_firewall)
        made = self._planned(manager)
        home, settings = self._opened.home, self._opened.settings
        _check_start(home, manager, listens=not socket)
        folder = backup_folder.folder_of(home, settings)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"cannot make the folder {folder}: {error.strerror}") from error
        make_folder(folder)
        backup_folder.make_passphrase(home, settings)
        manager.retire(made.removed)
        files.apply(made.written, made.removed)
        outdated = manager.start([*(one.path for one in made.written), *made.removed])
        return Installed(
            made.manager, made.written, made.removed, made.passphrase, outdated, made.warnings
        )

    def uninstall(self, kind: str | None = None) -> Sequence[Path]:
        """End the service and remove its files; return these. The home and its backups stay.

        :raises SstpcaError: if this is not root, or something cannot be removed.
        """
        _only_root()
        manager = self._manager(kind)
        found = [path for path in manager.owned() if os.path.lexists(path)]
        if found:
            manager.stop()
            files.apply([], found)
            manager.forget()
        return found

    def parts(self, kind: str | None = None) -> Sequence[Part]:
        """Return how server, renewal and backup are.

        :raises SstpcaError: if the manager cannot be asked.
        """
        return self._manager(kind).parts()

    def _manager(
        self, kind: str | None, *, socket: bool = False, open_firewall: bool = False
    ) -> Manager:
        settings = self._opened.settings
        program = program_of(self._opened.home, settings, open_firewall=open_firewall)
        if (kind or _present()) == "systemd":
            return Systemd(program, settings, socket=socket)
        return SysvInit(program)

    def _planned(self, manager: Manager) -> Installed:
        home, settings = self._opened.home, self._opened.settings
        written, removed = files.changes(manager)
        passphrase = backup_folder.passphrase_file(home, settings)
        warnings: list[tuple[str, Remedy]] = []
        if lacks_passphrase(home, settings):
            remedy = (
                "put it into a file of mode 600, name that in settings.toml (passphrase_file below "
                "[renewal]), then: ",
                command("service install"),
            )
            warnings.append(("the renewal timer does not know the passphrase of ca.key", remedy))
        return Installed(
            manager.called,
            tuple(written),
            tuple(removed),
            None if passphrase.exists() else passphrase,
            False,
            tuple(warnings),
        )


def _check_start(home: Home, manager: Manager, *, listens: bool) -> None:
    """Make sure that the server would start, or runs already as this service.

    :param listens: whether it opens its port itself.
    :raises InUse: if somebody runs it otherwise.
    :raises Refused: with the first reason why it would not start.
    """
    runs = next(part.running for part in manager.parts() if part.what == "server")
    if is_present(table_of(home)) and not runs:
        raise InUse(
            f"a server runs for the home {home.root} already, and not as this service",
            "end it first: Ctrl-C in its terminal, or what else started it",
        )
    for check in checks(home, listens=listens):
        if check.state is State.WRONG:
            raise Refused(f"the server would not start: {check.name}: {check.found}", *check.remedy)


def _present() -> str:
    return "systemd" if systemd.is_booted() else "sysvinit"


def _only_root() -> None:
    if os.geteuid() != 0:
        raise Unavailable(
            "a service of this machine is root's to install and to remove",
            "run the same command as root (sudo)",
        )
