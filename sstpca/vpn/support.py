"""A report for whoever helps: how this machine, this home and its server are, without secrets."""

import dataclasses
import os
import platform
import re
import ssl
import stat
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any, Final

import cryptography

from sstpca.server.dataplane import engine

from .. import __version__
from ..authority.authority import client_roots
from ..authority.identity import called, load_server_certificate
from ..disk.writing import SECRET, write_new
from ..doctor.outcome import Check
from ..errors import Exists, InvalidInput, Remedy, SstpcaError
from ..home import Home
from ..names import on_one_line
from ..store import certificates, failures, profiles, users
from ..x509.certificates import Certificate, sha256_fingerprint
from ..x509.keys import describe_key
from .diagnosing import diagnose
from .journal import recent
from .opened import Opened
from .standins import Standins, without_secrets
from .status import status

__all__ = ["CONTENTS", "refuse_report", "write_report"]

_WEEK: Final = 7 * 86_400.0
_FAILURES: Final = 50
_LINES: Final = 200
_FILES: Final = 200
_WIDTH: Final = 80

_QUOTED: Final = re.compile(r"""'.*'|".*"|(?<=; it is ).*""")

#: The checks of this machine that name users.
_ABOUT_USERS: Final = ("attention", "logins", "home", "permissions")

#: What the file has, for its first lines and for who makes it.
CONTENTS: Final = (
    "versions, settings, certificates (none of their keys), access profiles, how many users there are, who "
    "may read which file, all checks, failed logins of a week, and the last lines of the log"
)
_NONE: Final = "It has no password, no passphrase, no key and no hash of one."
_HIDDEN: Final = (
    "Names of users are user-1, user-2, and addresses of clients address-1, address-2: the same is the same "
    "one in the whole file. Which they are, only you know."
)
_SHOWN: Final = "Names of users and addresses of clients are in it: personal data, for somebody who may have it."
_NOBODY: Final = "A name that was tried and is nobody's is nobody-1: people type passwords there."

_OURS: Final = re.compile(
    r"settings\.toml|ca(-next|-previous)?\.(crt|key)|server(-ecdsa)?\.pem|sstpca\.db(-wal|-shm)?|"
    r"database\.key|bundles|certificates|last-backup\.json|renaming\.json|serve\.lock|control\.sock|\.gitignore"
)

_Lines = Iterator[str]


def refuse_report(path: Path) -> None:
    """Make sure that a report can be written to ``path``, before anything is looked at.

    :raises SstpcaError: if something is there, or it names no file.
    """
    if str(path) == "-" or path.is_dir():
        raise InvalidInput(f"{path} is no name for the report", "such as: report.txt")
    if os.path.lexists(path):
        raise Exists(f"{path} exists already; nothing was changed", "name another file")


def write_report(
    root: Path,
    path: Path,
    *,
    render: Callable[[Remedy], str],
    seen: tuple[str, Iterable[Check]] | None = None,
    with_names: bool = False,
) -> None:
    """Write the report, 0600, in one piece.

    :param root: the home; where there is none, the report has what ``seen`` has.
    :param render: makes text of a remedy.
    :param seen: a server that was looked at as well, and the checks of it.
    :param with_names: whether users' names and clients' addresses stay.
    :raises SstpcaError: if there is neither home nor server, or the file cannot be written.
    """
    refuse_report(path)
    if seen is None:
        Home.open(root)
    lines = _Report(root, render, with_names=with_names).lines(seen)
    text = "\n".join(map(on_one_line, without_secrets("\n".join(lines)).split("\n")))
    write_new(path, f"{text}\n".encode(), SECRET)


