"""``sstpca connect`` through the real server: packets, routes, losses, and what is left behind."""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.support import packets
from tests.support.netns import Network, Process
from tests.support.server import DNS, LOCAL, NAME, PASSWORDS, POOL, PORT, PROGRAM, Vpn
from tests.support.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.root

HOST = Network.host
NOBODY = IPv4Address(0)
# linux/in.h
_IP_MTU_DISCOVER, _IP_PMTUDISC_DO = 10, 2

_numbers = itertools.count()

EVERYTHING = {"0.0.0.0/1", "128.0.0.0/1"}


class Connected:
    """``sstpca connect`` in the client's namespace."""

    def __init__(
        self, vpn: Vpn, folder: Path, target: str, *options: str, secret: str = PASSWORDS["alice"]
    ) -> None:
        self.vpn = vpn
        password = folder / "password"
        password.write_text(secret + "\n")
        command = (*PROGRAM, "--home", str(vpn.home.path), "connect", target, *options)
        more = ("--password-file", str(password), "--no-dns")
        self.process: Process = vpn.network.client.start(
            *command, *more, log=folder / f"connect-{next(_numbers)}"
        )

    def wait(self, text: str, times: int = 1) -> None:
        """Wait until it has said something so often."""

        def said() -> bool:
            ended = self.process.ended()
            assert ended is None, self.process.output
            return self.process.output.count(text) >= times

        wait_for(said, text)

    def kill(self) -> None:
        """End it without a chance to do anything."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def connected(vpn: Vpn, folder: Path, *options: str, target: str = "") -> Iterator[Connected]:
    target = target or f"{vpn.network.server_address}:{PORT}"
    options = options if target.endswith((".zip", "alice")) else ("--user", "alice", *options)
    made = Connected(vpn, folder, target, *options)
    try:
        made.wait("connected as")
        yield made
    finally:
        made.process.stop()


def routes(vpn: Vpn) -> set[str]:
    lines = vpn.network.client.ip("route", "show").splitlines()
    return {line.split()[0] for line in lines if "dev vpn0" in line}


def reaches(vpn: Vpn, target: IPv4Address, *, size: int = 56, seconds: float = PATIENCE) -> bool:
    """Whether the client's machine gets an answer to a ping that must not be fragmented."""
    with vpn.network.client.entered():
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with raw:
        raw.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DO)
        raw.settimeout(0.5)
        content = os.urandom(size)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                raw.sendto(packets.echo(NOBODY, target, 1, content).payload, (str(target), 0))
                if packets.echo_reply(packets.parse(raw.recv(65536))) == (1, content):
                    return True
    return False


@contextlib.contextmanager
def known(vpn: Vpn, name: str) -> Iterator[None]:
    """Have the client's machine know the server by a name."""
    folder = Path("/etc/netns") / vpn.network.client.name
    folder.mkdir(parents=True)
    try:
        (folder / "hosts").write_text(f"{vpn.network.server_address} {name}\n")
        yield
    finally:
        shutil.rmtree(folder)


def test_everything_goes_through(fresh: Vpn, tmp_path: Path) -> None:
    before = fresh.network.client.ip("route", "show")
    with connected(fresh, tmp_path) as client:
        assert routes(fresh) >= EVERYTHING
        assert reaches(fresh, HOST)
        assert reaches(fresh, HOST, size=1372)
        (session,) = fresh.home.sessions()
        assert session.user == "alice"
        client.process.terminate()
        assert client.process.wait() == 0
    assert "vpn0" not in fresh.network.client.links()
    assert fresh.network.client.ip("route", "show") == before
    wait_for(fresh.idle, "the end of the session")
    fresh.server.says("ended: the client ended the connection")


def test_programs_hear_of_it(fresh: Vpn, tmp_path: Path) -> None:
    heard, program = tmp_path / "heard", tmp_path / "program"
    program.write_text(f"#!/bin/sh\nenv | grep ^SSTPCA_ >> {heard}\necho >> {heard}\n")
    program.chmod(0o755)
    options = ("--up", str(program), "--down", str(program), "--route", "198.18.1.0/24")
    with connected(fresh, tmp_path, *options) as client:
        wait_for(lambda: heard.exists() and heard.read_text().endswith("\n\n"), "the first of them")
        client.process.terminate()
        assert client.process.wait() == 0
    up, down = (
        dict(line.split("=", 1) for line in one.splitlines())
        for one in heard.read_text().split("\n\n")[:2]
    )
    assert up.pop("SSTPCA_EVENT") == "up" and down.pop("SSTPCA_EVENT") == "down"
    address = IPv4Address(up.pop("SSTPCA_ADDRESS"))
    assert POOL[0] <= address <= POOL[1]
    assert down.pop("SSTPCA_ADDRESS") == str(address)
    assert (
        up
        == down
        == {
            "SSTPCA_INTERFACE": "vpn0",
            "SSTPCA_SERVER": str(fresh.network.server_address),
            "SSTPCA_GATEWAY": str(LOCAL),
            "SSTPCA_DNS": " ".join(map(str, DNS)),
            "SSTPCA_ROUTES": "198.18.1.0/24",
        }
    )


