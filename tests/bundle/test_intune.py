import base64
import json
from typing import Any
from urllib.parse import unquote

from hypothesis import example, given
from hypothesis import strategies as st

from sstpca.bundle.administrators import intune
from sstpca.bundle.administrators.profilexml import Protocol
from sstpca.bundle.content.bundle import Bundle
from tests.bundle.samples import MakeBundle


def body(bundle: Bundle, protocol: Protocol = Protocol.WINDOWS_11) -> dict[str, Any]:
    content = intune.configuration(bundle, protocol, "<VPNProfile>\u00e9</VPNProfile>".encode())
    assert content.isascii()
    found: dict[str, Any] = json.loads(content)
    return found


def test_the_body_is_what_graph_documents(make_bundle: MakeBundle) -> None:
    """The resource types windows10CustomConfiguration, omaSettingBase64 and omaSettingStringXml."""
    bundle = make_bundle(connection="VPN of O'Hara & Co")
    found = body(bundle)
    assert set(found) == {"@odata.type", "displayName", "description", "omaSettings"}
    assert found["@odata.type"] == "#microsoft.graph.windows10CustomConfiguration"
    root, profile = found["omaSettings"]
    keys = {"@odata.type", "displayName", "description", "omaUri", "fileName", "value"}
    assert set(root) == set(profile) == keys
    assert root["@odata.type"] == "#microsoft.graph.omaSettingBase64"
    assert profile["@odata.type"] == "#microsoft.graph.omaSettingStringXml"
    authority = bundle.authorities[0]
    assert root["omaUri"] == (
        f"./Device/Vendor/MSFT/RootCATrustedCertificates/Root/{authority.sha1}/EncodedCertificate"
    )
    assert base64.b64decode(root["value"], validate=True) == authority.der
    assert root["fileName"].endswith(".cer")
    assert base64.b64decode(profile["value"]).decode() == "<VPNProfile>\u00e9</VPNProfile>"
    assert profile["fileName"].endswith(".xml")


def test_systems_have_names_of_their_own(make_bundle: MakeBundle) -> None:
    names = {body(make_bundle(), one)["displayName"] for one in Protocol}
    assert names == {
        f"{make_bundle().connection} (Windows 11)",
        f"{make_bundle().connection} (Windows 10)",
    }


def test_no_authority_of_ours_no_root(make_bundle: MakeBundle) -> None:
    settings = body(make_bundle(authorities=()))["omaSettings"]
    assert [one["fileName"] for one in settings] == ["profile.xml"]


def test_the_uri_of_the_profile() -> None:
    uri = intune.profile_uri("VPN vpn.example.com")
    assert uri == "./User/Vendor/MSFT/VPNv2/VPN%20vpn.example.com/ProfileXML"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
@example("a/b%20c#?d")
def test_any_name_is_one_part_of_the_uri(name: str) -> None:
    parts = intune.profile_uri(name).split("/")
    assert len(parts) == 7
    assert unquote(parts[5]) == name
    assert parts[5].isascii() and parts[5].isprintable() and " " not in parts[5]
