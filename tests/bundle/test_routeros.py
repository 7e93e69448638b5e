"""The scripts for RouterOS routers: every literal comes back, and every parameter is known."""

import dataclasses
from ipaddress import IPv4Address

import pytest
from cryptography import x509
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sstpca.access.connection_settings import ConnectionSettings, SignIn
from sstpca.bundle.content.bundle import Bundle, Secrets
from sstpca.bundle.content.quoting import routeros
from sstpca.bundle.platforms import systems
from sstpca.errors import SstpcaError
from tests.bundle.rsc import (
    Group,
    Statement,
    Text,
    Token,
    check_known,
    commands,
    parse,
    read_string,
    texts,
    walk,
)
from tests.bundle.samples import MakeBundle, files_of

PRINTABLE = st.characters(exclude_categories=("Cc", "Cs"))
NASTY = st.sampled_from([*'"$\\?#;[]{}()=~', "\u00fc", "\u201c", " "])


def script(bundle: Bundle, name: str = "client.rsc") -> list[Statement]:
    return parse(files_of(bundle, "routeros")[f"routeros/{name}"].decode())


def later(statements: list[Statement]) -> dict[str, Token]:
    """Return what is set by commands that the router reads only when it comes to them."""
    source = [text for text in texts(statements) if text.startswith("/interface")]
    read = check_known([one for text in source for one in parse(text)])
    return {name: value for one in read for name, value in one.parameters.items()}


@given(st.text(PRINTABLE) | st.text(NASTY))
@example('"; /system reset-configuration; "')
@example("$(password) \\ \\\\FF ?")
def test_a_string_comes_back_as_it_was(value: str) -> None:
    source = routeros(value)
    assert source.isascii()
    assert read_string(source, 0) == (value, len(source))


def test_the_client_verifies_the_server(make_bundle: MakeBundle) -> None:
    found = script(make_bundle(port=8443))
    check_known(found)
    (connection,) = (
        one for one in commands(found, "/interface sstp-client set") if "port" in one.parameters
    )
    assert {name: value for name, value in connection.parameters.items() if name != "comment"} == {
        "connect-to": Text("vpn.example.com"),
        "port": "8443",
        "user": Text("alice"),
        "authentication": "mschap2",
        "profile": "default",
        "certificate": "none",
        "verify-server-certificate": "yes",
        "verify-server-address-from-certificate": "yes",
        "tls-version": "only-1.2",
        "pfs": "yes",
        "add-default-route": "no",
    }
    assert later(found) == {"ciphers": "aes256-gcm-sha384,aes256-sha", "add-sni": "yes"}


def test_the_authority_is_imported_once_and_known_by_its_fingerprint(
    make_bundle: MakeBundle, authority: x509.Certificate
) -> None:
    bundle = make_bundle()
    files = files_of(bundle, "routeros")
    (pem,) = (content for name, content in files.items() if name.endswith(".crt"))
    assert x509.load_pem_x509_certificate(pem) == authority
    digits = bundle.authorities[0].sha256.replace(":", "").lower()
    assert digits in texts(script(bundle))
    for one in parse(files["routeros/client.rsc"].decode())[0].tokens:
        assert isinstance(one, Group)  # all is in one block, which is read before any of it runs


@pytest.mark.parametrize("split", [True, False])
def test_routes(make_bundle: MakeBundle, split: bool) -> None:
    networks = ("10.0.0.0/8", "192.168.7.0/24") if split else ()
    found = script(make_bundle(split_tunnel=split, routes=networks))
    routes = [one.parameters for one in commands(found, "/ip route add")]
    expected = [(one, "1") for one in networks] if split else [("0.0.0.0/0", "2")]
    assert [(one["dst-address"], one["distance"]) for one in routes] == expected
    assert {one["gateway"] for one in routes} == {Text("VPN-vpn-example-com")}
    assert any("IPv6 does not go through the VPN" in said for said in texts(found)) is not split


def test_without_a_password_the_script_stops_and_says_so(make_bundle: MakeBundle) -> None:
    (block,) = script(make_bundle())
    (group,) = block.tokens
    assert isinstance(group, Group)
    first, second = group.statements[:2]
    assert first.tokens == [":local", "sstpcaPassword", Text("")]
    assert second.tokens[0] == ":if"
    assert any("password is missing" in text for text in texts([second]))


def test_the_password_is_there_only_if_asked_for(make_bundle: MakeBundle) -> None:
    password = 'p"a$s\\s?w [o]rd'
    asked = make_bundle(secrets=Secrets(password=password))
    assert password in texts(script(asked))
    assert password not in texts(script(asked, "client-undo.rsc"))


@given(st.text(PRINTABLE, min_size=1, max_size=30) | st.text(NASTY, min_size=1, max_size=30))
@example('"; /system reset-configuration; #')
@settings(deadline=None)
def test_hostile_names_stay_names(make_bundle: MakeBundle, name: str) -> None:
    plain = make_bundle()
    hostile = make_bundle(connection=name, user=name, secrets=Secrets(password=name))
    for file in ("client.rsc", "client-undo.rsc"):
        found, model = script(hostile, file), script(plain, file)
        assert [one.path for one in walk(found)] == [one.path for one in walk(model)]
        check_known(found)
    assert {name, f"sstpca: {name}"} <= texts(script(hostile))


def test_undo_takes_back_all_that_was_added(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(split_tunnel=True, routes=("10.0.0.0/8",))
    added = {
        one.path.rsplit(" ", 1)[0] for one in check_known(script(bundle)) if " add" in one.path
    }
    undone = check_known(script(bundle, "client-undo.rsc"))
    removed = {one.path.rsplit(" ", 1)[0] for one in undone}
    assert added | {"/certificate", "/file"} == removed


def test_eap_is_not_for_routers(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(client=ConnectionSettings(sign_in=SignIn.EAP_MSCHAPV2))
    with pytest.raises(SstpcaError, match=r"signs in with MS-CHAPv2 only.* EAP-MSCHAPv2"):
        systems.check(bundle, ("windows", "routeros"))


def test_an_address_has_no_sni(make_bundle: MakeBundle) -> None:
    found = script(make_bundle(host=str(IPv4Address("192.0.2.1"))))
    assert later(found) == {"ciphers": "aes256-gcm-sha384,aes256-sha", "add-sni": "no"}


def test_a_public_certificate_needs_no_file(make_bundle: MakeBundle) -> None:
    bundle = dataclasses.replace(make_bundle(), authorities=())
    assert set(files_of(bundle, "routeros")) == {
        "routeros/client.rsc",
        "routeros/client-undo.rsc",
        "SHA256SUMS",
    }
    assert commands(script(bundle), "/certificate import") == []
    assert any("builtin-trust-anchors" in text for text in texts(script(bundle)))
