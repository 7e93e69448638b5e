"""Access profiles in the database."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from sstpca.access.connection_settings import ConnectionSettings, NameRule, SignIn
from sstpca.access.profiles import AccessProfile, parse_pool, parse_route
from sstpca.errors import InvalidInput, SstpcaError
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.store import Store, profiles, users


def profile(name: str = "office", local: str = "10.98.0.1", **fields: Any) -> AccessProfile:
    pools = fields.pop("pools", ["10.98.0.10-10.98.0.20"])
    dns = tuple(map(IPv4Address, fields.pop("dns", [])))
    routes = tuple(map(parse_route, fields.pop("routes", [])))
    return AccessProfile(
        name, IPv4Address(local), tuple(map(parse_pool, pools)), dns, routes, **fields
    )


def test_what_is_added_is_read_back(store: Store) -> None:
    added = profiles.add(
        store,
        profile(
            pools=["10.98.1.1-10.98.1.5", "10.98.0.10"],
            dns=["10.1.0.53", "10.1.0.54"],
            routes=["10.2.0.0/16", "10.1.0.0/16", "10.2.0.0/16"],
            dns_suffix="Corp.Example.",
            full_tunnel=False,
        ),
    )
    assert profiles.get(store, "office") == added
    assert added.pools == (parse_pool("10.98.0.10"), parse_pool("10.98.1.1-10.98.1.5"))
    assert added.routes == (IPv4Network("10.1.0.0/16"), IPv4Network("10.2.0.0/16"))
    assert added.dns_suffix == "corp.example"
    assert [one.name for one in profiles.list_all(store)] == ["default", "office"]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (profile(pools=[]), "1 to 64 pools"),
        (profile(pools=["10.98.0.20-10.98.0.10"]), "ends before it begins"),
        (profile(pools=["10.0.0.1-10.16.0.1"]), "more than 1048576"),
        (profile(pools=["10.98.0.10-10.98.0.20", "10.98.0.20-10.98.0.30"]), "overlap"),
        (profile(pools=["10.98.0.1-10.98.0.20"]), "contains 10.98.0.1, the local address"),
        (profile(pools=["10.99.0.1"]), "contains 10.99.0.1, the local address of the .* 'default'"),
        (profile(pools=["10.99.0.250-10.99.0.251"]), "overlap"),
        (profile(pools=["192.168.1.0-192.168.1.9"]), "network or broadcast"),
        (profile(pools=["192.168.1.9-192.168.2.9"]), "crosses the border of 192.168.1.0/24"),
        (profile(pools=["172.16.255.250-172.16.255.255"]), "network or broadcast"),
        (profile(pools=["127.0.0.1-127.0.0.9"]), "unicast"),
        (profile(local="10.99.0.20"), "contains 10.99.0.20, the local address of the .* 'office'"),
        (profile(local="224.0.0.1"), "unicast"),
        (profile(dns=["127.0.0.53"]), "the client itself"),
        (profile(dns=["0.0.0.0"]), "not the address of one machine"),
        (profile(dns=["10.1.0.1", "10.1.0.2", "10.1.0.3"]), "more than the 2"),
        (profile(routes=["0.0.0.0/0"]), "full tunnel"),
        (profile(routes=["10.0.0.0/8", "0.0.0.0"]), "full tunnel"),
        (profile(dns_suffix="a_b"), "not a host name"),
        (profile("Default"), "'default' already|'Default' already"),
        (profile("a b"), "cannot be the name"),
    ],
)
def test_what_makes_no_sense_changes_nothing(store: Store, bad: AccessProfile, why: str) -> None:
    before = profiles.list_all(store)
    with pytest.raises(InvalidInput, match=why):
        profiles.add(store, bad)
    assert profiles.list_all(store) == before


def test_a_pool_may_cross_the_third_byte_within_a_class(store: Store) -> None:
    # Windows reads 10.x as a /8: .0 and .255 in the middle of it are ordinary addresses
    one = profile(pools=["10.98.0.10-10.98.7.250"])
    assert profiles.add(store, one) == one


def test_change_replaces_fields_and_pools(store: Store) -> None:
    changed = profiles.change(
        store, "default", pools=(parse_pool("10.99.0.100-10.99.0.120"),), dns=()
    )
    assert profiles.get(store, "default") == changed
    assert changed.dns == ()
    assert changed.local_address == IPv4Address("10.99.0.1")
    with pytest.raises(InvalidInput, match="local address"):
        profiles.change(store, "default", local_address=IPv4Address("10.99.0.110"))
    with pytest.raises(SstpcaError, match="no access profile 'x'"):
        profiles.change(store, "x", dns=())
    assert profiles.get(store, "default") == changed


def test_a_profile_in_use_stays(home: Home, store: Store, sealer: Sealer) -> None:
    profiles.add(store, profile())
    for number in range(7):
        users.add(store, sealer, f"user{number}", "correct horse", profile="office")
    with pytest.raises(SstpcaError, match=r"in use: user0, .*user4 and 2 more"):
        profiles.remove(store, "office")
    users.remove(store, [f"user{number}" for number in range(7)])
    profiles.remove(store, "office")
    with pytest.raises(SstpcaError, match="no access profile 'office'"):
        profiles.remove(store, "office")
    # its pools went with it
    assert profiles.add(store, profile("other")).pools == profile().pools


def test_what_clients_are_told_is_kept(store: Store) -> None:
    rule = NameRule("corp.example", (IPv4Address("10.0.0.53"),))
    asked = ConnectionSettings(
        SignIn.EAP_TLS, (rule,), trigger_apps=("Contoso.Mail_8wekyb3d8bbwe",)
    )
    profiles.change(store, "default", full_tunnel=False, client=asked)
    assert profiles.get(store, "default").client == asked
    with pytest.raises(InvalidInput):
        profiles.change(store, "default", client=replace(asked, proxy="proxy:80"))
    assert profiles.get(store, "default").client == asked
