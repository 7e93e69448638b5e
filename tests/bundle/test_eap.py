"""The EAP settings: well-formed, and in the order that Microsoft's schemas have."""

import dataclasses
import xml.etree.ElementTree as ET

import pytest

from sstpca.access.connection_settings import ConnectionSettings, SignIn
from sstpca.bundle.content.bundle import Bundle
from sstpca.bundle.content.eap import eap_config
from tests.bundle.samples import MakeBundle

HOST = "{http://www.microsoft.com/provisioning/EapHostConfig}"
COMMON = "{http://www.microsoft.com/provisioning/EapCommon}"
BASE = "{http://www.microsoft.com/provisioning/BaseEapConnectionPropertiesV1}"
MSCHAPV2 = "{http://www.microsoft.com/provisioning/MsChapV2ConnectionPropertiesV1}"
TLS1 = "{http://www.microsoft.com/provisioning/EapTlsConnectionPropertiesV1}"
TLS2 = "{http://www.microsoft.com/provisioning/EapTlsConnectionPropertiesV2}"
TLS3 = "{http://www.microsoft.com/provisioning/EapTlsConnectionPropertiesV3}"

# The children of each element in the order of its xs:sequence ([MS-GPWL] 6.6, 6.6.1, 6.7, 6.8), and
# whether one may come more than once.
SEQUENCES = {
    f"{HOST}EapHostConfig": [f"{HOST}EapMethod", f"{HOST}Config"],
    f"{HOST}EapMethod": [COMMON + n for n in ("Type", "VendorId", "VendorType", "AuthorId")],
    f"{HOST}Config": [f"{BASE}Eap"],
    f"{BASE}Eap": [f"{BASE}Type", f"{MSCHAPV2}EapType", f"{TLS1}EapType"],
    f"{MSCHAPV2}EapType": [f"{MSCHAPV2}UseWinLogonCredentials"],
    f"{TLS1}EapType": [
        *(f"{TLS1}CredentialsSource", f"{TLS1}ServerValidation", f"{TLS1}DifferentUsername"),
        *(f"{TLS2}PerformServerValidation", f"{TLS2}AcceptServerName", f"{TLS2}TLSExtensions"),
    ],
    f"{TLS1}CredentialsSource": [f"{TLS1}SmartCard", f"{TLS1}CertificateStore"],
    f"{TLS1}CertificateStore": [f"{TLS1}SimpleCertSelection"],
    f"{TLS1}ServerValidation": [
        TLS1 + n for n in ("DisableUserPromptForServerValidation", "ServerNames", "TrustedRootCA")
    ],
    f"{TLS2}TLSExtensions": [f"{TLS3}FilteringInfo"],
    f"{TLS3}FilteringInfo": [
        *(f"{TLS3}AllPurposeEnabled", f"{TLS3}CAHashList", f"{TLS3}EKUMapping"),
        *(f"{TLS3}ClientAuthEKUList", f"{TLS3}AnyPurposeEKUList"),
    ],
    f"{TLS3}CAHashList": [f"{TLS3}IssuerHash"],
}
REPEATED = {f"{TLS1}TrustedRootCA", f"{TLS3}IssuerHash"}


def check_order(element: ET.Element) -> None:
    order = SEQUENCES.get(element.tag, [])
    names = [child.tag for child in element]
    assert set(names) <= set(order), element.tag
    assert names == sorted(names, key=order.index)
    assert all(names.count(name) == 1 for name in set(names) - REPEATED)
    for child in element:
        check_order(child)


def with_sign_in(make_bundle: MakeBundle, sign_in: SignIn, **changes: object) -> Bundle:
    return make_bundle(client=ConnectionSettings(sign_in=sign_in), **changes)


def config(bundle: Bundle) -> str:
    text = eap_config(bundle)
    assert text is not None
    return text


@pytest.mark.parametrize("sign_in", [SignIn.EAP_MSCHAPV2, SignIn.EAP_TLS])
@pytest.mark.parametrize("own", [True, False])
def test_elements_are_in_the_order_of_the_schemas(
    make_bundle: MakeBundle, sign_in: SignIn, own: bool
) -> None:
    bundle = with_sign_in(make_bundle, sign_in)
    text = config(bundle if own else dataclasses.replace(bundle, authorities=()))
    root = ET.fromstring(text)
    assert root.tag == f"{HOST}EapHostConfig"
    check_order(root)
    assert "\n" not in text


def test_the_plain_sign_in_has_none(make_bundle: MakeBundle) -> None:
    assert eap_config(with_sign_in(make_bundle, SignIn.MSCHAPV2)) is None


def test_windows_own_account_is_never_tried(make_bundle: MakeBundle) -> None:
    root = ET.fromstring(config(with_sign_in(make_bundle, SignIn.EAP_MSCHAPV2)))
    assert root.findtext(f".//{COMMON}Type") == root.findtext(f".//{BASE}Type") == "26"
    assert root.findtext(f".//{MSCHAPV2}UseWinLogonCredentials") == "false"


def test_eap_tls_pins_the_server_and_asks_nobody(make_bundle: MakeBundle) -> None:
    bundle = with_sign_in(make_bundle, SignIn.EAP_TLS)
    other = dataclasses.replace(bundle.authorities[0], sha1="AB" * 20)
    two = dataclasses.replace(
        bundle,
        host="vpn.example.com",
        eap_roots=(*bundle.eap_roots, other),
        authorities=(*bundle.authorities, other),
    )
    root = ET.fromstring(config(two))
    assert root.findtext(f".//{COMMON}Type") == root.findtext(f".//{BASE}Type") == "13"
    assert root.findtext(f".//{TLS1}ServerNames") == "vpn.example.com"
    thumbprints = [one.sha1.lower() for one in two.eap_roots]
    for name in (f"{TLS1}TrustedRootCA", f"{TLS3}IssuerHash"):
        found = [str(one.text).replace(" ", "") for one in root.iter(name)]
        assert found == thumbprints
    for name in (
        f"{TLS1}SimpleCertSelection",
        f"{TLS1}DisableUserPromptForServerValidation",
        f"{TLS2}PerformServerValidation",
        f"{TLS2}AcceptServerName",
    ):
        assert root.findtext(f".//{name}") == "true"
    listed = root.find(f".//{TLS3}CAHashList")
    assert listed is not None
    assert listed.get("Enabled") == "true"


def test_without_an_own_authority_no_issuer_is_asked_for(make_bundle: MakeBundle) -> None:
    text = config(with_sign_in(make_bundle, SignIn.EAP_TLS, authorities=()))
    assert "IssuerHash" not in text
    assert "TLSExtensions" not in text


def test_a_name_cannot_add_elements(make_bundle: MakeBundle) -> None:
    text = "a</ServerNames><TrustedRootCA>00</TrustedRootCA><ServerNames>&b"
    root = ET.fromstring(config(with_sign_in(make_bundle, SignIn.EAP_TLS, host=text)))
    assert root.findtext(f".//{TLS1}ServerNames") == text
    check_order(root)
