"""From a home to a running server: the toolkit's end of the server's contracts."""

import functools
import hashlib
import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sstpca.server.config import Compat, Config, Hooks, Reread, TlsSettings
from sstpca.server.contracts import Destination
from sstpca.server.errors import ServerError
from sstpca.server.service import serve as run_server
from sstpca.server.takeover import taken_over

from .. import __version__
from ..authority.identity import ending, load_identities
from ..errors import SstpcaError, Unavailable
from ..home import Home, say_of_server
from ..secrets import Sealer
from ..setting_kinds import Effect
from ..settings import Settings, changes, load, until_restart
from ..store import Store, profiles
from ..x509.pair import identity_to_pem
from .backend import StoreBackend


def serve(
    home: Home, settings: Settings, *, open_firewall: bool = False, arguments: tuple[str, ...] = ()
) -> None:
    """Run the VPN server of ``home`` until SIGTERM or SIGINT.

    :param open_firewall: whether other firewalls of this machine are told to let the VPN through.
    :param arguments: what starts it as it was started, behind the program's own name; without, no other
        program can take over from it.
    :raises SstpcaError: if the home or this machine is not fit to serve.
    """
    load_identities(home)
    Sealer.load(home)
    Store.open(home.database).close()
    try:
        before = taken_over()
        with home.serving(_about(settings), before.lock if before else -1) as lock:
            run = replace(
                _config(home, settings),
                open_firewall=open_firewall,
                arguments=arguments,
                lock=lock,
                before=before,
            )
            reread = _Rereading(home, settings, run)
            run_server(replace(run, reread=reread), reread.backend)
    except ServerError as error:
        if isinstance(error.__cause__, SstpcaError):  # of _read_identities
            raise error.__cause__ from None
        raise Unavailable(str(error), error.hint) from error


class _Rereading:
    """What settings.toml says by now, beside what the server goes by.

    :param config: what the server is told of itself, beside that file.
    """

    def __init__(self, home: Home, settings: Settings, config: Config) -> None:
        self._home = home
        self._settings = settings
        self._config = config

    @property
    def backend(self) -> StoreBackend:
        """The store, as the settings have it by which the server goes."""
        return _backend(self._home, self._settings)

    def __call__(self, restart: bool) -> Reread:
        """Read it; see :attr:`sstpca.server.config.Config.reread`."""
        try:
            found = load(self._home.settings)
            load_identities(self._home)
        except SstpcaError as error:
            raise ServerError(str(error), error.hint) from error
        effects = changes(self._settings, found)
        merged = found if restart else until_restart(self._settings, found)
        own = self._config
        config = replace(
            _config(self._home, merged),
            open_firewall=own.open_firewall,
            arguments=own.arguments,
            lock=own.lock,
            reread=self,
        )
        return Reread(
            config,
            _backend(self._home, merged),
            {name: one.value for name, one in effects.items()},
            Effect.LOGIN in effects.values(),
            functools.partial(self._take, merged),
        )

    def _take(self, settings: Settings) -> None:
        self._settings = settings
        say_of_server(self._config.lock, _about(settings))


def table_of(home: Home) -> str:
    """Return the name of the nftables table of this home's server.

    Each home has one of its own: what an earlier run left there is certainly this home's.
    """
    return f"sstpca_{hashlib.sha256(os.fsencode(home.root.resolve())).hexdigest()[:8]}"


def _about(settings: Settings) -> dict[str, object]:
    """Return what the server says of itself to 'sstpca status'."""
    server = settings.server
    return {
        "pid": os.getpid(),
        "started": time.time(),
        "version": __version__,
        "listen": list(server.listen),
        "port": server.port,
        "workers": _workers(settings),
    }


def _backend(home: Home, settings: Settings) -> StoreBackend:
    return StoreBackend(home, settings.lockout, settings.history)


def _workers(settings: Settings) -> int:
    return settings.server.workers or len(os.sched_getaffinity(0))


def _config(home: Home, settings: Settings) -> Config:
    server = settings.server
    return Config(
        name=settings.host,
        listen=tuple((address, server.port) for address in server.listen),
        identities=(home.server_identity, home.server_ecdsa_identity),
        read_identities=functools.partial(_read_identities, home),
        workers=_workers(settings),
        interface=server.interface,
        table=table_of(home),
        mtu=server.mtu,
        nat=server.nat,
        nat66=server.nat66,
        ipv6=functools.partial(_ipv6, home),
        destinations=functools.partial(_destinations, home),
        due=functools.partial(_due, home),
        version=__version__,
        metrics=settings.metrics.endpoint,
        control=home.root,
        hooks=Hooks(
            Path(settings.hooks.up) if settings.hooks.up else None,
            Path(settings.hooks.down) if settings.hooks.down else None,
            settings.hooks.seconds,
        ),
        tls=TlsSettings(settings.tls.minimum_version, Compat(settings.tls.compat)),
    )


def _due(home: Home) -> str:
    return ending(home, datetime.now(UTC))


def _ipv6(home: Home) -> bool:
    store = Store.open(home.database)
    with store.reading() as transaction:
        wanted = profiles.some_have_ipv6(transaction)
    store.close()
    return wanted


def _destinations(home: Home) -> dict[int, tuple[Destination, ...]]:
    store = Store.open(home.database)
    found = profiles.destinations(store)
    store.close()
    return {
        number: tuple(Destination(one.network, one.protocol, one.ports) for one in some)
        for number, some in found.items()
    }


def _read_identities(home: Home) -> tuple[bytes, ...]:
    """Return the server's identities in our own writing: a file may be one that was made by hand."""
    try:
        found = load_identities(home)
    except SstpcaError as error:
        raise ServerError(str(error), error.hint) from error
    return tuple(identity_to_pem(one.key, (one.certificate, *one.chain)) for one in found)
