"""Changes of a server that runs, without an end of its sessions: other settings, another program, a drain.

Other settings are for other workers. Those that there are go on to the end of their sessions, as they
were begun.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from .config import Reread
from .control import Handler, Values, give
from .errors import ServerError
from .hooks.hooked import check as check_hooks
from .listening import opened
from .log import LOGGER
from .metrics.board import LAYOUT
from .net.tls import CertificateFiles
from .parts import Parts
from .takeover import Handover, take_over

#: Seconds within which another program has to say whether it would start.
_CHECK: Final = 60.0


class Changing:
    """Does what administrators ask of the server."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._draining = False
        self._handlers: dict[str, Handler] = {
            "reload": lambda _wanted, _asker: self.reload(),
            "restart": self._restart,
            "drain": self._drain,
            "state": lambda _wanted, _asker: self._state(),
        }

    def answer(self) -> None:
        """Do what administrators who wait want."""
        self._parts.control.answer(self._handlers)

    def reload_by_signal(self) -> None:
        """Have the settings read again, and say in the log what comes of it."""
        try:
            self.reload()
        except ServerError as error:
            LOGGER.error("%s; nothing has changed", error, extra={"hint": error.hint})

    def reload(self) -> Values:
        """Go by the settings as they are now, as far as that takes no restart.

        :returns: ``effects``: what is different, and when that takes effect.
        :raises ServerError: if they are of no use, or the server takes no logins; nothing has changed then.
        """
        if self._draining:
            raise ServerError("the server takes no logins", "restart it, and it does again")
        found = self._reread(restart=False)
        parts = self._parts
        if found.renews:
            check_hooks(found.config.hooks)
            identity = CertificateFiles(
                found.config.identities, found.config.read_identities, found.config.tls
            )
            parts.crew.renew(found.config, identity, found.backend)
            parts.config, parts.identity, parts.backend = found.config, identity, found.backend
            parts.exporting.follow(found.backend.figures, found.config.workers)
            parts.rules.follow(found.config)
        found.taken()
        for name, effect in found.effects.items():
            LOGGER.info("settings.toml: %s: %s", name, effect)
        if not found.effects:
            LOGGER.info("settings.toml: nothing has changed")
        return {"effects": dict(found.effects)}

    def _reread(self, *, restart: bool) -> Reread:
        if self._parts.config.reread is None:
            raise ServerError("this server has no settings that it could read again")
        return self._parts.config.reread(restart)

    def _restart(self, wanted: Mapping[str, Any], asker: socket.socket) -> Values:
        """Have another program take over: another release, or the same with what takes a restart.

        :param wanted: ``program``, the words that call it, and ``within``, seconds until the sessions
            that there are have to end.
        :returns: never, but to say why it cannot be; nothing has changed then.
        """
        parts = self._parts
        if not parts.config.arguments:
            raise ServerError(
                "another program runs this server as a part of itself",
                "restart that",
            )
        if parts.listeners.activated and not parts.listeners.sockets:
            raise ServerError(
                "the service manager listens for this server, which let go of that when it was drained",
                "have the service manager restart it; sessions that are left end then",
            )
        program = [str(one) for one in wanted["program"]]
        within = float(wanted["within"])
        _try_out(program, parts.config.arguments)
        settings = self._reread(restart=True).config
        check_hooks(settings.hooks)
        new: list[socket.socket] = []
        if not parts.listeners.activated:
            present = parts.listeners.sockets
            new = [one for one in opened(settings.listen, present) if one not in present]
        handover = self._handover(asker, new, within)
        LOGGER.info("another program takes over; sessions stay with the workers that they have")
        parts.exporting.pause()
        try:
            take_over([*program, *parts.config.arguments], handover)
        finally:  # it could not
            for one in new:
                one.close()

    def _handover(
        self, asker: socket.socket, new: Sequence[socket.socket], within: float
    ) -> Handover:
        parts = self._parts
        listening = [*parts.listeners.sockets, *new]
        return Handover(
            process=os.getpid(),
            lock=parts.config.lock,
            presence=parts.rules.sign.fileno(),
            listeners=tuple(one.fileno() for one in listening),
            activated=parts.listeners.activated,
            metrics=parts.exporting.listener,
            board=parts.exporting.board.descriptor,
            layout=LAYOUT,
            asker=asker.fileno(),
            within=within,
            interface=parts.config.interface,
            left=parts.crew.left,
            keepers=parts.crew.leaving,
            lost=tuple(parts.lost),
            begun=parts.exporting.told.begun,
            failed=parts.exporting.told.lost,
        )

    def adopt(self) -> None:
        """Look after the workers of the program before, if this one takes over from another."""
        if before := self._parts.config.before:
            self._parts.lost.update(before.lost)
            self._parts.crew.adopt(before)

    def took_over(self) -> None:
        """This program serves: the workers of the program before retire."""
        before = self._parts.config.before
        if before is None:
            return
        crew = self._parts.crew
        earlier = [one for one in crew.pairs if one.retires]
        crew.retire(earlier, time.monotonic() + before.within)
        LOGGER.info("took over from the program before, and from %d workers of it", len(earlier))
        if before.asker >= 0:
            with socket.socket(fileno=before.asker) as asker, contextlib.suppress(OSError):
                give(asker, {"version": self._parts.config.version} | self._state())

    def _drain(self, wanted: Mapping[str, Any], _asker: socket.socket) -> Values:
        """Take no new connections, and let those that there are go on to their end.

        :param wanted: ``within``, seconds until those that are left have to end.
        """
        parts = self._parts
        within = float(wanted["within"])
        if parts.listeners.activated and not self._draining:
            LOGGER.warning("the service manager goes on to listen: whoever comes waits")
        self._draining = True
        parts.listeners.close()
        parts.crew.retire(parts.crew.pairs, time.monotonic() + within)
        parts.exporting.drain()
        parts.manager.says("Draining: it takes no logins")
        LOGGER.info("draining: no logins from now on; what is left is ended in %.0f s", within)
        return self._state()

    def _state(self) -> Values:
        """Return how far changes have come: ``draining``, and ``earlier`` workers with sessions."""
        retired = sum(one.retires for one in self._parts.crew.pairs)
        return {"draining": self._draining, "earlier": retired}


def _try_out(program: Sequence[str], arguments: Sequence[str]) -> None:
    """Have another program say whether it would start as this one was.

    :raises ServerError: with what it complains of.
    """
    try:
        done = subprocess.run(
            [*program, *arguments, "--check", "--json"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_CHECK,
            preexec_fn=_unblock,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerError(f"{program[0]} does not say whether it would start: {error}") from error
    if done.returncode:
        raise ServerError(f"the server would not start: {_complaint(done)}")


def _complaint(done: "subprocess.CompletedProcess[bytes]") -> str:
    """Return what it complains of first, in one line."""
    with contextlib.suppress(ValueError, LookupError, TypeError):
        wrong = next(one for one in json.loads(done.stdout) if one["state"] == "wrong")
        return f"{wrong['check']}: {wrong['found']}"
    lines = done.stderr.decode(errors="replace").splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"


def _unblock() -> None:
    # the supervisor waits for its signals; a process that it starts inherits that they are blocked
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
