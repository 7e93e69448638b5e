"""What the server does about other firewalls: says it, or does it, and takes it back."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from sstpca.server.config import Config
from sstpca.server.firewalls import commands, opening
from sstpca.server.firewalls.commands import Said
from sstpca.server.firewalls.findings import Finding, Vpn
from sstpca.server.firewalls.opening import Opening, vpn_of
from sstpca.server.log import LOGGER

TAG = "sstpca_t"
CONFIG = Config(
    "vpn", (("0.0.0.0", 443), ("::", 443)), (Path("none"),), tuple, 1, "sstp", TAG, 1400, True
)
DROPS = "-P INPUT ACCEPT\n-P FORWARD DROP\n-N DOCKER-USER\n-A FORWARD -j DOCKER-USER\n"


class Machine:
    """One with iptables, whose rules the commands change."""

    def __init__(self) -> None:
        self.listing = DROPS
        self.ran: list[str] = []
        self.now = 1000.0
        self.refuses = False
        self.heard = 0

    def hear(self, _interface: str, *, ours: bool = False) -> Said:
        self.heard += 1
        return Said(iptables={"iptables": self.listing})

    def run(self, program: str, *arguments: str) -> str | None:
        self.ran.append(" ".join((program, *arguments)))
        if self.refuses:
            return None
        verb, chain, *rule = arguments
        line = f"-A {chain} {' '.join(rule)}\n"
        if verb == "-I":
            self.listing += line
        else:
            assert line in self.listing
            self.listing = self.listing.replace(line, "")
        return ""

    def opening(self, *, opens: bool) -> Opening:
        config = replace(CONFIG, open_firewall=opens)
        return Opening(config, hear=self.hear, run=self.run, clock=lambda: self.now)


@pytest.fixture
def machine(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(LOGGER, "propagate", True)
    caplog.set_level(logging.INFO)
    return Machine()


SAID = (
    "Docker blocks what clients send through this machine: iptables -I DOCKER-USER -i sstp+ -j ACCEPT; "
    "iptables -I DOCKER-USER -o sstp+ -j ACCEPT (--open-firewall does it)"
)


def test_it_is_said_once(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    one = machine.opening(opens=False)
    one.open()
    assert caplog.messages == [SAID]
    for _ in range(3):
        machine.now += 100
        one.reconcile(changed=True)
    one.close()
    assert caplog.messages == [SAID]
    assert machine.ran == []
    # and once more when it has come back
    machine.listing = ""
    machine.now += 100
    one.reconcile(changed=True)
    machine.listing = DROPS
    machine.now += 100
    one.reconcile(changed=True)
    assert caplog.messages == [SAID, SAID]


def test_it_is_done_and_taken_back(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    one = machine.opening(opens=True)
    one.open()
    assert caplog.messages == [
        "Docker lets what clients send through this machine through while the server runs"
    ]
    assert machine.listing.count(TAG) == 2
    one.close()
    assert machine.listing == DROPS
    one.close()


def test_what_a_crash_left_is_taken_back_at_the_next_start(machine: Machine) -> None:
    machine.opening(opens=True).open()
    assert machine.listing.count(TAG) == 2
    machine.opening(opens=True).open()
    assert machine.listing.count(TAG) == 2
    machine.opening(opens=False).open()
    assert machine.listing == DROPS


def test_what_is_lost_by_a_reload_is_there_again(machine: Machine) -> None:
    one = machine.opening(opens=True)
    one.open()
    heard = machine.heard
    one.reconcile(changed=False)
    # it is not looked at with each change, but it is not forgotten
    machine.listing = DROPS
    one.reconcile(changed=True)
    assert machine.heard == heard
    machine.now += 3
    one.reconcile(changed=False)
    assert machine.listing.count(TAG) == 2
    # what nobody tells of is found after a while
    machine.listing = DROPS
    machine.now += 30
    one.reconcile(changed=False)
    assert machine.listing == DROPS
    machine.now += 40
    one.reconcile(changed=False)
    assert machine.listing.count(TAG) == 2


def test_what_cannot_be_done_is_said(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    machine.refuses = True
    one = machine.opening(opens=True)
    machine.now += 100
    one.reconcile(changed=True)
    refused = [line for line in caplog.messages if line.startswith("iptables refuses: -I")]
    assert len(refused) == len(machine.ran) == 2
    assert caplog.messages[-1].endswith("(it could not be opened)")
    # it is tried again, but not with each change
    machine.now += 5
    one.reconcile(changed=True)
    assert len(machine.ran) == 2
    machine.refuses = False
    machine.now += 6
    one.reconcile(changed=False)
    assert machine.listing.count(TAG) == 2
    assert sum(line.endswith("(it could not be opened)") for line in caplog.messages) == 1


def test_what_is_to_be_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "outer_interface", lambda _prefix: "eth0")
    both = frozenset({"ip", "ip6"})
    assert vpn_of(CONFIG) == Vpn(443, "sstp", "eth0", TAG, both, frozenset({"ip"}))
    with_ipv6 = replace(CONFIG, listen=CONFIG.listen[:1], ipv6=lambda: True)
    assert vpn_of(with_ipv6) == Vpn(443, "sstp", "eth0", TAG, frozenset({"ip"}), both)


def test_programs_that_are_missing_or_do_not_answer(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert commands.run("no-such-program-as-this") is None
    assert commands.run("false") is None
    assert commands.run("echo", "said") == "said\n"
    monkeypatch.setattr(commands, "_PATIENCE", 0.1)
    assert commands.run("sleep", "5") is None
    [line] = caplog.messages
    assert line.startswith("sleep does not answer")
    # a machine without any of them blocks nothing
    monkeypatch.setattr(commands, "_PATH", "/nonexistent")
    found: tuple[Finding, ...] = opening.look(vpn_of(CONFIG))
    assert found == ()
