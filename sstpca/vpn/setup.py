"""What ``init`` does: make a whole home, or leave nothing that stands in the way of the next try."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

import jinja2

from .. import surroundings, toml
from ..access.profiles import DEFAULT, DNS_MAX, AccessProfile
from ..authority.authority import Authority, Issued
from ..disk import locks, staged
from ..disk.folders import listed
from ..disk.staged import Change
from ..disk.writing import PUBLIC, SECRET, write_file
from ..errors import Exists, InUse, Unavailable, option
from ..home import Home
from ..names import Hosts, check_connection_name, check_contact
from ..secrets import generate_database_key
from ..settings import default_connection
from ..store import Store, certificates, database_files, profiles
from ..x509.certificates import certificate_to_pem, sha256_fingerprint
from ..x509.keys import AUTHORITY_KEY, KEY_TYPES, KeyType, key_to_pem
from ..x509.pair import identity_to_pem

__all__ = [
    "AUTHORITY_KEY",
    "KEY_TYPES",
    "Home",
    "KeyType",
    "Network",
    "NewHome",
    "Plan",
    "choose_network",
    "default_profile",
    "make_home",
    "refuse_existing",
    "render_settings",
]

PUBLIC_RESOLVERS: Final = (IPv4Address("9.9.9.9"), IPv4Address("1.1.1.1"))
CANDIDATES: Final = tuple(
    map(IPv4Network, ("10.99.0.0/24", "10.98.0.0/24", "172.29.99.0/24", "192.168.199.0/24"))
)

# Its presence says that a home without settings.toml is half-made, and its lock that it is being
# made. Without it nothing is ever replaced: keys may be left of a home whose settings were lost.
_MARKER: Final = "init.unfinished"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make.

    :param connection: the name on the users' machines; empty: "VPN" and the host.
    :param key_type: of the server.
    :param contact: whom users ask for help; empty: they are told nobody.
    :param name_constraints: whether the authority is bound to the hosts.
    :raises InvalidInput: if Windows would not take that name, or ``contact`` is no line of text.
    """

    hosts: Hosts
    port: int = 443
    connection: str = ""
    key_type: KeyType = KeyType.RSA
    ca_key_type: KeyType = AUTHORITY_KEY
    contact: str = field(default="", kw_only=True)
    name_constraints: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        if self.connection:
            check_connection_name(self.connection)
        check_contact(self.contact)


@dataclass(frozen=True, slots=True)
class Network:
    """The addresses of the first access profile.

    :param overlaps: a network of this machine it collides with, when no candidate was free.
    :param own_resolvers: whether ``dns`` are this machine's resolvers.
    """

    prefix: IPv4Network
    dns: tuple[IPv4Address, ...]
    own_resolvers: bool = False
    overlaps: IPv4Network | None = None


@dataclass(frozen=True, slots=True)
class NewHome:
    """What was made."""

    home: Home
    profile: AccessProfile
    network: Network
    server: datetime
    authority: datetime
    fingerprint: str
    encrypted: bool


def choose_network(
    taken: Sequence[IPv4Network] | None = None, resolvers: Sequence[IPv4Address] | None = None
) -> Network:
    """Choose addresses for the first access profile that nothing around this machine has.

    :param taken: networks to keep off; by default those of this machine.
    :param resolvers: DNS servers for the clients; by default those of this machine.
    """
    taken = surroundings.networks() if taken is None else taken
    resolvers = surroundings.resolvers() if resolvers is None else resolvers
    dns = tuple(resolvers[:DNS_MAX]) or PUBLIC_RESOLVERS
    own = bool(resolvers)
    for candidate in CANDIDATES:
        if not any(candidate.overlaps(network) for network in taken):
            return Network(candidate, dns, own)
    first = CANDIDATES[0]
    collision = next(network for network in taken if first.overlaps(network))
    return Network(first, dns, own, collision)


def default_profile(network: Network) -> AccessProfile:
    """Return the first access profile: full tunnel, .1 for the server, .10 to .250 for clients."""
    return AccessProfile(
        name=DEFAULT,
        local_address=network.prefix[1],
        pools=((network.prefix[10], network.prefix[250]),),
        dns=network.dns,
    )


