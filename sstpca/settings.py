"""settings.toml: what the administrator may edit, read strictly."""

import contextlib
import dataclasses
import difflib
import ipaddress
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from . import toml
from .addresses import IPAddress, endpoint
from .disk.reading import read_text
from .disk.writing import write_file
from .errors import InvalidInput, SstpcaError
from .names import Hosts, check_address, parse_hosts, quoted
from .setting_kinds import TEXT, TRUTH, Effect, Kind, matching, one_of, setting, texts, whole

_INTERFACE: Final = re.compile(r"[a-z][a-z0-9_]{0,8}")
_LANGUAGE: Final = re.compile(r"[a-z]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The ``[server]`` table; its comments in templates/settings.toml.j2 say what each value does."""

    names: tuple[str, ...] = setting((), texts(0, 'a list of names: ["vpn.example.com"]'))
    addresses: tuple[str, ...] = setting((), texts(0, 'a list of addresses: ["203.0.113.5"]'))
    port: int = setting(443, whole(1, 65535), Effect.RESTART)
    listen: tuple[str, ...] = setting(
        ("0.0.0.0", "::"),  # noqa: S104 a VPN server is reached from anywhere
        texts(1, 'a list of one address or more: ["0.0.0.0", "::"]'),
        Effect.RESTART,
    )
    workers: int = setting(0, whole(0, 256))
    interface: str = setting(
        "sstp",
        matching(_INTERFACE, "1 to 9 signs of a-z, 0-9 and _ in quotes, a letter first"),
        Effect.START,
    )
    mtu: int = setting(1400, whole(576, 1500))
    nat: bool = setting(True, TRUTH, Effect.RESTART)
    nat66: bool = setting(False, TRUTH, Effect.RESTART)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """The ``[tls]`` table: what the server takes in TLS."""

    minimum_version: str = setting("1.2", one_of("1.2", "1.3"))
    compat: str = setting("none", one_of("none", "routeros-no-pfs"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleSettings:
    """The ``[bundle]`` table: what users see."""

    connection: str = setting("", TEXT, Effect.OTHERS)
    contact: str = setting("", TEXT, Effect.OTHERS)
    language: str = setting(
        "en", matching(_LANGUAGE, 'two letters in quotes, such as "en"'), Effect.OTHERS
    )
    logo: str = setting("", TEXT, Effect.OTHERS)
    revocation_check: bool = setting(True, TRUTH, Effect.OTHERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockoutSettings:
    """The ``[lockout]`` table: how many wrong passwords there may be."""

    user: int = setting(10, whole(0, 1000))
    source: int = setting(50, whole(0, 100_000))
    minutes: int = setting(15, whole(1, 1440))


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSettings:
    """The ``[backup]`` table: what the backup timer, and ``ca backup`` without a file, do."""

    folder: str = setting("", TEXT, Effect.OTHERS)
    keep: int = setting(14, whole(1, 10_000), Effect.OTHERS)
    passphrase_file: str = setting("", TEXT, Effect.OTHERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySettings:
    """The ``[history]`` table: for how long it is kept who was there, and who was not let in."""

    days: int = setting(365, whole(0, 36_500))


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """The ``[metrics]`` table: where the server says how it is; nowhere if it is empty."""

    listen: str = setting(
        "",
        Kind(
            'an address and a port, "127.0.0.1:9477" or "[::1]:9477", or "" for none',
            lambda value: isinstance(value, str) and (not value or bool(endpoint(value))),
        ),
        Effect.RESTART,
    )

    @property
    def endpoint(self) -> tuple[str, int] | None:
        """Address and port; None for nowhere."""
        return endpoint(self.listen)


_PROGRAM: Final = Kind(
    'the path of a program, "/etc/sstpca/up", or "" for none',
    lambda value: (
        isinstance(value, str) and (not value or value.startswith("/")) and "\0" not in value
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSettings:
    """The ``[hooks]`` table: programs that are run for sessions."""

    up: str = setting("", _PROGRAM)
    down: str = setting("", _PROGRAM)
    seconds: int = setting(10, whole(1, 600))


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalSettings:
    """The ``[renewal]`` table: what the renewal timer needs."""

    passphrase_file: str = setting("", TEXT, Effect.OTHERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of settings.toml."""

    server: ServerSettings
    tls: TlsSettings = TlsSettings()
    bundle: BundleSettings = BundleSettings()
    lockout: LockoutSettings = LockoutSettings()
    backup: BackupSettings = BackupSettings()
    history: HistorySettings = HistorySettings()
    metrics: MetricsSettings = MetricsSettings()
    hooks: HookSettings = HookSettings()
    renewal: RenewalSettings = RenewalSettings()

    @property
    def host(self) -> str:
        """What clients connect to: the first name, or the first address where there is no name."""
        return (self.server.names or self.server.addresses)[0]

    @property
    def connection(self) -> str:
        """The name of the VPN connection on the users' machines."""
        return self.bundle.connection or default_connection(self.host)


_SECTIONS: Final = {
    "server": ServerSettings,
    "tls": TlsSettings,
    "bundle": BundleSettings,
    "lockout": LockoutSettings,
    "backup": BackupSettings,
    "history": HistorySettings,
    "metrics": MetricsSettings,
    "hooks": HookSettings,
    "renewal": RenewalSettings,
}


def default_connection(host: str) -> str:
    """Return a connection's name for ``host``; the colons of IPv6 are not allowed in it."""
    return f"VPN {host.replace(':', '-')}"


def load(path: Path) -> Settings:
    """Read and check settings.toml.

    :raises SstpcaError: naming section, key and line of what is wrong.
    """
    document = toml.parse(read_text(path, "the settings file"), str(path))
    for name in document.tables:
        if name not in _SECTIONS:
            raise _stray(document, name)
    settings = Settings(
        server=ServerSettings(**_values(document, "server")),
        tls=TlsSettings(**_values(document, "tls")),
        bundle=BundleSettings(**_values(document, "bundle")),
        lockout=LockoutSettings(**_values(document, "lockout")),
        backup=BackupSettings(**_values(document, "backup")),
        history=HistorySettings(**_values(document, "history")),
        metrics=MetricsSettings(**_values(document, "metrics")),
        hooks=HookSettings(**_values(document, "hooks")),
        renewal=RenewalSettings(**_values(document, "renewal")),
    )
    _check_tls(settings.tls, document)
    _check_hosts(settings.server, document)
    return settings


def effects() -> dict[str, Effect]:
    """Return when a change of each setting takes effect, by its name: ``[server] mtu``."""
    return {f"[{section}] {one.name}": one.metadata["effect"] for section, one in _fields()}


def changes(before: Settings, after: Settings) -> dict[str, Effect]:
    """Return what is different, as ``[server] mtu``, and when that takes effect."""
    return {
        f"[{section}] {one.name}": one.metadata["effect"]
        for section, one in _fields()
        if _value(before, section, one) != _value(after, section, one)
    }


def until_restart(before: Settings, after: Settings) -> Settings:
    """Return ``after``, with what takes effect at a restart alone, or later, as it was ``before``."""
    for section, one in _fields():
        if one.metadata["effect"] in (Effect.RESTART, Effect.START):
            kept = {one.name: _value(before, section, one)}
            sections: dict[str, Any] = {section: replace(getattr(after, section), **kept)}
            after = replace(after, **sections)
    return after


def _fields() -> Iterator[tuple[str, dataclasses.Field[Any]]]:
    for section, kind in _SECTIONS.items():
        yield from ((section, one) for one in dataclasses.fields(kind))


def _value(settings: Settings, section: str, one: dataclasses.Field[Any]) -> Any:
    return getattr(getattr(settings, section), one.name)


def write_hosts(path: Path, hosts: Hosts) -> None:
    """Write ``hosts`` into settings.toml; all else in it stays as it is, comments too.

    :raises SstpcaError: if it cannot be read, edited or written; nothing has changed then.
    """
    text = read_text(path, "the settings file")
    values = {"names": hosts.names, "addresses": tuple(map(str, hosts.addresses))}
    for key, wanted in values.items():
        document = toml.parse(text, str(path))
        if tuple(document.tables.get("server", {}).get(key, ())) == wanted:
            continue
        edited = document.with_list(("server", key), wanted)
        if edited is None:
            what = f"[server] {key} is written in a way that this command cannot edit"
            whole = ", ".join(map(toml.string, wanted))
            raise document.refusal(("server", key), what, f"write {key} = [{whole}] instead")
        # an editor of Windows wrote it with line ends of its own
        text = edited.replace("\n", "\r\n") if "\r\n" in text else edited
    place = path.resolve()
    write_file(place, text.encode(), stat.S_IMODE(place.stat().st_mode))


def _stray(document: toml.Document, name: str) -> SstpcaError:
    """Return the error for what is at the top of the file and is no section of ours."""
    home = _section_of(name)
    if home:
        return document.refusal((name,), f"{name} is in no section", f"move it below [{home}]")
    if not isinstance(document.tables[name], dict):
        return document.refusal((name,), f"there is no setting {quoted(name)}", "remove it")
    return document.refusal(
        (name,), f"there is no section {quoted(name)}", _nearest(name, _SECTIONS, "[{}]")
    )


def _section_of(key: str) -> str | None:
    """Return the section that has ``key``."""
    return next((name for name, kind in _SECTIONS.items() if key in _kinds(kind)), None)


def _kinds(section: type) -> dict[str, Kind]:
    return {one.name: one.metadata["kind"] for one in dataclasses.fields(section)}


def _nearest(name: str, known: Any, form: str = "{}") -> str:
    near = difflib.get_close_matches(name.lower(), known, 1)
    if near:
        return f"did you mean {form.format(near[0])}?"
    return f"there are: {', '.join(form.format(one) for one in known)}"


def _values(document: toml.Document, section: str) -> dict[str, Any]:
    """Return what a section sets, once each value is known and of its kind."""
    table, kinds = document.tables.get(section, {}), _kinds(_SECTIONS[section])
    if not isinstance(table, dict):
        raise document.refusal(
            (section,), f"{section} is no section", f"write [{section}] on a line of its own"
        )
    for key, value in table.items():
        path = (section, key)
        if key not in kinds:
            home = _section_of(key)
            hint = f"it belongs below [{home}]" if home else _nearest(key, kinds)
            raise document.refusal(path, f"[{section}] has no setting {quoted(key)}", hint)
        if not kinds[key].fits(value):
            what = f"[{section}] {key} has to be {kinds[key].words}; it is {_shown(value)}"
            raise document.refusal(path, what)
    return {key: tuple(v) if isinstance(v, list) else v for key, v in table.items()}


def _shown(value: Any) -> str:
    """Return a value as it is written in TOML, for a message."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{quoted(value)[1:-1]}"'
        case list():
            return f"[{', '.join(map(_shown, value[:3]))}{', ...' if len(value) > 3 else ''}]"
        case dict():
            return "a section"
        case _:
            return quoted(str(value))[1:-1]


def _check_tls(tls: TlsSettings, document: toml.Document) -> None:
    if tls.minimum_version != "1.2" and tls.compat != "none":
        raise document.refusal(
            ("tls", "compat"),
            f'[tls] compat = "{tls.compat}" is for clients of TLS 1.2',
            'write minimum_version = "1.2", or compat = "none"',
        )


def _check_hosts(server: ServerSettings, document: toml.Document) -> None:
    """Check what the server is reached by and where it listens."""
    if not server.names and not server.addresses:
        what = "[server] needs at least one of names and addresses"
        raise document.refusal(("server",), what, 'such as names = ["vpn.example.com"]')
    for key, values, check in (
        ("addresses", server.addresses, check_address),
        ("listen", server.listen, _check_listen),
    ):
        with _refused(document, key):
            for value in values:
                check(value)
    with _refused(document, "names"):
        parse_hosts(server.names, server.addresses)


def _check_listen(text: str) -> IPAddress:
    """Return the address ``text``, which may also be one that stands for all.

    :raises InvalidInput: if it is none.
    """
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise InvalidInput(f"{quoted(text)} is not an IP address") from None


@contextlib.contextmanager
def _refused(document: toml.Document, key: str) -> Iterator[None]:
    """Name section, key and line in what a check complains of."""
    try:
        yield
    except InvalidInput as error:
        what = f"[server] {key}: {error}"
        raise document.refusal(("server", key), what, error.hint or toml.CORRECT) from None
