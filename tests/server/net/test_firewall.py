"""The rules where the kernel has less, and the group that a session's interface gets."""

import logging
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from sstpca.server.config import Config
from sstpca.server.contracts import CLOSED, Access, Lease
from sstpca.server.errors import ServerError
from sstpca.server.log import LOGGER
from sstpca.server.net import firewall
from sstpca.server.net.firewall import Firewall
from sstpca.server.net.group import MARK, MARK_BITS, RESOLVER, group_of
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


@pytest.mark.parametrize(
    "resolver", [str(LOCAL), "127.0.0.1", "169.254.169.253", "168.63.129.16", "100.100.100.200"]
)
def test_a_resolver_that_is_closed_otherwise_is_opened(resolver: str) -> None:
    assert group_of(lease(CLOSED, "9.9.9.9", resolver)) == MARK | RESOLVER


def test_a_kernel_without_fib_gets_the_rest(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def nft(script: str) -> str:
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
    def nft(_script: str) -> str:
        raise NftError("as if")

    monkeypatch.setattr(firewall, "nft", nft)
    monkeypatch.setattr(LOGGER, "propagate", True)
    with pytest.raises(ServerError, match="as if"):
        Firewall(CONFIG).open()
    with caplog.at_level(logging.WARNING):
        assert caplog.messages == []
