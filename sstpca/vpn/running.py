"""The server that runs: other settings, another release, a drain, without an end of its sessions."""

import sys
from dataclasses import dataclass
from typing import Any, Final

from sstpca.server import control
from sstpca.server.errors import ServerError

from ..errors import NotFound, Refused, Unavailable, command
from ..store.sessions import count_sessions
from .opened import Opened

__all__ = ["Running", "State", "TookOver"]

#: what calls this program, without its arguments
_PROGRAM: Final = (sys.executable, "-P", "-m", "sstpca")


@dataclass(frozen=True, slots=True)
class State:
    """How far changes of a server have come.

    :param draining: whether it takes no logins any more.
    :param earlier: workers of earlier settings or an earlier program that have sessions still.
    """

    draining: bool
    earlier: int


@dataclass(frozen=True, slots=True)
class TookOver:
    """What serves now.

    :param version: of the program.
    :param earlier: workers of the program before that go on to the end of their sessions.
    """

    version: str
    earlier: int


class Running:
    """The server of one home; see :class:`.vpn.Vpn`. It takes the user who started it, often root."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def reload(self) -> dict[str, str]:
        """Have the server go by settings.toml as it is now, as far as that takes no restart.

        Sessions go on as they were begun.

        :returns: what is different, ``[server] mtu``, and when that takes effect, in words.
        :raises NotFound: if no server runs.
        :raises SstpcaError: if the file is of no use; nothing has changed then.
        """
        effects: dict[str, str] = self._tell("reload")["effects"]
        return effects

    def restart(self, *, within: float) -> TookOver:
        """Have this program take over from the one that serves, settings.toml read anew.

        It takes its process, its ports and its rules; nobody is refused meanwhile. Sessions stay with
        the workers that they have.

        :param within: seconds until the sessions that there are have to end.
        :raises NotFound: if no server runs.
        :raises SstpcaError: if this program would not start; nothing has changed then.
        """
        said = self._tell("restart", program=_PROGRAM, within=within)
        return TookOver(str(said["version"]), int(said["earlier"]))

    def drain(self, *, within: float) -> None:
        """Have the server take no new connections, and let its sessions go on to their end.

        :param within: seconds until those that are left have to end.
        :raises NotFound: if no server runs.
        """
        self._tell("drain", within=within)

    def state(self) -> State | None:
        """Return how far that has come; None if no server runs that says so."""
        try:
            said = control.tell(self._opened.home.root, "state")
        except (OSError, ServerError):
            return None
        return State(bool(said["draining"]), int(said["earlier"]))

    def sessions(self) -> int:
        """Return how many sessions there are."""
        return count_sessions(self._opened.store)[1]

    def _tell(self, verb: str, **values: object) -> dict[str, Any]:
        home = self._opened.home
        try:
            return control.tell(home.root, verb, **values)
        except ServerError as error:
            raise Refused(str(error), error.hint) from error
        except PermissionError:
            raise Unavailable(
                f"the server of the home {home.root} is another user's",
                "run this as that user, often root (sudo)",
            ) from None
        except OSError as error:
            if home.served() is None:
                raise NotFound(
                    f"no server runs for the home {home.root}", "start it: ", command("serve")
                ) from None
            raise Unavailable(
                f"the server of the home {home.root} cannot be spoken to: {error}",
                "stop it, and start it again",
            ) from error
