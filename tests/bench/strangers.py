"""What users notice of floods: ``python -m tests.bench.strangers [NAME ...]``, as root.

Runs the real server, two workers, in network namespaces of its own, and a user in each worker who
pings through the tunnel all the time, while visitors log in. First with nothing else going on, then
under each attack; and behind each attack under its yardstick: processes that only compute, for the
share of a processor that the attackers had. What an attack costs beyond that is the server's affair.

A ping that takes long stands for those that would have been sent meanwhile. Nothing is asserted.
"""

import argparse
import contextlib
import itertools
import math
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.bench import floods
from tests.bench.floods import FLOOD, Attack, Attacker, Outcome
from tests.bench.processes import cpu_seconds
from tests.support import packets
from tests.support.client import Client
from tests.support.faults import ClientError, Ended, TimedOut
from tests.support.hello import FFDHE8192, P384, expensive, message, records
from tests.support.netns import Network, network
from tests.support.server import Failed, Server, Vpn, make_home

SECONDS = 8.0
INTERVAL = 0.005


@dataclass(frozen=True, slots=True)
class Scene:
    """What is going on while a user pings.

    :param seconds: how long, at most.
    """

    name: str
    attacks: Sequence[Attack]
    seconds: float = SECONDS


def scenes() -> list[Scene]:
    """Return the attacks."""
    fields = expensive(FFDHE8192, 1024)
    key = ec.generate_private_key(ec.SECP384R1()).public_key()
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    curve = records(message((P384,), {P384: point}))
    return [
        Scene("dheat", [floods.knock(fields, FLOOD[:1], rate=16, heed=False)]),
        Scene("p384-drop", [floods.knock(curve, FLOOD[:1], heed=False)]),
        Scene("p384-drop-50", [floods.knock(curve, FLOOD, heed=False)]),
        Scene("p384-heed", [floods.knock(curve, FLOOD[:1], heed=True)]),
        Scene("p384-heed-50", [floods.knock(curve, FLOOD, heed=True)]),
        Scene("options", [floods.ask_too_much]),
        Scene("connects", [floods.come_and_stay, floods.log_in_from_afar], 30.0),
        Scene("endings", [floods.leave_together], 4.0),
        Scene("reconnects", [floods.come_and_go]),
        Scene("office", [floods.come_back], 60.0),
    ]


