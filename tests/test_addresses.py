"""What addresses are for."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.addresses import Kind, kind_of


@pytest.mark.parametrize(
    ("network", "kind"),
    [
        ("0.0.0.0/8", Kind.UNSPECIFIED),
        ("1.0.0.0/8", Kind.UNICAST),
        ("10.0.0.0/8", Kind.UNICAST),
        ("100.64.0.0/10", Kind.UNICAST),
        ("127.0.0.0/8", Kind.LOOPBACK),
        ("169.254.0.0/16", Kind.LINK_LOCAL),
        ("192.0.2.0/24", Kind.UNICAST),
        ("223.0.0.0/8", Kind.UNICAST),
        ("224.0.0.0/4", Kind.MULTICAST),
        ("240.0.0.0/4", Kind.RESERVED),
        ("::/128", Kind.UNSPECIFIED),
        ("::1/128", Kind.LOOPBACK),
        ("::2/127", Kind.RESERVED),
        ("::ffff:0.0.0.0/104", Kind.MAPPED),
        ("::ffff:192.0.2.0/120", Kind.MAPPED),
        ("::ffff:224.0.0.0/100", Kind.MAPPED),
        ("::ffff:0:0:0/96", Kind.RESERVED),
        ("64:ff9b::/96", Kind.UNICAST),
        ("100::/64", Kind.RESERVED),
        ("2001:db8::/32", Kind.UNICAST),
        ("3fff::/16", Kind.UNICAST),
        ("4000::/16", Kind.RESERVED),
        ("fc00::/7", Kind.UNICAST),
        ("fe80::/10", Kind.LINK_LOCAL),
        ("fec0::/10", Kind.RESERVED),
        ("ff00::/8", Kind.MULTICAST),
    ],
)
def test_the_first_and_the_last_address_of_a_network(network: str, kind: Kind) -> None:
    ends = ip_network(network)
    assert {kind_of(ends[0]), kind_of(ends[-1])} == {kind}


@given(st.ip_addresses())
def test_each_address_has_one_kind(address: IPv4Address | IPv6Address) -> None:
    assert kind_of(address) in Kind


def test_a_zone_does_not_matter() -> None:
    assert kind_of(ip_address("fe80::1%eth0")) is Kind.LINK_LOCAL
