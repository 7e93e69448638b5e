"""A connection of this machine as a service: what it is told, written where root alone reads it."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..client.sign_in import Certificate, Credentials
from ..disk.folders import make_folder
from ..disk.writing import SECRET, File
from ..errors import InvalidInput, NotFound, Unavailable
from ..names import quoted
from ..service import connection as service
from ..service import files, systemd
from ..service.connection import ENVIRONMENT, Connection, Manager, folder_of
from ..service.program import check_paths
from .connecting import EVERYWHERE, Destination, Wishes

#: The variable with the proxy's URL, which may have a password in it.
PROXY: Final = "SSTPCA_PROXY"

# cron, init scripts and unit files take it as it is
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,30}")
_URL: Final = re.compile(r"[!-~]+")
_PRIVATE: Final = 0o700


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation does, or has done.

    :param manager: who starts it, as people call it.
    :param written: the files; :func:`shown` says what may be seen of one.
    :param state: how it is, in one line; empty where nothing was done.
    """

    manager: str
    written: tuple[File, ...]
    state: str = ""


def shown(file: File) -> str:
    """Return what is in a file, for people: nothing of what root alone may read."""
    return "(for root alone)\n" if file.mode == SECRET else file.content.decode()


def plan(
    name: str,
    destination: Destination,
    credentials: Credentials | Certificate,
    wishes: Wishes,
    *,
    allow_pap: bool = False,
    proxy: str = "",
) -> Installed:
    """Return what :func:`install` would do, and do nothing.

    :raises InvalidInput: if a service cannot be called so, or not be told this.
    """
    manager = _manager()
    connection, own = _put_together(name, destination, credentials, wishes, proxy)
    if allow_pap:
        connection = _with(connection, "--allow-pap")
    check_paths((*connection.used, Path(wishes.up), Path(wishes.down)))
    return Installed(manager.called, (*own, *manager.files(connection)))


def install(
    name: str,
    destination: Destination,
    credentials: Credentials | Certificate,
    wishes: Wishes,
    *,
    allow_pap: bool = False,
    proxy: str = "",
) -> Installed:
    """Have this machine keep a connection from its start on; one of this name is replaced.

    :param name: of the service.
    :param allow_pap: whether a server may be shown the password that asks for it.
    :param proxy: the URL of the proxy, if there is one.
    :raises SstpcaError: if this is not root, something cannot be written, or does not start.
    """
    _only_root()
    planned = plan(name, destination, credentials, wishes, allow_pap=allow_pap, proxy=proxy)
    manager, folder = _manager(), folder_of(name)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"cannot make the folder {folder.parent}: {error.strerror}") from error
    for one in {
        folder,
        *(file.path.parent for file in planned.written if folder in file.path.parents),
    }:
        make_folder(one)
    stale = [one for one in folder.rglob("*") if one.is_file()]
    kept = {file.path for file in planned.written}
    files.apply(planned.written, [one for one in stale if one not in kept])
    state = manager.start(name, list(kept))
    return Installed(planned.manager, planned.written, state)


def uninstall(name: str) -> Sequence[Path]:
    """End the connection, and remove its files; return these.

    :raises SstpcaError: if this is not root, there is no such connection, or it cannot be removed.
    """
    _only_root()
    manager = _manager()
    _check_name(name)
    if not service.is_installed(manager, name):
        raise NotFound(f"there is no connection {quoted(name)} on this machine")
    found = [path for path in manager.owned(name) if os.path.lexists(path)]
    if found:
        manager.stop(name)
    files.apply([], found)
    service.remove_folder(name)
    manager.forget(name)
    return [*found, folder_of(name)]


def _put_together(
    name: str,
    destination: Destination,
    credentials: Credentials | Certificate,
    wishes: Wishes,
    proxy: str,
) -> tuple[Connection, list[File]]:
    """Return the connection, and what is to be in its folder."""
    _check_name(name)
    folder, endpoint = folder_of(name), destination.endpoint
    own: dict[str, bytes] = {}
    if destination.files:
        own |= {f"bundle/{file}": content for file, content in destination.files.items()}
        words = [str(folder / "bundle")]
    else:
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        words = [f"{host}:{endpoint.port}"]
        if endpoint.name != endpoint.host:
            words += ["--name", endpoint.name]
        if endpoint.pin:
            words += ["--pin", endpoint.pin.hex()]
        elif endpoint.authorities:
            own["ca.pem"] = endpoint.authorities
            words += ["--ca", str(folder / "ca.pem")]
        else:
            words.append("--system-trust")
    words += ["--user", credentials.user]
    if isinstance(credentials, Certificate):
        own["certificate.pem"] = credentials.pem
        words += ["--certificate", str(folder / "certificate.pem")]
    else:
        own["password"] = f"{credentials.password}\n".encode()
        words += ["--password-file", str(folder / "password")]
    if proxy:
        if not _URL.fullmatch(proxy) or "'" in proxy:
            raise InvalidInput("a proxy's URL has no blanks or quotes", "write them as %20 and %27")
        own[ENVIRONMENT] = f"{PROXY}='{proxy}'\n".encode()
    made = Connection(name, endpoint.host, (*words, *_options(wishes)))
    return made, [File(folder / file, content, SECRET) for file, content in own.items()]


def _options(wishes: Wishes) -> list[str]:
    """Return how the command line says what is wished."""
    words = ["--interface", wishes.interface]
    if wishes.routes == EVERYWHERE:
        words.append("--full-tunnel")
    else:
        words += [word for one in wishes.routes or () for word in ("--route", str(one))]
    flags = {
        "--no-dns": not wishes.dns,
        "--no-ipv6": not wishes.ipv6,
        "--kill-switch": wishes.kill_switch,
    }
    words += [word for word, said in flags.items() if said]
    for word, program in (("--up", wishes.up), ("--down", wishes.down)):
        if program:
            words += [word, str(Path(program).absolute()) if os.sep in program else program]
    return words


def _with(connection: Connection, word: str) -> Connection:
    return Connection(connection.name, connection.server, (*connection.words, word))


def _manager() -> Manager:
    return service.Systemd() if systemd.is_booted() else service.SysvInit()


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{quoted(name)} is no name for a service", "take up to 31 letters, digits and -"
        )


def _only_root() -> None:
    if os.geteuid() != 0:
        raise Unavailable(
            "a service of this machine is root's to install and to remove",
            "run the same command as root (sudo)",
        )
