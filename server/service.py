"""The supervisor: opens the port, sets up the machine, keeps the workers running, cleans up.

It stays a plain loop around one signal wait, so that whatever happens to a worker, somebody is
left to free its leases, to replace it, and to take the rules down at the end.
"""

import contextlib
import math
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Final

from . import confinement
from .changing import Changing
from .config import Compat, Config
from .contracts import Backend
from .control import control_in
from .crew import Crew
from .dataplane import engine
from .hooks.hooked import check as check_hooks
from .listening import listeners_of
from .log import LOGGER
from .metrics.exporting import exporting_of
from .net import conntrack, shaping
from .net.rules import CHANGED, rules_of
from .net.tls import CertificateFiles
from .net.tun import check_tun
from .net.worker import GRACE_PERIOD, RETIRE
from .notify import Notifier
from .parts import Parts

_ENDING: Final = frozenset({signal.SIGTERM, signal.SIGINT})

#: Seconds between a worker's start and its replacement, at least: no storm of broken workers.
_RESPAWN: Final = 1.0

#: Seconds until a certificate that ends soon is spoken of again: a day.
_WARN_AGAIN: Final = 86_400.0

#: Seconds until a store that failed is asked again.
_RETRY: Final = 5.0


def serve(config: Config, backend: Backend) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP has the settings read again.

    :raises ServerError: if this machine cannot serve; nothing of it is left changed then.
    """
    before = config.before
    if before and before.interface != config.interface:
        LOGGER.warning(
            "sessions go on to be called %s: that changes when the server is stopped and started",
            before.interface,
        )
        config = replace(config, interface=before.interface)
    check_tun(config.interface)
    identity = CertificateFiles(config.identities, config.read_identities, config.tls)
    check_hooks(config.hooks)
    # a session has two descriptors; the soft limit of 1024 is a relic of select(2)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with _signals() as awaited, ExitStack() as stack:
        listeners = stack.enter_context(
            listeners_of(
                config.listen,
                before.listeners if before else (),
                activated=before is not None and before.activated,
            )
        )
        control = stack.enter_context(control_in(config.control))
        rules = stack.enter_context(rules_of(config))
        conntrack.check()
        shaping.sweep()
        stack.callback(shaping.sweep)
        backend.reset({one.worker for one in before.left} if before else ())
        exporting = stack.enter_context(exporting_of(config, backend))
        crew = Crew(config, identity, listeners, backend, exporting.board)
        parts = Parts(
            config, identity, backend, listeners, rules, exporting, crew, control, Notifier()
        )
        _Supervisor(parts, awaited).run()
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
    # a worker that is told to retire before it can hear of that hears of it later
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*awaited, RETIRE})
    try:
        yield awaited
    finally:
        while signal.sigtimedwait(awaited, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Supervisor:
    """Keeps going what there is.

    :param awaited: the signals that wake it.
    """

    def __init__(self, parts: Parts, awaited: frozenset[signal.Signals]) -> None:
        self._parts = parts
        self._awaited = awaited
        self._changing = Changing(parts)
        self._warned = -math.inf

    def run(self) -> None:
        """Keep the workers running until a signal says stop; then stop them."""
        parts = self._parts
        confinement.load()
        parts.crew.rehearse()
        self._changing.adopt()
        for _ in range(parts.config.workers):
            parts.crew.start()
        addresses = parts.listeners.description
        LOGGER.info("listening on %s with %d workers", addresses, parts.config.workers)
        LOGGER.info("IP packets pass %s", engine.DESCRIPTION)
        LOGGER.info("TLS is %s", engine.TLS_DESCRIPTION)
        if parts.config.tls.compat is Compat.ROUTEROS_NO_PFS:
            LOGGER.warning(
                "weaker TLS is taken too: with RouterOS' pfs=no, RSA exchanges the keys, and whoever "
                "gets at the server's key can read what was recorded (compat in settings.toml)"
            )
        self._warn_of_expiry()
        parts.manager.ready(f"Listening on {addresses}")
        self._changing.took_over()
        while not self._asked_to_end():
            self._changing.answer()
            self._replace()
            self._forget()
            parts.crew.end_late()
            self._reload_certificate()
            self._warn_of_expiry()
            self._reconcile_rules()
            parts.exporting.tick()
            if not parts.exporting.board.hangs():
                parts.manager.alive()
        LOGGER.info("stopping")
        parts.manager.stopping()
        parts.crew.stop(GRACE_PERIOD + 2)

    def _asked_to_end(self) -> bool:
        woken = signal.sigtimedwait(self._awaited, _RETRY)
        if woken is None:
            return False
        if woken.si_signo == signal.SIGHUP:
            self._changing.reload_by_signal()
        return woken.si_signo in _ENDING

    def _replace(self) -> None:
        parts = self._parts
        for pair, how in parts.crew.ended():
            parts.lost.add(pair.worker)
            if not how:
                LOGGER.info("worker %d has ended, with its last session", pair.worker)
                continue
            LOGGER.error(
                "worker %d ended unexpectedly (%s), its sessions are lost", pair.worker, how
            )
            parts.exporting.lost()
            self._forget()
            if not pair.retires:
                time.sleep(max(0.0, pair.started + _RESPAWN - time.monotonic()))
                parts.crew.start()

    def _forget(self) -> None:
        parts = self._parts
        for pid in list(parts.lost):
            try:
                parts.backend.forget(pid)
            except Exception as error:  # whatever the store has, the port must stay served
                LOGGER.error("the leases of worker %d stay taken for now: %s", pid, error)
            else:
                parts.lost.remove(pid)
                shaping.sweep()

    def _reload_certificate(self) -> None:
        """Say what the workers do about new server certificates; each of them sees for itself."""
        identity = self._parts.identity
        try:
            if identity.reload():
                shown = identity.certificates.description
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
            if due := self._parts.config.due():
                LOGGER.warning("%s", due)
        except Exception as error:  # whatever the file has, the port must stay served
            LOGGER.error("%s", error)

    def _reconcile_rules(self) -> None:
        try:
            self._parts.rules.reconcile()
        except Exception as error:  # interfaces that are there already go on
            LOGGER.error("%s", error)
