"""A home's service without systemd: an init script for start-stop-daemon(8), and a file for cron(8)."""

import zlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from ..disk.writing import File
from ..errors import SstpcaError
from . import init_script
from .files import EXECUTABLE, Part, ask, call, public
from .program import Program

#: Starts again what is gone; {by} is the command that writes it.
REVIVAL: Final = """\
# Written by '{by}': what is changed here, it writes anew.
SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
*/5 * * * *  root  {script} revive
"""
_CRON: Final = (
    REVIVAL
    + """\
{minute} 3 * * *  root  {script} renew || echo "{name}: the renewal of certificates failed, see /var/log/{name}.log"
{minute} 2 * * *  root  {script} backup || echo "{name}: the backup failed, see /var/log/{name}.log"
"""
)

#: Keeps the log from growing.
ROTATION: Final = """\
# Written by '{by}'.
/var/log/{name}.log {{
    weekly
    rotate 8
    compress
    missingok
    notifempty
    copytruncate
}}
"""


class SysvInit:
    """The init script of one home, and what belongs to it.

    :param root: the machine's file system.
    """

    called = "an init script and cron"

    def __init__(self, program: Program, *, root: Path = Path("/")) -> None:
        self._program = program
        self._name = f"sstpca-{program.label}"
        self._script = root / "etc/init.d" / self._name
        self._cron = root / "etc/cron.d" / self._name
        self._rotation = root / "etc/logrotate.d" / self._name

    def files(self) -> Sequence[File]:
        """Return the script, and the files for cron and logrotate."""
        program, name = self._program, self._name
        jobs = {"renew": program.renew, "backup": program.back_up}
        script = init_script.text(
            name, "SSTP VPN server (sstpca)", program.serve, jobs=jobs, reloads=True
        )
        # not all machines of a company at once
        minute = zlib.crc32(str(program.home).encode()) % 60
        return [
            public(self._script, script, EXECUTABLE),
            public(
                self._cron,
                _CRON.format(
                    by="sstpca service install",
                    script=f"/etc/init.d/{name}",
                    name=name,
                    minute=minute,
                ),
            ),
            public(self._rotation, ROTATION.format(by="sstpca service install", name=name)),
        ]

    def obsolete(self) -> Sequence[Path]:
        """Return nothing: it has the same files at all times."""
        return []

    def owned(self) -> Sequence[Path]:
        """Return all files that there may be of this home."""
        return [self._script, self._cron, self._rotation]

    def retire(self, paths: Collection[Path]) -> None:
        """End what these files are of: of what it has, nothing goes by itself."""

    def start(self, changed: Collection[Path]) -> bool:
        """Have the server started, now and with the machine; see :class:`.files.Manager`.

        :raises SstpcaError: if it does not start.
        """
        running = self._runs()
        call("update-rc.d", self._name, "defaults")
        try:
            call(str(self._script), "start")
        except SstpcaError as error:
            raise SstpcaError(
                f"the server does not start: {error}",
                f"its log says more: /var/log/{self._name}.log",
            ) from error
        return running and self._script in changed

    def stop(self) -> None:
        """End the server."""
        if self._script.exists():
            call(str(self._script), "stop")

    def forget(self) -> None:
        """The script is gone."""
        call("update-rc.d", self._name, "remove")

    def parts(self) -> Sequence[Part]:
        """Return how the server and the jobs of cron are."""
        there, runs = self._script.exists(), self._runs()
        jobs = self._cron.exists()
        return [
            Part(self._name, "server", there, runs, "active" if runs else "inactive"),
            Part(
                self._name,
                "renewal",
                jobs,
                jobs,
                "active" if jobs else "inactive",
                "daily, by cron",
            ),
            Part(
                self._name, "backup", jobs, jobs, "active" if jobs else "inactive", "daily, by cron"
            ),
        ]

    def _runs(self) -> bool:
        return self._script.exists() and ask(str(self._script), "status").returncode == 0
