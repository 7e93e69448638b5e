"""ProfileXML, checked against the order of elements in Microsoft's schema.

The schema is in the documentation of the VPNv2 CSP ("VPNv2 DDF file", MicrosoftDocs
windows-itpro-docs), as the allowed values of the node ProfileXML. The tables here say what it says
of the elements that we write.
"""

import itertools
from ipaddress import IPv4Address
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sstpca.access.connection_settings import ConnectionSettings, NameRule, SignIn
from sstpca.bundle.administrators.profilexml import Protocol, compact, profile_xml
from sstpca.bundle.content.bundle import Bundle
from sstpca.errors import InvalidInput
from tests.bundle.samples import MakeBundle, renderer

EAP_HOST = "{http://www.microsoft.com/provisioning/EapHostConfig}EapHostConfig"
MANY = 1 << 20

# by parent: the children in their order, with how many there may be
SCHEMA: dict[str, dict[str, tuple[int, int]]] = {
    "VPNProfile": {
        "ProfileName": (0, 1),
        "EdpModeId": (0, 1),
        "RememberCredentials": (0, 1),
        "AlwaysOn": (0, 1),
        "DnsSuffix": (0, 1),
        "TrustedNetworkDetection": (0, 1),
        "DisableAdvancedOptionsEditButton": (0, 1),
        "DisableDisconnectButton": (0, 1),
        "LockDown": (0, 1),
        "DeviceTunnel": (0, 1),
        "RegisterDNS": (0, 1),
        "ByPassForLocal": (0, 1),
        "RequireVpnClientAppUI": (0, 1),
        "Proxy": (0, 1),
        "APNBinding": (0, 1),
        "DeviceCompliance": (0, 1),
        "PluginProfile": (0, 1),
        "AppTrigger": (0, MANY),
        "DomainNameInformation": (0, MANY),
        "TrafficFilter": (0, MANY),
        "NativeProfile": (0, 1),
        "Route": (0, MANY),
    },
    "Proxy": {"AutoConfigUrl": (0, 1), "Manual": (0, 1)},
    "Manual": {"Server": (1, 1)},
    "AppTrigger": {"App": (1, 1)},
    "App": {"Id": (1, 1)},
    "DomainNameInformation": {
        "DomainName": (1, 1),
        "DnsServers": (0, 1),
        "WebProxyServers": (0, 1),
        "AutoTrigger": (0, 1),
        "Persistent": (0, 1),
    },
    "NativeProfile": {
        "Servers": (1, 1),
        "RoutingPolicyType": (0, 1),
        "NativeProtocolType": (0, 1),
        "L2tpPsk": (0, 1),
        "DisableClassBasedDefaultRoute": (0, 1),
        "PlumbIKEv2TSAsRoutes": (0, 1),
        "CryptographySuite": (0, 1),
        "Authentication": (1, 1),
    },
    # the schema has MachineMethod as the other choice: it is for IKEv2 only
    "Authentication": {"UserMethod": (0, 1), "Eap": (0, 1)},
    "Eap": {"Configuration": (1, 1)},
    "Configuration": {EAP_HOST: (1, 1)},
    "Route": {
        "Address": (1, 1),
        "PrefixSize": (1, 1),
        "ExclusionRoute": (0, 1),
        "Metric": (0, 1),
    },
}

BOOLEANS = {"RememberCredentials", "AutoTrigger"}
ENUMS = {
    "RoutingPolicyType": {"SplitTunnel", "ForceTunnel"},
    "NativeProtocolType": {"PPTP", "L2TP", "IKEv2", "Automatic", "SSTP", "ProtocolList"},
    "UserMethod": {"MSChapv2", "Eap"},
}

FULL_CLIENT = ConnectionSettings(
    name_rules=(
        NameRule("corp.example.com", (IPv4Address("10.0.0.53"), IPv4Address("10.0.0.54"))),
        NameRule("www.corp.example.com"),
    ),
    proxy="proxy.example.com:3128",
    trigger_apps=(r"C:\Program Files\Tom & Co\mail.exe", "Contoso.Mail_8wekyb3d8bbwe"),
    trusted_networks=("corp.example.com", "lab.example.com"),
)