@dataclass(slots=True)
class Found:
    """What was measured: seconds of pings and logins, shares of a processor."""

    pings: list[float]
    visits: list[float]
    outcomes: list[Outcome]
    share: float
    server: float

    def line(self, name: str) -> str:
        """Return one line of the table."""
        ranked = sorted(self.pings) or [math.inf]
        parts = (ranked[len(ranked) // 2], ranked[len(ranked) * 99 // 100], ranked[-1])
        pings = " ".join(f"{1000 * part:8.1f}" for part in parts)
        visits = self.visits or [math.inf]
        logins = f"{statistics.median(visits):6.2f} {max(visits):6.2f}"
        notes = ", ".join(outcome.note for outcome in self.outcomes if outcome.note)
        return f"{name:14} {pings}  {logins}  {self.share:5.2f} {self.server:5.2f}  {notes}"


HEAD = "               ping ms: p50   p99    worst  login s:  worst  CPUs: server"


class Witness:
    """A user who pings a host behind the server."""

    _numbers = itertools.count(1)

    def __init__(self, client: Client) -> None:
        self._client = client
        client.patience = 30.0

    def ping(self) -> float:
        """Return the seconds until the reply."""
        number = next(self._numbers) & 0xFFFF
        began = time.monotonic()
        echo = packets.echo(self._client.address, Network.host, number, bytes(56))
        self._client.send_packet(echo)
        self._client.receive_packet(lambda packet: _is_reply(packet, number))
        return time.monotonic() - began


def _is_reply(packet: packets.Packet, number: int) -> bool:
    reply = packets.echo_reply(packet)
    return reply is not None and reply[0] == number


def measure(vpn: Vpn, witnesses: list[Witness], scene: Scene) -> Found:
    """Let it happen, and ping meanwhile."""
    attackers = [Attacker(vpn, attack, scene.seconds) for attack in scene.attacks]
    visitor = Attacker(vpn, floods.visit, min(scene.seconds, SECONDS))
    for attacker in (*attackers, visitor):
        attacker.begin()
    began, before = time.monotonic(), _server_cpu(vpn)
    pings: list[float] = []
    turns = itertools.cycle(witnesses)
    while time.monotonic() < began + scene.seconds + 1.0 and not all(
        attacker.over for attacker in (*attackers, visitor)
    ):
        took = next(turns).ping()
        pings.append(took)
        pings.extend(took - INTERVAL * missed for missed in range(1, int(took / INTERVAL)))
        time.sleep(INTERVAL)
    passed = time.monotonic() - began
    outcomes = [attacker.outcome() for attacker in attackers]
    share = sum(outcome.cpu for outcome in outcomes) / passed
    server = (_server_cpu(vpn) - before) / passed
    return Found(pings, visitor.outcome().times, outcomes, share, server)


def _server_cpu(vpn: Vpn) -> float:
    return sum(map(cpu_seconds, vpn.server.children("")))


def yardstick(scene: Scene, share: float) -> Scene:
    """Return what only computes, as much as the attack did."""
    count = max(1, math.ceil(share))
    return Scene("  yardstick", [floods.burn(share / count)] * count, min(scene.seconds, SECONDS))


def run(vpn: Vpn, scene: Scene) -> None:
    """Measure one attack and its yardstick, and print both."""
    workers = set(vpn.server.children())
    with contextlib.ExitStack() as stack:
        everywhere = vpn.everywhere(stack)
        witnesses = [Witness(clients[0]) for clients in everywhere.values()]
        try:
            found = measure(vpn, witnesses, scene)
            print(found.line(scene.name), flush=True)
            if scene.attacks:
                time.sleep(3.0)  # what the attack has left behind goes
                rule = yardstick(scene, found.share)
                print(measure(vpn, witnesses, rule).line(rule.name), flush=True)
        except (Ended, TimedOut, ClientError) as error:
            print(
                f"{scene.name:14} a user lost the VPN: {type(error).__name__} {error}", flush=True
            )
    if workers != set(vpn.server.children()):
        print(f"{scene.name:14} a worker ended", flush=True)


def prepare(net: Network, folder: Path) -> Server:
    """Make a home, addresses for all who take part, and a server."""
    for address in (*FLOOD, floods.OFFICE, floods.FAR_AWAY, *floods.VISITORS):
        net.client.ip("addr", "add", f"{address}/24", "dev", "wan")
    # one machine stands for many: its closed connections must not use up its ports
    net.client.set_switch("tcp_max_tw_buckets", 0)
    home = make_home(folder / "home", net.server_address)
    home.run("profile", "set", "default", "--pool", "10.99.0.10-10.99.7.250")
    with contextlib.suppress(Failed):  # an earlier version has no such limit
        home.run("profile", "set", "default", "--sessions", "1000")
    settings = home.path / "settings.toml"
    settings.write_text(settings.read_text().replace("workers = 0", "workers = 2"))
    return Server(home, net.server, folder / "log")


def main() -> None:
    """Set up, measure, print."""
    known = {scene.name: scene for scene in (Scene("idle", []), *scenes())}
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    names = parser.parse_args().names or list(known)
    if unknown := set(names) - set(known):
        parser.error(f"no such attack: {', '.join(sorted(unknown))}")
    with (
        network() as net,
        tempfile.TemporaryDirectory() as folder,
        prepare(net, Path(folder)) as server,
    ):
        print(HEAD)
        for name in names:
            run(Vpn(net, server.home, server), known[name])
        print(f"{server.said('a mistake in the server')} mistakes in the server's log")


if __name__ == "__main__":
    main()
