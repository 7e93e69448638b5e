"""The home: the folder of one VPN, its paths, and the only ways files are written into it."""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .disk import guard, locks
from .disk.reading import MissingFile, read_file
from .errors import SstpcaError
from .names import quoted, some

SECRET = 0o600
PUBLIC = 0o644
# the pair that this home's own server shows
SERVER = "server"

_WAYS_BACK = {
    "server.pem": "make another: sstpca cert rekey server",
    "ca.crt": "restore it from a backup of the home; bundles have it as well, in their .cer file",
    "database.key": (
        "restore it from a backup; without one, make another (umask 077; openssl rand -base64 32 "
        "> {path}) and give each user a new password: sstpca user passwd NAME"
    ),
}


def write_file(path: Path, content: bytes, mode: int) -> None:
    """Write ``content`` to ``path`` as a whole or not at all, with ``mode`` from the first byte.

    The bytes go to a temporary name in the same folder, reach the disk, and are renamed.

    :raises SstpcaError: if the file system refuses; nothing has changed then.
    """
    write_files([(path, content)], mode)


def write_files(files: Sequence[tuple[Path, bytes]], mode: int) -> None:
    """Write each of ``files`` as :func:`write_file` does.

    They reach the disk together, which takes much less time than one after the other. A run that
    is killed may leave some of them old and some new.

    :raises SstpcaError: if the file system refuses; nothing has changed then, or, if it refuses
        only to rename, some are new.
    """
    with contextlib.ExitStack() as stack:
        temporary = [
            stack.enter_context(_temporary(path, content, mode)) for path, content in files
        ]
        for (path, _), (_name, file) in zip(files, temporary, strict=True):
            with _refusal_named(path):
                os.fsync(file.fileno())
                file.close()
        for (path, _), (name, _file) in zip(files, temporary, strict=True):
            with _refusal_named(path):
                name.rename(path)


@contextlib.contextmanager
def _temporary(path: Path, content: bytes, mode: int) -> Iterator[tuple[Path, BinaryIO]]:
    """Write a file beside ``path`` for the caller to rename; an exception removes it."""
    with _refusal_named(path):
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with _refusal_named(path):
                os.fchmod(file.fileno(), mode)
                file.write(content)
                file.flush()
            yield Path(name), file
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _refusal_named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SstpcaError(f"cannot write {path}: {error.strerror}") from error


def unwritable(path: Path) -> tuple[str, str]:
    """Return why ``path`` may not be written, as far as can be seen, and what to do about it."""
    with contextlib.suppress(OSError):
        if os.statvfs(path.parent).f_flag & os.ST_RDONLY:
            return (
                "its file system is read-only",
                "mount it writable, or restore a backup of the home elsewhere",
            )
    return "it is not yours to write", "run this as the user who owns the home (often root)"


def read_own(path: Path, what: str) -> bytes:
    """Return the bytes of a file of a home, see :func:`reading.read_file`.

    :raises MissingFile: if it is gone, with the way to get it back.
    :raises SstpcaError: if it cannot be read.
    """
    try:
        return read_file(path, what)
    except MissingFile:
        hint = _WAYS_BACK.get(path.name, "restore it from a backup of the home")
        raise MissingFile(f"{what} {path} is missing", hint.format(path=path)) from None


def _no_home(root: Path) -> SstpcaError:
    """Return the error for a folder without settings.toml; advice depends on what is in it."""
    what, other = f"there is no sstpca home in {root}", "name another with --home or SSTPCA_HOME"
    try:
        found = sorted(one.name for one in root.iterdir() if one.name[0] != ".")
    except OSError:
        found = []
    if {"ca.key", "sstpca.db"} & set(found):
        return SstpcaError(
            f"{what}: its settings.toml is missing", f"restore it from a backup, or {other}"
        )
    if found:
        return SstpcaError(f"{what}, but other files: {some(list(map(quoted, found)), 3)}", other)
    return SstpcaError(what, f"make one with 'sstpca init HOST', or {other}")


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
    def certificates(self) -> Path:
        """The folder of all other pairs of key and certificate; secret."""
        return self.root / "certificates"

    def pair(self, name: str) -> Path:
        """Return the file of the pair ``name``: key, certificate and chain in one PEM; secret.

        :param name: "server", or one that authority.pairs.check_pair_name has passed.
        """
        if name == SERVER:
            return self.server_identity
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
            raise SstpcaError(
                f"the home {root} is not a folder", "name another with --home or SSTPCA_HOME"
            ) from None
        except OSError:
            readable = False
        if not readable:
            raise SstpcaError(
                f"the home {root} cannot be read",
                "run this as the user who owns it (often root), or name another with --home",
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
            raise SstpcaError(
                f"the home {self.root} is not a folder", "name another with --home or SSTPCA_HOME"
            ) from None
        except OSError as error:
            raise SstpcaError(f"cannot make the home {self.root}: {error.strerror}") from error
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
            raise SstpcaError(f"cannot read {self.root}: {error.strerror}") from error
        try:
            if wait:
                locks.take(descriptor, f"the certificates of {self.root}")
                yield True
            else:
                yield locks.try_take(descriptor)
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Hold the home for one server.

        :raises SstpcaError: if another server has it, or it cannot be written.
        """
        path = self.root / "serve.lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, SECRET)
        except OSError:
            why, hint = unwritable(path)
            raise SstpcaError(f"cannot write {path}: {why}", hint) from None
        try:
            if not locks.try_take(descriptor):
                raise SstpcaError(
                    f"a server is already running for the home {self.root}",
                    "stop it first, or serve another home",
                )
            yield
        finally:
            os.close(descriptor)