def validate(element: ET.Element) -> None:
    """Check ``element`` and what is in it against the tables; EAP has its own tests."""
    table = SCHEMA.get(element.tag)
    if table is None:
        assert not list(element) or element.tag == EAP_HOST, element.tag
        if element.tag in BOOLEANS:
            assert element.text in ("true", "false")
        assert element.text in ENUMS.get(element.tag, {element.text})
        return
    assert not (element.text or "").strip() and not element.attrib
    names = [child.tag for child in element]
    assert set(names) <= set(table)
    assert names == sorted(names, key=list(table).index)
    for name, (least, most) in table.items():
        assert least <= names.count(name) <= most, name
    for child in element:
        validate(child)


def parsed(bundle: Bundle, protocol: Protocol = Protocol.WINDOWS_11) -> ET.Element:
    content = profile_xml(renderer(), bundle, protocol)
    assert content.startswith(b"<VPNProfile>\n")
    root = ET.fromstring(content)
    assert root.tag == "VPNProfile"
    validate(root)
    one_line = compact(content)
    assert "\n" not in one_line and "> <" not in one_line
    assert ET.canonicalize(one_line) == ET.canonicalize(content.decode(), strip_text=True)
    return root


def texts(root: ET.Element, path: str) -> list[str]:
    return [one.text or "" for one in root.findall(path)]


@pytest.mark.parametrize("sign_in", SignIn)
@pytest.mark.parametrize("protocol", Protocol)
def test_every_combination_is_valid(
    make_bundle: MakeBundle, sign_in: SignIn, protocol: Protocol
) -> None:
    choices: dict[str, tuple[Any, ...]] = {
        "split_tunnel": (True, False),
        "routes": ((), ("10.0.0.0/8", "192.168.7.0/24")),
        "dns_suffix": ("", "corp.example.com"),
        "name_rules": ((), FULL_CLIENT.name_rules),
        "proxy": ("", FULL_CLIENT.proxy, "http://proxy.example.com/proxy.pac"),
        "trigger_apps": ((), FULL_CLIENT.trigger_apps),
        "trusted_networks": ((), FULL_CLIENT.trusted_networks),
    }
    for values in itertools.product(*choices.values()):
        given_ = dict(zip(choices, values, strict=True))
        of_bundle = {key: given_.pop(key) for key in ("split_tunnel", "routes", "dns_suffix")}
        client = ConnectionSettings(sign_in=sign_in, **given_)
        parsed(make_bundle(user="", client=client, **of_bundle), protocol)


def test_what_the_profile_says(make_bundle: MakeBundle) -> None:
    root = parsed(
        make_bundle(
            server="vpn.example.com:4443",
            split_tunnel=True,
            routes=("10.0.0.0/8", "192.168.7.0/24"),
            dns_suffix="corp.example.com",
            client=FULL_CLIENT,
        )
    )
    assert texts(root, "RememberCredentials") == ["true"]
    assert texts(root, "DnsSuffix") == ["corp.example.com"]
    assert texts(root, "TrustedNetworkDetection") == ["corp.example.com,lab.example.com"]
    assert texts(root, "Proxy/Manual/Server") == ["proxy.example.com:3128"]
    assert texts(root, "AppTrigger/App/Id") == list(FULL_CLIENT.trigger_apps)
    named, exempt = root.findall("DomainNameInformation")
    assert [(one.tag, one.text) for one in named] == [
        ("DomainName", ".corp.example.com"),
        ("DnsServers", "10.0.0.53,10.0.0.54"),
        ("AutoTrigger", "true"),
    ]
    assert [(one.tag, one.text) for one in exempt] == [("DomainName", ".www.corp.example.com")]
    native = root.find("NativeProfile")
    assert native is not None
    assert texts(native, "Servers") == ["vpn.example.com:4443;vpn.example.com:4443"]
    assert texts(native, "RoutingPolicyType") == ["SplitTunnel"]
    assert texts(native, "NativeProtocolType") == ["SSTP"]
    assert texts(native, "Authentication/UserMethod") == ["MSChapv2"]
    assert texts(root, "Route/Address") == ["10.0.0.0", "192.168.7.0"]
    assert texts(root, "Route/PrefixSize") == ["8", "24"]


