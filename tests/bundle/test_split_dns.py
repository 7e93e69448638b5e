"""A DNS server outside a split tunnel's routes has a route in whatever a client is given."""

import json
from xml.etree import ElementTree

import pytest

from sstpca.bundle.administrators import deployment
from sstpca.bundle.content.bundle import Bundle
from tests.bundle.rsc import commands, parse
from tests.bundle.samples import MakeBundle, files_of, renderer

DNS = "192.168.9.53/32"


@pytest.fixture(params=[("10.0.0.0/8",), ()], ids=["with a network", "alone"])
def bundle(request: pytest.FixtureRequest, make_bundle: MakeBundle) -> Bundle:
    return make_bundle(split_tunnel=True, routes=request.param, dns_routes=(DNS,))


def test_windows(bundle: Bundle) -> None:
    wanted = ", ".join(f"'{one}'" for one in (*bundle.routes, DNS))
    assert f"$Routes = @({wanted})\r\n" in files_of(bundle)["install.ps1"].decode("utf-8-sig")


def test_administrators(bundle: Bundle) -> None:
    found = deployment.files(renderer(), bundle)
    for name in ("profile-windows10.xml", "profile-windows11.xml"):
        routes = [
            (one.findtext("Address"), one.findtext("PrefixSize"))
            for one in ElementTree.fromstring(found[name]).iter("Route")
        ]
        assert ("192.168.9.53", "32") in routes
        assert len(routes) == len(bundle.routes) + 1
    assert f"'{DNS}'" in found["phonebook.ps1"].decode("utf-8-sig")
    assert f"'{DNS}'" not in found["README.txt"].decode("utf-8-sig")


def test_linux(bundle: Bundle) -> None:
    files = files_of(bundle, "linux")
    assert f"route{len(bundle.routes) + 1}={DNS}" in files["linux/connection"].decode()
    assert f" {DNS};" in files["linux/ip-up"].decode()
    assert "ip-up" in files["linux/install.sh"].decode()


def test_android(bundle: Bundle) -> None:
    found = json.loads(files_of(bundle, "android")["android/profile.json"])
    assert DNS in found["stringSetting"]["ROUTE_CUSTOM_ROUTES"].split("\n")
    switches = found["booleanSetting"]
    assert switches["ROUTE_DO_ADD_CUSTOM_ROUTES"]
    # without networks of its own, a split tunnel has the private ones, as before
    assert switches["ROUTE_DO_ROUTE_PRIVATE_ADDRESSES"] is not bool(bundle.routes)


def test_routeros(bundle: Bundle) -> None:
    script = parse(files_of(bundle, "routeros")["routeros/client.rsc"].decode())
    routes = [one.parameters["dst-address"] for one in commands(script, "/ip route add")]
    assert routes == [*bundle.routes, DNS]
