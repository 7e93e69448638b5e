"""Where Windows has the routes of the server at each login, its files have none, and say so."""

import dataclasses
from ipaddress import IPv4Address, IPv4Network
from xml.etree import ElementTree

import pytest

from sstpca.access.connection_settings import ConnectionSettings
from sstpca.access.profiles import AccessProfile
from sstpca.bundle.administrators import deployment
from sstpca.bundle.content.bundle import Bundle
from sstpca.bundle.content.told import told
from sstpca.settings import ServerSettings, Settings
from tests.bundle.samples import MakeBundle, files_of, renderer

ROUTE, DNS = "10.1.0.0/16", "192.168.9.53/32"
AT_LOGIN = ConnectionSettings(routes_at_login=True)
SAID = {
    "en": "networks that the server names at each login",
    "de": "Server bei jeder Anmeldung nennt",
}


@pytest.fixture
def bundle(make_bundle: MakeBundle) -> Bundle:
    return make_bundle(split_tunnel=True, routes=(ROUTE,), dns_routes=(DNS,), client=AT_LOGIN)


@pytest.mark.parametrize("language", ["en", "de"])
def test_windows_has_none_and_the_page_says_where_they_come_from(
    bundle: Bundle, language: str
) -> None:
    files = files_of(dataclasses.replace(bundle, language=language))
    for name in ("install.ps1", "verify.ps1"):
        script = files[name].decode("utf-8-sig")
        assert "names the routes at each login" in script
        assert "$Routes = @()\r\n" in script
    page = files["index.html"].decode()
    assert SAID[language] in page
    assert ROUTE not in page


def test_administrators(bundle: Bundle) -> None:
    found = deployment.files(renderer(), bundle)
    for name in ("profile-windows10.xml", "profile-windows11.xml"):
        profile = ElementTree.fromstring(found[name])
        assert list(profile.iter("Route")) == []
        assert profile.findtext("NativeProfile/RoutingPolicyType") == "SplitTunnel"
    assert "$Routes = @()" in found["phonebook.ps1"].decode("utf-8-sig")
    text = found["README.txt"].decode("utf-8-sig")
    assert SAID["en"] in text
    assert "DHCPINFORM" in text


@pytest.mark.parametrize("split", [True, False])
def test_other_systems_have_them_either_way(make_bundle: MakeBundle, split: bool) -> None:
    routes = {"routes": (ROUTE,), "dns_routes": (DNS,)} if split else {"routes": ()}
    one, other = (
        make_bundle(split_tunnel=split, client=client, **routes)
        for client in (AT_LOGIN, ConnectionSettings())
    )
    for system in ("linux", "android", "routeros", "apple"):
        assert files_of(one, system) == files_of(other, system)
    # and in a full tunnel there is nothing that Windows would have to be told
    assert (files_of(one) == files_of(other)) is not split


SETTINGS = Settings(server=ServerSettings(names=("vpn.example.com",)))


def profile(*routes: str, at_login: bool, full: bool = False) -> AccessProfile:
    return AccessProfile(
        "default",
        IPv4Address("10.99.0.1"),
        (),
        routes=tuple(map(IPv4Network, routes)),
        full_tunnel=full,
        client=ConnectionSettings(routes_at_login=at_login),
    )


def test_a_changed_route_leaves_the_bundle_of_windows_as_it_is() -> None:
    one, other = (profile(route, at_login=True) for route in (ROUTE, "10.2.0.0/16"))
    assert told(one, SETTINGS, None, windows=True) == told(other, SETTINGS, None, windows=True)
    assert told(one, SETTINGS, None) != told(other, SETTINGS, None)
    one, other = (profile(route, at_login=False) for route in (ROUTE, "10.2.0.0/16"))
    assert told(one, SETTINGS, None, windows=True) != told(other, SETTINGS, None, windows=True)


def test_to_have_them_at_login_is_a_change_itself() -> None:
    one, other = (profile(ROUTE, at_login=at_login) for at_login in (False, True))
    for windows in (False, True):
        found = (told(each, SETTINGS, None, windows=windows) for each in (one, other))
        assert len(set(found)) == 2


def test_bundles_of_before_there_was_this_still_fit() -> None:
    # what 0.1.0 had of this profile before; it is in the databases of those who updated
    digest = "4032bc1f8c93952bac7bbc0ce6268bfde3a7c823422d7dd770ed355decd78dbb"
    assert told(profile(ROUTE, at_login=False), SETTINGS, None) == digest
    assert told(profile(ROUTE, at_login=False), SETTINGS, None, windows=True) == digest
