"""One program of the server takes over from another: execve(2), in the supervisor's own process.

The process stays, and so do the workers, its children, with their sessions, and its place with a service
manager, in a container or in a terminal. So do the rules of the machine: the next program finds them as
it finds what a killed server has left. What is open goes along as it is, and a file in memory says what
each descriptor is. Between the two programs nobody is refused: workers go on to accept.
"""

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from .errors import ServerError

#: In the environment: the descriptor of that file.
VARIABLE: Final = "SSTPCA_TAKEOVER"
_SIZE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Left:
    """A worker that goes on to the end of its sessions, and its keeper, by their process ids.

    :param slot: on the board of metrics.
    :param until: when its last sessions are ended, by time.monotonic().
    """

    worker: int
    keeper: int
    slot: int
    until: float


@dataclass(frozen=True, slots=True)
class Handover:
    """What the program before leaves to the next one.

    :param process: whose it is.
    :param lock: the descriptor that holds the home; -1: none does.
    :param presence: the socket that shows others of this machine that this server runs.
    :param listeners: sockets that listen for clients.
    :param activated: whether a service manager opened them.
    :param metrics: the socket that listens for whoever asks for metrics; -1: none does.
    :param board: what workers count on, and ``layout`` of it.
    :param asker: the socket of the administrator who waits for an answer; -1: nobody does.
    :param within: seconds until the sessions that there are have to end.
    :param interface: prefix of their interfaces.
    :param left: the workers; ``keepers`` are on their own, each until when it may be.
    :param lost: workers that have ended and whose sessions the store still has.
    :param begun: when the server started, in seconds since 1970; ``failed`` workers since then.
    """

    process: int
    lock: int
    presence: int
    listeners: tuple[int, ...]
    activated: bool
    metrics: int
    board: int
    layout: str
    asker: int
    within: float
    interface: str
    left: tuple[Left, ...]
    keepers: tuple[tuple[int, float], ...]
    lost: tuple[int, ...]
    begun: float
    failed: int

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All that goes along."""
        named = (self.lock, self.presence, self.metrics, self.board, self.asker)
        return tuple(one for one in (*named, *self.listeners) if one >= 0)


def take_over(program: Sequence[str], handover: Handover) -> NoReturn:
    """Become another program; this one ends here.

    :param program: its path and arguments.
    :raises ServerError: if that cannot be; nothing has changed then.
    """
    file = os.memfd_create("sstpca-takeover")
    along = (file, *handover.descriptors)
    try:
        os.write(file, json.dumps(dataclasses.asdict(handover)).encode())
        _let_through(along, through=True)
        os.execve(program[0], list(program), {**os.environ, VARIABLE: str(file)})  # noqa: S606
    except OSError as error:
        _let_through(along, through=False)
        raise ServerError(f"cannot run {program[0]}: {error.strerror}") from error
    finally:
        os.close(file)


def taken_over(environment: "os._Environ[str] | dict[str, str]" = os.environ) -> Handover | None:
    """Return what the program before has left to this process; None if there was none.

    It goes out of the environment: programs that this one runs have nothing to do with it.

    :raises ServerError: if it makes no sense, as that of a release of long ago may.
    """
    number = environment.pop(VARIABLE, None)
    if number is None:
        return None
    try:
        found = _read(json.loads(os.pread(int(number), _SIZE, 0)))
        os.close(int(number))
        _let_through(found.descriptors, through=False)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ServerError(f"cannot take over from the program before: {error}") from error
    return found if found.process == os.getpid() else None


def _read(said: Mapping[str, Any]) -> Handover:
    known = {one.name for one in dataclasses.fields(Handover)}
    values: dict[str, Any] = {name: value for name, value in said.items() if name in known}
    values["listeners"] = tuple(map(int, said["listeners"]))
    values["lost"] = tuple(map(int, said["lost"]))
    values["keepers"] = tuple((int(pid), float(until)) for pid, until in said["keepers"])
    values["left"] = tuple(Left(**one) for one in said["left"])
    return Handover(**values)


def _let_through(descriptors: Iterable[int], *, through: bool) -> None:
    for one in descriptors:
        os.set_inheritable(one, through)
