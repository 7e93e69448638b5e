"""What administrators are given, as far as it can be judged without Windows."""

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from ipaddress import IPv4Address

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sstpca.access.connection_settings import ConnectionSettings, NameRule, SignIn
from sstpca.access.profiles import AccessProfile
from sstpca.bundle.administrators import intune
from sstpca.bundle.administrators.deployment import FAILURES, files
from sstpca.bundle.administrators.profilexml import Protocol, compact, profile_xml
from sstpca.bundle.content.bundle import Bundle, Deployment, Trust, deployment_for
from sstpca.errors import InvalidInput, SstpcaError
from sstpca.settings import BundleSettings, ServerSettings, Settings
from tests.bundle.powershell import Script
from tests.bundle.powershell_literals import read
from tests.bundle.samples import MakeBundle, renderer, trust_in

SCRIPTS = ("phonebook.ps1", "profile.ps1", "trust.ps1")
EVERYWHERE = {
    *("README.txt", "SHA256SUMS", "profile.ps1", "profile-windows11.xml", "profile-windows10.xml"),
    *("intune-windows11.json", "intune-windows10.json"),
}
HOSTILE = [
    "O'Hara",
    "O\u2019Neill \u2018 \u201a \u201b",
    "\u2019; Start-Process calc #",
    '$(calc) `$x "\u201cq\u201d" ${y}',
    "a&b<c>d]]>&amp;",
    "<# block #>",
    "B\u00fcro \u2013 \u540d\u524d \U0001f510",
]

# Each cmdlet the scripts may call; all are in Windows PowerShell 5.1 and Windows 10.
CMDLETS = {
    *("Add-Content", "Add-VpnConnectionRoute", "Copy-Item", "ForEach-Object", "Get-CimInstance"),
    *("Get-Command", "Get-Date", "Get-FileHash", "Get-Item", "Get-ItemProperty"),
    *("Get-VpnConnection", "Import-Certificate", "Invoke-CimMethod", "Join-Path", "New-CimSession"),
    *("New-Item", "New-Object", "Remove-Item", "Remove-ItemProperty", "Select-Object"),
    *(
        "Set-ItemProperty",
        "Set-StrictMode",
        "Sort-Object",
        "Split-Path",
        "Test-Path",
        "Where-Object",
        "Write-Host",
    ),
}


def made(deployment: Deployment) -> dict[str, bytes]:
    return files(renderer(), deployment)


def text(found: Mapping[str, bytes], name: str) -> str:
    return found[name].decode("utf-8-sig").replace("\r\n", "\n")


@pytest.fixture(scope="module")
def usual(make_bundle: MakeBundle) -> dict[str, bytes]:
    return made(make_bundle())


@pytest.fixture
def deployment(
    profile: AccessProfile, settings: Settings, authority: x509.Certificate
) -> Deployment:
    return deployment_for(profile, settings, trust_in(authority))


@pytest.mark.parametrize("split", [True, False])
def test_a_full_tunnel_says_what_goes_past_it(make_bundle: MakeBundle, split: bool) -> None:
    readme = text(made(make_bundle(split_tunnel=split)), "README.txt")
    for said in ("IPv6 is not in the tunnel", "ms_tcpip6", "smart multi-homed"):
        assert (said in readme) is not split


def test_the_files_and_their_list(usual: dict[str, bytes], make_bundle: MakeBundle) -> None:
    authority = make_bundle().authorities[0]
    assert set(usual) == EVERYWHERE | {*SCRIPTS, "rasphone.pbk", authority.file}
    assert usual[authority.file] == authority.der
    listed = {line[66:]: line[:64] for line in text(usual, "SHA256SUMS").splitlines()}
    assert listed == {
        name: hashlib.sha256(content).hexdigest()
        for name, content in usual.items()
        if name != "SHA256SUMS"
    }


def test_the_same_deployment_gives_the_same_bytes(deployment: Deployment) -> None:
    assert made(deployment) == made(deployment)


def test_a_certificate_that_windows_trusts_needs_no_authority(make_bundle: MakeBundle) -> None:
    found = made(make_bundle(authorities=()))
    assert set(found) == EVERYWHERE | {"phonebook.ps1", "rasphone.pbk"}
    assert "trusts by itself" in text(found, "README.txt")
    assert "trust.ps1" not in text(found, "README.txt")


