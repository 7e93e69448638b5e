"""``sstpca connect`` and ``sstpca doctor`` with SSTP servers that nobody here wrote.

Their certificates are of a home of ours: who has another server takes our authority to it.
"""

import contextlib
import hashlib
import itertools
import json
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from pytest import FixtureRequest, TempPathFactory

from tests.interop.guest import Guest
from tests.interop.servers import ACCEL, LOCAL, PASSWORD, SOFTETHER, SORZ, Server, started
from tests.support import packets
from tests.support.matrix import came
from tests.support.netns import Process
from tests.support.server import NAME, PROGRAM, Home
from tests.support.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.interop

#: What the doctor has something to say about.
EXPECTED = {SORZ: {"names"}, ACCEL: {"names"}, SOFTETHER: {"names", "logins", "tls"}}

NOBODY = IPv4Address(0)
# linux/in.h
_IP_MTU_DISCOVER, _IP_PMTUDISC_DO = 10, 2
#: Of IP and of ICMP.
_HEADERS = 28
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Site:
    """A server of somebody else's, with a certificate of our home's."""

    name: str
    home: Home
    server: Server

    @property
    def pin(self) -> str:
        """The SHA-256 of its certificate."""
        return hashlib.sha256(_certificate(self.home)).hexdigest()

    def command(self, verb: str, *options: str) -> tuple[str, ...]:
        """Return a command of ours on its machine."""
        target = f"{self.server.address}:443"
        return (*PROGRAM, "--home", str(self.home.path), verb, target, *options)

    def start(self, folder: Path, *options: str, password: str = PASSWORD) -> Process:
        """Start ``sstpca connect``."""
        file = folder / "password"
        file.write_text(f"{password}\n")
        command = self.command("connect", "--user", self.server.user, "--no-dns", *options)
        log = folder / f"connect-{next(_numbers)}"
        return self.server.space.start(*command, "--password-file", str(file), log=log)

    def look(self, password: str = PASSWORD) -> tuple[int, dict[str, dict[str, Any]]]:
        """Run ``sstpca doctor``; return the exit status, and the last check of each name."""
        options = ("--name", NAME, "--user", self.server.user, "--password-stdin", "--json")
        done = subprocess.run(
            ("ip", "netns", "exec", self.server.space.name, *self.command("doctor", *options)),
            input=password,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        checks = json.loads(done.stdout)["checks"]
        return done.returncode, {one["check"]: one for one in checks}

    def reaches(self, target: IPv4Address, size: int) -> bool:
        """Whether a packet of that size passes there and back, in one piece."""
        with self.server.space.entered():
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        with raw:
            raw.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DO)
            raw.settimeout(1.0)
            content, end = os.urandom(size - _HEADERS), time.monotonic() + PATIENCE
            while time.monotonic() < end:
                with contextlib.suppress(OSError):
                    echo = packets.echo(NOBODY, target, 1, content)
                    raw.sendto(echo.payload, (str(target), 0))
                    if packets.echo_reply(packets.parse(raw.recv(65536))) == (1, content):
                        return True
        return False


def _certificate(home: Home) -> bytes:
    text = (home.path / "server.pem").read_text()
    return ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN CERTIFICATE") :])


def _said(process: Process, text: str, times: int = 1) -> None:
    """Wait until it has said something so often."""

    def said() -> bool:
        assert process.ended() is None, process.output
        return process.output.count(text) >= times

    wait_for(said, text)


def _ends(process: Process, said: str) -> bool:
    """Whether it ends by itself, with an error, in these words."""
    assert process.wait() == 1, process.output
    return said in process.output


@pytest.fixture(scope="module")
def home(tmp_path_factory: TempPathFactory) -> Home:
    """A home of ours: the servers have its certificate."""
    made = Home(tmp_path_factory.mktemp("servers") / "home")
    made.run("init", NAME, "--no-passphrase")
    return made


@pytest.fixture(scope="module", params=[SORZ, ACCEL, SOFTETHER])
def site(request: FixtureRequest, home: Home, tmp_path_factory: TempPathFactory) -> Iterator[Site]:
    """Each server in turn."""
    pem, folder = (home.path / "server.pem").read_text(), tmp_path_factory.mktemp("server")

    def guest() -> Guest:
        built: Guest = request.getfixturevalue("built_guest")
        return built

    with started(request.param, guest, pem, folder) as server:
        yield Site(request.param, home, server)


def _has(server: Server, family: str, scope: str) -> bool:
    """Whether our interface has such an address."""
    shown = server.space.ip(family, "-o", "addr", "show", "scope", scope)
    return any(line.split()[1].startswith("vpn") for line in shown.splitlines())


#: What becomes of IPv6, which is asked for by default.
IPV6 = {SORZ: "link-local alone", ACCEL: "yes", SOFTETHER: "goes on without"}


def test_it_connects_and_comes_back(site: Site, tmp_path: Path) -> None:
    server = site.server
    process = site.start(tmp_path, "--pin", site.pin)
    try:
        _said(process, "connected as")
        came(site.name, "pin")
        assert site.reaches(LOCAL, 84)
        came(site.name, "password")
        assert site.reaches(LOCAL, 1400)
        came(site.name, "1400 bytes")
        scope = {"yes": "global", "link-local alone": "link"}.get(IPV6[site.name], "")
        if scope:
            wait_for(lambda: _has(server, "-6", scope), "an address of IPv6")
        assert _has(server, "-6", "global") == (scope == "global")
        came(site.name, "IPv6", IPV6[site.name])
        server.restart()
        _said(process, "trying again")
        _said(process, "connected as", 2)
        assert site.reaches(LOCAL, 84)
        came(site.name, "comes back")
        process.terminate()
        assert process.wait() == 0
    finally:
        process.stop()
    assert not [link for link in server.space.links() if link.startswith("vpn")]


def test_another_certificate(site: Site, tmp_path: Path) -> None:
    refused = site.start(tmp_path, "--pin", "00" * 32)
    assert _ends(refused, "another certificate than the pinned one")


def test_the_wrong_password(site: Site, tmp_path: Path) -> None:
    process = site.start(tmp_path, "--name", NAME, password="not it")
    assert _ends(process, "the server refuses name or password (691)")
    status, checks = site.look("not it")
    assert (status, checks["login"]["code"]) == (2, "691")
    came(site.name, "wrong password", "told 691")


def test_doctor(site: Site) -> None:
    _, checks = site.look()
    bad = {name: one for name, one in checks.items() if one["verdict"] != "pass"}
    # the DNS server of these tests is nobody; SoftEther VPN takes PAP, and older ciphers first
    assert set(bad) == EXPECTED[site.name], bad
    assert checks["login"]["found"].startswith("the user is in after")
    assert checks["mtu"]["found"] == "packets of 1400 bytes pass both ways"
    assert checks["echo"]["found"].startswith(f"{LOCAL} answers after")
    came(site.name, "doctor")
