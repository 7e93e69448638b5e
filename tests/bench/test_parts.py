"""The bench's parts do what they say; how fast anything is, no test asks."""

import importlib.util
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import pings, probes
from tests.bench.document import DOCUMENT, with_tables
from tests.bench.figures import Column, Series, Table, percentile
from tests.bench.iperf import DOWN, UP
from tests.bench.logins import Many
from tests.bench.relay import CLIENT, SERVER, Line, relay
from tests.bench.relay import Path as Way
from tests.bench.stage import Stage, stage
from tests.bench.throughput import _run
from tests.bench.tunnel import Kind, record_ends, user
from tests.support import netns
from tests.support.requirements import require

ROOT = Path(__file__).resolve().parents[2]


def test_a_table_says_what_was_measured() -> None:
    columns = (Column("what", "what"), Column("cost", "s/GB", 1, spread=True), Column("n", "n", 0))
    table = Table("t", "Title", columns, notes=["A note."])
    table.rows = [
        {"what": "one", "cost": Series((1.0, 2.0, 4.0)), "n": 12},
        {"what": "another", "cost": None, "n": 3.4},
    ]
    assert table.text().splitlines() == [
        "Title",
        "what         s/GB   n",
        "-------  --------  --",
        "one      2.0 ±75%  12",
        "another         -   3",
        "A note.",
    ]
    [first, second] = table.plain()["rows"]
    assert first["cost"] == {"rounds": [1.0, 2.0, 4.0], "median": 2.0, "spread": 0.75}
    assert second["cost"] is None


def test_tables_go_into_the_document_and_others_stay(tmp_path: Path) -> None:
    table = Table("udp", "Title", (Column("to", "to"), Column("n", "n", 0)), [{"to": "up", "n": 3}])
    (tmp_path / "udp.md").write_text(table.markdown() + "\n")
    text = "A\n<!-- udp -->\nold\n<!-- end -->\nB\n<!-- loss -->\nold\n<!-- end -->\n"
    new = with_tables(text, tmp_path)
    assert "| to | n |\n| --- | ---: |\n| up | 3 |\n" in new
    assert new.endswith("<!-- end -->\nB\n<!-- loss -->\nold\n<!-- end -->\n")
    assert with_tables(new, tmp_path) == new
    document = (ROOT / DOCUMENT).read_text()
    assert set(re.findall(r"<!-- (\w+) -->", document)) - {"end"} == {
        *("throughput", "udp", "latency", "loss", "connect", "workers", "storm", "sessions")
    }


def test_percentiles() -> None:
    assert percentile([], 0.5) is None
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(number) for number in range(200)], 0.99) == 198.0


def test_records_end_at_each_packet_or_as_late_as_they_may() -> None:
    ends = [0, 1400, 2800, 4200, 15400, 16800, 18200]
    assert record_ends(ends, coalesce=False) == ends[1:]
    assert record_ends(ends, coalesce=True) == [15400, 18200]
    assert record_ends([0], coalesce=True) == []


def test_a_line_delays_and_keeps_order() -> None:
    line = Line(Way(delay=0.5), random.Random(1))
    for number in range(3):
        line.take(bytes([number]), number / 10)
    assert line.due == 0.5
    assert list(line.arrived(0.65)) == [b"\0", b"\1"]
    assert list(line.arrived(0.65)) == []
    assert list(line.arrived(9.0)) == [b"\2"]
    assert line.due is None


def test_a_line_loses_the_share_it_is_told() -> None:
    line = Line(Way(loss=0.1), random.Random(1))
    for _ in range(10_000):
        line.take(b"x", 0.0)
    assert line.lost == pytest.approx(1000, rel=0.1)
    assert len(list(line.arrived(1.0))) == 10_000 - line.lost


