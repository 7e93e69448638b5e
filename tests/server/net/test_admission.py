"""What the log says of what a client has."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Any, cast

from sstpca.server.contracts import Ipv6Lease, Lease
from sstpca.server.effects import Up
from sstpca.server.net.admission import Admission

LEASE = Lease(
    session=1,
    address=IPv4Address("10.99.0.17"),
    local_address=IPv4Address("10.99.0.1"),
    ipv6=Ipv6Lease(IPv6Network("2001:db8:98:7::/64"), IPv6Address("2001:db8:98::1")),
)
BOTH = Up(1400, ipv4=True, ipv6=b"\0\0\0\0\0\0\0\1")


def admission() -> Admission:
    nothing = cast(Any, None)
    return Admission(nothing, nothing)


def test_both_are_named_where_both_are_up() -> None:
    found = admission()
    assert found.news(LEASE, BOTH) == "address 10.99.0.17 and prefix 2001:db8:98:7::/64"
    assert found.news(LEASE, BOTH) == ""


def test_what_comes_later_is_named_then_and_nothing_twice() -> None:
    found = admission()
    assert found.news(LEASE, Up(1400)) == "address 10.99.0.17"
    assert found.news(LEASE, BOTH) == "prefix 2001:db8:98:7::/64"
    assert found.news(LEASE, Up(1400, ipv4=False, ipv6=BOTH.ipv6)) == ""
    assert found.news(LEASE, BOTH) == ""


def test_a_client_with_ipv6_alone() -> None:
    assert admission().news(LEASE, Up(1400, False, BOTH.ipv6)) == "prefix 2001:db8:98:7::/64"
