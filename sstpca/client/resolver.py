"""The machine's resolver, told of the VPN's DNS servers: by systemd-resolved, or by resolvconf."""

import shutil
import subprocess
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
_SECONDS: Final = 10.0
#: There is one when systemd-resolved runs.
_RESOLVED: Final = Path("/run/systemd/resolve")


class Resolver:
    """Tells it, and takes that back.

    :param interface: that the servers are reached through.
    :ivar why_not: why nothing is told, where that is so; empty otherwise.
    """

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._told = False
        self.why_not = ""

    def __enter__(self) -> "Resolver":
        return self

    def __exit__(self, *_: object) -> None:
        if self._told:
            self._take_back()

    def tell(self, servers: Sequence[IPv4Address], suffix: str, *, everything: bool) -> None:
        """Have names asked for there: all of them, or those of a suffix, where there is one.

        :param everything: whether all traffic goes through the tunnel.
        """
        if not servers:
            return
        if _RESOLVED.exists() and (resolvectl := shutil.which("resolvectl", path=_PATH)):
            domains = [suffix] if suffix else []
            domains += ["~."] if everything or not suffix else []
            self._told = self._run(
                [resolvectl, "dns", self._interface, *map(str, servers)]
            ) and self._run([resolvectl, "domain", self._interface, *domains])
        elif resolvconf := shutil.which("resolvconf", path=_PATH):
            lines = [f"nameserver {one}" for one in servers]
            lines += [f"search {suffix}"] if suffix else []
            self._told = self._run([resolvconf, "-a", self._interface], "\n".join([*lines, ""]))
        else:
            shown = ", ".join(map(str, servers))
            self.why_not = (
                f"there is no systemd-resolved or resolvconf: names are not asked of {shown}"
            )

    def _take_back(self) -> None:
        if _RESOLVED.exists() and (resolvectl := shutil.which("resolvectl", path=_PATH)):
            self._run([resolvectl, "revert", self._interface])
        elif resolvconf := shutil.which("resolvconf", path=_PATH):
            self._run([resolvconf, "-d", self._interface])

    def _run(self, command: list[str], typed: str = "") -> bool:
        try:
            done = subprocess.run(
                command,
                input=typed,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            self.why_not = f"{Path(command[0]).name}: {error}"
            return False
        if done.returncode:
            said = next(iter(done.stderr.splitlines()), f"exit code {done.returncode}")
            self.why_not = f"{Path(command[0]).name}: {said}"
        return done.returncode == 0
