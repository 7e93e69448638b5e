"""Where the users of an access profile may go, as it is typed."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.access.destinations import (
    DESTINATIONS_MAX,
    Destination,
    check_destinations,
    parse_destination,
)
from sstpca.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "network", "protocol", "ports"),
    [
        ("10.0.0.0/8", "10.0.0.0/8", "", None),
        ("192.168.7.5", "192.168.7.5/32", "", None),
        ("192.168.7.5:443/tcp", "192.168.7.5/32", "tcp", (443, 443)),
        ("192.168.7.5/TCP", "192.168.7.5/32", "tcp", None),
        ("10.1.0.0/16:8000-8099", "10.1.0.0/16", "", (8000, 8099)),
        ("10.1.0.0/16:1-65535/udp", "10.1.0.0/16", "udp", (1, 65535)),
        ("0.0.0.0/0:443/tcp", "0.0.0.0/0", "tcp", (443, 443)),
        ("2001:db8::5", "2001:db8::5/128", "", None),
        ("2001:db8::/32/udp", "2001:db8::/32", "udp", None),
        ("[2001:db8::5]:53", "2001:db8::5/128", "", (53, 53)),
        ("[2001:db8::/32]:443-444/tcp", "2001:db8::/32", "tcp", (443, 444)),
        ("[::/0]:443/tcp", "::/0", "tcp", (443, 443)),
        (" 10.0.0.0/8 ", "10.0.0.0/8", "", None),
    ],
)
def test_what_can_be_typed(
    text: str, network: str, protocol: str, ports: tuple[int, int] | None
) -> None:
    assert parse_destination(text) == Destination(ip_network(network), protocol, ports)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a destination"),
        ("intranet", "not a destination"),
        ("intranet:443", "not a destination"),
        ("10.0.0.0/33", "not a destination"),
        ("10.0.0.1/8", "bits set beyond"),
        ("10.0.0.1/icmp", "not a destination"),
        ("2001:db8::/32:443", "not a destination"),
        ("[2001:db8::5", "not a destination"),
        ("[2001:db8::5]53", "not a destination"),
        ("[]:53", "not a destination"),
        ("10.0.0.1:", "neither a port"),
        ("10.0.0.1:0", "neither a port"),
        ("10.0.0.1:65536", "neither a port"),
        ("10.0.0.1:9-8", "neither a port"),
        ("10.0.0.1:80,443", "neither a port"),
        ("10.0.0.1:https", "neither a port"),
        ("10.0.0.1:٣", "neither a port"),
        ("10.0.0.1:443/tcp/udp", "neither a port"),
        ("[2001:db8::5]:-5", "neither a port"),
        ("127.0.0.1", "nowhere behind the server"),
        ("[::1]:53", "nowhere behind the server"),
        ("224.0.0.0/4", "nowhere behind the server"),
        ("255.255.255.255", "nowhere behind the server"),
        ("ff02::1", "nowhere behind the server"),
    ],
)
def test_what_cannot(text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as raised:
        parse_destination(text)
    assert "\n" not in str(raised.value)
    assert raised.value.hint


@given(
    network=st.sampled_from(("10.0.0.0/8", "10.1.2.3/32", "2001:db8::/32", "2001:db8::5/128")),
    protocol=st.sampled_from(("", "tcp", "udp")),
    ports=st.none()
    | st.tuples(st.integers(1, 65535), st.integers(1, 65535)).map(sorted).map(tuple),
)
def test_as_it_is_shown_it_can_be_typed(
    network: str, protocol: str, ports: tuple[int, int] | None
) -> None:
    one = Destination(ip_network(network), protocol, ports)
    assert parse_destination(str(one)) == one


@given(text=st.text(alphabet="0123456789abf.:/[]-tcpud ", max_size=30))
def test_any_text_is_a_destination_or_refused(text: str) -> None:
    try:
        one = parse_destination(text)
    except InvalidInput:
        return
    assert parse_destination(str(one)) == one


def test_each_once_and_not_too_many() -> None:
    one = Destination(ip_network("10.0.0.0/8"))
    assert check_destinations([one, one]) == (one,)
    many = [
        Destination(ip_network(f"10.0.{number // 256}.{number % 256}")) for number in range(300)
    ]
    assert len(check_destinations(many[:DESTINATIONS_MAX])) == DESTINATIONS_MAX
    with pytest.raises(InvalidInput, match="300 destinations are more than 256"):
        check_destinations(many)