def test_a_kill_leaves_nothing_behind(fresh: Vpn, tmp_path: Path) -> None:
    before = fresh.network.client.ip("route", "show")
    with connected(fresh, tmp_path) as client:
        client.kill()
    wait_for(lambda: "vpn0" not in fresh.network.client.links(), "the end of the interface")
    assert fresh.network.client.ip("route", "show") == before


def test_chosen_networks_alone(fresh: Vpn, tmp_path: Path) -> None:
    with connected(fresh, tmp_path, "--route", "198.18.1.0/24"):
        assert "198.18.1.0/24" in routes(fresh)
        assert not routes(fresh) & EVERYTHING
        assert reaches(fresh, HOST)


def test_pushed_routes(fresh: Vpn, tmp_path: Path) -> None:
    fresh.home.run("profile", "set", "default", "--split-tunnel", "--route", "198.18.1.0/24")
    with connected(fresh, tmp_path):
        assert "198.18.1.0/24" in routes(fresh)
        assert not routes(fresh) & EVERYTHING
        assert reaches(fresh, HOST)


def test_ipv6(fresh: Vpn, tmp_path: Path) -> None:
    fresh.home.run("profile", "set", "default", "--ipv6", "2001:db8:98::/48")
    with connected(fresh, tmp_path):

        def has_an_address() -> bool:
            shown = fresh.network.client.ip("-6", "addr", "show", "dev", "vpn0", "scope", "global")
            return "inet6 2001:db8:98:" in shown

        wait_for(has_an_address, "an address out of the session's prefix")
        ways = fresh.network.client.ip("-6", "route", "show", "dev", "vpn0")
        assert {"::/1", "8000::/1"} <= {line.split()[0] for line in ways.splitlines()}
        assert reaches(fresh, HOST)


def test_it_comes_back(fresh: Vpn, tmp_path: Path) -> None:
    with connected(fresh, tmp_path) as client:
        fresh.home.run("session", "kill", "--user", "alice")
        client.wait("trying again")
        # nothing goes past the tunnel while it is down
        assert routes(fresh) >= EVERYTHING
        client.wait("connected as", 2)
        assert reaches(fresh, HOST)
        index = fresh.network.client.ip("-o", "link", "show", "vpn0").split(":")[0]
        assert fresh.server.stop() == 0
        client.wait("trying again", 2)
        fresh.server.start()
        client.wait("connected as", 3)
        assert reaches(fresh, HOST)
        assert fresh.network.client.ip("-o", "link", "show", "vpn0").split(":")[0] == index


def test_nothing_passes_beside_it(fresh: Vpn, tmp_path: Path) -> None:
    with connected(fresh, tmp_path, "--route", "198.18.1.0/24", "--kill-switch") as client:
        assert reaches(fresh, HOST)
        # the server's machine is in reach beside the tunnel, and is not reached
        assert not reaches(fresh, fresh.network.server_address, seconds=1)
        assert fresh.network.client.tables() == ["table inet sstpca_client_vpn0"]
        client.process.terminate()
        assert client.process.wait() == 0
    assert fresh.network.client.tables() == []


def test_a_bundle_as_it_is(fresh: Vpn, tmp_path: Path) -> None:
    fresh.home.run("bundle", "alice", "--for", "linux")
    target = str(fresh.home.path / "bundles" / "alice.zip")
    with known(fresh, NAME), connected(fresh, tmp_path, target=target):
        assert reaches(fresh, HOST)


def test_a_pinned_certificate(fresh: Vpn, tmp_path: Path) -> None:
    shown = fresh.home.run("cert", "show", "server")
    digits = [word for word in shown.replace("\n", " ").split() if word.count(":") >= 15]
    pin = "".join(digits).replace(":", "")[:64]
    with connected(fresh, tmp_path, "--pin", pin):
        assert reaches(fresh, HOST)
    client = Connected(
        fresh,
        tmp_path,
        f"{fresh.network.server_address}:{PORT}",
        "--user",
        "alice",
        "--pin",
        64 * "0",
    )
    assert client.process.wait() == 1
    assert "another certificate than the pinned one" in client.process.output


def test_the_wrong_password(fresh: Vpn, tmp_path: Path) -> None:
    where = f"{fresh.network.server_address}:{PORT}"
    client = Connected(fresh, tmp_path, where, "--user", "bob")
    assert client.process.wait() == 1
    assert "error: the server refuses name or password (691)" in client.process.output


def test_an_authority_that_is_not_the_server_s(fresh: Vpn, tmp_path: Path) -> None:
    where = f"{fresh.network.server_address}:{PORT}"
    client = Connected(fresh, tmp_path, where, "--user", "alice", "--system-trust")
    assert client.process.wait() == 1
    assert "error: the server's certificate is not to be believed" in client.process.output
