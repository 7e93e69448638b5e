"""Whoever takes a worker over finds nothing: no key, no home, no interface, nobody to signal."""

import json
import sys
from pathlib import Path

import pytest

from sstpca.server import confinement
from tests.e2e.conftest import MakeHome
from tests.support.server import PORT, Vpn

pytestmark = pytest.mark.root

ROOT = Path(__file__).resolve().parents[2]


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def user_of(pid: int) -> int:
    return int(status(pid)["Uid"].split()[0])


def try_inside(vpn: Vpn, user: int, *tries: str) -> dict[str, object]:
    """Try things in a process that a worker's own function has confined."""
    command = (sys.executable, "-m", "tests.support.inside", str(user), *tries)
    said = vpn.network.server.run("sh", "-c", 'cd "$0" && exec "$@"', str(ROOT), *command)
    found: dict[str, object] = json.loads(said)
    return found


def test_a_worker_is_nobody_with_no_capability(vpn: Vpn) -> None:
    workers, keepers = vpn.server.children(), vpn.server.children("keeper")
    assert len(workers) == len(keepers) > 0
    for pid in workers:
        has = status(pid)
        numbers = {int(one) for kind in ("Uid", "Gid") for one in has[kind].split()}
        assert len(numbers) == 1
        assert 61184 <= numbers.pop() < 65520
        assert has["Groups"] == ""
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(has[kind], 16) == 0, kind
        assert has["NoNewPrivs"] == "1"
        assert has["Umask"] == "0077"
        assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
        assert "Max core file size        0                    0" in (
            Path(f"/proc/{pid}/limits").read_text()
        )
    assert {user_of(pid) for pid in keepers} == {0}
    assert not vpn.server.said("are not all apart")


def test_a_worker_has_no_file_of_the_home_open(vpn: Vpn) -> None:
    with vpn.client().login() as client:
        client.ping(vpn.network.host)
        for pid in vpn.server.children():
            links = [one.readlink() for one in Path(f"/proc/{pid}/fd").iterdir()]
            log = [link for link in links if link == vpn.server.log]
            assert len(log) == 2
            for link in links:
                kind = str(link).partition(":")[0]
                assert link in log or kind in (
                    "socket",
                    "anon_inode",
                    "/dev/null",
                    "/dev/net/tun",
                ), link
        for pid in vpn.server.children("keeper"):
            links = [one.readlink() for one in Path(f"/proc/{pid}/fd").iterdir()]
            assert Path("/dev/net/tun") not in links, "a copy would keep the interface"


def test_from_inside_nothing_can_be_done(vpn: Vpn, make_copy: MakeHome) -> None:
    other = make_copy("other").path
    home, server = vpn.home.path, vpn.server.process.pid
    [worker, *_], [keeper, *_] = vpn.server.children(), vpn.server.children("keeper")
    files = [
        home / name
        for name in ("ca.key", "database.key", "sstpca.db", "server.pem", "settings.toml")
    ]
    denied = [
        *(f"read={path}" for path in files),
        f"list={home}",
        f"list={other}",
        f"read={other / 'ca.key'}",
        "read=/etc/passwd",
        f"write={vpn.server.log.parent / 'new'}",
        "write=/tmp/new",
        "write=/dev/shm/new",
        "interface=taken",
        *(f"signal={pid}" for pid in (server, keeper, worker)),
        *(f"trace={pid}" for pid in (server, keeper, worker)),
        f"connect={vpn.network.server_address}:{PORT}",
        "root=",
        "descriptors=3",
    ]
    found = try_inside(vpn, user_of(worker), *denied, "list=/usr/lib")
    assert found.pop("missing") == []
    assert {one for one in denied if found[one] == "done"} == set()
    assert found["list=/usr/lib"] == "done", "what Python reads"


def test_two_homes_have_two_users() -> None:
    users = {confinement.user_of(f"sstpca_{number:08x}") for number in range(50)}
    assert len(users) > 45
    assert all(61184 <= user < 65520 for user in users)
