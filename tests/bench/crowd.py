"""Many clients at once, in a few processes: they log in, answer what keeps them there, and leave."""

import collections
import contextlib
import itertools
import multiprocessing
import resource
import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Final, Self

from tests.support.client import Client
from tests.support.faults import ClientError, Ended, TimedOut
from tests.support.manner import SSTPC, WINDOWS
from tests.support.netns import Network
from tests.support.server import NAME, PORT, Vpn

PASSWORD: Final = "Storm-and-stress 1776"
#: Processes that the clients are spread over.
PROCESSES: Final = 2

_SERVER: Final = (str(Network.server_address), PORT)
_FAILURES: Final = (OSError, ClientError, Ended, TimedOut)
#: Clients of one process that leave at a time.
_LEAVING: Final = 16
#: Seconds for one look at what has come, which is there already.
_GLANCE: Final = 0.001


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who logs in: by which name, and from which address."""

    user: str
    source: str


@dataclass(slots=True)
class Arrival:
    """How the logins went.

    :ivar seconds: what each took that succeeded, from the moment in which all began.
    :ivar failures: why others did not, and how many of them.
    :ivar cpu: seconds of processor time of the clients.
    """

    seconds: list[float] = field(default_factory=list)
    failures: collections.Counter[str] = field(default_factory=collections.Counter)
    cpu: float = 0.0

    def __add__(self, other: "Arrival") -> "Arrival":
        return Arrival(
            sorted(self.seconds + other.seconds),
            self.failures + other.failures,
            self.cpu + other.cpu,
        )


class Crowd:
    """Clients in processes of the clients' network. Use it as a context manager.

    :param at_once: how many of each process log in at a time; 0: all.
    """

    def __init__(self, vpn: Vpn, members: Sequence[Member], *, at_once: int = 0) -> None:
        context = multiprocessing.get_context("fork")
        self._parts: list[tuple[multiprocessing.Process, Connection]] = []
        ca = vpn.home.authority("alice")
        for number in range(PROCESSES):
            ours, theirs = context.Pipe()
            some = members[number::PROCESSES]
            process = context.Process(
                target=_be_a_part, args=(theirs, ca, some, at_once or len(some)), daemon=True
            )
            with vpn.network.client.entered():  # the child is in there, too
                process.start()
            self._parts.append((process, ours))  # type: ignore[arg-type]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process, _pipe in self._parts:
            process.kill()
            process.join()

    def log_in(self) -> Arrival:
        """Have all log in, and wait for that."""
        return sum(self._all("log in"), Arrival())

    def leave(self, count: int | None = None) -> float:
        """Have all end their sessions in order, or so many; return the processor time of that.

        :param count: of each process.
        """
        return sum(found.cpu for found in self._all(count))

    def _all(self, order: object) -> list[Arrival]:
        for _, pipe in self._parts:
            pipe.send(order)
        return [pipe.recv() for _, pipe in self._parts]


def _be_a_part(pipe: Connection, ca: str, members: Sequence[Member], at_once: int) -> None:
    """Be one process: do what it is told, and answer keepalives meanwhile."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    threading.stack_size(256 * 1024)
    here: dict[int, Client] = {}
    poll = select.epoll()
    poll.register(pipe, select.EPOLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor != pipe.fileno():
                _answer(poll, here, descriptor)
                continue
            order = pipe.recv()
            before = time.process_time()
            if order == "log in":
                found = _log_in(ca, members, at_once, here)
                for one in here:
                    poll.register(one, select.EPOLLIN)
            else:
                found = Arrival()
                _leave(poll, here, order)
            found.cpu = time.process_time() - before
            pipe.send(found)


def _log_in(ca: str, members: Sequence[Member], at_once: int, here: dict[int, Client]) -> Arrival:
    found = Arrival()
    began = time.monotonic()

    def log_in(member: Member) -> None:
        try:
            plain = socket.create_connection(_SERVER, 60.0, (member.source, 0))
            manner = WINDOWS if int(member.user[1:]) % 2 else SSTPC
            client = Client(
                plain, member.user, PASSWORD, ca=ca, name=NAME, manner=manner, patience=60.0
            ).login()
            here[client.wire.tls.fileno()] = client
            found.seconds.append(time.monotonic() - began)
        except _FAILURES as error:
            found.failures[f"{type(error).__name__} {error}"] += 1

    with ThreadPoolExecutor(at_once) as pool:
        collections.deque(pool.map(log_in, members), 0)
    return found


def _answer(poll: select.epoll, here: dict[int, Client], descriptor: int) -> None:
    """Let one client read what has come; it answers keepalives by itself."""
    try:
        here[descriptor].listen(_GLANCE)
    except _FAILURES:
        _forget(poll, here, descriptor).close()


def _leave(poll: select.epoll, here: dict[int, Client], count: int | None) -> None:
    going = list(itertools.islice(here, count))

    def leave(client: Client) -> None:
        with contextlib.suppress(*_FAILURES):
            client.hang_up()

    clients = [_forget(poll, here, one) for one in going]
    with ThreadPoolExecutor(_LEAVING) as pool:
        collections.deque(pool.map(leave, clients), 0)


def _forget(poll: select.epoll, here: dict[int, Client], descriptor: int) -> Client:
    poll.unregister(descriptor)
    return here.pop(descriptor)


def members(count: int, sources: Sequence[str], *, office: int = 0) -> Iterator[Member]:
    """Yield ``count`` members: ``office`` of them come from the first source."""
    first, *others = sources
    turns = itertools.cycle(others)
    for number in range(count):
        yield Member(f"u{number}", first if number < office else next(turns))
