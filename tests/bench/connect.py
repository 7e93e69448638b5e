"""What 10^9 bytes cost ``sstpca connect``, and the server it is connected to: beside plain TLS."""

import time
from typing import Final

from tests.bench import iperf
from tests.bench.figures import Column, Series, Table
from tests.bench.iperf import DOWN, UP
from tests.bench.processes import cpu_seconds
from tests.bench.stage import Stage
from tests.support.server import PASSWORDS, PORT, PROGRAM
from tests.support.waiting import wait_for

COLUMNS: Final = (
    Column("way", "what"),
    Column("direction", "to"),
    Column("gigabits", "Gbit/s", 2, spread=True),
    Column("client", "client CPU s/GB", 2, spread=True),
    Column("server", "server CPU s/GB", 2, spread=True),
)
_YARDSTICK: Final = "plain TLS, 64 KB writes"
_OURS: Final = "sstpca connect, TCP through the tunnel"


def measure(stage: Stage, *, rounds: int, seconds: float) -> Table:
    """Measure both directions in turn, round after round, the yardstick just before each."""
    network, password = stage.vpn.network, stage.folder / "password"
    password.write_text(PASSWORDS["alice"])
    where = f"{network.server_address}:{PORT}"
    words = ("--home", str(stage.vpn.home.path), "connect", where, "--user", "alice", "--no-dns")
    more = ("--password-file", str(password), "--route", f"{network.host}/32")
    client = network.client.start(*PROGRAM, *words, *more, log=stage.folder / "connect")
    found: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    try:
        wait_for(lambda: "connected as" in client.output, "the connection")
        iperf.tcp(network.client, UP, 1.0)
        for _ in range(rounds):
            for direction in (UP, DOWN):
                plain = stage.plain.transfer(direction, seconds)
                per = 1e9 / plain.bytes
                line = plain.gigabits, plain.client * per, plain.cost
                found.setdefault((_YARDSTICK, direction), []).append(line)
                ours, server = cpu_seconds(client.pid), stage.cpu()
                passed = iperf.tcp(network.client, direction, seconds)
                time.sleep(0.05)  # what is still under way
                per = 1e9 / passed.bytes
                spent = cpu_seconds(client.pid) - ours, stage.cpu() - server
                line = passed.gigabits, spent[0] * per, spent[1] * per
                found.setdefault((_OURS, direction), []).append(line)
    finally:
        client.stop()
    table = Table("connect", "sstpca connect as the client of this server", COLUMNS)
    for (way, direction), lines in found.items():
        columns = dict(
            zip(
                ("gigabits", "client", "server"), map(Series, zip(*lines, strict=True)), strict=True
            )
        )
        table.rows.append({"way": way, "direction": direction, **columns})
    table.notes = [
        f"{rounds} rounds of {seconds:.0f} s, all ways in turn; median ± half the range."
    ]
    return table
