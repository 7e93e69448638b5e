"""What logins and idle sessions cost the server: ``python -m tests.bench.logins [PART ...]``, as root.

Runs the real server, two workers, in network namespaces of its own.

storm   1,000 people of 200 addresses, 300 of them behind one, log in in one moment, and leave again
many    1,000 and then 5,000 sessions that carry nothing
steps   what a login consists of, each step by itself

Figures are processor time of the workers and their keepers, as the kernel counts it. A yardstick
stands beside them: a fixed piece of Python, before and after, which takes longer on a machine with
other things to do.
Nothing is asserted.
"""

import argparse
import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sstpca import Vpn as Toolkit
from sstpca.vpn.users import NewUser
from tests.bench import steps
from tests.bench.crowd import PASSWORD, PROCESSES, Arrival, Crowd, members
from tests.support.netns import network
from tests.support.server import Server, Vpn, make_home
from tests.support.waiting import wait_for

#: Addresses of the clients' network, all on one machine.
SOURCES: Final = tuple(f"198.18.0.{number}" for number in range(10, 210))
OFFICE: Final = 300
STORM: Final = 1000
MANY: Final = (1000, 5000)
KEYS: Final = ("rsa", "ecdsa")

#: Sessions that were there before those that are measured.
BEFORE: Final = 100
#: Seconds in which idle sessions are watched: a keepalive is due in each minute.
WATCHED: Final = 60.0
_WORKERS: Final = 2
#: Seconds until what a login needs for a while is given back.
_SETTLED: Final = 3.0
#: Sessions of each process of clients that end, whose end is measured.
_ENDINGS: Final = 100
#: Clients of each process that log in at a time, where it is not about the storm.
_AT_ONCE: Final = 16


