"""What strangers and users do to a server, each in a process of its own in the clients' network.

An :data:`Attack` prepares, waits for the moment to begin, ends by itself, and says what came of it.
"""

import collections
import contextlib
import itertools
import math
import multiprocessing
import resource
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from tests.support import ppp
from tests.support.client import Client
from tests.support.faults import ClientError, Ended, TimedOut
from tests.support.netns import Network
from tests.support.server import NAME, PASSWORDS, PORT, Vpn
from tests.support.sstp import Data

#: Addresses of the clients' network, all on one machine: of a flood, of an office, of whoever is
#: far away, and of visitors, each of whom comes from one that the server does not know.
FLOOD: Final = tuple(f"198.18.0.{number}" for number in range(10, 60))
OFFICE, FAR_AWAY = "198.18.0.60", "198.18.0.61"
VISITORS: Final = tuple(f"198.18.0.{number}" for number in range(70, 250))

#: Connections that a flood has open at once: those it waits for, and those it just keeps.
_OUTSTANDING, _HELD = 32, 3000

#: As many as one LCP packet can have, each without a value.
_OPTIONS = 748

_SERVER = (str(Network.server_address), PORT)
_FAILURES = (OSError, ssl.SSLError, ClientError, Ended, TimedOut)


@dataclass(slots=True)
class Outcome:
    """What came of an attack.

    :ivar times: seconds that each of its logins took, those that failed as infinity.
    :ivar cpu: seconds of processor time that it has used.
    """

    note: str = ""
    times: list[float] = field(default_factory=list)
    cpu: float = 0.0


Begin = Callable[[], float]
Attack = Callable[[Vpn, Begin], Outcome]
"""Gets the server, and what waits for the beginning and returns when to end (monotonic)."""


class Attacker:
    """A process that runs one attack.

    :param seconds: how long it may take.
    """

    def __init__(self, vpn: Vpn, attack: Attack, seconds: float) -> None:
        context = multiprocessing.get_context("fork")
        self._ready, self._go = context.Event(), context.Event()
        self._ours, theirs = context.Pipe(duplex=False)

        def begin() -> float:
            self._ready.set()
            self._go.wait()
            return time.monotonic() + seconds

        def run() -> None:
            most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
            before: list[float] = []

            def begin_and_count() -> float:
                until = begin()
                before.append(time.process_time())
                return until

            outcome = attack(vpn, begin_and_count)
            outcome.cpu = time.process_time() - before[0]
            theirs.send(outcome)

        self._process = context.Process(target=run, daemon=True)
        with vpn.network.client.entered():  # the child is in there, too
            self._process.start()

    def begin(self) -> None:
        """Let it begin, once it is ready."""
        while not self._ready.wait(1.0):
            if not self._process.is_alive():
                raise RuntimeError("an attack failed before its beginning")
        self._go.set()

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._ours.poll() or not self._process.is_alive()

    def outcome(self) -> Outcome:
        """Wait for its end."""
        found: Outcome = self._ours.recv()
        self._process.join(5.0)
        self._process.kill()
        return found


def burn(share: float) -> Attack:
    """Compute, for this share of one processor: what an attack is compared with."""

    def attack(_vpn: Vpn, begin: Begin) -> Outcome:
        until = begin()
        while (now := time.monotonic()) < until:
            while time.monotonic() < now + 0.01 * share:
                pass
            time.sleep(0.01 * (1.0 - share))
        return Outcome()

    return attack


def visit(vpn: Vpn, begin: Begin) -> Outcome:
    """Log in once a second, as anybody does; this is what suffers."""
    found = Outcome()
    until = begin()
    while (began := time.monotonic()) < until - 0.5:
        with (
            _timed(found) as log_in,
            _client(vpn, next(_visitors), until - began + 30.0) as client,
        ):
            log_in(client)
        time.sleep(max(0.0, began + 1.0 - time.monotonic()))
    return found


_visitors = itertools.cycle(VISITORS)


@contextlib.contextmanager
def _timed(found: Outcome) -> Iterator[Callable[[Client], None]]:
    """Give what logs in and notes how long that took from here; a failure is for ever."""
    began = time.monotonic()

    def log_in(client: Client) -> None:
        client.login()
        found.times.append(time.monotonic() - began)

    try:
        yield log_in
    except _FAILURES:
        found.times.append(math.inf)


def knock(hello: bytes, sources: tuple[str, ...], *, rate: float = 1e6, heed: bool) -> Attack:
    """Send a ClientHello on one connection after the other, at most ``rate`` a second.

    :param heed: drop a connection when there is an answer to it; otherwise at once.
    """

    def attack(_vpn: Vpn, begin: Begin) -> Outcome:
        until, began = begin(), time.monotonic()
        sent = answered = 0
        waiting: collections.deque[socket.socket] = collections.deque()
        for source in itertools.cycle(sources):
            if (now := time.monotonic()) >= until:
                break
            time.sleep(max(0.0, began + sent / rate - now))
            sock = _begin_to_connect(source)
            sent += 1
            _, writable, _ = select.select([], [sock], [], 0.05)
            with contextlib.suppress(OSError):
                if writable:
                    sock.send(hello)
            waiting.append(sock)
            if not heed or len(waiting) > _OUTSTANDING:
                if heed:
                    select.select([waiting[0]], [], [], 0.5)
                answered += _answered(waiting[0])
                waiting.popleft().close()
        took = time.monotonic() - began
        return Outcome(f"{sent / took:.0f}/s, of which {answered / took:.0f} saw an answer")

    return attack


