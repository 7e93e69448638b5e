"""The scripts that make a RouterOS router the server."""

import dataclasses
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sstpca.access.connection_settings import ConnectionSettings, SignIn
from sstpca.access.profiles import AccessProfile
from sstpca.bundle.administrators.router import Router, complaints, files
from sstpca.errors import SstpcaError
from sstpca.home import SERVER
from sstpca.store.users import User
from sstpca.x509.pair import Pair
from tests.bundle.rsc import Statement, Text, check_known, commands, parse, texts, walk
from tests.bundle.samples import renderer, user_named
from tests.support.forge import authority, make, server_extensions

MakeRouter = Callable[..., Router]

PRINTABLE = st.characters(exclude_categories=("Cc", "Cs"))
NASTY = st.sampled_from([*'"$\\?#;[]{}()=~', "\u00fc", "\u201c", " "])


@pytest.fixture(scope="session")
def make_router() -> MakeRouter:
    """Return a router for alice and bob, with other values where some are given."""
    root = authority("VPN authority", ec.generate_private_key(ec.SECP256R1()))
    key = rsa.generate_private_key(65537, 2048)
    leaf = make("vpn.example.com", key.public_key(), root, server_extensions())
    profile = AccessProfile(
        "default",
        IPv4Address("10.99.0.1"),
        (
            (IPv4Address("10.99.0.10"), IPv4Address("10.99.0.99")),
            (IPv4Address("10.99.1.10"), IPv4Address("10.99.1.99")),
        ),
        dns=(IPv4Address("9.9.9.9"), IPv4Address("1.1.1.1")),
    )
    bob = dataclasses.replace(user_named("bob"), static_address=IPv4Address("10.99.0.20"))
    plain = Router(
        host="vpn.example.com",
        port=443,
        pair=Pair("server", SERVER, (leaf,), key),
        authority=root.certificate,
        profiles=(profile,),
        users=(user_named("alice"), bob),
    )

    def changed(**changes: Any) -> Router:
        return dataclasses.replace(plain, **changes)

    return changed


def script(router: Router, name: str) -> list[Statement]:
    return parse(files(renderer(), router)[name][0].decode())


def test_the_files_and_their_modes(make_router: MakeRouter) -> None:
    found = files(renderer(), make_router())
    assert {name: mode for name, (_, mode) in found.items()} == {
        "sstpca-vpn-example-com-server.crt": 0o644,
        "sstpca-vpn-example-com-server.key": 0o600,
        "sstpca-vpn-example-com-ca.crt": 0o644,
        "server.rsc": 0o644,
        "users.rsc": 0o600,
        "server-undo.rsc": 0o644,
    }
    assert "sstpca-vpn-example-com-ca.crt" not in files(renderer(), make_router(authority=None))


def test_the_server_is_set_up_as_windows_wants_it(make_router: MakeRouter) -> None:
    found = script(make_router(port=8443), "server.rsc")
    check_known(found)
    (server,) = commands(found, "/interface sstp-server server set")
    values = server.parameters
    certificate = values.pop("certificate")
    assert values == {
        "enabled": "yes",
        "port": "8443",
        "authentication": "mschap2",
        "default-profile": Text("sstpca-vpn-example-com-default"),
        "tls-version": "only-1.2",
        "pfs": "yes",
        "verify-client-certificate": "no",
    }
    assert certificate != "none"
    (profile,) = commands(found, "/ppp profile set")
    assert profile.parameters == {
        "local-address": "10.99.0.1",
        "remote-address": Text("sstpca-vpn-example-com-default"),
        "dns-server": Text("9.9.9.9,1.1.1.1"),
        "remote-ipv6-prefix-pool": "none",
    }
    pools = commands(found, "/ip pool add") + commands(found, "/ip pool set")
    ranges = "10.99.0.10-10.99.0.99,10.99.1.10-10.99.1.99"
    assert [pool.parameters["ranges"] for pool in pools] == [ranges, ranges]


def test_the_firewall_lets_it_in_before_it_drops(make_router: MakeRouter) -> None:
    found = script(make_router(port=8443), "server.rsc")
    before, at_the_end = commands(found, "/ip firewall filter add")
    for rule in (before, at_the_end):
        assert rule.parameters["dst-port"] == "8443"
        assert (rule.parameters["chain"], rule.parameters["action"]) == ("input", "accept")
    assert "place-before" in before.parameters
    assert "place-before" not in at_the_end.parameters


