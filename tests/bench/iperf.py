"""iperf3 between a user in the tunnel and a host behind the server."""

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.netns import Namespace, Network, wait_for_port

#: One server for each that measures at the same time.
PORTS: Final = (5201, 5202)

UP, DOWN = "up", "down"


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


def tcp(
    user: Namespace, direction: str, seconds: float, *, streams: int = 1, port: int = PORTS[0]
) -> Tcp:
    """Measure TCP for so long."""
    with beside(user, direction, seconds, streams=streams, port=port) as end:
        return end()


@contextlib.contextmanager
def beside(
    user: Namespace, direction: str, seconds: float, *, streams: int = 1, port: int = PORTS[0]
) -> Iterator[Callable[[], Tcp]]:
    """Measure TCP while other things happen; what is yielded waits for the end."""
    with _started(user, direction, seconds, port, "--parallel", str(streams)) as answer:

        def end() -> Tcp:
            found = answer()
            received, sent = found["sum_received"], found["sum_sent"]
            return Tcp(received["bytes"], received["seconds"], sent.get("retransmits", 0))

        yield end


def udp(user: Namespace, direction: str, seconds: float, *, size: int, rate: float = 0.0) -> Udp:
    """Measure UDP for so long: datagrams of ``size`` bytes, ``rate`` a second, or all that go."""
    bits = str(int(rate * size * 8))
    with _started(user, direction, seconds, PORTS[0], "-u", "-l", str(size), "-b", bits) as answer:
        total = answer()["sum"]
    return Udp(total["packets"], total["lost_packets"] / max(1, total["packets"]), total["seconds"])


@contextlib.contextmanager
def _started(
    user: Namespace, direction: str, seconds: float, port: int, *more: str
) -> Iterator[Callable[[], Any]]:
    """Start the client; what is yielded waits, and returns what it says of the end.

    :raises RuntimeError: if it fails, with its own words.
    """
    command = ["iperf3", "--client", str(Network.host), "--port", str(port), "--json"]
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
                raise RuntimeError(f"iperf3: {answer.get('error') or complaint.strip()}")
            return answer["end"]

        try:
            yield end
        finally:
            process.kill()
