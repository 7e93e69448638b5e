"""The home: the folder of one VPN, its paths, and the only ways files are written into it."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import SstpcaError

SECRET = 0o600
PUBLIC = 0o644


def write_file(path: Path, content: bytes, mode: int) -> None:
    """Write ``content`` to ``path`` as a whole or not at all, with ``mode`` from the first byte.

    The bytes go to a temporary name in the same folder, reach the disk, and are renamed.

    :raises SstpcaError: if the file system refuses; nothing has changed then.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SstpcaError(f"cannot write {path}: {error.strerror}") from error


def read_file(path: Path, what: str) -> bytes:
    """Return the bytes of ``path``; ``what`` names it in the error.

    :raises SstpcaError: if it is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise SstpcaError(f"cannot read {what} {path}: {error.strerror}") from error


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
    def server_identity(self) -> Path:
        """Server key, certificate and chain in one PEM file, so that they change together; secret."""
        return self.root / "server.pem"

    @property
    def database(self) -> Path:
        """Users, access profiles and sessions; secret."""
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
        """Whether an earlier ``init`` went through to the end."""
        return self.settings.exists()

    @classmethod
    def open(cls, root: Path) -> "Home":
        """Return the home in ``root``.

        :raises SstpcaError: if there is none, or it cannot be read.
        """
        home = cls(root)
        try:
            home.settings.stat()
            readable = os.access(home.settings, os.R_OK) and os.access(root, os.R_OK | os.X_OK)
        except FileNotFoundError:
            raise SstpcaError(
                f"there is no sstpca home in {root}",
                "make one with 'sstpca init HOST', or name another with --home or SSTPCA_HOME",
            ) from None
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
        return home

    def make(self) -> None:
        """Make the folder if it is missing, readable by its owner alone.

        :raises SstpcaError: if it cannot be made.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise SstpcaError(
                f"the home {self.root} is not a folder", "name another with --home or SSTPCA_HOME"
            ) from None
        except OSError as error:
            raise SstpcaError(f"cannot make the home {self.root}: {error.strerror}") from error

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Hold the home for one server.

        :raises SstpcaError: if another server has it.
        """
        descriptor = os.open(
            self.root / "serve.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, SECRET
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise SstpcaError(
                f"a server is already running for the home {self.root}",
                "stop it first, or serve another home",
            ) from None
        try:
            yield
        finally:
            os.close(descriptor)