@pytest.mark.parametrize("sign_in", [SignIn.EAP_MSCHAPV2, SignIn.EAP_TLS])
def test_eap_has_no_place_in_the_phone_book(make_bundle: MakeBundle, sign_in: SignIn) -> None:
    found = made(make_bundle(client=ConnectionSettings(sign_in=sign_in)))
    assert not {"rasphone.pbk", "phonebook.ps1"} & set(found)
    assert "Not with this sign-in" in text(found, "README.txt")
    assert "EapHostConfig" in text(found, "profile-windows11.xml")


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_parse_and_are_written_as_windows_wants(usual: dict[str, bytes], name: str) -> None:
    script = Script(usual[name])
    assert "string_literal" in script.kinds
    assert not {kind for kind in script.kinds if "expandable" in kind}
    assert usual[name].endswith(b"\r\n")
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", usual[name])
    assert read(script.text).skeleton.isascii()


@pytest.mark.parametrize("name", SCRIPTS)
def test_only_known_commands_are_called(usual: dict[str, bytes], name: str) -> None:
    script = Script(usual[name])
    assert {"Stop-Script", "Assert-Administrator"} <= script.called & script.defined
    assert script.called <= script.defined | CMDLETS
    # in the part that all three have; the others must be called
    shared = {"Get-Note", "Get-NoteName", "Remove-Note", "Set-Note"}
    assert script.defined - script.called <= shared, "a function that nobody calls"


def test_errors_of_the_vpn_cmdlets_do_not_pass(usual: dict[str, bytes]) -> None:
    script = Script(usual["phonebook.ps1"])
    assert {"Add-VpnConnectionRoute", "Get-VpnConnection"} <= script.called
    assert script.deaf == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_variable_is_set_somewhere(usual: dict[str, bytes], name: str) -> None:
    assert Script(usual[name]).unknown_variables == set()


def test_every_exit_code_has_its_text_and_its_use(usual: dict[str, bytes]) -> None:
    used: set[int] = set()
    for name in SCRIPTS:
        shown = dict(re.findall(r"^    (\d+) = '([^']+)'$", text(usual, name), re.MULTILINE))
        assert shown == {str(code): said for code, said in FAILURES}
        used |= {int(code) for code in re.findall(r"Stop-Script (\d+)", text(usual, name))}
    assert used == {code for code, _ in FAILURES}


def hostile(make_bundle: MakeBundle, value: str) -> Bundle:
    plain = make_bundle()
    certificate = dataclasses.replace(plain.authorities[0], file=value, name=value)
    client = ConnectionSettings(
        name_rules=(NameRule(value, (IPv4Address("10.0.0.53"),)),),
        trigger_apps=(value,),
        trusted_networks=(value,),
    )
    return make_bundle(
        connection=value,
        server=value,
        host=value,
        profile=value,
        contact=value,
        dns_suffix=value,
        split_tunnel=True,
        routes=(f"{value}/8",),
        authorities=(certificate,),
        client=client,
    )


def check_literals(make_bundle: MakeBundle, value: str) -> None:
    """All scripts parse, say the very values, and are otherwise those of a harmless name."""
    bundle = hostile(make_bundle, value)
    found, like = made(bundle), made(hostile(make_bundle, "x"))
    for name in SCRIPTS:
        script = Script(found[name])
        assert read(script.text).skeleton == read(Script(like[name]).text).skeleton
        assert script.assigned["$Connection"] == [value]
        assert script.assigned["$Server"] == [value]
    book = Script(found["phonebook.ps1"]).assigned
    assert book["$Section"] == found["rasphone.pbk"].decode().removesuffix("\r\n").split("\r\n")
    assert book["$Section"][0] == f"[{value}]"
    assert book["$Routes"] == [f"{value}/8"]
    profile = Script(found["profile.ps1"]).assigned
    for variable, protocol in (
        ("$ProfileWindows11", Protocol.WINDOWS_11),
        ("$ProfileWindows10", Protocol.WINDOWS_10),
    ):
        assert profile[variable] == [compact(profile_xml(renderer(), bundle, protocol))]
    assert profile["$InstanceName"] == [intune.escaped_name(value)]
    trust = Script(found["trust.ps1"]).assigned["$Certificates"]
    certificate = bundle.authorities[0]
    assert trust == [value, certificate.sha1, certificate.sha256.replace(":", "")]


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_stay_values(make_bundle: MakeBundle, value: str) -> None:
    check_literals(make_bundle, value)


@hypothesis_settings(max_examples=25, deadline=None)
@given(
    value=st.text(
        st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/\ufffe\uffff"),
        min_size=1,
        max_size=30,
    )
    | st.text(st.sampled_from("'\u2018\u2019\u201a\u201b\"\u201c$`;&<>#(){}"), min_size=1)
)
def test_any_value_stays_a_value(make_bundle: MakeBundle, value: str) -> None:
    check_literals(make_bundle, value)


