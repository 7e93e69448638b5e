"""What the service manager is told: sd_notify(3), one datagram each time.

The variables of the environment stay as they are: a program that takes over from this one finds them.
"""

import os
import socket
from collections.abc import Mapping
from typing import Final

from .log import LOGGER

#: Seconds until a service manager that takes no datagram is left alone.
_PATIENCE: Final = 1.0


class Notifier:
    """Tells the service manager how the server is; without one, nobody.

    :param environment: has NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID where there is one.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self.watchdog = _watchdog(environment) if self._address else None

    def ready(self, status: str) -> None:
        """It serves.

        :param status: for people, one line.
        """
        self._send("READY=1", f"STATUS={status}")

    def says(self, status: str) -> None:
        """How it is now, for people, one line."""
        self._send(f"STATUS={status}")

    def alive(self) -> None:
        """Everything works, for as long as the watchdog waits."""
        if self.watchdog is not None:
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """It ends, which may take as long as its sessions need."""
        self._send("STOPPING=1", "STATUS=Ending the sessions")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        said = "\n".join(line.replace("\n", " ") for line in lines)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.settimeout(_PATIENCE)
                line.sendto(said.encode("utf-8", "replace"), self._address)
        except OSError as error:
            LOGGER.warning("the service manager is not told %s: %s", lines[0], error)


def _address(named: str) -> bytes:
    """Return the address of a socket as the kernel has it; empty if it is none of ours to use.

    A name that begins with @ is one without a file (unix(7), abstract); there may be other families.
    """
    if named[:1] == "@":
        return b"\0" + os.fsencode(named[1:])
    return os.fsencode(named) if named[:1] == "/" else b""


def _watchdog(environment: Mapping[str, str]) -> float | None:
    """Return the seconds within which the manager wants to hear of us (sd_watchdog_enabled(3)), if it
    does.
    """
    for_us = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    text = environment.get("WATCHDOG_USEC", "")
    if not for_us or not text.isascii() or not text.isdecimal() or int(text) == 0:
        return None
    return int(text) / 1e6