def test_a_line_is_as_wide_as_it_is_told_and_its_queue_as_long() -> None:
    line = Line(Way(delay=0.0, rate=8000.0, queue=0.5), random.Random(1))
    for _ in range(10):
        line.take(bytes(100), 0.0)  # a tenth of a second each
    assert line.dropped == 5
    assert [len(list(line.arrived(now / 10 + 0.01))) for now in range(6)] == [0, 1, 1, 1, 1, 1]


@pytest.mark.root
def test_the_relay_delays_both_ways_and_loses_what_it_is_told() -> None:
    require("ip", tun=True)
    with netns.network() as net, relay(net, Way(delay=0.03)) as process:
        found = _pinged(probes.ping(net.client, SERVER, 50.0))
        assert found.lost == 0.0
        assert min(found.took.values()) >= 0.06
        assert net.server.ip("-4", "-o", "addr", "show", "dev", "far").split()[3] == f"{SERVER}/24"
        process.tell(Way(delay=0.0, loss=0.5))
        lossy = _pinged(probes.ping(net.server, CLIENT, 100.0))
        assert 0.5 < lossy.lost < 0.95
        assert lossy.took


def _pinged(probe: probes.Probe) -> probes.Times:
    probe.begin()
    time.sleep(1.0)
    [found] = probe.end()
    return found


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    require("ip", "nft", "iperf3", tun=True)
    with stage() as made:
        yield made


@pytest.mark.root
@pytest.mark.parametrize("kind", Kind)
def test_a_user_carries_tcp_and_pings_both_ways(made: Stage, kind: Kind) -> None:
    with user(made.vpn, kind) as one:
        for direction in (UP, DOWN):
            found = _run(one, made.cpu, direction, 1, 1.0)
            assert found.gigabits > 0.0
            assert found.cost >= 0.0
        call = probes.call(made.vpn.network, one.namespace)
        lights = probes.lights(made.vpn, 2, kind)
        lights.begin()
        call.begin()
        ping = _pinged(probes.ping(one.namespace, made.vpn.network.host, 20.0))
        assert ping.took
        called, *lit = call.end() + lights.end()
        assert called.took and all(found.took for found in lit)
        # who passes such a packet on knows how long it waited: less than it took
        waits = one.waits()
        for mark, times in ((pings.PING, ping), (pings.CALL, called)):
            assert waits[mark].keys() >= times.took.keys()
            assert all(0.0 <= waits[mark][number] < took for number, took in times.took.items())


@pytest.mark.root
def test_the_plain_yardstick_carries_both_ways(made: Stage) -> None:
    for direction in (UP, DOWN):
        found = made.plain.transfer(direction, 0.2)
        assert found.bytes > 1e6
        assert 0.0 < found.seconds < 5.0


def test_the_pictures(tmp_path: Path) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        pytest.skip("needs what the bench's plots need: make bench")
    from tests.bench import loss, plots, throughput

    tcp = Table("throughput", "", throughput.COLUMNS)
    tcp.rows = [
        {"way": "one", "direction": way, "streams": 1, "gigabits": 1.0, "cost": Series((2.0,))}
        for way in (UP, DOWN)
    ]
    lossy = Table("loss", "", loss.COLUMNS)
    lossy.rows = [{"loss": 0.1, "control": "bbr", "plain": 2.0, "tunnel": 1.0}]
    waits = {f"idle{where}: own ping, without its client": [1.0] for where in ("", " at 20 Mbit/s")}
    tables = {"throughput": tcp, "loss": lossy}
    held = [Many(10, 20.0, 30.0, 0.01, 0.1, 5.0, 1.0, 60.0)]
    files = plots.draw(tmp_path, tables, waits, {"rsa": [1.0, 2.0]}, held)
    assert {one.stem for one in files} == {"throughput", "latency", "loss", "storm", "memory"}
    assert all(one.read_bytes().startswith(b"\x89PNG") for one in files)


def test_who_asks_for_a_part_that_is_none_is_told_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "nonsense"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "no such part: nonsense" in done.stderr.splitlines()[-1]
