"""The scripts that make a router the server, where an access profile has IPv6: on the model of one."""

import dataclasses
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network

import pytest

from sstpca.access.ipv6 import Ipv6Settings
from sstpca.bundle.administrators.router import Router as Wanted
from sstpca.bundle.administrators.router import complaints
from tests.bundle.router_model import Router, ScriptError
from tests.bundle.samples import user_named
from tests.bundle.test_router import MakeRouter, make_router
from tests.bundle.test_router_runs import PASSWORDS, fresh, installed, left, owned, uploaded

__all__ = ["make_router"]

NAME = "sstpca-vpn-example-com-default"
PREFIX = IPv6Network("2001:db8:98::/48")


def with_ipv6(make_router: MakeRouter, prefix: IPv6Network = PREFIX) -> Wanted:
    """Return the router for a profile with IPv6; bob always gets the same prefix."""
    (profile,) = make_router().profiles
    bob = dataclasses.replace(user_named("bob"), static_prefix=IPv6Network("2001:db8:98:b0b::/64"))
    return make_router(
        profiles=(dataclasses.replace(profile, ipv6=Ipv6Settings(prefix)),),
        users=(user_named("alice"), bob),
        passwords=PASSWORDS,
    )


def guarded() -> Router:
    """Return a router in use with the firewall for IPv6 that RouterOS comes with, in short."""
    router = owned()
    menu = "/ipv6 firewall filter"
    router.add(menu, chain="forward", action="accept", connection_state="established,related")
    router.add(menu, chain="input", action="drop", in_interface_list="!LAN")
    router.add(menu, chain="forward", action="drop", in_interface_list="!LAN")
    return router


@pytest.mark.parametrize("before", [fresh, owned, guarded])
def test_it_comes_once_and_goes(before: Callable[[], Router], make_router: MakeRouter) -> None:
    router, wanted = before(), with_ipv6(make_router)
    was = left(router)
    installed(router, wanted)
    once = left(router)
    assert once != was
    installed(router, wanted)
    router.files.pop("sstpca-vpn-example-com-server.key", None)
    assert left(router) == once
    router.import_("server-undo.rsc", apply=True)
    assert left(router) == was


def test_what_the_profile_and_the_users_have(make_router: MakeRouter) -> None:
    router = guarded()
    installed(router, with_ipv6(make_router))
    assert router.menus["/ipv6 pool"][0] | {".id": ""} == {
        ".id": "",
        "name": NAME,
        "prefix": str(PREFIX),
        "prefix-length": "64",
    }
    (profile,) = [one for one in router.menus["/ppp profile"] if one["name"] == NAME]
    assert (profile["use-ipv6"], profile["remote-ipv6-prefix-pool"]) == ("yes", NAME)
    bob = router.menus["/ppp secret"][-1]
    assert bob["remote-ipv6-prefix"] == "2001:db8:98:b0b::/64"


def test_the_firewall_lets_it_through_before_it_drops(make_router: MakeRouter) -> None:
    router = guarded()
    installed(router, with_ipv6(make_router))
    rules = router.menus["/ipv6 firewall filter"]
    assert [(one["chain"], one["action"]) for one in rules] == [
        ("forward", "accept"),
        ("input", "drop"),
        ("forward", "accept"),
        ("forward", "drop"),
    ]
    ours = rules[2]
    assert (ours["in-interface"], ours["src-address"]) == ("all-ppp", str(PREFIX))
    assert ours["in-interface-list"] == "!WAN"
    router = fresh()  # which drops nothing by IPv6
    installed(router, with_ipv6(make_router))
    assert not router.menus.get("/ipv6 firewall filter")


def test_a_prefix_that_changes_or_goes(make_router: MakeRouter) -> None:
    router = guarded()
    was = left(router)
    installed(router, with_ipv6(make_router))
    other = IPv6Network("fd12:3456:789a::/48")
    installed(router, with_ipv6(make_router, other))
    assert [one["prefix"] for one in router.menus["/ipv6 pool"]] == [str(other)]
    installed(router, make_router(passwords=PASSWORDS))
    (profile,) = [one for one in router.menus["/ppp profile"] if one["name"] == NAME]
    assert profile["remote-ipv6-prefix-pool"] == "none"
    assert len(router.menus["/ipv6 firewall filter"]) == 3
    router.import_("server-undo.rsc", apply=True)
    assert left(router) == was


def test_a_pool_of_the_owner_s_stops_it(make_router: MakeRouter) -> None:
    router = fresh()
    router.add("/ipv6 pool", name=NAME, prefix="2001:db8::/48", prefix_length="56")
    uploaded(router, with_ipv6(make_router))
    was = router.state
    with pytest.raises(ScriptError, match=r"/ipv6 pool.*has not made"):
        router.import_("server.rsc", apply=True)
    assert router.state == was


@pytest.mark.parametrize("off", [True, False])
def test_a_router_with_ipv6_turned_off(make_router: MakeRouter, off: bool) -> None:
    router = fresh()
    router.ipv6["disable-ipv6"] = off
    uploaded(router, with_ipv6(make_router))
    said = router.import_("server.rsc")
    assert any("disable-ipv6=no" in line for line in said) is off


def test_what_a_router_does_otherwise_is_said(make_router: MakeRouter) -> None:
    (profile,) = with_ipv6(make_router).profiles
    assert complaints(make_router(profiles=(profile,))) == []
    ipv6 = Ipv6Settings(PREFIX, dns=(IPv6Address("2001:db8::53"),))
    split = dataclasses.replace(profile, full_tunnel=False, ipv6=ipv6)
    dns, tunnel = complaints(make_router(profiles=(split,)))
    assert "advertise-dns" in dns
    assert "full tunnel" in tunnel
