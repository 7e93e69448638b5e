"""What the client sets up on its machine."""

from ipaddress import IPv4Address

import pytest

from sstpca.client.link import Connected
from sstpca.client.network import ClientInterface
from tests.support.netns import Namespace
from tests.support.requirements import require

pytestmark = pytest.mark.root

ADDRESS = IPv4Address("10.97.0.10")


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        # SoftEther VPN says it, and it is a DNS server of somebody else's
        ("1.0.0.1", []),
        ("10.97.0.1", ["10.97.0.1"]),
        (None, []),
    ],
)
def test_the_way_to_the_other_end(server: str | None, expected: list[str]) -> None:
    require("ip", tun=True)
    given = Connected(ADDRESS, IPv4Address(server) if server else None, (), 1400)
    with Namespace("client") as space, space.entered(), ClientInterface("vpn%d") as interface:
        interface.give(given)
        routes = space.ip("route", "show", "dev", interface.name).splitlines()
        shown = space.ip("-o", "-4", "addr", "show", "dev", interface.name)
    assert f"inet {ADDRESS}" in shown
    assert [line.split()[0] for line in routes] == expected
