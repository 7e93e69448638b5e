"""The home: the folder of one VPN, its paths, and how it is opened and held."""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from .disk import guard, locks
from .disk.reading import MissingFile, read_file
from .disk.writing import SECRET, unwritable
from .errors import (
    Damaged,
    Exists,
    InUse,
    NotFound,
    Remedy,
    SstpcaError,
    Unavailable,
    command,
    option,
)
from .names import quoted, some

#: the pair that this home's own server shows
SERVER: Final = "server"
#: another with an ECDSA key, beside that one with an RSA key; no user and no pair can be called so
SERVER_ECDSA: Final = "server/ecdsa"
SERVERS: Final = (SERVER, SERVER_ECDSA)

# of a file name's 255 bytes, a unit's name and a temporary one need some
_LABEL_MAX: Final = 120
_ANOTHER_HOME: Final = "name another with --home or SSTPCA_HOME"


def read_own(path: Path, what: str) -> bytes:
    """Return the bytes of a file of a home, see :func:`reading.read_file`.

    :raises MissingFile: if it is gone, with the way to get it back.
    :raises SstpcaError: if it cannot be read.
    """
    try:
        return read_file(path, what)
    except MissingFile:
        raise MissingFile(f"{what} {path} is missing", *_way_back(path)) from None


def _way_back(path: Path) -> Remedy:
    match path.name:
        case "server.pem":
            return "make another: ", command("cert rekey server")
        case "server-ecdsa.pem":
            return "make another: ", command("cert rekey server/ecdsa")
        case "ca.crt":
            return (
                "restore it from a backup of the home; bundles have it as well, in their .cer file",
            )
        case "database.key":
            return (
                "restore it from a backup; without one, make another (umask 077; openssl rand "
                f"-base64 32 > {path}) and give each user a new password: ",
                command("user passwd NAME"),
            )
    return ("restore it from a backup of the home",)


def _no_home(root: Path) -> SstpcaError:
    """Return the error for a folder without settings.toml; advice depends on what is in it."""
    what = f"there is no sstpca home in {root}"
    try:
        found = sorted(one.name for one in root.iterdir() if one.name[0] != ".")
    except OSError:
        found = []
    if {"ca.key", "sstpca.db"} & set(found):
        return Damaged(
            f"{what}: its settings.toml is missing", f"restore it from a backup, or {_ANOTHER_HOME}"
        )
    if found:
        others = some(list(map(quoted, found)), 3)
        return NotFound(f"{what}, but other files: {others}", _ANOTHER_HOME)
    return NotFound(what, "make one with '", command("init HOST"), f"', or {_ANOTHER_HOME}")


