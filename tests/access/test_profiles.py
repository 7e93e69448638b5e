"""Access profiles, each for itself."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.access.profiles import (
    AccessProfile,
    check_disjoint,
    checked,
    parse_pool,
    parse_route,
)
from sstpca.errors import InvalidInput


def test_a_pool_of_the_largest_size_is_taken() -> None:
    one = AccessProfile("office", IPv4Address("10.98.0.1"), (parse_pool("10.0.0.1-10.16.0.0"),))
    assert checked(one) == one


@pytest.mark.parametrize("text", ["", "-", "10.0.0.1-", "10.0.0.1-10", "a-b", "10.0.0.0/24"])
def test_what_is_no_pool(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_pool(text)


def test_a_route_with_bits_beyond_its_length_says_what_is_meant() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_route("10.1.2.3/8")
    assert caught.value.hint == "for example: 10.0.0.0/8"
    with pytest.raises(InvalidInput, match="not an IPv4 prefix"):
        parse_route("fd00::/8")


addresses = st.integers(int(IPv4Address("10.0.0.1")), int(IPv4Address("10.0.0.60")))


@given(st.lists(st.tuples(addresses, addresses), min_size=1, max_size=5), addresses)
def test_no_address_can_ever_be_given_twice(pools: list[tuple[int, int]], local: int) -> None:
    """Whatever is accepted: the pools are disjoint, and the local address is in none of them."""
    ranges = [(IPv4Address(first), IPv4Address(last)) for first, last in pools]
    one = AccessProfile("p", IPv4Address(local), tuple(ranges))
    members = [a for first, last in pools for a in range(first, last + 1)]
    fine = (
        all(first <= last for first, last in pools)
        and len(members) == len(set(members))
        and local not in members
    )
    try:
        check_disjoint([checked(one)])
    except InvalidInput:
        assert not fine
    else:
        assert fine
