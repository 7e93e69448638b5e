"""A home's service as units of systemd."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from ..disk.writing import File
from ..errors import SstpcaError
from ..settings import Settings
from . import unit_text
from .files import Part, ask, call, public
from .program import Program

UNITS: Final = Path("etc/systemd/system")
#: there where systemd is what started the machine: sd_booted(3)
_BOOTED: Final = Path("run/systemd/system")

_SHOWN: Final = "LoadState,ActiveState,SubState,StatusText,ActiveEnterTimestamp,Result"


def is_booted(root: Path = Path("/")) -> bool:
    """Whether systemd manages this machine."""
    return (root / _BOOTED).is_dir()


class Systemd:
    """The units of one home.

    :param socket: whether systemd listens for the server.
    :param root: the machine's file system.
    """

    called = "systemd"

    def __init__(
        self, program: Program, settings: Settings, *, socket: bool, root: Path = Path("/")
    ) -> None:
        self._program = program
        self._settings = settings
        self._socket = socket
        self._folder = root / UNITS
        self._server = self._name("service")

    def files(self) -> Sequence[File]:
        """Return the units."""
        program = self._program
        texts = {
            self._server: unit_text.server(program, socket=self._socket),
            self._name("service", "renew"): unit_text.renewal(program),
            self._name("timer", "renew"): unit_text.timer(
                program, "Renewal of certificates", "daily"
            ),
            self._name("service", "backup"): unit_text.backup(program),
            self._name("timer", "backup"): unit_text.timer(program, "Backup", "*-*-* 02:00"),
        }
        if self._socket:
            texts[self._name("socket")] = unit_text.listening(program, self._settings, self._server)
        return [public(self._folder / name, text) for name, text in texts.items()]

    def obsolete(self) -> Sequence[Path]:
        """Return the socket unit, where it is not wanted."""
        return [] if self._socket else [self._folder / self._name("socket")]

    def start(self, changed: Collection[Path]) -> bool:
        """Have the units started, now and with the machine; see :class:`.files.Manager`.

        :raises SstpcaError: if one does not start.
        """
        socket, running = self._name("socket"), self._is_running(self._server)
        if changed:
            call("systemctl", "daemon-reload")
        if self._socket and not self._is_running(socket):
            if running:  # it has the port
                call("systemctl", "stop", self._server)
                running = False
            call("systemctl", "enable", "--now", socket)
        try:
            call("systemctl", "enable", "--now", self._server, *self._timers())
        except SstpcaError as error:
            raise SstpcaError(
                str(error), f"its log says more: journalctl -u {self._server} -n 20"
            ) from error
        return running and self._folder / self._server in changed

    def retire(self, paths: Collection[Path]) -> None:
        """End the units of these files, which are about to go."""
        if paths:
            call("systemctl", "disable", "--now", *(path.name for path in paths))

    def stop(self) -> None:
        """End the units, and have them started no more."""
        self.retire([path for path in self.owned() if path.exists()])

    def forget(self) -> None:
        """The units are gone."""
        call("systemctl", "daemon-reload")
        ask("systemctl", "reset-failed", *self._names())

    def parts(self) -> Sequence[Part]:
        """Return how the server and the timers are."""
        return [
            self._part("server", self._server),
            self._part("renewal", self._name("timer", "renew"), self._name("service", "renew")),
            self._part("backup", self._name("timer", "backup"), self._name("service", "backup")),
        ]

    def owned(self) -> Sequence[Path]:
        """Return all files that there may be of this home."""
        return [self._folder / one for one in self._names()]

    def _names(self) -> list[str]:
        return [
            self._server,
            self._name("socket"),
            *(
                self._name(kind, what)
                for what in ("renew", "backup")
                for kind in ("service", "timer")
            ),
        ]

    def _timers(self) -> list[str]:
        return [self._name("timer", what) for what in ("renew", "backup")]

    def _name(self, kind: str, what: str = "") -> str:
        # behind @ stands of which home; nothing that is before it can be in a label
        return f"sstpca{'-' if what else ''}{what}@{self._program.label}.{kind}"

    def _is_running(self, unit: str) -> bool:
        return _shown(unit, "ActiveState").get("ActiveState") in ("active", "reloading")

    def _part(self, what: str, unit: str, worker: str = "") -> Part:
        said = _shown(unit, _SHOWN)
        state = said.get("ActiveState", "")
        running = state in ("active", "reloading")
        detail = said.get("StatusText", "")
        if worker:
            result = _shown(worker, "Result,ExecMainExitTimestamp")
            when = result.get("ExecMainExitTimestamp", "")
            failed = result.get("Result", "success") != "success"
            detail = f"last run {when}" if when else "not run yet"
            detail += f", which failed: journalctl -u {worker}" if failed else ""
            state = "failed" if failed else state
        return Part(unit, what, (self._folder / unit).exists(), running, state, detail)


def _shown(unit: str, properties: str) -> dict[str, str]:
    """Return what systemd says of a unit; nothing if it cannot be asked."""
    done = ask("systemctl", "show", f"--property={properties}", unit)
    return dict(line.partition("=")[::2] for line in done.stdout.splitlines())