@dataclass(frozen=True, slots=True)
class Home:
    """The paths of one VPN. ``settings.toml`` is written last: with it, the home exists."""

    root: Path

    @property
    def settings(self) -> Path:
        """What the administrator may edit."""
        return self.root / "settings.toml"

    @property
    def ca_certificate(self) -> Path:
        """The authority's certificate, PEM."""
        return self.root / "ca.crt"

    @property
    def ca_key(self) -> Path:
        """The authority's private key, PEM, secret."""
        return self.root / "ca.key"

    @property
    def next_ca_certificate(self) -> Path:
        """The certificate of the authority that will follow, PEM; there only during a rollover."""
        return self.root / "ca-next.crt"

    @property
    def next_ca_key(self) -> Path:
        """Its private key, PEM, secret."""
        return self.root / "ca-next.key"

    @property
    def previous_ca_certificate(self) -> Path:
        """The certificate of the authority before this one, PEM; there after a rollover."""
        return self.root / "ca-previous.crt"

    @property
    def renaming(self) -> Path:
        """The server's names before and after, JSON; there only while it is being renamed."""
        return self.root / "renaming.json"

    @property
    def server_identity(self) -> Path:
        """Server key, certificate and chain in one PEM file, so that they change together; secret."""
        return self.root / "server.pem"

    @property
    def server_ecdsa_identity(self) -> Path:
        """The same for another certificate, with an ECDSA key; mostly, there is none."""
        return self.root / "server-ecdsa.pem"

    @property
    def shown(self) -> tuple[str, ...]:
        """The names of the pairs that this home's own server shows, whether or not it can."""
        return SERVERS if self.server_ecdsa_identity.exists() else (SERVER,)

    @property
    def certificates(self) -> Path:
        """The folder of all other pairs of key and certificate; secret."""
        return self.root / "certificates"

    def pair(self, name: str) -> Path:
        """Return the file of the pair ``name``: key, certificate and chain in one PEM; secret.

        :param name: one of SERVERS, or one that authority.pairs.check_pair_name has passed.
        """
        if name == SERVER:
            return self.server_identity
        if name == SERVER_ECDSA:
            return self.server_ecdsa_identity
        return self.certificates / f"{name}.pem"

    @property
    def database(self) -> Path:
        """Users, access profiles, sessions, and the inventory of certificates; secret."""
        return self.root / "sstpca.db"

    @property
    def database_key(self) -> Path:
        """The key that encrypts the users' NT hashes; secret."""
        return self.root / "database.key"

    @property
    def bundles(self) -> Path:
        """A folder and a zip for each user."""
        return self.root / "bundles"

    @property
    def last_backup(self) -> Path:
        """Which backup was made last, JSON; secret."""
        return self.root / "last-backup.json"

    @property
    def label(self) -> str:
        """What this home is called where several of a machine are side by side: units, folders.

        Of a-z, A-Z, 0-9, _ and -, from its path; no two paths have the same.
        """
        path = os.fsencode(self.root.resolve())
        plain = re.sub(rb"[^A-Za-z0-9_]+", b"-", path).decode().strip("-")
        if b"/" + plain.encode().replace(b"-", b"/") == path and len(plain) <= _LABEL_MAX:
            return plain
        return f"{plain[-_LABEL_MAX:].strip('-')}-{hashlib.sha256(path).hexdigest()[:8]}".strip("-")

    def untold(self, user: str) -> Path:
        """Return the file with a new password of ``user`` until somebody has been told; secret."""
        return self.root / f"new-password-{user}.txt"

    @property
    def exists(self) -> bool:
        """Whether an earlier ``init`` went through to the end.

        :raises OSError: if that cannot be seen, which ``Path.exists`` of Python 3.14 takes for no.
        """
        try:
            self.settings.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    @classmethod
    def open(cls, root: Path) -> "Home":
        """Return the home in ``root``, closed to all other users.

        :raises SstpcaError: if there is none, it cannot be read, or it is somebody else's.
        """
        home = cls(root)
        try:
            home.settings.stat()
            readable = os.access(home.settings, os.R_OK) and os.access(root, os.R_OK | os.X_OK)
        except FileNotFoundError:
            raise _no_home(root) from None
        except NotADirectoryError:
            raise NotFound(f"the home {root} is not a folder", _ANOTHER_HOME) from None
        except OSError:
            readable = False
        if not readable:
            raise Unavailable(
                f"the home {root} cannot be read",
                "run this as the user who owns it (often root), or name another with ",
                option("--home"),
            )
        guard.keep_to_owner(root)
        return home

    def make(self) -> None:
        """Make the folder if it is missing, readable by its owner alone.

        :raises SstpcaError: if it cannot be made, or others can write into what is there.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise Exists(f"the home {self.root} is not a folder", _ANOTHER_HOME) from None
        except OSError as error:
            raise Unavailable(f"cannot make the home {self.root}: {error.strerror}") from error
        guard.keep_to_owner(self.root, new=True)

    @contextlib.contextmanager
    def changing_certificates(self, *, wait: bool = True) -> Iterator[bool]:
        """Keep all others from changing pairs and authority.

        :param wait: whether to wait until they have finished; gives False if not, and they have it.
        :raises SstpcaError: if the folder cannot be read, or they do not finish.
        """
        try:
            descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise Unavailable(f"cannot read {self.root}: {error.strerror}") from error
        try:
            if wait:
                locks.take(descriptor, f"the certificates of {self.root}")
                yield True
            else:
                yield locks.try_take(descriptor)
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def serving(
        self, about: Mapping[str, object] = MappingProxyType({}), held: int = -1
    ) -> Iterator[int]:
        """Hold the home for one server; give the descriptor that does.

        :param about: what :meth:`served` says of it, fit for JSON.
        :param held: that descriptor, of a program from which this one takes over; -1: of none.
        :raises InUse: if another server has it.
        :raises Unavailable: if it cannot be written, or its file system has no locks.
        """
        path = self.root / "serve.lock"
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(path, flags, SECRET) if held < 0 else held
        except OSError:
            why, hint = unwritable(path)
            raise Unavailable(f"cannot write {path}: {why}", hint) from None
        try:
            if held < 0 and not locks.try_take(descriptor):
                raise InUse(
                    f"a server is already running for the home {self.root}",
                    "stop it first, or serve another home",
                )
            say_of_server(descriptor, about)
            yield descriptor
        finally:
            os.close(descriptor)

    def served(self) -> dict[str, object] | None:
        """Return what the server that has the home says of itself; None if none has it."""
        try:
            descriptor = os.open(self.root / "serve.lock", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            if locks.holding(descriptor) is None:
                return None
            said = json.loads(os.pread(descriptor, 65_536, 0) or b"{}")
        except (OSError, ValueError):
            return {}
        finally:
            os.close(descriptor)
        return said if isinstance(said, dict) else {}


def say_of_server(descriptor: int, about: Mapping[str, object]) -> None:
    """Have :meth:`Home.served` say this of the server that holds a home by ``descriptor``."""
    with contextlib.suppress(OSError):  # a full disk is no reason not to serve
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(dict(about)).encode(), 0)