def _answered(sock: socket.socket) -> bool:
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    except OSError:
        return True


def come_and_stay(_vpn: Vpn, begin: Begin) -> Outcome:
    """Connect 2,500 times a second from 50 addresses, and say nothing."""
    until, began, count = begin(), time.monotonic(), 0
    held: collections.deque[socket.socket] = collections.deque()
    for source in itertools.cycle(FLOOD):
        if (now := time.monotonic()) >= until:
            break
        time.sleep(max(0.0, began + count / 2500 - now))
        held.append(_begin_to_connect(source))
        count += 1
        if len(held) > _HELD:
            held.popleft().close()
    return Outcome(f"{count / (time.monotonic() - began):.0f} connects/s")


def ask_too_much(vpn: Vpn, begin: Begin) -> Outcome:
    """Twenty strangers send requests of 748 options; who is thrown out comes back."""
    options = bytes((200, 2)) * _OPTIONS
    request = Data(ppp.frame(ppp.LCP, ppp.packet(1, 1, options))).encode()
    until, sent = begin(), [0] * 20

    def stranger(number: int) -> None:
        while time.monotonic() < until:
            with contextlib.suppress(*_FAILURES), _client(vpn, FLOOD[number], 5.0) as one:
                one.open()
                one.wire.tls.settimeout(1.0)
                while time.monotonic() < until:
                    one.wire.tls.sendall(request * 10)
                    sent[number] += 10

    _together(stranger, len(sent))
    return Outcome(f"{sum(sent)} requests, {sum(sent) * len(request) / 1e6:.1f} MB")


def log_in_from_afar(vpn: Vpn, begin: Begin) -> Outcome:
    """Thirteen people of one address log in over lines that take a second for a round trip."""
    until, found = begin(), Outcome()

    def person(_number: int) -> None:
        patience = until - time.monotonic()
        with (
            _timed(found) as log_in,
            _far_away() as plain,
            _wrap(vpn, plain, patience) as client,
        ):
            log_in(client)

    _together(person, 13)
    found.note = _how_many(found.times)
    return found


@contextlib.contextmanager
def _far_away() -> Iterator[socket.socket]:
    """Return a connection whose bytes take half a second in each direction."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        relay, _ = listener.accept()
    far = socket.create_connection(_SERVER, 30.0, (FAR_AWAY, 0))
    far.settimeout(None)
    for one, other in ((relay, far), (far, relay)):
        threading.Thread(target=_carry, args=(one, other), daemon=True).start()
    with near, relay, far:
        yield near


def _carry(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            time.sleep(0.5)
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)


def leave_together(vpn: Vpn, begin: Begin) -> Outcome:
    """A hundred sessions end in one moment."""
    many = [_client(vpn, OFFICE, 30.0).login() for _ in range(100)]
    until = begin()
    for client in many:
        client.close()
    time.sleep(max(0.0, until - time.monotonic()))
    return Outcome(f"{len(many)} sessions ended")


def come_and_go(vpn: Vpn, begin: Begin) -> Outcome:
    """One user logs in and drops the connection, again and again, in four threads."""
    until, found = begin(), Outcome()

    def reconnect(_number: int) -> None:
        while time.monotonic() < until:
            with _timed(found) as log_in, _client(vpn, OFFICE, 30.0) as client:
                log_in(client)

    _together(reconnect, 4)
    found.note = _how_many(found.times)
    return found


def come_back(vpn: Vpn, begin: Begin) -> Outcome:
    """All 300 people of an office log in from one address in one moment, and stay."""
    until, found, began = begin(), Outcome(), time.monotonic()
    reasons: collections.Counter[str] = collections.Counter()
    with contextlib.ExitStack() as stack:

        def person(_number: int) -> None:
            try:
                stack.enter_context(_client(vpn, OFFICE, until - began)).login()
                found.times.append(time.monotonic() - began)
            except _FAILURES as error:
                found.times.append(math.inf)
                reasons[f"{type(error).__name__} {error}"] += 1

        _together(person, 300)
    found.note = _how_many(found.times) + "".join(f"; {why}" for why, _ in reasons.most_common(2))
    return found


def _how_many(times: list[float]) -> str:
    good = [seconds for seconds in times if seconds < math.inf]
    longest = f", the longest {max(good):.1f} s" if good else ""
    return f"{len(good)} of {len(times)} logins{longest}"


def _together(work: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _begin_to_connect(source: str) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    sock.bind((source, 0))
    sock.connect_ex(_SERVER)
    return sock


def _client(vpn: Vpn, source: str, patience: float) -> Client:
    return _wrap(vpn, socket.create_connection(_SERVER, patience, (source, 0)), patience)


def _wrap(vpn: Vpn, plain: socket.socket, patience: float) -> Client:
    ca = vpn.home.authority("alice")
    return Client(plain, "bob", PASSWORDS["bob"], ca=ca, name=NAME, patience=patience)
