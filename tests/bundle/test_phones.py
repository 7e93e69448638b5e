"""The sheets for Android, iPhone, iPad and Mac, and the profile that Open SSTP Client imports."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstpca.access.connection_settings import ConnectionSettings, SignIn
from sstpca.bundle.content.bundle import Bundle, Secrets
from sstpca.bundle.platforms import systems
from sstpca.errors import SstpcaError
from tests.bundle.html import Page
from tests.bundle.samples import MakeBundle, files_of

SHEETS = ("android", "apple")

# preference/constant.kt of Open SSTP Client 1.10.2, by the maps of defaults that it has
BOOLEANS = {
    *("SSL_DO_VERIFY", "SSL_DO_SPECIFY_CERT", "SSL_DO_SELECT_SUITES", "SSL_DO_USE_CUSTOM_SNI"),
    *("PROXY_DO_USE_PROXY", "PPP_IPv4_ENABLED", "PPP_DO_REQUEST_STATIC_IPv4_ADDRESS"),
    *("PPP_IPv6_ENABLED", "DNS_DO_REQUEST_ADDRESS", "DNS_DO_USE_CUSTOM_SERVER"),
    *("ROUTE_DO_ADD_DEFAULT_ROUTE", "ROUTE_DO_ROUTE_PRIVATE_ADDRESSES"),
    *("ROUTE_DO_ADD_CUSTOM_ROUTES", "ROUTE_DO_ENABLE_APP_BASED_RULE"),
    *("ROUTE_DO_SHOW_BACKGROUND_APPS", "RECONNECTION_ENABLED", "LOG_DO_SAVE_LOG"),
}
INTEGERS = {
    *("SSL_PORT", "PROXY_PORT", "PPP_MRU", "PPP_MTU", "PPP_AUTH_TIMEOUT"),
    *("RECONNECTION_COUNT", "RECONNECTION_INTERVAL", "RECONNECTION_LIFE"),
}
STRINGS = {
    *("HOME_HOSTNAME", "HOME_USERNAME", "HOME_PASSWORD", "SSL_VERSION", "SSL_CUSTOM_SNI"),
    *("PROXY_HOSTNAME", "PROXY_USERNAME", "PROXY_PASSWORD", "PPP_STATIC_IPv4_ADDRESS"),
    *("DNS_CUSTOM_ADDRESS", "ROUTE_CUSTOM_ROUTES", "ROUTE_APP_LIST_TYPE"),
}
SETS = {"SSL_SUITES", "PPP_AUTH_PROTOCOLS", "ROUTE_SELECTED_APPS"}

PRINTABLE = st.characters(exclude_categories=("Cc", "Cs"))


def profile(bundle: Bundle) -> dict[str, dict[str, Any]]:
    """Return what the app would import; a key or a type that it does not know is an error."""
    found: dict[str, dict[str, Any]] = json.loads(
        files_of(bundle, "android")["android/profile.json"]
    )
    kinds: tuple[tuple[str, set[str], type], ...] = (
        ("booleanSetting", BOOLEANS, bool),
        ("intSetting", INTEGERS, int),
        ("stringSetting", STRINGS, str),
        ("setSetting", SETS, list),
        ("uriSetting", set(), str),
    )
    assert set(found) == {name for name, _, _ in kinds}
    for name, keys, kind in kinds:
        assert found[name].keys() <= keys
        assert all(type(value) is kind for value in found[name].values())
    return found


def sheet(bundle: Bundle, platform: str) -> Page:
    return Page(files_of(bundle, platform)[f"{platform}/index.html"].decode())


def test_the_profile_is_the_connection(make_bundle: MakeBundle) -> None:
    found = profile(make_bundle(port=8443))
    texts = found["stringSetting"]
    assert (texts["HOME_HOSTNAME"], texts["HOME_USERNAME"]) == ("vpn.example.com", "alice")
    assert texts["HOME_PASSWORD"] == ""
    assert found["intSetting"]["SSL_PORT"] == 8443
    assert found["booleanSetting"]["SSL_DO_VERIFY"]
    assert found["booleanSetting"]["ROUTE_DO_ADD_DEFAULT_ROUTE"]
    assert found["setSetting"] == {"PPP_AUTH_PROTOCOLS": ["MSCHAPv2"]}  # never PAP


def test_eap(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(client=ConnectionSettings(sign_in=SignIn.EAP_MSCHAPV2))
    assert profile(bundle)["setSetting"] == {"PPP_AUTH_PROTOCOLS": ["EAP-MSCHAPv2"]}


def test_a_certificate_is_nothing_for_the_app(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(client=ConnectionSettings(sign_in=SignIn.EAP_TLS))
    with pytest.raises(SstpcaError, match="cannot sign in with a certificate"):
        systems.check(bundle, ("android",))


def test_names_that_the_app_cannot_send(make_bundle: MakeBundle) -> None:
    for name in ("j\u00fcrgen", "\u0430lice"):
        with pytest.raises(SstpcaError, match="ASCII"):
            systems.check(make_bundle(user=name), ("windows", "android"))
    systems.check(make_bundle(user="j\u00fcrgen"), ("windows", "linux", "apple"))


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_the_app_says_is_explained(make_bundle: MakeBundle, language: str) -> None:
    """All that its sources send in a login, client/ppp/PPPClient.kt and others."""
    text = sheet(make_bundle(language=language), "android").text
    for code in (
        *("OSC: ERR_UNEXPECTED", "PPP: ERR_TERMINATE_REQUESTED", "PPP: ERR_PROTOCOL_REJECTED"),
        *("SSL: ERR_UNEXPECTED_MESSAGE", "SSL: ERR_TIMEOUT", "CHAP: ERR_TIMEOUT"),
        *("EAP: ERR_TIMEOUT", "CERT_PATH: ERR_VERIFICATION_FAILED", "Save Profile", "Enable IPv6"),
        "untrusted certificate",
    ):
        assert code in text, code
    assert "notifications" in text or "Benachrichtigungen" in text


def test_the_limits_of_the_app(make_bundle: MakeBundle) -> None:
    found = profile(make_bundle())["intSetting"]
    # more than our own three seconds, several times: what the app has missed comes again then
    assert found["PPP_AUTH_TIMEOUT"] >= 10
    # a server that starts anew is back within minutes
    assert found["RECONNECTION_COUNT"] * found["RECONNECTION_INTERVAL"] >= 300


@pytest.mark.parametrize(
    ("split", "routes", "expected"),
    [
        (False, (), (True, False, False)),
        (True, ("10.0.0.0/8", "192.168.7.0/24"), (False, False, True)),
        (True, (), (False, True, False)),
    ],
)
def test_routes(
    make_bundle: MakeBundle,
    split: bool,
    routes: tuple[str, ...],
    expected: tuple[bool, bool, bool],
) -> None:
    found = profile(make_bundle(split_tunnel=split, routes=routes))
    switches = found["booleanSetting"]
    assert expected == (
        switches["ROUTE_DO_ADD_DEFAULT_ROUTE"],
        switches["ROUTE_DO_ROUTE_PRIVATE_ADDRESSES"],
        switches["ROUTE_DO_ADD_CUSTOM_ROUTES"],
    )
    assert found["stringSetting"]["ROUTE_CUSTOM_ROUTES"] == "\n".join(routes)


def test_the_password_is_in_the_profile_only_if_asked_for(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(secrets=Secrets(password='p"a\\s w'))
    assert profile(bundle)["stringSetting"]["HOME_PASSWORD"] == 'p"a\\s w'
    for platform in SHEETS:
        assert 'p"a' not in sheet(bundle, platform).text


@given(st.text(PRINTABLE, min_size=1, max_size=30))
def test_names_come_back_from_the_profile(make_bundle: MakeBundle, name: str) -> None:
    found = profile(make_bundle(user=name, secrets=Secrets(password=name)))["stringSetting"]
    assert (found["HOME_USERNAME"], found["HOME_PASSWORD"]) == (name, name)


def test_the_sheet_has_every_field_of_the_profile(make_bundle: MakeBundle) -> None:
    text = sheet(make_bundle(split_tunnel=True, routes=("10.0.0.0/8",)), "android").text
    for title in (
        *("Hostname", "Username", "Password", "Port Number", "SSL Version", "Verify Hostname"),
        *("Specify Trusted Certificates", "Use Custom SNI", "Use HTTP Proxy", "MRU", "MTU"),
        *("Select Authentication Protocols", "Timeout Period (second)", "Enable IPv4"),
        *("Request DNS Server Address", "Add Default Route", "Edit Custom Routes"),
        *("Enable Reconnection", "Retry Count", "Save Log", "10.0.0.0/8", "MSCHAPv2"),
    ):
        assert title in text, title


@pytest.mark.parametrize("platform", SHEETS)
@pytest.mark.parametrize("language", ["en", "de"])
def test_a_sheet_needs_no_network(make_bundle: MakeBundle, platform: str, language: str) -> None:
    page = sheet(make_bundle(language=language), platform)
    assert not set(page.tags) & {"script", "link", "img", "iframe", "a", "object", "form", "base"}
    assert page.attributes["html lang"] == [language]
    for fact in ("alice", "vpn.example.com", make_bundle().authorities[0].sha256):
        assert fact in page.text


@pytest.mark.parametrize("platform", SHEETS)
def test_the_certificate_is_there_and_named(make_bundle: MakeBundle, platform: str) -> None:
    bundle = make_bundle()
    files = files_of(bundle, platform)
    (name,) = (one for one in files if one.endswith(".crt"))
    assert files[name] == bundle.authorities[0].der
    assert name.removeprefix(f"{platform}/") in sheet(bundle, platform).text
    public = dataclasses.replace(bundle, authorities=())
    assert not any(one.endswith(".crt") for one in files_of(public, platform))
    assert ".crt" not in sheet(public, platform).text


@pytest.mark.parametrize("platform", SHEETS)
@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\"'><b onclick=x>", "&amp; {x}"])
def test_values_are_shown_not_obeyed(make_bundle: MakeBundle, platform: str, text: str) -> None:
    certificate = dataclasses.replace(make_bundle().authorities[0], name=text)
    routes = {"split_tunnel": True, "routes": (text,)}
    hostile = make_bundle(
        user=text, connection=text, host=text, contact=text, authorities=(certificate,), **routes
    )
    page = sheet(hostile, platform)
    plain = sheet(make_bundle(split_tunnel=True, routes=("x",)), platform)
    assert page.tags == plain.tags
    assert page.attributes.keys() == plain.attributes.keys()
    assert page.text.count(text) >= 5