def make_home(
    root: Path,
    plan: Plan,
    passphrase: bytes | None,
    *,
    network: Network | None = None,
    now: datetime | None = None,
) -> NewHome:
    """Make the home ``root``: authority, server certificate, database and, last, the settings.

    :param passphrase: encrypts the authority's key; None leaves it plain.
    :param network: by default one chosen from this machine's surroundings.
    :param now: an aware time; by default the present.
    :raises SstpcaError: if there is a home already, or a file cannot be written; what was made
        until then is gone again.
    """
    home = Home(root)
    refuse_existing(home)
    network = network or choose_network()
    now = now or datetime.now(UTC)
    authority = Authority.make(plan.hosts, now, plan.ca_key_type, constrained=plan.name_constraints)
    server = authority.issue_server(plan.hosts, plan.key_type, now)
    with _making(home):
        profile = _write(home, plan, passphrase, network, authority, server)
    return NewHome(
        home=home,
        profile=profile,
        network=network,
        server=server.certificate.not_valid_after_utc,
        authority=authority.certificate.not_valid_after_utc,
        fingerprint=sha256_fingerprint(authority.certificate),
        encrypted=passphrase is not None,
    )


def refuse_existing(home: Home) -> None:
    """Make sure that an ``init`` of ``home`` would overwrite nothing.

    :raises SstpcaError: if there is a home, or what may be left of one.
    """
    if _exists(home):
        raise Exists(
            f"there is an sstpca home in {home.root} already; nothing was changed",
            "name another folder with ",
            option("--home"),
            ", or move this one away",
        )
    left = [] if (home.root / _MARKER).exists() else [p for p in _files(home) if p.exists()]
    if left:
        raise Exists(
            f"{home.root} has a {left[0].name} but no settings.toml; nothing was changed",
            "restore settings.toml if this was a home, or name another folder with ",
            option("--home"),
        )


def _files(home: Home) -> list[Path]:
    """Return the files of a home, without settings.toml."""
    return [
        home.ca_key,
        home.ca_certificate,
        home.server_identity,
        home.database_key,
        *database_files(home.database),
    ]


@contextlib.contextmanager
def _making(home: Home) -> Iterator[None]:
    """Hold the folder of ``home`` while it is being made; on an error, empty it again."""
    new = not home.root.exists()
    home.make()
    try:
        with _locked(home.root / _MARKER):
            # what a run that was killed has left
            staged.recover(replace(_half_made(home), trace=None))
            with staged.recovering(lambda: staged.recover(_half_made(home))):
                refuse_existing(home)  # another init was faster
                yield
    except BaseException:
        if new:
            with contextlib.suppress(OSError):
                home.root.rmdir()
        raise


@contextlib.contextmanager
def _locked(marker: Path) -> Iterator[None]:
    """Make the marker of a half-made home and hold its lock."""
    try:
        descriptor = os.open(marker, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, SECRET)
    except OSError as error:
        raise Unavailable(f"cannot write into {marker.parent}: {error.strerror}") from error
    try:
        if not locks.try_take(descriptor):
            raise InUse(f"another init is making a home in {marker.parent}")
        yield
    finally:
        os.close(descriptor)


def _half_made(home: Home) -> Change:
    """Return what an init changes: with settings.toml, the last of its files, the home is made."""
    names = [path.name for path in (*_files(home), home.settings)]
    made = [
        path
        for path in listed(home.root)
        # temporary files have a dot and the file's name before their own
        if path.name in names or any(path.name.startswith(f".{name}.") for name in names)
    ]
    return Change(lambda: _exists(home), new=tuple(made), trace=home.root / _MARKER)


def _exists(home: Home) -> bool:
    try:
        return home.exists
    except OSError as error:
        raise Unavailable(f"cannot look into {home.root}: {error.strerror}") from error


def _write(
    home: Home,
    plan: Plan,
    passphrase: bytes | None,
    network: Network,
    authority: Authority,
    server: Issued,
) -> AccessProfile:
    identity = identity_to_pem(server.key, (server.certificate,))
    write_file(home.ca_key, key_to_pem(authority.key, passphrase), SECRET)
    write_file(home.ca_certificate, certificate_to_pem(authority.certificate), PUBLIC)
    write_file(home.server_identity, identity, SECRET)
    write_file(home.database_key, generate_database_key(), SECRET)
    store = Store.create(home.database)
    try:
        profile = profiles.add(store, default_profile(network))
        certificates.record_first(store, authority.certificate, server.certificate)
    finally:
        store.close()
    write_file(home.settings, render_settings(plan).encode(), PUBLIC)
    return profile


def render_settings(plan: Plan) -> str:
    """Return the text of settings.toml for ``plan``, comments included."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sstpca.templates", ""),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 TOML, every value goes through the filter below
        keep_trailing_newline=True,
    )
    environment.filters["toml"] = toml.string
    return environment.get_template("settings.toml.j2").render(
        names=plan.hosts.names,
        addresses=[str(address) for address in plan.hosts.addresses],
        port=plan.port,
        contact=plan.contact,
        connection=plan.connection or default_connection(plan.hosts.first),
    )
