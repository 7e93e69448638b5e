"""The supervisor: opens the port, sets up the machine, keeps the workers running, cleans up.

It stays a plain loop around one signal wait, so that whatever happens to a worker, somebody is
left to free its leases, to replace it, and to take the rules down at the end.
"""

import contextlib
import math
import resource
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

from . import confinement
from .activation import handed_over
from .config import Compat, Config
from .contracts import Backend
from .crew import Crew
from .dataplane import engine
from .errors import ServerError
from .hooks.hooked import check as check_hooks
from .log import LOGGER
from .metrics.exporting import Exporting, exporting_of
from .net import conntrack, shaping
from .net.rules import CHANGED, Rules, rules_of
from .net.tls import CertificateFiles
from .net.tun import check_tun
from .net.worker import GRACE_PERIOD
from .notify import Notifier

_ENDING: Final = frozenset({signal.SIGTERM, signal.SIGINT})

#: Seconds between a worker's start and its replacement, at least: no storm of broken workers.
_RESPAWN: Final = 1.0

#: Seconds until a certificate that ends soon is spoken of again: a day.
_WARN_AGAIN: Final = 86_400.0

#: Seconds until a store that failed is asked again.
_RETRY: Final = 5.0


def serve(config: Config, backend: Backend) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP is only spoken of.

    :raises ServerError: if this machine cannot serve; nothing of it is left changed then.
    """
    check_tun(config.interface)
    identity = CertificateFiles(config.identities, config.read_identities, config.tls)
    # a session has two descriptors; the soft limit of 1024 is a relic of select(2)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with _signals() as awaited, ExitStack() as stack:
        listeners = [stack.enter_context(one) for one in _listeners(config)]
        rules = stack.enter_context(rules_of(config))
        conntrack.check()
        shaping.sweep()
        stack.callback(shaping.sweep)
        backend.reset()
        check_hooks(config.hooks)
        exporting = stack.enter_context(exporting_of(config, backend))
        _Supervisor(config, identity, listeners, backend, awaited, rules, exporting).run()
        backend.reset()


@contextlib.contextmanager
def _signals() -> Iterator[frozenset[signal.Signals]]:
    """Let signals wait until they are asked for, to the very end: an impatient second one must not
    come between us and the cleaning up.

    :returns: those that are awaited. What somebody had ignored (nohup) stays ignored.
    """
    wanted = {*_ENDING, signal.SIGHUP}
    heard = {number for number in wanted if signal.getsignal(number) is not signal.SIG_IGN}
    awaited = frozenset({signal.SIGCHLD, CHANGED, *heard})
    before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    try:
        yield awaited
    finally:
        while signal.sigtimedwait(awaited, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _listeners(config: Config) -> Iterator[socket.socket]:
    if handed := handed_over():
        LOGGER.info(
            "the service manager listens for the server, whatever settings.toml has of that"
        )
        yield from handed
        return
    for address, port in config.listen:
        if address == "::" and not _has_ipv6():
            LOGGER.info("this machine has no IPv6: not listening on ::")
        else:
            yield _listen(address, port)


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            sock.bind(("::", 0))
    except OSError:
        return False
    return True


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(1024)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise ServerError(
            f"cannot listen on {address} port {port}: {error.strerror}",
            "choose another port or address in settings.toml, or stop what uses it "
            f"(ss -ltnp 'sport = :{port}')",
        ) from error
    return sock


class _Supervisor:
    def __init__(
        self,
        config: Config,
        identity: CertificateFiles,
        listeners: list[socket.socket],
        backend: Backend,
        awaited: frozenset[signal.Signals],
        rules: Rules,
        exporting: Exporting,
    ) -> None:
        self._config = config
        self._identity = identity
        self._awaited = awaited
        self._listeners = listeners
        self._backend = backend
        self._rules = rules
        self._exporting = exporting
        self._crew = Crew(config, identity, listeners, backend, exporting.board)
        #: Workers that ended and whose sessions the store still has.
        self._lost: set[int] = set()
        self._warned = -math.inf
        self._manager = Notifier()

    def run(self) -> None:
        """Keep the workers running until a signal says stop; then stop them."""
        confinement.load()
        self._crew.rehearse()
        for _ in range(self._config.workers):
            self._crew.start()
        names = [sock.getsockname() for sock in self._listeners]
        addresses = ", ".join(f"{name[0]} port {name[1]}" for name in names)
        LOGGER.info("listening on %s with %d workers", addresses, self._config.workers)
        LOGGER.info("IP packets pass %s", engine.DESCRIPTION)
        if self._config.tls.compat is Compat.ROUTEROS_NO_PFS:
            LOGGER.warning(
                "weaker TLS is taken too: with RouterOS' pfs=no, RSA exchanges the keys, and whoever "
                "gets at the server's key can read what was recorded (compat in settings.toml)"
            )
        self._warn_of_expiry()
        self._manager.ready(f"Listening on {addresses}")
        while not self._asked_to_end():
            self._replace()
            self._forget()
            self._reload_certificate()
            self._warn_of_expiry()
            self._reconcile_rules()
            self._exporting.tick()
            if not self._exporting.board.hangs():
                self._manager.alive()
        LOGGER.info("stopping")
        self._manager.stopping()
        self._crew.stop(GRACE_PERIOD + 2)

    def _asked_to_end(self) -> bool:
        woken = signal.sigtimedwait(self._awaited, _RETRY)
        if woken is None:
            return False
        if woken.si_signo == signal.SIGHUP:
            LOGGER.warning("SIGHUP is ignored: for changed settings, stop the server and start it")
        return woken.si_signo in _ENDING

    def _replace(self) -> None:
        for pair, how in self._crew.ended():
            LOGGER.error(
                "worker %d ended unexpectedly (%s), its sessions are lost", pair.worker, how
            )
            self._exporting.lost()
            self._lost.add(pair.worker)
            self._forget()
            time.sleep(max(0.0, pair.started + _RESPAWN - time.monotonic()))
            self._crew.start()

    def _forget(self) -> None:
        for pid in list(self._lost):
            try:
                self._backend.forget(pid)
            except Exception as error:  # whatever the store has, the port must stay served
                LOGGER.error("the leases of worker %d stay taken for now: %s", pid, error)
            else:
                self._lost.remove(pid)
                shaping.sweep()

    def _reload_certificate(self) -> None:
        """Say what the workers do about new server certificates; each of them sees for itself."""
        try:
            if self._identity.reload():
                shown = self._identity.certificates.description
                LOGGER.info("new connections are shown the %s", shown)
        except Exception as error:  # whatever the file has, the port must stay served
            LOGGER.error("%s; new connections are shown the certificate before", error)

    def _warn_of_expiry(self) -> None:
        """Say once a day that the server's certificate ends soon, or has ended."""
        now = time.monotonic()
        if now < self._warned + _WARN_AGAIN:
            return
        self._warned = now
        try:
            if due := self._config.due():
                LOGGER.warning("%s", due)
        except Exception as error:  # whatever the file has, the port must stay served
            LOGGER.error("%s", error)

    def _reconcile_rules(self) -> None:
        try:
            self._rules.reconcile()
        except Exception as error:  # interfaces that are there already go on
            LOGGER.error("%s", error)
