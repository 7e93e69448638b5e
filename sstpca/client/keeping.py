"""Keeps a machine connected: dials, sets up what the server gives, and dials again when it is lost."""

import asyncio
import contextlib
import os
import random
import secrets
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv6Network
from pathlib import Path
from typing import Final

from sstpca.server.sstp.binding import CertificateHashes

from .asking import Told, ask
from .back_off import BackOff
from .call import ClientCall
from .dialing import DialError, Dialled, Endpoint, context_for, dial, resolve
from .eap_tls import ByCertificate
from .inner_tls import InnerTls
from .inner_tls import context_for as inner_context_for
from .kill_switch import KillSwitch
from .link import STRONG, ClientLink, Connected
from .network import (
    EVERYTHING,
    EVERYTHING_IPV6,
    ClientInterface,
    Network,
)
from .outside import Outside
from .resolver import Resolver
from .session import ClientSession, Ended
from .sign_in import Certificate, Credentials
from .tunnel import Tunnel

#: Seconds for a session to end politely, and for a hook.
_GOODBYE: Final = 5.0
_HOOK: Final = 30.0
#: From so many seconds on, a wait is told in minutes.
_MINUTES: Final = 120.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be done on this machine.

    :param logins: how to log in, the values of LCP's option, the best first.
    :param routes: what goes through the tunnel; None: what the server pushes, or else everything.
    :param dns: whether the machine's resolver is told of the DNS servers.
    :param interface: its name; ``%d`` is the next free number.
    :param kill_switch: whether nothing passes beside the tunnel.
    :param up: the program that is run when it is up, and ``down`` when it is lost; empty: none.
    :param once: whether to end when the connection is lost, or there is none.
    :param keep_trying: whether to try again, after a long while, where the server refuses or is not
        to be believed.
    """

    logins: Sequence[bytes] = STRONG
    routes: tuple[Network, ...] | None = None
    dns: bool = True
    ipv6: bool = True
    interface: str = "vpn%d"
    kill_switch: bool = False
    up: str = ""
    down: str = ""
    once: bool = False
    keep_trying: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """How it is, for whoever shows it.

    :param text: one line, when something has happened; empty if only the traffic is new.
    """

    text: str
    connected: bool
    interface: str = ""
    received: int = 0
    sent: int = 0
    since: float = field(default=0.0, compare=False)


class Refusal(Exception):
    """It cannot work, whoever tries again."""


async def keep_connected(
    endpoint: Endpoint,
    credentials: Credentials | Certificate,
    wishes: Wishes,
    show: Callable[[State], None],
) -> None:
    """Connect and stay so until SIGINT or SIGTERM.

    :raises Refusal: if the server refuses, or is not to be believed; or it is lost and that is the end.
    :raises NetworkError: if the machine does not let us.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    with ClientInterface(wishes.interface) as interface, Resolver(interface.name) as resolver:
        try:
            keeper = _Keeper(endpoint, credentials, wishes, interface, resolver, show)
        except DialError as error:
            raise Refusal(str(error)) from None
        try:
            await keeper.run(stop)
        finally:
            await keeper.close(asked=stop.is_set())


