"""The scripts for routers, run on a model of one: what was there before is there afterwards."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from sstpca.bundle.administrators.router import Router as Wanted
from sstpca.bundle.administrators.router import files
from sstpca.bundle.content.bundle import Secrets
from tests.bundle.router_model import SERVER, Router, ScriptError
from tests.bundle.samples import MakeBundle, files_of, renderer
from tests.bundle.test_router import MakeRouter, make_router
from tests.support.forge import authority, make, server_extensions

__all__ = ["make_router"]

PASSWORDS = {"alice": 'p"a$s\\s?w', "bob": "b [o]b"}
NOTE = "sstpca-vpn-example-com-before.rsc"
SCRIPTS = ("server.rsc", "users.rsc", "server-undo.rsc")


def fresh() -> Router:
    """Return a router as it comes: an empty list WAN, and a rule that drops what comes in."""
    router = Router()
    router.add("/interface list", name="WAN")
    router.add("/ip firewall filter", chain="input", action="accept", protocol="icmp")
    router.add("/ip firewall filter", chain="input", action="drop", comment="the rest")
    return router


def owned() -> Router:
    """Return the router of the usual how-to, in use: certificate, pool, profile, user, files."""
    router = fresh()
    router.add("/interface list member", list="WAN", interface="ether1")
    for name in ("server.crt", "server.key", "ca.crt", "flash"):
        router.files[name] = "the owner's"
    router.add("/certificate", name='my "cert"', fingerprint="00", private_key="yes", trusted="yes")
    router.add("/ip pool", name="sstp-pool", ranges="10.10.10.10-10.10.10.254")
    router.add("/ppp profile", name="my profile", local_address="10.10.10.1", comment="mine")
    router.add("/ppp secret", name="vpnuser", password="x", service="sstp", profile="my profile")
    router.add(
        "/ppp secret",
        name="alice",
        password="hers",
        service="any",
        profile="default",
        limit_bytes_in="1000",
        comment="the boss",
    )
    router.server |= {
        "enabled": "yes",
        "port": "8443",
        "certificate": 'my "cert"',
        "default-profile": "my profile",
        "authentication": "mschap1,mschap2",
        "keepalive-timeout": "30",
        "tls-version": "any",
    }
    return router


def uploaded(router: Router, wanted: Wanted) -> None:
    router.upload({name: content for name, (content, _) in files(renderer(), wanted).items()})


def installed(router: Router, wanted: Wanted) -> None:
    uploaded(router, wanted)
    router.import_("server.rsc", apply=True)
    router.import_("users.rsc", apply=True)


def left(router: Router) -> object:
    """Return the state without the scripts, which the owner deletes."""
    menus, server, found = router.state
    return menus, server, {name: text for name, text in found.items() if name not in SCRIPTS}


Before = Callable[[], Router]


@pytest.mark.parametrize("before", [fresh, owned])
def test_undo_brings_back_all_that_was_there(before: Before, make_router: MakeRouter) -> None:
    router = before()
    was = left(router)
    installed(router, make_router(passwords=PASSWORDS))
    assert left(router) != was
    router.import_("server-undo.rsc", apply=True)
    assert left(router) == was


@pytest.mark.parametrize("before", [fresh, owned])
def test_twice_is_as_once(before: Before, make_router: MakeRouter) -> None:
    router, wanted = before(), make_router(passwords=PASSWORDS)
    was = left(router)
    installed(router, wanted)
    once = left(router)
    installed(router, wanted)
    router.files.pop("sstpca-vpn-example-com-server.key", None)  # is there already: it goes again
    assert left(router) == once
    router.import_("server-undo.rsc", apply=True)
    assert left(router) == was
    router.import_("server-undo.rsc", apply=True)
    assert left(router) == was


@pytest.mark.parametrize("before", [fresh, owned])
def test_without_being_told_nothing_is_changed(before: Before, make_router: MakeRouter) -> None:
    router = before()
    uploaded(router, make_router(passwords=PASSWORDS))
    was = router.state
    said = router.import_("server.rsc")
    assert router.state == was
    assert any("enabled=" in line and "port=" in line for line in said)
    assert "sstpcaApply" in said[-1]
    assert "server.rsc" in said[-1]
    router.import_("server-undo.rsc")
    assert router.state == was
    router.import_("server.rsc", apply=True)
    assert router.state != was
    was = router.state  # and it does not stay told
    for name in SCRIPTS:
        assert "sstpcaApply" in router.import_(name)[-1]
        assert router.state == was


@pytest.mark.parametrize("before", [fresh, owned])
def test_undo_of_nothing_does_nothing(before: Before, make_router: MakeRouter) -> None:
    router = before()
    was = left(router)
    uploaded(router, make_router(passwords=PASSWORDS))
    router.import_("server-undo.rsc", apply=True)
    assert left(router) == was


def test_what_a_new_server_is_like(make_router: MakeRouter) -> None:
    router, wanted = fresh(), make_router(passwords=PASSWORDS)
    installed(router, wanted)
    server = router.server
    assert (server["enabled"], server["port"]) == ("yes", "443")
    assert (server["authentication"], server["pfs"]) == ("mschap2", "yes")
    (leaf,) = [one for one in router.menus["/certificate"] if one["private-key"] == "yes"]
    assert server["certificate"] == leaf["name"]
    assert leaf["name"].startswith("sstpca-vpn-example-com-server-")
    alice, bob = router.menus["/ppp secret"]
    assert (alice["name"], alice["password"]) == ("alice", PASSWORDS["alice"])
    assert alice["profile"] == bob["profile"] == server["default-profile"]
    assert bob["remote-address"] == "10.99.0.20"
    _, rule, drop = router.menus["/ip firewall filter"]
    assert drop["action"] == "drop"
    assert rule["dst-port"] == "443"
    assert "in-interface-list" not in rule  # nothing is in that list: it would match nothing
    assert "sstpca-vpn-example-com-server.key" not in router.files


def test_the_rule_is_for_the_list_wan_where_something_is_in_it(make_router: MakeRouter) -> None:
    router = owned()
    installed(router, make_router(passwords=PASSWORDS))
    (rule,) = [one for one in router.menus["/ip firewall filter"] if "dst-port" in one]
    assert rule["in-interface-list"] == "WAN"


def test_users_who_were_there_stay_and_are_named(make_router: MakeRouter) -> None:
    router = owned()
    was = [dict(one) for one in router.menus["/ppp secret"]]
    uploaded(router, make_router(passwords=PASSWORDS))
    router.import_("server.rsc", apply=True)
    said = router.import_("users.rsc", apply=True)
    assert any("alice" in line and "stays" in line for line in said)
    assert router.menus["/ppp secret"][:2] == was
    assert router.names("/ppp secret") == ["vpnuser", "alice", "bob"]


def test_the_owner_s_user_needs_no_password_from_us(make_router: MakeRouter) -> None:
    router = owned()
    uploaded(router, make_router())
    router.import_("server.rsc", apply=True)
    with pytest.raises(ScriptError, match="bob"):
        router.import_("users.rsc")


def test_a_changed_password_is_brought_up_to_date(make_router: MakeRouter) -> None:
    router = fresh()
    installed(router, make_router(passwords=PASSWORDS))
    router.menus["/ppp secret"][0]["limit-bytes-in"] = "5"
    installed(router, make_router(passwords={**PASSWORDS, "alice": "new"}))
    alice, _ = router.menus["/ppp secret"]
    assert (alice["password"], alice["limit-bytes-in"]) == ("new", "5")


def test_no_files_of_the_owner_are_overwritten(make_router: MakeRouter) -> None:
    names = set(files(renderer(), make_router()))
    assert {name for name in names if not name.startswith("sstpca-vpn-example-com-")} == set(
        SCRIPTS
    )


def test_the_note_is_where_it_outlives_a_restart(make_router: MakeRouter) -> None:
    router = owned()  # its "flash" is a folder; the rest of its files are in memory
    installed(router, make_router(passwords=PASSWORDS))
    assert f"flash/{NOTE}" in router.files
    assert "port=8443" in router.files[f"flash/{NOTE}"]


@pytest.mark.parametrize("name", ["server.crt", "server.key", "ca.crt"])
def test_a_missing_file_stops_it_before_anything_is_done(
    make_router: MakeRouter, name: str
) -> None:
    router = owned()
    uploaded(router, make_router(passwords=PASSWORDS))
    file = f"sstpca-vpn-example-com-{name}"
    del router.files[file]
    was = router.state
    with pytest.raises(ScriptError, match=file):
        router.import_("server.rsc", apply=True)
    assert router.state == was


def test_a_name_that_the_owner_has_stops_it(make_router: MakeRouter) -> None:
    for menu in ("/ip pool", "/ppp profile"):
        router = fresh()
        router.add(menu, name="sstpca-vpn-example-com-default")
        uploaded(router, make_router(passwords=PASSWORDS))
        was = router.state
        with pytest.raises(ScriptError, match="has not made"):
            router.import_("server.rsc", apply=True)
        assert router.state == was


def test_the_web_pages_of_the_router_have_the_port(make_router: MakeRouter) -> None:
    router = fresh()
    router.menus["/ip service"][1]["disabled"] = "no"
    uploaded(router, make_router(passwords=PASSWORDS))
    with pytest.raises(ScriptError, match="port 443"):
        router.import_("server.rsc")


def test_undo_leaves_a_server_that_is_the_owner_s_again(make_router: MakeRouter) -> None:
    router = owned()
    before = dict(router.server)
    installed(router, make_router(passwords=PASSWORDS))
    router.server |= {**before, "port": "9443"}
    router.import_("server-undo.rsc", apply=True)
    assert router.server == {**before, "port": "9443"}
    assert not [name for name in router.files if name.endswith(NOTE)]


def test_undo_stops_where_it_would_do_harm(make_router: MakeRouter) -> None:
    router = owned()
    installed(router, make_router(passwords=PASSWORDS))
    router.add("/ppp secret", name="zoe", profile="sstpca-vpn-example-com-default")
    was = router.state
    with pytest.raises(ScriptError, match="sstpca-vpn-example-com-default"):
        router.import_("server-undo.rsc", apply=True)
    assert router.state == was
    router.menus["/ppp secret"].pop()
    note = router.files.pop(f"flash/{NOTE}")
    with pytest.raises(ScriptError, match="missing"):
        router.import_("server-undo.rsc", apply=True)
    router.files[f"flash/{NOTE}"] = note
    router.import_("server-undo.rsc", apply=True)
    assert router.server == owned().server


def test_a_renewed_certificate_comes_beside_and_both_go(make_router: MakeRouter) -> None:
    router = owned()
    was = left(router)
    installed(router, make_router(passwords=PASSWORDS))
    first = router.server["certificate"]
    wanted = make_router(passwords=PASSWORDS)
    # any other certificate will do; it is not looked at here
    renewed = dataclasses.replace(wanted.pair, certificates=(_other(wanted),))
    installed(router, dataclasses.replace(wanted, pair=renewed))
    assert router.server["certificate"] != first
    assert first in router.names("/certificate")
    router.import_("server-undo.rsc", apply=True)
    assert left(router) == was


def _other(wanted: Wanted) -> x509.Certificate:
    key = wanted.pair.key
    return make("vpn.example.com", key.public_key(), None, server_extensions(), signer=key)


def test_intermediates_are_imported_and_removed(make_router: MakeRouter) -> None:
    """Those of a public authority, whose root is not ours."""
    router, wanted = fresh(), make_router(passwords=PASSWORDS, authority=None)
    key = wanted.pair.key
    between = authority("between", key, authority("root", key))
    chain = (wanted.pair.leaf, between.certificate)
    wanted = dataclasses.replace(wanted, pair=dataclasses.replace(wanted.pair, certificates=chain))
    was = left(router)
    installed(router, wanted)
    assert len(router.menus["/certificate"]) == 2
    router.import_("server-undo.rsc", apply=True)
    assert left(router) == was


def test_a_profile_without_dns(make_router: MakeRouter) -> None:
    plain = make_router()
    profile = dataclasses.replace(plain.profiles[0], dns=())
    router = fresh()
    installed(router, make_router(profiles=(profile,), passwords=PASSWORDS))
    (made,) = [one for one in router.menus["/ppp profile"] if "comment" in one]
    assert "dns-server" not in made


def test_a_client_comes_and_goes(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(secrets=Secrets(password="secret"))
    found = {
        Path(name).name: content
        for name, content in files_of(bundle, "routeros").items()
        if name.startswith("routeros/")
    }
    router = owned()
    router.add("/ip route", dst_address="10.0.0.0/8", gateway="ether1")
    was = left(router)
    router.upload(found)
    router.import_("client.rsc")
    once = left(router)
    router.import_("client.rsc")
    assert left(router) == once
    (client,) = router.menus["/interface sstp-client"]
    assert (client["password"], client["disabled"]) == ("secret", "no")
    # RouterOS alone would offer aes256-sha
    assert client["ciphers"].split(",")[0] == "aes256-gcm-sha384"
    assert client["pfs"] == "yes"
    router.import_("client-undo.rsc")
    for name in ("client.rsc", "client-undo.rsc"):
        del router.files[name]
    assert left(router) == was


@pytest.mark.parametrize("lacks", [{"ciphers"}, {"add-sni"}, {"ciphers", "add-sni"}])
def test_a_client_of_an_older_version(make_bundle: MakeBundle, lacks: set[str]) -> None:
    """What it does not know is left out, and said; the rest is set up."""
    router = owned()
    router.lacks = frozenset(lacks)
    files = files_of(make_bundle(secrets=Secrets(password="secret")), "routeros")
    for name, content in files.items():
        router.files[name.removeprefix("routeros/")] = content.decode()
    said = router.import_("client.rsc")
    (client,) = router.menus["/interface sstp-client"]
    assert (client["password"], client["pfs"], client["disabled"]) == ("secret", "yes", "no")
    assert {"ciphers", "add-sni"} - {*client} == lacks
    for name, words in (("ciphers", "no setting for ciphers"), ("add-sni", "no setting add-sni")):
        assert any(words in line for line in said) is (name in lacks)


def test_a_client_of_that_name_that_is_the_owner_s(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(secrets=Secrets(password="secret"))
    router = owned()
    router.add("/interface sstp-client", name="VPN-vpn-example-com", user="other")
    for name, content in files_of(bundle, "routeros").items():
        router.files[name.removeprefix("routeros/")] = content.decode()
    was = router.state
    with pytest.raises(ScriptError, match="has not made"):
        router.import_("client.rsc")
    assert router.state == was
    router.import_("client-undo.rsc")
    assert router.names("/interface sstp-client") == ["VPN-vpn-example-com"]


def test_the_model_refuses_what_a_router_would() -> None:
    router = fresh()
    router.files["x"] = f"{SERVER}\nset certificate=nobody\n"
    with pytest.raises(ScriptError):
        router.import_("x")
    router.files["x"] = "/ppp profile set [find where name=default] use-encryption=required\n"
    with pytest.raises(AssertionError):
        router.import_("x")
    router.files["x"] = ":put $undeclared\n"
    with pytest.raises(AssertionError):
        router.import_("x")
