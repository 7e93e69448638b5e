"""Other firewalls on the server's machine, the real ones: noticed, opened, and left as they were."""

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeHome
from tests.support.faults import ClientError
from tests.support.netns import Namespace, Network, Process
from tests.support.requirements import require
from tests.support.server import PROGRAM, Server, Vpn
from tests.support.waiting import wait_for

pytestmark = pytest.mark.root

HOST = Network.host
#: Seconds after which a step of a client is one that a firewall drops.
SOON = 3.0

# as Docker has it, beside a closed INPUT
DOCKER = """\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER-USER - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp --dport 22 -j ACCEPT
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-USER -j RETURN
COMMIT
"""

NFTABLES = """\
table inet theirs {
    chain input {
        type filter hook input priority filter; policy drop;
        iif lo accept
        ct state established, related accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
        tcp dport 22 accept
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established, related accept
    }
}
"""


@dataclass
class Machine:
    """The server's namespace with a firewall of somebody else's.

    :ivar mounts: what its processes see in place of the machine's own: folder by folder.
    """

    namespace: Namespace
    folder: Path
    mounts: dict[str, Path]

    def command(self, *words: str) -> tuple[str, ...]:
        """A command that sees the mounts."""
        mounts = "".join(f"mount --bind {ours} {there} && " for there, ours in self.mounts.items())
        return "unshare", "-m", "sh", "-c", f'{mounts}exec "$@"', "sh", *words

    def run(self, *words: str) -> str:
        return self.namespace.run(*self.command(*words))

    def state(self) -> str:
        """All rules but ours, without counters and numbers; firewalld keeps chains that it had once."""
        if "/etc/ufw" in self.mounts:  # whose own reload is not quite its start
            return self.run("ufw", "show", "added")
        if "/run/dbus" in self.mounts:
            return self.run("firewall-cmd", "--list-all-zones")
        listed = self.run("nft", "--stateless", "list", "ruleset")
        return "\n".join(part for part in listed.split("\ntable ") if "sstpca_" not in part)


class Beside(Server):
    """A server beside another firewall."""

    machine: Machine

    def launch(self) -> Process:
        command = (*PROGRAM, "--home", str(self.home.path), "serve", *self.options)
        whole = self.machine.command(*command)
        self._process = self.namespace.start(*whole, log=self.log, cwd=self.home.path)
        return self._process


@contextlib.contextmanager
def docker(machine: Machine) -> Iterator[None]:
    require("iptables-nft")
    rules = machine.folder / "rules"
    rules.write_text(DOCKER)
    machine.run("iptables-nft-restore", str(rules))
    try:
        yield
    finally:
        machine.run("nft", "flush", "ruleset")


@contextlib.contextmanager
def nftables(machine: Machine) -> Iterator[None]:
    rules = machine.folder / "rules"
    rules.write_text(NFTABLES)
    machine.run("nft", "-f", str(rules))
    try:
        yield
    finally:
        machine.run("nft", "flush", "ruleset")


@contextlib.contextmanager
def ufw(machine: Machine) -> Iterator[None]:
    require("ufw")
    for own in ("/etc/ufw", "/etc/default/ufw"):
        ours = machine.folder / own.replace("/", "-")
        if Path(own).is_dir():
            shutil.copytree(own, ours)
        else:
            shutil.copy(own, ours)
        machine.mounts[own] = ours
    machine.run("ufw", "--force", "enable")
    try:
        yield
    finally:
        machine.run("ufw", "--force", "disable")
        machine.run("nft", "flush", "ruleset")


@contextlib.contextmanager
def firewalld(machine: Machine) -> Iterator[None]:
    require("firewalld", "firewall-cmd", "dbus-daemon")
    bus = machine.folder / "dbus"
    bus.mkdir()
    Path("/run/dbus").mkdir(exist_ok=True)
    machine.mounts["/run/dbus"] = bus
    start = machine.namespace.start
    log = machine.folder / "firewalld.log"
    daemon = machine.command("dbus-daemon", "--system", "--nofork", "--nopidfile")
    processes = [start(*daemon, log=log)]
    try:
        wait_for(lambda: any(bus.iterdir()), "D-Bus")
        processes.append(start(*machine.command("firewalld", "--nofork", "--nopid"), log=log))

        def running() -> bool:
            with contextlib.suppress(RuntimeError):
                return "running" in machine.run("firewall-cmd", "--state")
            return False

        wait_for(running, "firewalld")
        yield
    finally:
        for process in reversed(processes):
            process.stop()
        machine.run("nft", "flush", "ruleset")


ALL = {"Docker": docker, "nftables": nftables, "ufw": ufw, "firewalld": firewalld}
RELOADS = {
    "Docker": ("iptables-nft-restore", "rules"),
    "nftables": ("nft", "-f", "reload"),
    "ufw": ("ufw", "reload"),
    "firewalld": ("firewall-cmd", "--reload"),
}


def passes(vpn: Vpn) -> bool:
    """Whether a client connects, and reaches what is behind the server."""
    try:
        with vpn.client(patience=SOON).login() as alice:
            alice.ping(HOST)
    except (ClientError, OSError):
        return False
    return True


@pytest.fixture(params=ALL)
def beside(
    request: pytest.FixtureRequest, network: Network, make_copy: MakeHome, tmp_path: Path
) -> Iterator[tuple[str, Vpn, Beside]]:
    """A server that does not run yet, beside each of them."""
    folder = tmp_path / "machine"
    folder.mkdir()
    machine = Machine(network.server, folder, {})
    with ALL[request.param](machine):
        server = Beside(make_copy("home"), network.server, tmp_path / "log")
        server.machine = machine
        try:
            yield request.param, Vpn(network, server.home, server), server
        finally:
            if server._process is not None:
                server.kill()


def test_it_is_said_and_with_open_firewall_it_is_done(beside: tuple[str, Vpn, Beside]) -> None:
    who, vpn, server = beside
    before = server.machine.state()
    server.start()
    wait_for(lambda: server.said(who) >= 1, who)
    server.says("blocks TCP port 8443")
    server.says("blocks what clients send through this machine")
    assert not passes(vpn)
    assert server.stop() == 0
    assert server.machine.state() == before

    server.options = ("--open-firewall",)
    server.start()
    server.says("through while the server runs", 2)
    wait_for(lambda: passes(vpn), "the VPN")
    # loaded anew, the firewall knows nothing of it; the server sees that
    reload = RELOADS[who]
    if who in ("Docker", "nftables"):
        rules = server.machine.folder / "rules"
        again = server.machine.folder / "reload"
        again.write_text(f"flush table inet theirs\ndelete table inet theirs\n{rules.read_text()}")
        reload = tuple(
            str(server.machine.folder / one) if one in ("rules", "reload") else one
            for one in reload
        )
    server.machine.run(*reload)
    wait_for(lambda: passes(vpn), "the VPN after a reload")
    # and after a crash, the next start takes back what is left
    workers = server.children()
    os.kill(server.process.pid, signal.SIGKILL)
    wait_for(lambda: not any(map(_runs, workers)), "the end of the workers")
    server.options = ()
    server.start()
    assert not passes(vpn)
    assert server.stop() == 0
    assert _sorted(server.machine.state()) == _sorted(before)


def _sorted(state: str) -> list[str]:
    return sorted(line.strip() for line in state.splitlines() if line.strip())


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
