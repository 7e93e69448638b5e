"""Where all measurements happen: the namespaces, the real server in them, and the yardsticks."""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench import iperf
from tests.bench.plain import Plain, plain
from tests.bench.processes import cpu_of
from tests.bench.tunnel import Kind, User, user
from tests.support.netns import Network, network
from tests.support.server import Home, Server, Vpn, make_home

#: Workers of the server, where nothing else is said.
WORKERS: Final = 2


@dataclass(frozen=True, slots=True)
class Drops:
    """What the server's ends of the tunnels have lost, in packets, as ``ip -s link`` has it."""

    sent: int
    received: int

    def __sub__(self, other: "Drops") -> "Drops":
        return Drops(self.sent - other.sent, self.received - other.received)


@dataclass(frozen=True, slots=True)
class Stage:
    """A server that runs, and what it is compared with.

    :ivar folder: for files of the moment.
    """

    vpn: Vpn
    plain: Plain
    folder: Path

    def cpu(self) -> float:
        """Return the processor time of all the server's processes, in seconds."""
        server = self.vpn.server
        return cpu_of([server.process.pid, *server.children("")])

    def drops(self) -> Drops:
        """Return what the sessions' interfaces have lost until now."""
        links = json.loads(self.vpn.network.server.ip("-s", "-j", "link", "show"))
        counts = [
            one["stats64"] for one in links if one["ifname"] not in {"lo", "wan", "lan", "far"}
        ]
        return Drops(*(sum(one[way]["dropped"] for one in counts) for way in ("tx", "rx")))

    def users(self, stack: ExitStack, *kinds: Kind) -> list[User]:
        """Have people log in who stay as long as ``stack``."""
        return [
            stack.enter_context(user(self.vpn, kind, name=f"user{number}"))
            for number, kind in enumerate(kinds)
        ]


def prepare(net: Network, folder: Path) -> Home:
    """Make a home, and what the host behind the server needs to know."""
    home = make_home(folder / "home", net.server_address)
    home.run("profile", "set", "default", "--sessions", "100")
    net.lan.ip("route", "add", "default", "via", str(net.gateway))
    net.server.set_switch("ip_forward", 1)
    return home


def set_workers(home: Home, workers: int) -> None:
    """Say how many workers the server has from its next start on."""
    path = home.path / "settings.toml"
    lines = path.read_text().splitlines()
    [at] = [number for number, line in enumerate(lines) if line.startswith("workers = ")]
    lines[at] = f"workers = {workers}"
    path.write_text("\n".join(lines) + "\n")


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    """Set everything up, and take it down."""
    with network() as net, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = prepare(net, folder)
        set_workers(home, WORKERS)
        with (
            Server(home, net.server, folder / "log") as server,
            iperf.servers(net.lan, folder),
            plain(net.client, net.server, folder) as yardstick,
        ):
            yield Stage(Vpn(net, home, server), yardstick, folder)
