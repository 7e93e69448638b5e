"""One VPN, and all that can be done with it."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ..home import Home
from .opened import Opened

# each loads what it needs, and most uses need one of them
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..serving.checks import Check
    from ..settings import Settings
    from .administrators import Administrators
    from .authority import TheAuthority
    from .bundles import Bundles
    from .certificates import Certificates
    from .lockouts import Lockouts
    from .profiles import AccessProfiles
    from .rename import Rename
    from .rollover import Rollover
    from .running import Running
    from .service import Service
    from .sessions import Sessions
    from .setup import Plan
    from .status import Status
    from .transfer import Transfer
    from .users import Users


class Vpn:
    """One VPN: its authority, users, bundles and server, in the folder that is its home.

    What can be done with it is in groups, each an attribute. Every verb is one transaction, in one
    order: on disk, recorded, told. What takes long yields what became of each, and does its work as
    it is iterated over. An instance is for one thread at a time; several processes may work on one
    home. Errors are SstpcaError: a line, and a remedy as data.

    Use :meth:`create`, :meth:`open` or :meth:`restore`, and :meth:`close` it, or a with statement.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    @classmethod
    def create(cls, root: Path | str, plan: "Plan | str", passphrase: bytes | None = None) -> "Vpn":
        """Make the home ``root`` of a new VPN: authority, server certificate, database, settings.

        :param plan: what to make; the host that users connect to is enough.
        :param passphrase: encrypts the authority's key; None leaves it plain.
        :raises Exists: if there is a home already.
        :raises SstpcaError: if a file cannot be written; nothing is left then.
        """
        from ..names import parse_hosts
        from .setup import Plan, make_home

        if isinstance(plan, str):
            plan = Plan(parse_hosts([plan]))
        make_home(Path(root), plan, passphrase)
        return cls.open(root)

    @classmethod
    def open(cls, root: Path | str) -> "Vpn":
        """Return the VPN whose home is ``root``.

        :raises NotFound: if there is none.
        :raises SstpcaError: if it cannot be read, or is somebody else's.
        """
        opened = Opened(Path(root))
        _ = opened.home
        return cls(opened)

    @classmethod
    def restore(cls, source: Path | str, root: Path | str, passphrase: bytes) -> "Vpn":
        """Make the home ``root``, which is empty or not there, from the backup ``source``.

        :raises SstpcaError: if it cannot be; nothing has changed then.
        """
        from .authority import restore

        restore(Path(source), Path(root), lambda: passphrase)
        return cls.open(root)

    @property
    def home(self) -> Home:
        """Its folder, and the files in it."""
        return self._opened.home

    @property
    def settings(self) -> "Settings":
        """What settings.toml said when it was first asked for."""
        return self._opened.settings

    @cached_property
    def users(self) -> "Users":
        """Who may log in."""
        from .users import Users

        return Users(self._opened)

    @cached_property
    def profiles(self) -> "AccessProfiles":
        """What users are given."""
        from .profiles import AccessProfiles

        return AccessProfiles(self._opened)

    @cached_property
    def sessions(self) -> "Sessions":
        """Who is connected."""
        from .sessions import Sessions

        return Sessions(self._opened)

    @cached_property
    def lockouts(self) -> "Lockouts":
        """Who gave too many wrong passwords."""
        from .lockouts import Lockouts

        return Lockouts(self._opened)

    @cached_property
    def bundles(self) -> "Bundles":
        """What users receive."""
        from .bundles import Bundles

        return Bundles(self._opened)

    @cached_property
    def administrators(self) -> "Administrators":
        """What administrators need, for many PCs or a router."""
        from .administrators import Administrators

        return Administrators(self._opened)

    @cached_property
    def certificates(self) -> "Certificates":
        """What was issued: for the server, for users, for other servers."""
        from .certificates import Certificates

        return Certificates(self._opened)

    @cached_property
    def transfer(self) -> "Transfer":
        """Certificates to and from elsewhere."""
        from .transfer import Transfer

        return Transfer(self._opened)

    @cached_property
    def authority(self) -> "TheAuthority":
        """Whom users' machines trust; and the backup of it all."""
        from .authority import TheAuthority

        return TheAuthority(self._opened)

    @cached_property
    def rollover(self) -> "Rollover":
        """From one authority to the next."""
        from .rollover import Rollover

        return Rollover(self._opened)

    @cached_property
    def rename(self) -> "Rename":
        """From one name of the server to another."""
        from .rename import Rename

        return Rename(self._opened)

    @cached_property
    def service(self) -> "Service":
        """The VPN as a service of this machine."""
        from .service import Service

        return Service(self._opened)

    def status(self) -> "Status":
        """Return how it is: what runs, what ends, what is used up, what needs attention.

        :raises SstpcaError: if its settings or its database cannot be read.
        """
        from .status import status

        return status(self._opened)

    @cached_property
    def running(self) -> "Running":
        """The server that runs: changed without an end of its sessions."""
        from .running import Running

        return Running(self._opened)

    def serve(self, *, open_firewall: bool = False, arguments: Sequence[str] = ()) -> None:
        """Run the VPN server until SIGTERM or SIGINT; in the main thread, as root.

        :param open_firewall: whether other firewalls of this machine are told to let the VPN through,
            while it runs.
        :param arguments: of a command line that starts it as it was started, behind the program's own
            name: with them, another release can take over in this process, which is lost to whatever
            else it is for. Without, ``restart`` is refused.
        :raises SstpcaError: if the home or this machine is not fit to serve.
        """
        # pyroute2 takes a fifth of a second to import, and only serving needs it
        from ..serving.server import serve

        opened = self._opened
        serve(opened.home, opened.settings, open_firewall=open_firewall, arguments=tuple(arguments))

    def checks(self) -> "Iterator[Check]":
        """Yield whether :meth:`serve` would work, check by check; nothing is changed by it.

        :raises SstpcaError: if there is no home to look at.
        """
        from ..serving.checks import checks

        return checks(self._opened.home)

    def close(self) -> None:
        """Close what was opened."""
        self._opened.close()

    def __enter__(self) -> "Vpn":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
