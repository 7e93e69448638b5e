"""What a service runs: this program for one home, and what has to be within its reach."""

import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..authority.backup_folder import folder_of
from ..errors import InvalidInput, Refused
from ..home import Home, read_own
from ..names import quoted
from ..settings import Settings
from ..x509.keys import is_encrypted

#: how long before its end a certificate is renewed
RENEW: Final = "30d"

# what ProtectHome= of systemd.exec(5) closes
_HOMES: Final = (Path("/home"), Path("/root"), Path("/run/user"))
_TEMPORARY: Final = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 what PrivateTmp= hides


class Reach:
    """Where the files are that a service uses, of which its confinement must not keep it."""

    __slots__ = ()

    @property
    def used(self) -> tuple[Path, ...]:
        """All that the program reads or writes beyond the system's own folders."""
        raise NotImplementedError

    @property
    def needs_homes(self) -> bool:
        """Whether some of that is in the users' folders."""
        return any(_below(path, _HOMES) for path in self.used)

    @property
    def needs_temporary(self) -> bool:
        """Whether some of that is in the folders for temporary files."""
        return any(_below(path, _TEMPORARY) for path in self.used)

    @property
    def is_open_to_root(self) -> bool:
        """Whether root gets at all of that by the modes alone, without CAP_DAC_READ_SEARCH."""
        return all(_passable(folder) for path in self.used for folder in (path, *path.parents))


@dataclass(frozen=True, slots=True)
class Program(Reach):
    """This program for one home.

    :param home: its folder, absolute and without links.
    :param label: tells this home from others of the machine.
    :param command: the words that call the program for this home, without the command of it.
    :param backups: the folder that the backup timer fills.
    :param ca_passphrase: the file with the passphrase of the authority's key, if it has one.
    :param code: where the program, its Python and its libraries are.
    :param open_firewall: whether the server has other firewalls let the VPN through.
    """

    home: Path
    label: str
    command: tuple[str, ...]
    backups: Path
    ca_passphrase: Path | None
    code: tuple[Path, ...]
    open_firewall: bool = False

    @property
    def serve(self) -> tuple[str, ...]:
        """The words that run the server."""
        return (*self.command, "serve", *(("--open-firewall",) if self.open_firewall else ()))

    @property
    def reload(self) -> tuple[str, ...]:
        """The words that have the server read its settings again."""
        return (*self.command, "reload")

    @property
    def renew(self) -> tuple[str, ...]:
        """The words that renew what ends soon."""
        passphrase = self.ca_passphrase
        given = () if passphrase is None else ("--passphrase-file", str(passphrase))
        return (*self.command, "cert", "renew", "--due", RENEW, *given)

    @property
    def back_up(self) -> tuple[str, ...]:
        """The words that make a backup."""
        return (*self.command, "ca", "backup")

    @property
    def used(self) -> tuple[Path, ...]:
        """All that the program reads or writes beyond the system's own folders."""
        passphrase = () if self.ca_passphrase is None else (self.ca_passphrase,)
        return (*self.code, self.home, self.backups, *passphrase)


def program_of(home: Home, settings: Settings, *, open_firewall: bool = False) -> Program:
    """Return what a service of ``home`` runs.

    :param open_firewall: whether the server has other firewalls let the VPN through.
    :raises InvalidInput: if a path has a sign that files of services cannot have.
    :raises Refused: if root, as whom a service runs, is not the owner of the home.
    """
    root = home.root.resolve()
    passphrase = settings.renewal.passphrase_file
    made = Program(
        root,
        home.label,
        (sys.executable, "-P", "-m", "sstpca", "--home", str(root)),
        folder_of(home, settings),
        root / passphrase if passphrase else None,
        code_paths(),
        open_firewall,
    )
    check_paths((Path(sys.executable), *made.used))
    owner = root.stat().st_uid
    if owner:
        raise Refused(
            f"the home {root} belongs to the user {owner}, and a service of root's has no rights there",
            f"give it to root: chown -R root: {root}",
        )
    return made


def check_paths(paths: Iterable[Path]) -> None:
    """Make sure that the files of a service can have these paths.

    :raises InvalidInput: if they cannot.
    """
    for path in paths:
        if not str(path).isprintable():
            raise InvalidInput(
                f"the path {quoted(str(path))} has a sign in it that a service's files cannot have",
                "move it to a folder with a plainer name",
            )


def lacks_passphrase(home: Home, settings: Settings) -> bool:
    """Whether the authority's key has a passphrase that the renewal timer would not know."""
    if settings.renewal.passphrase_file:
        return False
    return is_encrypted(read_own(home.ca_key, "the authority's key"))


def code_paths() -> tuple[Path, ...]:
    """Return where the program, its Python and its libraries are."""
    here = Path(__file__).resolve().parents[2]
    places = (Path(sys.prefix), Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve(), here)
    return tuple(dict.fromkeys(places))


def _below(path: Path, folders: tuple[Path, ...]) -> bool:
    return any(path == folder or folder in path.parents for folder in folders)


def _passable(path: Path) -> bool:
    try:
        status = path.stat()
    except OSError:
        return True  # it is not there yet: who makes it is root
    wanted = stat.S_IRUSR | stat.S_IXUSR if path.is_dir() else stat.S_IRUSR
    if status.st_uid == 0:
        return status.st_mode & wanted == wanted
    # group and others have the same bits three and six places further down; root is in no group of it
    return status.st_mode & (wanted >> 6) == wanted >> 6
