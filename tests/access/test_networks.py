"""The networks behind a client, as they are typed."""

from ipaddress import ip_network

import pytest

from sstpca.access.networks import NETWORKS_MAX, check_networks, overlap, parse_network
from sstpca.errors import InvalidInput


@pytest.mark.parametrize("text", ["192.168.50.0/24", "10.0.0.0/8", "192.168.50.7", "2001:db8::/32"])
def test_what_can_be_behind_a_client(text: str) -> None:
    assert parse_network(f" {text} ") == ip_network(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a network"),
        ("office", "not a network"),
        ("192.168.50.7/24", "bits set beyond its length"),
        ("192.168.50.0/24:80", "not a network"),
        ("0.0.0.0/0", "is a default route"),
        ("::/0", "is a default route"),
        ("0.0.0.0/1", "too much of the internet"),
        ("128.0.0.0/1", "too much of the internet"),
        ("2000::/3", "too much of the internet"),
        ("127.0.0.0/8", "not unicast"),
        ("224.0.0.0/8", "not unicast"),
        ("169.254.0.0/16", "not unicast"),
        ("fe80::/64", "not unicast"),
        ("ff00::/16", "not unicast"),
    ],
)
def test_what_cannot(text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as raised:
        parse_network(text)
    assert raised.value.hint


def test_several() -> None:
    texts = ("2001:db8::/48", "192.168.51.0/24", "192.168.50.0/24", "192.168.51.0/24")
    found = check_networks(map(ip_network, texts))
    assert list(map(str, found)) == ["192.168.50.0/24", "192.168.51.0/24", "2001:db8::/48"]
    with pytest.raises(InvalidInput, match="overlap"):
        check_networks(map(ip_network, ("192.168.0.0/16", "192.168.50.0/24")))
    many = [ip_network(f"10.{number}.0.0/16") for number in range(NETWORKS_MAX + 1)]
    with pytest.raises(InvalidInput, match="more than 64"):
        check_networks(many)


def test_families_do_not_overlap() -> None:
    four, six = ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")
    assert overlap(four, ip_network("10.1.0.0/16"))
    assert overlap(ip_network("2001:db8:1::/48"), six)
    assert not overlap(four, six)
    assert not overlap(six, four)
