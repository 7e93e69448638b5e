"""iperf3 between a user in the tunnel and a host behind the server."""

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from tests.support.netns import Namespace, Network, wait_for_port

#: One server for each that measures at the same time.
PORTS: Final = (5201, 5202)

UP, DOWN = "up", "down"

_ATTEMPTS: Final = 30
#: In what the client says.
_BUSY: Final = ("busy", "reset by peer", "refused")

#: How often a rate is measured at most, for how many seconds, and how near it has to be.
_TRIES, _SECONDS, _NEAR = 4, 4.0, 0.05
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Tcp:
    """What one run carried.

    :ivar bytes: TCP payload that arrived.
    """

    bytes: int
    seconds: float
    retransmissions: int

    @property
    def gigabits(self) -> float:
        """Gigabits of payload a second."""
        return self.bytes * 8e-9 / self.seconds


@dataclass(frozen=True, slots=True)
class Udp:
    """What one run carried: datagrams sent, and the share of them that was lost."""

    packets: int
    lost: float
    seconds: float

    @property
    def rate(self) -> float:
        """Datagrams a second that arrived."""
        return self.packets * (1 - self.lost) / self.seconds


@contextlib.contextmanager
def servers(host: Namespace, folder: Path) -> Iterator[None]:
    """Have iperf3 listen on the host behind the server."""
    running = [
        host.start("iperf3", "--server", "--port", str(port), log=folder / f"iperf3-{port}")
        for port in PORTS
    ]
    try:
        for port in PORTS:
            wait_for_port(host, Network.host, port)
        yield
    finally:
        for process in running:
            process.stop()


class Busy(RuntimeError):
    """The server is still with another run.

    It has not seen that one's end yet, which over a slow way may take seconds; or it begins to listen
    anew after it, and resets those who have come in between.
    """


def _in_turn(measure: Callable[[], _T]) -> _T:
    """Measure as soon as the server can."""
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(Busy):
            return measure()
        time.sleep(0.5)
    return measure()


def tcp(
    user: Namespace,
    direction: str,
    seconds: float,
    *,
    streams: int = 1,
    port: int = PORTS[0],
    omitted: float = 0.0,
    host: str = str(Network.host),
) -> Tcp:
    """Measure TCP for so long.

    :param omitted: seconds before that, which do not count: TCP finds its speed.
    """

    def measure() -> Tcp:
        with beside(
            user, direction, seconds, streams=streams, port=port, omitted=omitted, host=host
        ) as end:
            return end()

    return _in_turn(measure)


def carries(
    user: Namespace, direction: str, rate: float, *, streams: int = 1, host: str = str(Network.host)
) -> None:
    """Fail unless a way carries its rate, in bits a second: never more, and as much in one of some tries.

    A machine with other work to do carries less than it may.
    """
    found = []
    for _ in range(_TRIES):
        run = tcp(user, direction, _SECONDS, streams=streams, omitted=1.0, host=host)
        found.append(run.gigabits * 1e9)
        assert found[-1] < rate * (1 + _NEAR), f"{direction}: {found} in place of {rate}"
        if found[-1] > rate * (1 - _NEAR):
            return
    raise AssertionError(f"{direction}: {found} in place of {rate}")


@contextlib.contextmanager
def beside(
    user: Namespace,
    direction: str,
    seconds: float,
    *,
    streams: int = 1,
    port: int = PORTS[0],
    omitted: float = 0.0,
    host: str = str(Network.host),
) -> Iterator[Callable[[], Tcp]]:
    """Measure TCP while other things happen; what is yielded waits for the end."""
    more = ("--parallel", str(streams), "--omit", f"{omitted:.0f}")
    with _started(user, direction, seconds, port, *more, host=host) as answer:

        def end() -> Tcp:
            found = answer()
            received, sent = found["sum_received"], found["sum_sent"]
            return Tcp(received["bytes"], received["seconds"], sent.get("retransmits", 0))

        yield end


def udp(user: Namespace, direction: str, seconds: float, *, size: int, rate: float = 0.0) -> Udp:
    """Measure UDP for so long: datagrams of ``size`` bytes, ``rate`` a second, or all that go."""
    bits = str(int(rate * size * 8))

    def measure() -> Udp:
        more = ("-u", "-l", str(size), "-b", bits)
        with _started(user, direction, seconds, PORTS[0], *more) as answer:
            total = answer()["sum"]
        lost = total["lost_packets"] / max(1, total["packets"])
        return Udp(total["packets"], lost, total["seconds"])

    return _in_turn(measure)


@contextlib.contextmanager
def _started(
    user: Namespace,
    direction: str,
    seconds: float,
    port: int,
    *more: str,
    host: str = str(Network.host),
) -> Iterator[Callable[[], Any]]:
    """Start the client; what is yielded waits, and returns what it says of the end.

    :raises Busy: if another run has not ended.
    :raises RuntimeError: if it fails in another way, with its own words.
    """
    command = ["iperf3", "--client", host, "--port", str(port), "--json"]
    command += ["--time", f"{seconds:.0f}", *more, *(["--reverse"] if direction == DOWN else [])]
    with subprocess.Popen(
        ["ip", "netns", "exec", user.name, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:

        def end() -> Any:
            said, complaint = process.communicate(timeout=seconds + 30.0)
            answer = json.loads(said or "{}")
            if process.returncode or "error" in answer:
                why = answer.get("error") or complaint.strip()
                # one that has measured something was let in, and has another trouble
                is_busy = not answer.get("intervals") and any(sign in why for sign in _BUSY)
                raise (Busy if is_busy else RuntimeError)(f"iperf3: {why}")
            return answer["end"]

        try:
            yield end
        finally:
            process.kill()
