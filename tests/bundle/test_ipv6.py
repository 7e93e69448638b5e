"""What users and administrators receive follows the IPv6 of the access profile."""

from xml.etree import ElementTree

import pytest

from sstpca.bundle.administrators import deployment
from sstpca.bundle.content import texts
from sstpca.bundle.content.bundle import Bundle
from tests.bundle.samples import MakeBundle, files_of, renderer

V4, V6 = "10.1.0.0/16", "2001:db8:1::/48"


@pytest.fixture
def split(make_bundle: MakeBundle) -> Bundle:
    return make_bundle(split_tunnel=True, routes=(V4,), ipv6=True, routes_ipv6=(V6,))


def test_windows_has_the_routes_of_both(split: Bundle) -> None:
    files = files_of(split)
    for name in ("install.ps1", "verify.ps1"):
        assert f"$Routes = @('{V4}', '{V6}')\r\n" in files[name].decode("utf-8-sig")


def test_profilexml_has_the_routes_of_both(split: Bundle) -> None:
    found = deployment.files(renderer(), split)
    for name in ("profile-windows10.xml", "profile-windows11.xml"):
        routes = [
            f"{route.findtext('Address')}/{route.findtext('PrefixSize')}"
            for route in ElementTree.fromstring(found[name]).iter("Route")
        ]
        assert routes == [V4, V6]
    assert f"'{V6}'" in found["phonebook.ps1"].decode("utf-8-sig")


@pytest.mark.parametrize("language", texts.languages())
def test_nobody_is_told_that_ipv6_goes_past_a_vpn_that_has_it(
    make_bundle: MakeBundle, language: str
) -> None:
    words = texts.load(language)
    for there in (False, True):
        bundle = make_bundle(ipv6=there, language=language)
        page = files_of(bundle)["index.html"].decode()
        assert words.page.traffic_both in page, "which the other begins with"
        assert (words.page.traffic_all in page) is not there
        script = files_of(bundle, "routeros")["routeros/client.rsc"].decode()
        said, other = words.routeros.ipv6, words.routeros.no_ipv6
        assert (said[:20] in script, other[:20] in script) == (there, not there)
    for there in (False, True):
        readme = deployment.files(renderer(), make_bundle(ipv6=there))["README.txt"]
        assert ("IPv6 is not in the tunnel" in readme.decode("utf-8-sig")) is not there