def test_a_line_break_makes_no_deployment(make_bundle: MakeBundle) -> None:
    with pytest.raises(InvalidInput, match="control character"):
        made(make_bundle(connection="a\r\nStart-Process calc"))


def test_a_changed_profile_is_noticed_by_the_next_run(make_bundle: MakeBundle) -> None:
    def fingerprints(bundle: Bundle) -> list[str]:
        found = made(bundle)
        return [
            Script(found[name]).assigned["$Fingerprint"][0]
            for name in ("profile.ps1", "phonebook.ps1")
        ]

    plain = make_bundle(split_tunnel=True)
    assert fingerprints(plain) == fingerprints(make_bundle(split_tunnel=True, contact="Zo\u00eb"))
    changed = fingerprints(make_bundle(split_tunnel=True, routes=("10.0.0.0/8",)))
    for one, other in zip(fingerprints(plain), changed, strict=True):
        assert re.fullmatch(r"[0-9A-F]{64}", one)
        assert one != other


def test_the_readme_says_what_to_type(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(
        split_tunnel=True,
        revocation_check=False,
        client=ConnectionSettings(
            name_rules=(NameRule("corp.example.com"),),
            trigger_apps=("Contoso.Mail_8wekyb3d8bbwe",),
            trusted_networks=("corp.example.com",),
            proxy="proxy.example.com:3128",
            proxy_bypass=("*.example.com",),
        ),
    )
    readme = text(made(bundle), "README.txt")
    assert intune.profile_uri(bundle.connection) in readme
    assert intune.root_uri(bundle.authorities[0]) in readme
    assert bundle.authorities[0].sha1 in readme
    lost = "rules for names, the proxy, programs that start the VPN, trusted networks"
    assert f"Not part of it, other than with A and B:\n{lost}." in readme
    assert "Exceptions from the proxy are not part of a profile: *.example.com" in readme
    assert "NoCertRevocationCheck" in readme
    assert "Rosa, room 7" in readme
    assert "not signed" in readme
    assert all(len(line) <= 110 for line in readme.splitlines() if "OMA-URI" not in line)


def test_the_readme_of_certificates(make_bundle: MakeBundle) -> None:
    readme = text(
        made(make_bundle(client=ConnectionSettings(sign_in=SignIn.EAP_TLS))), "README.txt"
    )
    assert "users' certificates are handed over another way" in readme
    assert "Not part of it" not in readme
    assert "NoCertRevocationCheck" not in readme


def test_what_a_deployment_says(deployment: Deployment, profile: AccessProfile) -> None:
    assert not hasattr(deployment, "user")
    assert deployment.server == deployment.host == "vpn.example.com"
    assert deployment.split_tunnel
    assert deployment.routes == ("10.0.0.0/8", "192.168.7.0/24")
    assert deployment.profile == profile.name
    assert [one.sha1 for one in deployment.authorities] == [
        one.sha1 for one in deployment.eap_roots
    ]


def test_eap_needs_a_root(profile: AccessProfile, settings: Settings) -> None:
    eap = dataclasses.replace(profile, client=ConnectionSettings(sign_in=SignIn.EAP_TLS))
    with pytest.raises(SstpcaError, match="needs the root of the server's certificate"):
        deployment_for(eap, settings, Trust((), ()))
    for sign_in in (SignIn.MSCHAPV2, SignIn.EAP_MSCHAPV2):
        other = dataclasses.replace(profile, client=ConnectionSettings(sign_in=sign_in))
        deployment_for(other, settings, Trust((), ()))


def test_eap_needs_a_certificate_that_windows_eap_takes(
    profile: AccessProfile, settings: Settings, authority: x509.Certificate
) -> None:
    trust = Trust((authority,), (authority,), "the server's certificate has an empty subject")
    eap = dataclasses.replace(profile, client=ConnectionSettings(sign_in=SignIn.EAP_TLS))
    with pytest.raises(SstpcaError, match="eap-tls: the server's certificate has an empty subject"):
        deployment_for(eap, settings, trust)
    other = dataclasses.replace(profile, client=ConnectionSettings(sign_in=SignIn.EAP_MSCHAPV2))
    deployment_for(other, settings, trust)


def test_a_name_that_windows_refuses(profile: AccessProfile, authority: x509.Certificate) -> None:
    strange = Settings(
        server=ServerSettings(names=("vpn.example.com",)), bundle=BundleSettings(connection="a/b")
    )
    with pytest.raises(InvalidInput, match="name of a connection"):
        deployment_for(profile, strange, trust_in(authority))
