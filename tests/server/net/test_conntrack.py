"""The kernel's entries of an address go, and nobody else's, on old kernels as well."""

import errno
import logging
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from pyroute2.netlink.nfnetlink.nfctsocket import NFCTAttrTuple, NFCTSocket

from sstpca.server.log import LOGGER
from sstpca.server.net import conntrack
from tests.support.netns import Namespace
from tests.support.requirements import require

CLIENT = "10.99.0.10"
OTHER = "10.99.0.11"
HOST = "198.18.1.2"
GATEWAY = "198.18.1.1"

UDP = 17


@pytest.fixture
def entered() -> Iterator[None]:
    require("ip")
    with Namespace("conntrack") as namespace, namespace.entered():
        yield


def add(first: tuple[str, str], answer: tuple[str, str], *, times: int = 1) -> None:
    """Add entries: source and destination of their first packets, and of the answers."""
    with NFCTSocket() as table:
        for port in range(1000, 1000 + times):
            one = NFCTAttrTuple(saddr=first[0], daddr=first[1], proto=UDP, sport=port, dport=53)
            other = NFCTAttrTuple(saddr=answer[0], daddr=answer[1], proto=UDP, sport=53, dport=port)
            table.entry("add", timeout=60, tuple_orig=one, tuple_reply=other)


def sources() -> list[str]:
    """Return the source of each entry's first packets."""
    with NFCTSocket() as table:
        tuples = [entry.get_attr("CTA_TUPLE_ORIG") for entry in table.dump()]
    return sorted(one.get_attr("CTA_TUPLE_IP").get_attr("CTA_IP_V4_SRC") for one in tuples)


@pytest.fixture(params=["this Linux", "Linux 5.8", "Linux 5.7"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the kernel be as an earlier one: it deletes by no filter, and does not list by one."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(LOGGER, "propagate", True)
    if request.param == "Linux 5.8":
        monkeypatch.setattr(conntrack, "_delete", refuse)
    if request.param == "Linux 5.7":
        # an attribute that no kernel knows is passed over
        monkeypatch.setattr(conntrack, "_FILTER", 99)


@pytest.mark.root
@pytest.mark.usefixtures("entered", "kernel")
@pytest.mark.parametrize(
    ("first", "answer"),
    [
        ((CLIENT, HOST), (HOST, CLIENT)),
        ((CLIENT, HOST), (HOST, GATEWAY)),
        ((HOST, CLIENT), (CLIENT, HOST)),
        ((HOST, GATEWAY), (CLIENT, HOST)),
    ],
    ids=["from the client", "with NAT", "to the client", "with NAT to the client"],
)
def test_an_addresses_connections_are_forgotten(
    first: tuple[str, str], answer: tuple[str, str]
) -> None:
    add((OTHER, HOST), (HOST, OTHER))
    add(first, answer, times=3)
    conntrack.forget(IPv4Address(CLIENT))
    assert sources() == [OTHER]


@pytest.mark.root
@pytest.mark.usefixtures("entered", "kernel")
def test_more_than_one_answer_of_the_kernel_tells() -> None:
    add((CLIENT, HOST), (HOST, CLIENT), times=300)
    conntrack.forget(IPv4Address(CLIENT))
    assert sources() == []


@pytest.mark.root
@pytest.mark.usefixtures("entered", "kernel")
def test_nothing_to_forget(caplog: pytest.LogCaptureFixture) -> None:
    add((OTHER, HOST), (HOST, OTHER))
    conntrack.check()
    conntrack.forget(IPv4Address(CLIENT))
    assert sources() == [OTHER]
    assert caplog.messages == []


def test_a_kernel_that_cannot_is_named_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OSError(errno.EPROTONOSUPPORT, "Protocol not supported")

    monkeypatch.setattr(conntrack, "_open", refuse)
    monkeypatch.setattr(LOGGER, "propagate", True)
    conntrack._warn.cache_clear()
    with caplog.at_level(logging.WARNING):
        conntrack.check()
        conntrack.forget(IPv4Address(CLIENT))
    conntrack._warn.cache_clear()
    (line,) = caplog.messages
    assert "nf_conntrack_netlink" in line
    assert "Protocol not supported" in line
