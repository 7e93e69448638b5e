"""What a server's own machine has against it."""

import json
import socket
import time
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding

from sstpca.cli import main
from sstpca.doctor import machine
from sstpca.doctor.outcome import Check, Verdict
from sstpca.home import Home
from sstpca.store import Store, failures
from sstpca.store.failures import Failure
from tests.support.shown import leaf, loaded
from tests.support.sstp_server import SstpServer

LAN = IPv4Network("10.20.0.0/16")


def of_pool(first: str, last: str) -> list[tuple[Verdict, str]]:
    found = machine.check_pool("staff", IPv4Address(first), IPv4Address(last), [(LAN, "eth1")])
    return [(one.verdict, one.found) for one in found]


def test_pools() -> None:
    ((verdict, said),) = of_pool("10.99.0.10", "10.99.0.250")
    assert verdict is Verdict.PASS
    ((verdict, said),) = of_pool("10.20.255.250", "10.21.0.5")
    assert verdict is Verdict.WARN
    assert "overlaps 10.20.0.0/16, which this machine has by eth1" in said
    ((verdict, said),) = of_pool("192.168.1.100", "192.168.1.199")
    assert verdict is Verdict.WARN
    assert "is in 192.168.1.0/24, as many users' own networks at home are" in said


@pytest.mark.parametrize(
    ("route", "words"),
    [
        ("10.20.0.0/16", []),
        ("203.0.113.0/24", ["leads to 203.0.113.5, which users dial"]),
        ("192.168.1.0/24", ["is in 192.168.1.0/24, as many users' own networks are"]),
    ],
)
def test_routes(route: str, words: list[str]) -> None:
    servers = ["203.0.113.5", "2001:db8::5"]
    found = list(machine.check_routes("staff", [IPv4Network(route)], servers))
    assert len(found) == len(words)
    assert all(word in one.found for one, word in zip(found, words, strict=True))


def of_names(own: machine.Own) -> list[Check]:
    names = ["here.example.com", "elsewhere.example.com", "nowhere.example.com"]
    return list(machine.check_names(names, own))


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads here, one to 127.0.0.1 as if that were a router's, one to nowhere."""

    def resolve(name: str) -> list[str]:
        if name == "nowhere.example.com":
            raise OSError
        return ["203.0.113.5"] if name == "here.example.com" else ["127.0.0.1"]

    monkeypatch.setattr(machine, "resolve", resolve)
    monkeypatch.setattr(machine, "own_addresses", lambda: ["203.0.113.5"])


@pytest.mark.usefixtures("elsewhere")
def test_names() -> None:
    here, strange, nowhere = of_names(machine.Own(443, frozenset(), running=False))
    assert (here.verdict, here.found) == (
        Verdict.PASS,
        "here.example.com is 203.0.113.5: this machine",
    )
    assert "is 127.0.0.1, which is not this machine" in strange.found
    assert "is not found in DNS" in nowhere.found


@pytest.mark.usefixtures("elsewhere")
def test_a_router_that_leads_here() -> None:
    shown = leaf()
    der = shown.public_bytes(Encoding.DER)
    with SstpServer(loaded(shown), der) as server:
        _, found, _ = of_names(machine.Own(server.port, frozenset({der}), running=True))
        assert (found.verdict, found.name) == (Verdict.PASS, "dns")
        assert found.found.endswith("is 127.0.0.1, a router that leads to this machine")
        _, found, _ = of_names(machine.Own(server.port, frozenset({b"x"}), running=True))
        assert found.verdict is Verdict.WARN
        assert "is another server" in found.found


@pytest.mark.usefixtures("elsewhere")
def test_no_nat_loopback() -> None:
    """The name leads to the router's outer address, which does not lead this machine back to itself."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    _, found, _ = of_names(machine.Own(port, frozenset(), running=True))
    assert (found.verdict, found.name) == (Verdict.WARN, "nat-loop")
    assert "no NAT loopback, hairpin" in found.found
    fix = "".join(map(str, found.remedy))
    assert fix.startswith("look from outside: sstpca doctor elsewhere.example.com; for the office")


@pytest.mark.parametrize(
    ("state", "verdict", "words"),
    [
        (5, Verdict.WARN, "nothing keeps this machine's clock right"),
        (0, Verdict.PASS, "NTP keeps this machine's clock"),
        (-1, Verdict.PASS, "cannot be seen here"),
    ],
)
def test_the_clock(state: int, verdict: Verdict, words: str) -> None:
    found = machine.check_time(state)
    assert found.verdict is verdict
    assert words in found.found


def test_permissions(home: Home, tmp_path: Path) -> None:
    def look() -> list[Check]:
        return list(machine.check_permissions([home.ca_key, home.untold("alice")], [tmp_path]))

    tmp_path.chmod(0o1777)  # as /tmp is
    (good,) = look()
    assert good.verdict is Verdict.PASS
    home.ca_key.chmod(0o640)
    tmp_path.chmod(0o777)
    file, folder = look()
    assert file.found == f"{home.ca_key} is open to other users (mode 640)"
    assert file.remedy == (f"chmod 600 {home.ca_key}",)
    assert "can write into" in folder.found
    assert folder.remedy == (f"chmod go-w {tmp_path}",)


def test_this_machine_s_own() -> None:
    assert all(network.prefixlen for network, _ in machine.own_networks())
    assert machine.check_time(machine.clock_state()).name == "clock"


def test_the_command(home: Home) -> None:
    store = Store.open(home.database)
    now = time.time()
    cases = [
        Failure(now, "bob", "192.0.2.7:5000", "", "the password is wrong", 3),
        Failure(now, "eve", "192.0.2.8:1", "", "the account is disabled"),
    ]
    failures.add(store, cases)
    store.close()
    shown = CliRunner().invoke(main, ["--home", str(home.root), "doctor", "--json"])
    found = json.loads(shown.stdout)
    assert shown.exit_code == max(Verdict[one["verdict"].upper()] for one in found["checks"])
    checks = {one["check"]: one for one in found["checks"]}
    assert checks["settings"]["verdict"] == "pass"
    assert checks["disk"]["found"].endswith("GB are free where the home is")
    logins = [one for one in found["checks"] if one["check"] == "logins"]
    assert logins[0]["found"] == "4 logins have failed in the last 24 hours"
    often, once = logins[1:]
    assert often["found"] == (
        "3 times: the password is wrong; the last by 'bob' from 192.0.2.7:5000, 0 min ago"
    )
    assert often["code"] == "691"
    assert "user passwd NAME" in often["fix"]
    assert once["found"].startswith("once: the account is disabled; by 'eve' from 192.0.2.8:1")
    assert (once["code"], once["decimal"]) == ("647", 647)
    text = CliRunner().invoke(main, ["--home", str(home.root), "doctor"])
    # a command is one to copy, however long the path of the home is
    lines = [line for line in text.stdout.splitlines() if "sstpca --home" not in line]
    assert max(map(len, lines)) <= 80


def test_no_home_and_no_server(tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["--home", str(tmp_path), "doctor"])
    assert shown.exit_code == 1
    assert shown.stderr.startswith("error: there is no sstpca home")
    shown = CliRunner().invoke(main, ["--home", str(tmp_path), "doctor", "--user", "alice"])
    assert shown.exit_code == 2
    assert "it is not said which server" in shown.stderr
