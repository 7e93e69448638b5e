"""What a server's own machine has against it."""

import json
import time
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from click.testing import CliRunner

from sstpca.cli import main
from sstpca.doctor import machine
from sstpca.doctor.outcome import Verdict
from sstpca.home import Home
from sstpca.store import Store, failures
from sstpca.store.failures import Failure

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


def test_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(name: str) -> list[str]:
        if name == "nowhere.example.com":
            raise OSError
        return ["203.0.113.5"] if name == "here.example.com" else ["198.51.100.7"]

    monkeypatch.setattr(machine, "resolve", resolve)
    monkeypatch.setattr(machine, "own_addresses", lambda: ["203.0.113.5"])
    names = ["here.example.com", "elsewhere.example.com", "nowhere.example.com"]
    here, elsewhere, nowhere = machine.check_names(names)
    assert (here.verdict, here.found) == (
        Verdict.PASS,
        "here.example.com is 203.0.113.5: this machine",
    )
    assert "is 198.51.100.7, which is not this machine" in elsewhere.found
    assert "is not found in DNS" in nowhere.found


def test_this_machine_s_own() -> None:
    assert all(network.prefixlen for network, _ in machine.own_networks())
    assert machine.check_time().name == "clock"


def test_the_command(home: Home) -> None:
    store = Store.open(home.database)
    now = time.time()
    failures.add(store, [Failure(now, "bob", "192.0.2.7:5000", "", "the password is wrong", 3)])
    store.close()
    shown = CliRunner().invoke(main, ["--home", str(home.root), "doctor", "--json"])
    found = json.loads(shown.stdout)
    assert shown.exit_code == max(Verdict[one["verdict"].upper()] for one in found["checks"])
    checks = {one["check"]: one for one in found["checks"]}
    assert checks["settings"]["verdict"] == "pass"
    assert checks["logins"]["found"].startswith(
        "3 logins have failed in the last 24 hours, 3 times: the password is wrong; the last by 'bob'"
    )
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