def test_key_and_authority_are_known_by_their_fingerprints(make_router: MakeRouter) -> None:
    router = make_router()
    assert router.authority is not None
    leaf = x509.load_pem_x509_certificate(
        files(renderer(), router)["sstpca-vpn-example-com-server.crt"][0]
    )
    assert leaf == router.pair.leaf
    found = texts(script(router, "server.rsc"))
    for certificate in (router.pair.leaf, router.authority):
        digits = certificate.fingerprint(certificate.signature_hash_algorithm).hex()  # type: ignore[arg-type]
        assert digits in found
    removed = commands(script(router, "server.rsc"), "/file remove")
    name = "sstpca-vpn-example-com-server.key"
    assert {name, f"flash/{name}"} == texts(removed)


def test_users_have_their_passwords_profiles_and_addresses(make_router: MakeRouter) -> None:
    passwords = {"alice": 'p"a$s\\s?w', "bob": "b [o]b"}
    found = script(make_router(passwords=passwords), "users.rsc")
    check_known(found)
    alice, bob = (one.parameters for one in commands(found, "/ppp secret add"))
    assert (alice["name"], bob["name"]) == (Text("alice"), Text("bob"))
    assert (alice["password"], bob["password"]) == ("$sstpcaPassword1", "$sstpcaPassword2")
    assert {one["profile"] for one in (alice, bob)} == {Text("sstpca-vpn-example-com-default")}
    assert {one["service"] for one in (alice, bob)} == {"sstp"}
    assert bob["remote-address"] == "10.99.0.20"
    assert "remote-address" not in alice
    assert set(passwords.values()) <= texts(found)
    for name in ("server.rsc", "server-undo.rsc"):
        assert not set(passwords.values()) & texts(script(make_router(passwords=passwords), name))


def test_without_passwords_the_users_are_asked_for(make_router: MakeRouter) -> None:
    found = script(make_router(), "users.rsc")
    locals_ = [one.tokens for one in walk(found) if one.tokens[0] == ":local"]
    assert [one for one in locals_ if "Password" in str(one[1])] == [
        [":local", "sstpcaPassword1", Text("")],
        [":local", "sstpcaPassword2", Text("")],
    ]
    errors = [one for one in walk(found) if one.tokens[0] == ":error" and "assword" in str(one)]
    assert [str(one.tokens[1]).split(": ")[-1][:3] for one in errors] == ["ali", "bob"]


@given(st.text(PRINTABLE, min_size=1, max_size=30) | st.text(NASTY, min_size=1, max_size=30))
@example('"; /system reset-configuration; #')
@settings(deadline=None)
def test_hostile_names_stay_names(make_router: MakeRouter, name: str) -> None:
    hostile = make_router(users=(user_named(name),), passwords={name: name})
    plain = make_router(users=(user_named("a"),), passwords={"a": "a"})
    found, model = script(hostile, "users.rsc"), script(plain, "users.rsc")
    assert [one.path for one in walk(found)] == [one.path for one in walk(model)]
    (secret,) = commands(found, "/ppp secret add")
    assert secret.parameters["name"] == Text(name)
    assert name in texts(found)


def test_what_a_router_cannot_do_is_said(make_router: MakeRouter) -> None:
    router = make_router()
    assert complaints(router) == []
    key = ec.generate_private_key(ec.SECP256R1())
    pair = dataclasses.replace(router.pair, key=key)
    profile = dataclasses.replace(
        router.profiles[0], client=ConnectionSettings(sign_in=SignIn.EAP_TLS)
    )
    eap, elliptic = complaints(make_router(pair=pair, profiles=(profile,)))
    assert "eap-tls" in eap
    assert "RSA" in elliptic


@pytest.mark.parametrize("full", [False, True])
def test_routes_that_only_our_own_server_tells_are_said(
    make_router: MakeRouter, full: bool
) -> None:
    client = ConnectionSettings(routes_at_login=True)
    profile = dataclasses.replace(make_router().profiles[0], client=client, full_tunnel=full)
    found = complaints(make_router(profiles=(profile,)))
    assert [("--routes-at-login" in one) for one in found] == [True] * (not full)


def test_nobody_is_an_error(make_router: MakeRouter) -> None:
    nobody: tuple[User, ...] = ()
    with pytest.raises(SstpcaError, match="no users"):
        files(renderer(), make_router(users=nobody))
