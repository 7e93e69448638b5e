"""The rules where the kernel has less, and the group that a session's interface gets."""

import dataclasses
import logging
import os
import signal
from ipaddress import IPv4Address, IPv4Network, ip_network
from pathlib import Path

import pytest

from sstpca.server.config import Config
from sstpca.server.contracts import CLOSED, PROFILES, Access, Destination, Lease
from sstpca.server.errors import ServerError
from sstpca.server.log import LOGGER
from sstpca.server.net import destinations, firewall, networks
from sstpca.server.net.firewall import Firewall
from sstpca.server.net.group import (
    LISTED,
    MARK,
    MARK_BITS,
    PROFILE_BITS,
    RESOLVER,
    group_of,
    of_profile,
)
from sstpca.server.net.nft import NftError

LOCAL = IPv4Address("10.99.0.1")
CONFIG = Config("vpn", (), (Path("none"),), tuple, 1, "sstp", "sstpca_t", 1400, True)


def lease(access: Access = CLOSED, *resolvers: str) -> Lease:
    asked = tuple(map(IPv4Address, resolvers))
    return Lease(1, IPv4Address("10.99.0.10"), LOCAL, asked, asked, access)


def test_an_ordinary_session_has_the_mark_alone() -> None:
    assert group_of(lease()) == MARK
    assert group_of(lease(CLOSED, "9.9.9.9", "192.0.2.53")) == MARK


@pytest.mark.parametrize("access", Access)
def test_each_permission_is_a_bit_of_its_own(access: Access) -> None:
    group = group_of(lease(access))
    assert group & MARK_BITS == MARK
    assert group - MARK == access.value
    assert not access.value & (MARK_BITS | RESOLVER)


def test_the_access_profile_is_in_the_group() -> None:
    """Between the mark and the permissions, and in the way of neither."""
    for number in (1, 255, 256, PROFILES):
        one = dataclasses.replace(lease(~CLOSED), profile=number, list=1)
        group = group_of(one)
        assert group & MARK_BITS == MARK
        assert group & PROFILE_BITS == of_profile(number) == number << 8
        assert group & 0xFF == (~CLOSED).value | LISTED
        assert group < 1 << 31
    assert not LISTED & ((~CLOSED).value | RESOLVER)


def test_lists_become_few_rules() -> None:
    def to(network: str, protocol: str = "", *ports: int) -> Destination:
        both = (ports[0], ports[-1]) if ports else None
        return Destination(ip_network(network), protocol, both)

    lists = {
        1: (to("10.0.0.0/8"), to("10.1.0.0/16"), to("192.168.7.5", "tcp", 443)),
        300: (to("10.0.0.1", "udp"), to("2001:db8::/32", "", 53), to("0.0.0.0/0", "tcp", 80, 89)),
        301: (to("192.168.7.6", "tcp", 443), to("192.168.7.7", "tcp", 443)),
    }
    assert destinations.chains(lists).splitlines() == [
        "    chain list_1 {",
        "        ip daddr { 10.0.0.0/8 } return",
        "        ip daddr { 192.168.7.5/32 } tcp dport 443 return",
        "        reject with icmpx admin-prohibited",
        "    }",
        "    chain list_300 {",
        "        ip daddr { 10.0.0.1/32 } meta l4proto udp return",
        "        ip6 daddr { 2001:db8::/32 } meta l4proto { tcp, udp } th dport 53 return",
        "        meta nfproto ipv4 tcp dport 80-89 return",
        "        reject with icmpx admin-prohibited",
        "    }",
        "    chain list_301 {",
        "        ip daddr { 192.168.7.6/31 } tcp dport 443 return",
        "        reject with icmpx admin-prohibited",
        "    }",
    ]
    assert destinations.jump(lists).splitlines()[0] == (
        "iifgroup & 0xffff00 vmap "
        "{ 0x100 : goto list_1, 0x12c00 : goto list_300, 0x12d00 : goto list_301 }"
    )
    assert "vmap" not in destinations.jump({})


def test_lists_are_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    lists: dict[int, tuple[Destination, ...]] = {}
    refuses = False

    def nft(script: str, *_options: str) -> str:
        if refuses:
            raise NftError("as if")
        if not script.startswith("list "):
            made.append(script)
        return ""

    monkeypatch.setattr(firewall, "nft", nft)
    monkeypatch.setattr(networks, "nft", nft)
    one = Firewall(dataclasses.replace(CONFIG, destinations=lambda: dict(lists)))
    one.open()
    one.reconcile()
    assert len(made) == 1
    lists[7] = (Destination(IPv4Network("10.0.0.0/8")),)
    refuses = True
    with pytest.raises(NftError):
        one.reconcile()
    refuses = False
    # what was refused is tried again, and what is there is not made anew
    for _ in range(2):
        one.reconcile()
        assert len(made) == 2
    assert "list_7" in made[1]


def test_the_first_login_with_a_list_has_it_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *who: told.append(who))
    monkeypatch.setattr(destinations, "_KNOWN", {})
    changes = [(1, 0), (1, 5), (1, 5), (2, 5), (1, 6), (1, 6), (1, 5)]
    for profile, number in changes:
        destinations.announce(dataclasses.replace(lease(), profile=profile, list=number))
    assert told == [(os.getppid(), signal.SIGIO)] * 4


@pytest.mark.parametrize(
    "resolver", [str(LOCAL), "127.0.0.1", "169.254.169.253", "168.63.129.16", "100.100.100.200"]
)
def test_a_resolver_that_is_closed_otherwise_is_opened(resolver: str) -> None:
    assert group_of(lease(CLOSED, "9.9.9.9", resolver)) == MARK | RESOLVER


def test_a_kernel_without_fib_gets_the_rest(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def nft(script: str, *_options: str) -> str:
        if "fib" in script:
            raise NftError("as if")
        if not script.startswith("list "):
            made.append(script)
        return ""

    monkeypatch.setattr(firewall, "nft", nft)
    monkeypatch.setattr(LOGGER, "propagate", True)
    Firewall(CONFIG).open()
    (rules,) = made
    assert "jump to_client" in rules
    (line,) = caplog.messages
    assert "nft_fib_inet" in line


def test_what_nft_refuses_in_any_case_is_an_error(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nft(_script: str, *_options: str) -> str:
        raise NftError("as if")

    monkeypatch.setattr(firewall, "nft", nft)
    monkeypatch.setattr(LOGGER, "propagate", True)
    with pytest.raises(ServerError, match="as if"):
        Firewall(CONFIG).open()
    with caplog.at_level(logging.WARNING):
        assert caplog.messages == []