class _Report:
    def __init__(self, root: Path, render: Callable[[Remedy], str], *, with_names: bool) -> None:
        self._root, self._render, self._with_names = root, render, with_names
        self._opened = Opened(root)
        names = list(self._names())
        self._hide = Standins(names, self._claimed(), keeps_names=with_names, is_ours=self._is_ours)

    def lines(self, seen: tuple[str, Iterable[Check]] | None) -> _Lines:
        try:
            yield from self._head()
            yield from self._section("Versions", _versions)
            if Home(self._root).exists:
                yield from self._of_home()
            if seen is not None:
                server, checks = seen
                yield from self._section(f"Checks of {server}", lambda: self._checks(checks))
        finally:
            self._opened.close()

    def _head(self) -> _Lines:
        yield "A report of sstpca doctor, for whoever helps"
        has = CONTENTS if Home(self._root).exists else "versions, and the checks of a server"
        for said in (
            f"Made at {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC. It has {has}.",
            _NONE,
            _SHOWN if self._with_names else _HIDDEN,
            _NOBODY,
        ):
            yield ""
            yield from textwrap.wrap(said, _WIDTH)

    def _of_home(self) -> _Lines:
        for title, content in (
            ("Settings", self._settings),
            ("Certificates", self._certificates),
            ("Access profiles", self._profiles),
            ("Users", self._users),
            ("Who may read what", self._files),
            ("Checks of this machine", lambda: self._checks(diagnose(self._root))),
            ("State", self._state),
            ("Failed logins", self._failures),
            ("Log", self._log),
        ):
            yield from self._section(title, content)

    def _section(self, title: str, content: Callable[[], _Lines]) -> _Lines:
        """Yield a part; what cannot be read is said, and keeps no other part away."""
        yield ""
        yield f"== {title}"
        try:
            yield from content()
        except (SstpcaError, OSError) as error:
            yield f"cannot be told: {self._unquoted(str(error))}"

    def _names(self) -> Iterator[str]:
        try:
            yield from (one.name for one in users.list_all(self._opened.store))
            entries = certificates.list_all(self._opened.store)
            yield from (one.name for one in entries if one.profile == "user")
        except (SstpcaError, OSError):
            return

    def _claimed(self) -> Iterator[str]:
        """Yield who was said to be somebody, in logins that failed."""
        try:
            since = time.time() - _WEEK
            yield from (one.user for one in failures.find(self._opened.store, since=since))
        except (SstpcaError, OSError):
            return

    def _is_ours(self, address: str) -> bool:
        """Whether an address is the server's, or one that it gives."""
        try:
            server = self._opened.settings.server
            given = profiles.list_all(self._opened.store)
        except (SstpcaError, OSError):
            return False
        if address in (*server.addresses, *server.listen):
            return True
        where = ip_address(address)
        return isinstance(where, IPv4Address) and any(
            where == one.local_address or any(first <= where <= last for first, last in one.pools)
            for one in given
        )

    def _settings(self) -> _Lines:
        for name, table in dataclasses.asdict(self._opened.settings).items():
            for key, value in table.items():
                yield f"[{name}] {key} = {_shown(value)}"

    def _certificates(self) -> _Lines:
        home = self._opened.home
        for one in client_roots(home):
            yield from _facts("authority", one)
        for name in home.shown:
            yield from _facts(called(name), load_server_certificate(home, name))
        kinds = Counter(one.profile for one in certificates.list_current(self._opened.store))
        yield ", ".join(f"{kind}: {count}" for kind, count in kinds.items())

    def _profiles(self) -> _Lines:
        for one in profiles.list_all(self._opened.store):
            pools = ", ".join(f"{first}-{last}" for first, last in one.pools)
            way = "full tunnel" if one.full_tunnel else f"split, {_some(one.routes)}"
            yield f"{one.name}: pools {pools}; local {one.local_address}; DNS {_some(one.dns)}; {way}"
            weak = ", ".join(sorted(weak.value for weak in one.weak_sign_ins)) or "none"
            yield f"    sign-in {one.client.sign_in.value}, weak ones: {weak}; IPv6 {one.ipv6.prefix}"

    def _users(self) -> _Lines:
        found = users.list_all(self._opened.store)
        yield f"{len(found)} users, {sum(not one.enabled for one in found)} of them disabled"
        expired = sum(one.password_expired for one in found)
        yield f"{expired} with a password that has expired"
        for name, count in sorted(Counter(one.profile for one in found).items()):
            yield f"{count} of the access profile {name}"

    def _files(self) -> _Lines:
        """Say who may read what is in the home; what is not ours there is not named."""
        for one in [self._root, *sorted(self._root.iterdir())[:_FILES]]:
            about = one.lstat()
            name = "the home" if one == self._root else one.name
            if name.startswith("new-password-"):
                name = "new-password-(user).txt"
            elif one != self._root and not _OURS.fullmatch(name):
                name = "another file"
            elif one != self._root and one.is_dir():
                name += f", {len(list(one.iterdir()))} in it"
            yield f"{stat.filemode(about.st_mode)} {about.st_uid}:{about.st_gid} {about.st_size:>9} {name}"

    def _checks(self, checks: Iterable[Check]) -> _Lines:
        for one in checks:
            found, remedy = self._unquoted(one.found), one.remedy
            if found != one.found:
                remedy = ()
            if one.name in _ABOUT_USERS:
                found = self._text(found)
            yield f"{one.verdict.name.lower()}  {one.name}: {found}"
            if one.windows is not None:
                yield f"      Windows: {one.windows.code} ({one.windows.decimal})"
            if remedy:
                yield f"      fix: {self._hide.names(self._render(remedy))}"

    def _state(self) -> _Lines:
        found = status(self._opened)
        server = found.server
        yield (
            "no server runs"
            if server is None
            else (
                f"the server runs: sstpca {server.version}, {server.alive} of {server.workers} workers"
            )
        )
        yield f"{found.sessions} sessions; {found.begun} began in 24 hours, {found.failed} logins failed"
        yield f"{found.locked} lockouts; {found.renewals} certificates to renew"
        for name, use in found.pools.items():
            yield f"of the {use.addresses} addresses of {name}, {use.used} are in use"
        made = None if found.backup is None else datetime.fromtimestamp(found.backup.made, UTC)
        backup = "none" if made is None else f"{made:%Y-%m-%d}"
        yield f"last backup: {backup}; database {found.database} bytes; {found.room} bytes free"

    def _failures(self) -> _Lines:
        found = failures.find(self._opened.store, since=time.time() - _WEEK, most=_FAILURES)
        if not found:
            yield "none in 7 days"
        for one in found:
            at = datetime.fromtimestamp(one.at, UTC)
            host, _, port = one.peer.rpartition(":")
            peer = f"{host.strip('[]')} port {port}" if host else one.peer
            who = f"{self._hide.user(one.user) or '(several)'} from {self._hide.addresses(peer)}"
            said = self._text(f"{one.client or 'no name'}: {one.reason}")
            count = f", {one.count} times" if one.count > 1 else ""
            yield f"{at:%Y-%m-%d %H:%M:%S} UTC  {who} by {said}{count}"

    def _log(self) -> _Lines:
        found = recent(self._root, _LINES)
        if not found:
            yield "the journal has no line of this home's server"
        for one in found:
            text = one.text
            for name in filter(None, (one.claimed, one.user)):
                text = text.replace(name, self._hide.user(name))
            yield f"{one.at}  {self._text(text)}"

    def _unquoted(self, text: str) -> str:
        """Return a complaint about the settings without what somebody wrote there: it may be anything."""
        return _QUOTED.sub("(hidden)", text) if str(Home(self._root).settings) in text else text

    def _text(self, text: str) -> str:
        return self._hide.addresses(self._hide.names(text))