def test_full_tunnel_and_a_proxy_script(make_bundle: MakeBundle) -> None:
    client = ConnectionSettings(proxy="http://proxy.example.com/a?b&c")
    root = parsed(make_bundle(split_tunnel=False, client=client), Protocol.WINDOWS_10)
    assert texts(root, "NativeProfile/RoutingPolicyType") == ["ForceTunnel"]
    assert texts(root, "NativeProfile/NativeProtocolType") == ["Automatic"]
    assert texts(root, "Proxy/AutoConfigUrl") == ["http://proxy.example.com/a?b&c"]


@pytest.mark.parametrize(
    ("sign_in", "method", "kind"),
    [(SignIn.EAP_MSCHAPV2, "Eap", "26"), (SignIn.EAP_TLS, "Eap", "13")],
)
def test_eap_is_in_it_as_the_installer_has_it(
    make_bundle: MakeBundle, sign_in: SignIn, method: str, kind: str
) -> None:
    root = parsed(make_bundle(client=ConnectionSettings(sign_in=sign_in)))
    assert texts(root, "NativeProfile/Authentication/UserMethod") == [method]
    common = "{http://www.microsoft.com/provisioning/EapCommon}"
    assert [one.text for one in root.iter(f"{common}Type")] == [kind]
    # no prefixes: Windows' own readers of EAP settings are known only without
    content = profile_xml(
        renderer(), make_bundle(client=ConnectionSettings(sign_in=sign_in)), Protocol.WINDOWS_11
    )
    assert b'<EapHostConfig xmlns="' in content


def test_credentials_are_remembered_where_there_is_a_password(make_bundle: MakeBundle) -> None:
    remembered = {
        sign_in: texts(
            parsed(make_bundle(client=ConnectionSettings(sign_in=sign_in))), "RememberCredentials"
        )
        for sign_in in SignIn
    }
    assert remembered == {
        SignIn.MSCHAPV2: ["true"],
        SignIn.EAP_MSCHAPV2: ["true"],
        SignIn.EAP_TLS: [],
    }


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(
        st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"),
        min_size=1,
        max_size=30,
    )
    | st.text(st.sampled_from("<>&\"';:]![CDATA-/"), min_size=1, max_size=12)
)
@example(text=" ")
def test_any_value_stays_a_value(make_bundle: MakeBundle, text: str) -> None:
    client = ConnectionSettings(
        name_rules=(NameRule(text, (IPv4Address("10.0.0.53"),)),),
        proxy=text,
        trigger_apps=(text,),
        trusted_networks=(text,),
    )
    root = ET.fromstring(
        compact(
            profile_xml(
                renderer(),
                make_bundle(dns_suffix=text, server=text, client=client),
                Protocol.WINDOWS_11,
            )
        )
    )
    validate(root)
    assert texts(root, "AppTrigger/App/Id") == [text]
    assert texts(root, "DnsSuffix") == [text]
    assert texts(root, "NativeProfile/Servers") == [f"{text};{text}"]
    assert texts(root, "DomainNameInformation/DomainName") == [f".{text}"]


@pytest.mark.parametrize("sign", ["\0", "\x1b", "\ufffe", "\uffff"])
def test_what_xml_cannot_have_makes_no_profile(make_bundle: MakeBundle, sign: str) -> None:
    bundle = make_bundle(client=ConnectionSettings(trigger_apps=(f"C:\\a{sign}b.exe",)))
    with pytest.raises(InvalidInput, match="cannot be in XML"):
        profile_xml(renderer(), bundle, Protocol.WINDOWS_11)