def yardstick() -> float:
    """Return the milliseconds of processor time that a fixed piece of Python takes."""
    began = time.process_time()
    total = 0
    for number in range(1_000_000):
        total += number
    return 1000 * (time.process_time() - began)


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of processor time."""

    user: float
    system: float

    @classmethod
    def of(cls, server: Server) -> "Cpu":
        """Return what the workers of ``server`` and their keepers have used."""
        fields = [
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            for pid in server.children("")
        ]
        return cls(*(sum(int(one[at]) for one in fields) / 100 for at in (11, 12)))

    def __sub__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.user - other.user, self.system - other.system)

    def __add__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.user + other.user, self.system + other.system)

    @property
    def all(self) -> float:
        """Both together."""
        return self.user + self.system


@dataclass(frozen=True, slots=True)
class Storm:
    """What came of a storm; times in seconds.

    :param arrival: how it was for the clients.
    :param login: processor time of these until all were up; ``end`` until all were gone.
    :param yardstick: its milliseconds, in the same run.
    """

    key: str
    clients: int
    arrival: Arrival
    login: Cpu
    end: Cpu
    yardstick: float

    @property
    def per_client(self) -> float:
        """Milliseconds for one login and its end."""
        return 1000 * (self.login + self.end).all / self.clients

    def __str__(self) -> str:
        up = self.arrival.seconds or [0.0]
        each = 1000 / self.clients
        refused = "".join(f"; {n} x {why}" for why, n in self.arrival.failures.most_common(3))
        return (
            f"{self.key:6} {len(self.arrival.seconds)} of {self.clients} up in {up[-1]:.1f} s "
            f"(median {statistics.median(up):.1f}){refused}\n"
            f"       server, ms a client: login {each * self.login.user:.2f} user + "
            f"{each * self.login.system:.2f} system, end {each * self.end.user:.2f} + "
            f"{each * self.end.system:.2f}, together {self.per_client:.2f}\n"
            f"       clients {each * self.arrival.cpu:.2f} ms each; yardstick {self.yardstick:.1f} ms"
        )


def storm(vpn: Vpn, key: str, clients: int = STORM) -> Storm:
    """Have ``clients`` log in at once, and leave."""
    before = yardstick()
    with Crowd(vpn, list(members(clients, SOURCES, office=clients * OFFICE // STORM))) as crowd:
        start = Cpu.of(vpn.server)
        arrival = crowd.log_in()
        up = Cpu.of(vpn.server)
        crowd.leave()
    wait_for(vpn.idle, "the end of all sessions")
    gone = Cpu.of(vpn.server)
    return Storm(key, clients, arrival, up - start, gone - up, (before + yardstick()) / 2)


@dataclass(frozen=True, slots=True)
class Many:
    """What so many idle sessions cost.

    :param memory: KB of the workers and their keepers for each session: Pss, beside what they had
        when others had been there and left.
    :param kernel: KB of the kernel for each: what is not free any more beside the processes' own.
    :param share: of one processor, that they used while nothing but keepalives came; None: not watched.
    :param listed: seconds that ``sstpca session list`` took.
    :param end: milliseconds for the end of one, while all the others stay.
    """

    sessions: int
    memory: float
    kernel: float
    share: float | None
    listed: float
    login: float
    end: float
    yardstick: float

    def __str__(self) -> str:
        return (
            f"{self.sessions:5} idle sessions: {self.memory:.1f} KB each in the server, "
            f"{self.kernel:.1f} KB in the kernel; {100 * (self.share or 0):.1f} % of a processor; "
            f"session list {self.listed:.2f} s; server, ms: a login {self.login:.2f}, an end "
            f"{self.end:.2f}; yardstick {self.yardstick:.1f} ms"
        )


def many(vpn: Vpn, sessions: int, *, watched: float = WATCHED) -> Many:
    """Have so many sessions, and do nothing with them for so many seconds."""
    # what the server's first sessions touch is no later one's
    with Crowd(vpn, list(members(BEFORE, SOURCES)), at_once=_AT_ONCE) as crowd:
        crowd.log_in()
        crowd.leave()
    wait_for(vpn.idle, "the end of the first sessions")
    pss, kernel, before = _pss(vpn.server), _kernel(), Cpu.of(vpn.server)
    with Crowd(vpn, list(members(sessions, SOURCES)), at_once=_AT_ONCE) as crowd:
        arrival = crowd.log_in()
        if arrival.failures:
            raise RuntimeError(f"not all are up: {arrival.failures}")
        login = (Cpu.of(vpn.server) - before).all
        time.sleep(_SETTLED)
        pss, kernel = _pss(vpn.server) - pss, _kernel() - kernel
        quiet, began = Cpu.of(vpn.server), time.monotonic()
        time.sleep(watched)
        share = (Cpu.of(vpn.server) - quiet).all / (time.monotonic() - began) if watched else None
        began = time.monotonic()
        assert len(vpn.home.run("session", "list").splitlines()) > sessions
        listed = time.monotonic() - began
        left, began = Cpu.of(vpn.server), time.monotonic()
        crowd.leave(_ENDINGS)
        wait_for(lambda: len(vpn.interfaces()) <= sessions - _ENDINGS * PROCESSES, "the ends")
        # without what the others cost meanwhile
        end = (Cpu.of(vpn.server) - left).all - (share or 0.0) * (time.monotonic() - began)
        crowd.leave()
    wait_for(vpn.idle, "the end of all sessions")
    each = 1000 / sessions
    return Many(
        sessions,
        pss / sessions,
        kernel / sessions,
        share,
        listed,
        login * each,
        1000 * end / (_ENDINGS * PROCESSES),
        yardstick(),
    )


def _pss(server: Server) -> float:
    """Return the proportional set size of the workers and their keepers, in KB."""
    total = 0
    for pid in server.children(""):
        # a program that the server has run may be among them, and end
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += _field(Path(f"/proc/{pid}/smaps_rollup").read_text(), "Pss")
    return float(total)


def _kernel() -> float:
    """Return the KB that the kernel has for itself."""
    text = Path("/proc/meminfo").read_text()
    return float(sum(_field(text, name) for name in ("Slab", "KernelStack", "Percpu")))


def _field(text: str, name: str) -> int:
    """Return the number in the line that begins with ``name``."""
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name}:"))


@contextlib.contextmanager
def prepared(key: str, users: int) -> Iterator[Vpn]:
    """Make a network, a home with a key of that type and so many users, and its server."""
    with network() as net, tempfile.TemporaryDirectory() as folder:
        for address in SOURCES:
            net.client.ip("addr", "add", f"{address}/24", "dev", "wan")
        # one machine stands for many: its closed connections must not use up its ports
        net.client.set_switch("tcp_max_tw_buckets", 0)
        home = make_home(Path(folder) / "home", net.server_address, key_type=key)
        home.run("profile", "set", "default", "--pool", "10.99.0.10-10.99.63.250")
        with contextlib.closing(Toolkit.open(home.path)) as toolkit:
            toolkit.users.add_all([NewUser(f"u{number}", PASSWORD) for number in range(users)])
        settings = home.path / "settings.toml"
        settings.write_text(settings.read_text().replace("workers = 0", f"workers = {_WORKERS}"))
        with Server(home, net.server, Path(folder) / "log") as server:
            # what it starts beside the workers is soon over
            wait_for(
                lambda: len(server.children("")) == len(server.children()) * 2 == 2 * _WORKERS,
                "its workers and their keepers alone",
            )
            yield Vpn(net, home, server)


def main() -> None:
    """Set up, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help="storm, many, steps")
    parser.add_argument("--rounds", type=int, default=3, help="storms for each key")
    parser.add_argument("--clients", type=int, default=STORM)
    parser.add_argument("--keys", default=",".join(KEYS))
    parser.add_argument("--sessions", default=",".join(map(str, MANY)))
    options = parser.parse_args()
    parts = options.parts or ["storm", "many", "steps"]
    if "storm" in parts:
        for key in options.keys.split(","):
            with prepared(key, options.clients) as vpn:
                for _ in range(options.rounds):
                    print(storm(vpn, key, options.clients), flush=True)
    if "many" in parts:
        for count in map(int, options.sessions.split(",")):
            with prepared(KEYS[0], count) as vpn:
                print(many(vpn, count), flush=True)
    if "steps" in parts:
        for key in options.keys.split(","):
            found = ", ".join(f"{name} {cost:.2f}" for name, cost in steps.measure(key).items())
            print(f"{key:6} ms of each step: {found}")


if __name__ == "__main__":
    main()