def _versions() -> _Lines:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    kernel = platform.uname()
    yield f"sstpca {__version__}; IP packets pass {engine.DESCRIPTION}"
    yield f"Python {sys.version.split()[0]}, {ssl.OPENSSL_VERSION}, cryptography {cryptography.__version__}"
    yield f"{_release()}, Linux {kernel.release} {kernel.machine}"
    yield f"{os.cpu_count()} processors, {memory >> 20} MiB of memory"
    yield "IPv6: " + ("yes" if Path("/proc/net/if_inet6").exists() else "no")


def _release() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "an unknown system"


def _facts(what: str, one: Any) -> _Lines:
    read = Certificate.of(one)
    yield f"{what}: {one.subject.rfc4514_string()}, issued by {one.issuer.rfc4514_string()}"
    yield f"    {one.not_valid_before_utc:%Y-%m-%d %H:%M} to {one.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    kind = "unknown" if read.key is None else describe_key(read.key)
    yield f"    key {kind}, signed with {read.hash_name}, names {_some(one.value for one in read.names)}"
    yield f"    SHA-256 {sha256_fingerprint(one)}"


def _shown(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return "[" + ", ".join(map(_shown, value)) + "]"
        case _:
            return str(value) if isinstance(value, int) else f'"{value}"'


def _some(values: Iterable[Any]) -> str:
    return ", ".join(map(str, values)) or "none"