class _Keeper:
    """One machine's connection."""

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: Credentials | Certificate,
        wishes: Wishes,
        interface: ClientInterface,
        resolver: Resolver,
        show: Callable[[State], None],
    ) -> None:
        self._endpoint = endpoint
        self._credentials = _login(credentials, endpoint)
        self._wishes = wishes
        self._interface = interface
        self._resolver = resolver
        self._outside = Outside(interface.name)
        self._switch = KillSwitch(interface.name)
        self._show = show
        self._context = context_for(endpoint)
        self._addresses: list[str] = []
        self._tunnel: Tunnel | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._up_since = 0.0
        self._was_up = False
        self._given: Connected | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Dial again and again, until it is to stop."""
        shown = asyncio.ensure_future(self._show_traffic())
        try:
            await self._run(stop)
        finally:
            shown.cancel()

    async def close(self, *, asked: bool) -> None:
        """Take back what is beside the interface.

        :param asked: whether somebody has asked for the end. If not, a kill switch that has been of use
            stays shut.
        """
        await asyncio.to_thread(self._outside.close)
        if self._wishes.kill_switch and self._was_up and not asked:
            how = f"nothing passes any more; to have it pass: {self._switch.opened_by}"
            self._say(how, connected=False)
        elif self._wishes.kill_switch:
            await asyncio.to_thread(self._switch.open)

    async def _show_traffic(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            if self._up_since and self._tunnel is not None:
                self._say("", connected=True)

    async def _run(self, stop: asyncio.Event) -> None:
        back_off = BackOff(random.random)
        while not stop.is_set():
            refused = False
            try:
                why = await self._once(stop)
            except Refusal as error:
                if not self._survives_refusal:
                    raise
                why, refused = str(error), True
            if stop.is_set():
                return
            if self._wishes.once:
                raise Refusal(why)
            lasted = time.monotonic() - self._up_since if self._up_since else 0.0
            pause = back_off.pause(lasted, refused=refused)
            shown = f"{pause:.0f} s" if pause < _MINUTES else f"{pause / 60:.0f} min"
            self._say(f"{why}; trying again in {shown}", connected=False)
            await self._pause(pause, stop)

    @property
    def _survives_refusal(self) -> bool:
        """Whether a refusal is not the end. Behind a kill switch that has been of use, it never is:
        whoever is between us and the server can make one.
        """
        shut = self._wishes.kill_switch and self._was_up
        return (self._wishes.keep_trying or shut) and not self._wishes.once

    async def _pause(self, seconds: float, stop: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stop.wait()

    async def _once(self, stop: asyncio.Event) -> str:
        """Connect, and stay so; return why it is over."""
        self._up_since = 0.0
        stopping = asyncio.ensure_future(stop.wait())
        try:
            dialling = asyncio.ensure_future(self._dial())
            await asyncio.wait((dialling, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not dialling.done():
                dialling.cancel()
                await asyncio.gather(dialling, return_exceptions=True)
                return ""
            dialled = dialling.result()
            tunnel = self._start(dialled)
            await asyncio.wait((tunnel.ended, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not tunnel.ended.done():
                tunnel.terminate("asked to")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(tunnel.ended), _GOODBYE)
            return await self._over(tunnel)
        except DialError as error:
            if error.final:
                raise Refusal(str(error)) from None
            return str(error)
        finally:
            stopping.cancel()

    async def _dial(self) -> Dialled:
        where = self._endpoint.proxy or self._endpoint
        try:
            self._addresses = await resolve(where.host, where.port)
        except DialError:
            # the resolver may be behind the tunnel that is down
            if not self._addresses:
                raise
        if self._wishes.kill_switch:
            await asyncio.to_thread(self._switch.close, self._addresses, where.port)
        ways = await asyncio.to_thread(self._outside.ways, self._addresses)
        self._say(f"connecting to {self._endpoint.host}", connected=False)
        return await dial(self._endpoint, ways, self._context)

    def _start(self, dialled: Dialled) -> Tunnel:
        certificate = CertificateHashes.of(dialled.certificate)
        link = ClientLink(
            self._credentials,
            random=secrets.token_bytes,
            logins=self._wishes.logins,
            ipv6=self._wishes.ipv6,
        )
        session = ClientSession(ClientCall(certificate), link)
        tunnel = self._tunnel = Tunnel(
            dialled.stream, session, self._interface.tun, connected=self._connected
        )
        tunnel.start(dialled.rest)
        return tunnel

    def _connected(self, given: Connected) -> None:
        self._given = given
        task = asyncio.get_running_loop().create_task(self._set_up(given))
        self._tasks.add(task)
        task.add_done_callback(self._is_set_up)

    def _is_set_up(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and self._tunnel is not None:
            self._tunnel.fail(error)

    async def _set_up(self, given: Connected) -> None:
        """Set up the interface, and routes and resolver as the server pushes them, or as is wished.

        In a thread: pyroute2 has an event loop of its own, and other programs take their time.
        """
        await asyncio.to_thread(self._interface.give, given)
        told = await ask(self._interface.name, given.address) or Told()
        if given != self._given:
            return
        routes = self._routes(given, told)
        await asyncio.to_thread(self._interface.lead, routes)
        everything = set(EVERYTHING) <= set(routes)
        if self._wishes.dns:
            await asyncio.to_thread(
                self._resolver.tell, given.dns, told.suffix, everything=everything
            )
        first, self._up_since = not self._up_since, self._up_since or time.monotonic()
        self._was_up = True
        if first:
            leads = "everything" if everything else ", ".join(map(str, routes)) or "nothing"
            text = (
                f"connected as {given.address} on {self._interface.name}; through it goes {leads}"
            )
            self._say(text, connected=True)
            if self._resolver.why_not:
                self._say(self._resolver.why_not, connected=True)
            await self._hook(self._wishes.up, "up", given)

    def _routes(self, given: Connected, told: Told) -> tuple[Network, ...]:
        if self._wishes.routes is not None:
            wanted = self._wishes.routes
        elif told.routes:
            wanted = told.routes
        else:
            wanted = (*EVERYTHING, *EVERYTHING_IPV6)
        if given.ipv6 is None:
            wanted = tuple(one for one in wanted if not isinstance(one, IPv6Network))
        return wanted

    async def _over(self, tunnel: Tunnel) -> str:
        """Return why the session is over.

        :raises Refusal: if the server does not let this user in.
        """
        self._tunnel, given, self._given = None, self._given, None
        for task in self._tasks:
            task.cancel()
        if not tunnel.ended.done():
            return "the server does not say goodbye"
        ended: Ended = tunnel.ended.result()
        if given is not None and self._up_since:
            await self._hook(self._wishes.down, "down", given)
        if ended.refused is not None:
            said = f": {ended.refused.text}" if ended.refused.text else ""
            raise Refusal(f"{ended.reason}{said}")
        return ended.reason

    async def _hook(self, program: str, event: str, given: Connected) -> None:
        """Run a program of the administrator's, which has its time, and no say."""
        if not program:
            return
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "SSTPCA_EVENT": event,
            "SSTPCA_INTERFACE": self._interface.name,
            "SSTPCA_SERVER": self._endpoint.host,
            "SSTPCA_ADDRESS": str(given.address),
            "SSTPCA_GATEWAY": str(given.server or ""),
            "SSTPCA_DNS": " ".join(map(str, given.dns)),
            "SSTPCA_ROUTES": " ".join(map(str, self._interface.routes)),
        }
        try:
            process = await asyncio.create_subprocess_exec(
                program, env=environment, stdin=asyncio.subprocess.DEVNULL, start_new_session=True
            )
        except OSError as error:
            self._say(f"{program} cannot be run: {error.strerror}", connected=event == "up")
            return
        try:
            code = await asyncio.wait_for(process.wait(), _HOOK)
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            code = await process.wait()
        if code:
            what = f"{Path(program).name} ended with {code} at {event}"
            self._say(what, connected=event == "up")

    def _say(self, text: str, *, connected: bool) -> None:
        received, sent = self._tunnel.traffic if self._tunnel else (0, 0)
        name, since = self._interface.name, self._up_since
        self._show(State(text, connected, name, received, sent, since))


def _login(who: Credentials | Certificate, endpoint: Endpoint) -> Credentials | ByCertificate:
    """Return the login as the link takes it.

    :raises DialError: if TLS does not take the certificate.
    """
    if isinstance(who, Credentials):
        return who
    return ByCertificate(
        who.user, partial(InnerTls, inner_context_for(endpoint, who.pem), endpoint)
    )
