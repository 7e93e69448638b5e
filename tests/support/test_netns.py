"""The namespaces that other tests stand on."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import netns, packets
from tests.support.netns import Network
from tests.support.requirements import require
from tests.support.waiting import wait_for

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    require("ip")
    with netns.network() as made:
        yield made


def known() -> str:
    return subprocess.run(
        ["ip", "netns", "list"], capture_output=True, text=True, check=True
    ).stdout


def test_the_wires_carry(network: Network) -> None:
    with (
        network.server.udp(network.server_address, 4000) as server,
        network.client.udp(network.client_address, 4000) as client,
        network.lan.sniffer("lan") as seen,
    ):
        client.sendto(b"ping", (str(network.server_address), 4000))
        assert server.recvfrom(100) == (b"ping", (str(network.client_address), 4000))
        with network.server.udp(network.gateway, 4001) as gateway:
            gateway.sendto(b"unseen", (str(network.host), 9))
        (packet,) = map(packets.parse, seen.packets())
    assert (packet.source, packet.destination) == (network.gateway, network.host)


def test_the_host_knows_no_way_to_other_networks(network: Network) -> None:
    with network.lan.udp(network.host, 4000) as host, pytest.raises(OSError, match="unreachable"):
        host.sendto(b"lost", ("10.99.0.10", 4000))


def test_the_thread_comes_back(network: Network) -> None:
    before = Path("/proc/thread-self/ns/net").stat().st_ino
    with network.lan.entered():
        assert Path("/proc/thread-self/ns/net").stat().st_ino != before
    assert Path("/proc/thread-self/ns/net").stat().st_ino == before


def test_everything_ends_with_the_namespace(tmp_path: Path) -> None:
    require("ip")
    with netns.Namespace("test") as namespace:
        process = namespace.start("sh", "-c", "sleep 600 & sleep 600", log=tmp_path / "log")
        wait_for(lambda: len(namespace.pids()) == 3, "the processes")
        pids = namespace.pids()
        assert process.pid in pids
        assert namespace.name in known()
    assert namespace.name not in known()
    wait_for(lambda: not any(map(alive, pids)), "the end of the processes")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] not in "ZX"
    except FileNotFoundError:
        return False


def test_what_a_killed_run_left_is_removed() -> None:
    require("ip")
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        check=True,
    )
    name = f"{netns.PREFIX}-{int(ended.stdout)}-0-left"
    subprocess.run(["ip", "netns", "add", name], check=True)
    netns.sweep()
    assert name not in known()


def test_a_port_that_never_opens(network: Network) -> None:
    def never() -> bool:
        return False

    with pytest.raises(TimeoutError):
        wait_for(never, "this", patience=0.1)
    with network.lan.listen(network.host, 4100):
        netns.wait_for_port(network.lan, network.host, 4100)
