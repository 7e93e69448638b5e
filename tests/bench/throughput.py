"""What a gigabyte through the server costs, side by side: ``python -m tests.bench.throughput``.

Runs the real server, one worker, in network namespaces of its own (root). Each direction is
measured for a client that takes many SSTP packets in one TLS record and for one that gets each
packet in a record of its own, in turn, several rounds; what is printed are the worker's CPU
seconds per gigabyte of IP packets, the median of the rounds, and the ratio of the two.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

from tests.support.client import Client
from tests.support.manner import SSTPC, WINDOWS, Manner
from tests.support.netns import network
from tests.support.packets import udp
from tests.support.server import Server, Vpn, make_home

PAYLOAD = 1372  # with 28 bytes of headers the 1400 that Windows sends
SINK = 9009
ROUNDS = 3
SECONDS = 3.0

_BLAST = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 9))
data = bytes(int(sys.argv[2]))
while True:
    try:
        s.send(data)
    except OSError:
        pass
"""


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def drain(client: Client, until: float) -> None:
    """Read and forget, as fast as it comes."""
    client.wire.tls.settimeout(0.5)
    while time.monotonic() < until:
        client.wire.tls.recv(65536)


def pour(client: Client, until: float, *, host: IPv4Address) -> None:
    """Send UDP packets to ``host``, 10 in one record."""
    client.wire.tls.settimeout(5.0)
    packet = udp((client.address, 5000), (host, SINK), bytes(PAYLOAD))
    frame = b"\xff\x03\x00\x21" + packet.encode()
    record = (b"\x10\x00" + (4 + len(frame)).to_bytes(2) + frame) * 10
    while time.monotonic() < until:
        client.wire.tls.sendall(record)


def measure(vpn: Vpn, manner: Manner, work: Callable[[Client, float], None]) -> tuple[float, float]:
    """Return the worker's CPU seconds per gigabyte, and the gigabits per second that passed."""
    with vpn.client(manner=manner) as client:
        client.login()
        [session] = vpn.home.sessions()
        before = cpu_seconds(session.worker)
        began = time.monotonic()
        work(client, began + SECONDS)
        used, took = cpu_seconds(session.worker) - before, time.monotonic() - began
        time.sleep(1.2)  # the next beat writes the counters
        [session] = vpn.home.sessions()
        carried = (session.received + session.sent) / 1e9
    return used / carried, carried * 8 / took


def compare(vpn: Vpn, name: str, work: Callable[[Client, float], None]) -> None:
    """Measure both clients in turn and print the medians."""
    manners = {"many packets a record": WINDOWS, "one packet a record": SSTPC}
    found: dict[str, list[tuple[float, float]]] = {label: [] for label in manners}
    for _ in range(ROUNDS):
        for label, manner in manners.items():
            found[label].append(measure(vpn, manner, work))
    medians = [statistics.median(cost for cost, _ in found[label]) for label in manners]
    for label, cost in zip(manners, medians, strict=True):
        rate = statistics.median(rate for _, rate in found[label])
        print(f"{name:5} {label:22} {cost:5.2f} CPU s/GB  {rate:5.2f} Gbit/s")
    print(f"{name:5} ratio {medians[1] / medians[0]:.2f}")


def main() -> None:
    """Set up, measure down and up, print."""
    argparse.ArgumentParser(description=__doc__.split("\n", 1)[0]).parse_args()
    with network() as net, tempfile.TemporaryDirectory() as folder:
        home = make_home(Path(folder) / "home", net.server_address)
        settings = home.path / "settings.toml"
        settings.write_text(settings.read_text().replace("workers = 0", "workers = 1"))
        net.lan.ip("route", "add", "default", "via", str(net.gateway))
        with Server(home, net.server, Path(folder) / "log") as server:
            vpn = Vpn(net, home, server)
            sink = net.lan.udp(net.host, SINK)

            def down(client: Client, until: float) -> None:
                log = Path(folder) / "blast"
                program = (sys.executable, "-c", _BLAST, str(client.address), str(PAYLOAD))
                blast = net.lan.start(*program, log=log)
                try:
                    drain(client, until)
                finally:
                    blast.stop()

            compare(vpn, "down", down)
            with sink:
                compare(vpn, "up", lambda client, until: pour(client, until, host=net.host))


if __name__ == "__main__":
    main()
