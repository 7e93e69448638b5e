"""The scripts of a bundle, as far as they can be judged without Windows."""

import ctypes
import dataclasses
import functools
import itertools
import re
from importlib import resources
from ipaddress import IPv4Address
from typing import Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstpca.access.connection_settings import ConnectionSettings, NameRule, SignIn
from sstpca.bundle.content import texts
from sstpca.bundle.content.bundle import Bundle, Secrets, UserCertificate
from sstpca.bundle.content.codes import CODES
from sstpca.bundle.content.eap import eap_config
from sstpca.bundle.platforms import windows
from sstpca.errors import InvalidInput
from sstpca.server.sstp.preamble import Kind, Preamble
from tests.bundle.powershell import Script
from tests.bundle.powershell_literals import read
from tests.bundle.samples import MakeBundle, files_of, renderer

SCRIPTS = ("install.ps1", "uninstall.ps1", "verify.ps1")
LAUNCHERS = ("install.cmd", "uninstall.cmd", "verify.cmd")
TABLES = ("install", "uninstall", "verify", "failures", "launcher")
PASSWORD = "correct horse battery"
CERTIFICATE_PASSWORD = "staple of the certificate"
HOSTILE = [
    "O'Hara",
    "O\u2019Neill \u2018 \u201a \u201b",
    "'; Start-Process calc #",
    "\u2019; Start-Process calc #",
    '$(calc) `$x "\u201cq\u201d" ${y}',
    "a;b&c%PATH%!d!^e|f>g<h",
    "@' here '@",
    "--%",
    "Büro \u2013 Zürich \u540d\u524d \U0001f510",
    "<# block #>",
    "{0} {1}",
    "\u2028\u202e\ufeff",
]

# Each cmdlet the scripts may call; all are in Windows PowerShell 5.1.
CMDLETS = {
    *("Add-Content", "Add-Type", "Get-ChildItem", "Get-CimInstance", "Get-Command", "Get-Date"),
    *("Get-FileHash", "Get-Item", "Get-ItemProperty", "Get-Process", "Get-PSDrive", "Get-Service"),
    *(
        "Get-WinEvent",
        "Copy-Item",
        "Join-Path",
        "New-Item",
        "New-Object",
        "Read-Host",
        "Remove-Item",
    ),
    *(
        "Remove-ItemProperty",
        "Select-Object",
        "Select-String",
        "Set-Content",
        "Set-ItemProperty",
        "Set-StrictMode",
        "Sort-Object",
    ),
    *("Split-Path", "Start-Process", "Test-Path", "Where-Object", "Write-Host", "ForEach-Object"),
}
# The parameters of the cmdlets for VPNs and certificates that the scripts may use, from their pages
# in Microsoft's documentation of the modules VpnClient and PKI.
CONNECTION = {"-ConnectionName", "-Force"}
PARAMETERS = {
    "Add-VpnConnection": set[str](),
    "Set-VpnConnection": set[str](),
    "Get-VpnConnection": {"-Name", "-AllUserConnection"},
    "Remove-VpnConnection": {"-Name", "-AllUserConnection", "-Force"},
    "Add-VpnConnectionRoute": {"-ConnectionName", "-AllUserConnection", "-DestinationPrefix"},
    "Remove-VpnConnectionRoute": {"-ConnectionName", "-AllUserConnection", "-DestinationPrefix"},
    "Add-VpnConnectionTriggerDnsConfiguration": CONNECTION | {"-DnsSuffix", "-DnsIPAddress"},
    "Remove-VpnConnectionTriggerDnsConfiguration": CONNECTION | {"-DnsSuffix"},
    "Add-VpnConnectionTriggerApplication": CONNECTION | {"-ApplicationID"},
    "Remove-VpnConnectionTriggerApplication": CONNECTION | {"-ApplicationID"},
    "Add-VpnConnectionTriggerTrustedNetwork": CONNECTION | {"-DnsSuffix"},
    "Remove-VpnConnectionTriggerTrustedNetwork": CONNECTION | {"-DnsSuffix"},
    "Get-VpnConnectionTrigger": {"-ConnectionName"},
    "Set-VpnConnectionProxy": set[str](),
    "Import-Certificate": {"-FilePath", "-CertStoreLocation"},
    "Import-PfxCertificate": {"-FilePath", "-CertStoreLocation", "-Password"},
    "Get-PfxData": {"-FilePath", "-Password"},
}
COMMON = {"-ErrorAction", "-WarningAction"}


@functools.cache
def script(name: str, bundle: Bundle) -> Script:
    return Script(windows.script(renderer(bundle.language), bundle, name))


def secrets_for(sign_in: SignIn, file: str = "alice.p12") -> Secrets:
    if sign_in.with_password:
        return Secrets(password=PASSWORD)
    content = UserCertificate(file, b"PKCS#12", "AB" * 20, CERTIFICATE_PASSWORD)
    return Secrets(certificate=content)


def client_with(sign_in: SignIn, text: str = "corp.example.com") -> ConnectionSettings:
    rules = (NameRule(text, (IPv4Address("10.0.0.53"),)), NameRule(f"out.{text}"))
    return ConnectionSettings(sign_in, rules, text, (text, f"*.{text}"), (text, text), (text,))


def full_bundle(
    make_bundle: MakeBundle, sign_in: SignIn = SignIn.MSCHAPV2, **changes: Any
) -> Bundle:
    """Return a bundle with all that one can have beside the connection."""
    return make_bundle(
        **{
            "client": client_with(sign_in),
            "secrets": secrets_for(sign_in),
            "split_tunnel": True,
            "routes": ("10.0.0.0/8", "192.168.7.0/24"),
            "dns_suffix": "corp.example.com",
            "revocation_check": False,
            **changes,
        }
    )


def authorities_of(make_bundle: MakeBundle, count: int) -> dict[str, Any]:
    one = make_bundle().authorities[0]
    other = dataclasses.replace(one, file="ca-2.cer", sha1="CD" * 20, sha256="CD:" * 31 + "CD")
    return {"authorities": (one, other)[:count], "eap_roots": (one, other)[: count or 1]}


def expected(bundle: Bundle) -> dict[str, list[str]]:
    """Return what the scripts have to say, by variable."""
    client, certificate = bundle.client, bundle.secrets.certificate
    script = "://" in client.proxy
    authorities = [(one.file, one.sha1, one.sha256.replace(":", "")) for one in bundle.authorities]
    rules = [(rule.suffix, *map(str, rule.servers)) for rule in client.name_rules]
    return {
        "$Connection": [bundle.connection],
        "$Server": [bundle.server],
        "$HostName": [bundle.host],
        "$User": [bundle.user],
        "$DnsSuffix": [bundle.dns_suffix],
        "$Routes": list(bundle.routes),
        "$EapConfig": [eap_config(bundle) or ""],
        "$Authorities": list(itertools.chain(*authorities)),
        "$NameRules": list(itertools.chain(*rules)),
        "$Programs": list(client.trigger_apps),
        "$TrustedNetworks": list(client.trusted_networks),
        "$ProxyServer": ["" if script else client.proxy],
        "$ProxyScript": [client.proxy if script else ""],
        "$ProxyExceptions": list(client.proxy_bypass),
        "$UserCertificate": [certificate.sha1 if certificate else ""],
        "$UserCertificatePath": [certificate.file if certificate else ""],
    }


def hostile_bundle(make_bundle: MakeBundle, sign_in: SignIn, text: str) -> Bundle:
    certificate = dataclasses.replace(make_bundle().authorities[0], file=text, name=text)
    return full_bundle(
        make_bundle,
        sign_in,
        user=text,
        connection=text,
        server=text,
        dns_suffix=text,
        authorities=(certificate,),
        host=text,
        routes=(text, text),
        client=client_with(sign_in, text),
        secrets=secrets_for(sign_in, text),
    )


def check_scripts(bundle: Bundle, like: Bundle) -> None:
    """The scripts parse, say the very values, and are otherwise those of a harmless bundle."""
    wanted, seen = expected(bundle), set[str]()
    for name in SCRIPTS:
        found = script(name, bundle)
        skeleton = read(found.text).skeleton
        assert skeleton == read(script(name, like).text).skeleton
        assert skeleton.isascii()
        values = found.assigned
        common = wanted.keys() & values.keys()
        assert {key: values[key] for key in common} == {key: wanted[key] for key in common}
        assert {"$Connection", "$Server", "$Authorities"} <= common
        seen |= common
    missing = set[str]() if bundle.secrets.certificate else {"$UserCertificatePath"}
    assert seen == wanted.keys() - missing


@pytest.mark.parametrize("sign_in", SignIn)
@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("language", texts.languages())
def test_the_scripts_of_every_combination_parse(
    make_bundle: MakeBundle, sign_in: SignIn, count: int, language: str
) -> None:
    changes = {**authorities_of(make_bundle, count), "language": language}
    bundle = full_bundle(make_bundle, sign_in, **changes)
    check_scripts(bundle, dataclasses.replace(bundle, language="en"))
    secrets = dataclasses.replace(bundle.secrets, password=None)
    plain = make_bundle(client=ConnectionSettings(sign_in), secrets=secrets, **changes)
    check_scripts(plain, plain)


@pytest.mark.parametrize("sign_in", [SignIn.MSCHAPV2, SignIn.EAP_TLS])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_values_stay_values(make_bundle: MakeBundle, sign_in: SignIn, text: str) -> None:
    like = full_bundle(make_bundle, sign_in)
    check_scripts(hostile_bundle(make_bundle, sign_in, text), like)


@settings(max_examples=25, deadline=None)
@given(
    text=st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40)
    | st.text(
        st.sampled_from("'\u2018\u2019\u201a\u201b\"\u201c$`;&%!#(){}<>@|^ a\u00e9"), max_size=12
    )
)
def test_any_value_stays_a_value(make_bundle: MakeBundle, text: str) -> None:
    like = full_bundle(make_bundle, SignIn.EAP_TLS)
    check_scripts(hostile_bundle(make_bundle, SignIn.EAP_TLS, text), like)


def test_a_line_break_in_a_value_makes_no_bundle(make_bundle: MakeBundle) -> None:
    with pytest.raises(InvalidInput):
        files_of(make_bundle(connection="a\r\nStart-Process calc"))


def test_a_template_cannot_forget_to_quote() -> None:
    template = renderer()._scripts.from_string("$x = {{ value }}")
    with pytest.raises(jinja2.TemplateRuntimeError, match="without quoting"):
        template.render(value="alice")
    with pytest.raises((TypeError, jinja2.UndefinedError)):
        renderer()._scripts.from_string("{{ nothing | ps }}").render()


def everything(make_bundle: MakeBundle, name: str) -> list[Script]:
    """Return a script as it is with a password, and with a certificate."""
    return [script(name, full_bundle(make_bundle, kind)) for kind in SignIn]


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_string_expands_variables(make_bundle: MakeBundle, name: str) -> None:
    for found in everything(make_bundle, name):
        assert "string_literal" in found.kinds
        assert not {kind for kind in found.kinds if "expandable" in kind}


@pytest.mark.parametrize("name", SCRIPTS)
def test_only_known_commands_are_called(make_bundle: MakeBundle, name: str) -> None:
    defined, called = set[str](), set[str]()
    for found in everything(make_bundle, name):
        assert found.called <= found.defined | CMDLETS | PARAMETERS.keys()
        defined, called = defined | found.defined, called | found.called
    assert defined <= called, "a function that nobody calls"


@pytest.mark.parametrize("name", SCRIPTS)
def test_cmdlets_get_documented_parameters(make_bundle: MakeBundle, name: str) -> None:
    for found in everything(make_bundle, name):
        checked = found.parameters.keys() & PARAMETERS.keys()
        assert "Get-VpnConnection" in checked
        for cmdlet in checked:
            assert found.parameters[cmdlet] <= PARAMETERS[cmdlet] | COMMON, cmdlet


@pytest.mark.parametrize("name", SCRIPTS)
def test_errors_of_the_vpn_cmdlets_do_not_pass(make_bundle: MakeBundle, name: str) -> None:
    for found in everything(make_bundle, name):
        assert found.deaf == []


@pytest.mark.parametrize("name", ["install.ps1", "uninstall.ps1"])
@pytest.mark.parametrize("sign_in", SignIn)
def test_the_constrained_language_mode_is_enough(
    make_bundle: MakeBundle, name: str, sign_in: SignIn
) -> None:
    """There, only basic types have methods: texts and tables, but no keys of the registry."""
    bundle = full_bundle(make_bundle, sign_in)
    secrets = dataclasses.replace(bundle.secrets, password=None)
    code = read(script(name, dataclasses.replace(bundle, secrets=secrets)).text).skeleton
    assert set(re.findall(r"\.(\w+)\(", code)) <= {"ContainsKey", "Substring", "TrimEnd"}
    assert not re.search(r"\]::|New-Object|Add-Type", code)


def test_verify_in_the_constrained_language_mode(make_bundle: MakeBundle) -> None:
    text = script("verify.ps1", make_bundle()).text
    guarded = text.split("\r\nif (Test-Constrained) {")[1].split("else {")[1].split("\r\n}")[0]
    assert "{ Test-Proxy }" in guarded
    assert "{ Test-Server }" in guarded
    assert text.count("{ Test-Proxy }") == text.count("{ Test-Server }") == 1


@pytest.mark.parametrize("name", ["install.ps1", "uninstall.ps1"])
def test_the_elevated_part_leaves_its_log_to_the_user(make_bundle: MakeBundle, name: str) -> None:
    """It may run in another account, in a window that closes at once."""
    text = script(name, make_bundle()).text
    head = text.split("param(")[1].split("\r\n)")[0]
    assert "[string]$LogFile = (Join-Path $env:TEMP 'sstpca.log')" in head
    assert """'" -LogFile "' + $LogFile + '" '""" in text
    assert text.count("$LogFile =") == 1
    assert "trap {\r\n    Write-Log ([string]$_)\r\n    Undo-Steps\r\n    break\r\n}" in text


@pytest.mark.parametrize("name", SCRIPTS)
def test_functions_get_as_many_values_as_they_take(make_bundle: MakeBundle, name: str) -> None:
    """PowerShell itself does not look: what is missing is empty, what is too much is dropped."""
    for found in everything(make_bundle, name):
        takes = found.takes
        assert takes.keys() == found.defined
        for called, count in found.calls:
            # the reason may be left out
            assert count in ((1, 2) if called == "Stop-Script" else (takes[called],)), called


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_list_of_one_stays_a_list(make_bundle: MakeBundle, name: str) -> None:
    """What a function returns is unrolled: without @(), one text + a list is one longer text."""
    for found in everything(make_bundle, name):
        lists = r"(?<!@)\((?:Get-NoteList|Get-WrongSettings|Find-\w+)[^()]*\) \+"
        assert not re.search(lists, found.text)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_variable_is_set_somewhere(make_bundle: MakeBundle, name: str) -> None:
    for found in everything(make_bundle, name):
        assert found.unknown_variables == set()


def codes_in(text: str) -> tuple[set[str], set[str]]:
    """Return the codes of the table of failures, and those that are used."""
    table = set(re.findall(r"^    (\d\d) = '", text, re.MULTILINE))
    return table, set(re.findall(r"Stop-Script (\d+)", text))


def test_every_way_to_fail_has_its_text_and_no_text_is_idle(make_bundle: MakeBundle) -> None:
    used, tables = set[str](), set[str]()
    for name in ("install.ps1", "uninstall.ps1"):
        for found in everything(make_bundle, name):
            table, codes = codes_in(found.text)
            assert codes <= table
            used, tables = used | codes, tables | table
    assert used == tables


def templates_text() -> str:
    folder = resources.files("sstpca.templates") / "windows"
    return "".join(one.read_text("utf-8") for one in folder.iterdir() if one.name.endswith(".j2"))


@pytest.mark.parametrize("table", TABLES)
def test_every_text_is_used(table: str) -> None:
    used = set(re.findall(rf"texts\.{table}\.(\w+)", templates_text()))
    assert used == set(vars(getattr(texts.load("en"), table)))


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("language", texts.languages())
def test_texts_have_the_same_places_for_values(table: str, language: str) -> None:
    english, other = (vars(getattr(texts.load(one), table)) for one in ("en", language))
    for key, text in other.items():
        places = re.findall(r"\{[^}]*\}?", text)
        assert set(places) == set(re.findall(r"\{\d\}", english[key])), key
        assert "}" not in re.sub(r"\{\d\}", "", text)


def test_settings_suit_both_cmdlets(make_bundle: MakeBundle) -> None:
    """One table is splatted to Add- and Set-VpnConnection: names that both document."""
    text = script("install.ps1", make_bundle()).text
    table = text.split("$settings = @{")[1].split("}")[0]
    assert set(re.findall(r"^\s+(\w+)\s+=", table, re.MULTILINE)) == {
        *("Name", "ServerAddress", "TunnelType", "AuthenticationMethod", "EncryptionLevel"),
        *("RememberCredential", "SplitTunneling", "AllUserConnection", "ErrorAction"),
    }
    changed = set(re.findall(r"\$settings\.(\w+) =", text))
    assert changed == {"DnsSuffix", "EapConfigXmlStream"}
    assert "TunnelType           = 'Sstp'" in table
    assert set(re.findall(r"\$proxy\.(\w+) =", text)) == {
        *("ProxyServer", "AutoConfigurationScript", "ExceptionPrefix"),
    }


def test_what_the_profile_says_is_in_the_script(make_bundle: MakeBundle) -> None:
    full = script("install.ps1", make_bundle()).text
    assert "$Routes = @()\r\n$SplitTunnel = $false\r\n" in full
    assert "$SkipRevocation = $false\r\n" in full
    some = make_bundle(split_tunnel=True, routes=("10.0.0.0/8",), revocation_check=False)
    split = script("install.ps1", some).text
    assert "$Routes = @('10.0.0.0/8')\r\n$SplitTunnel = $true\r\n" in split
    assert "$SkipRevocation = $true\r\n" in split


def test_what_a_bundle_has_not_is_not_in_its_scripts(make_bundle: MakeBundle) -> None:
    text = script("install.ps1", make_bundle()).text
    for word in ("Add-Type", "DllImport", "Import-PfxCertificate", "password.txt"):
        assert word not in text
        assert any(word in one.text for one in everything(make_bundle, "install.ps1"))


def test_the_saved_password_is_in_one_file_and_nowhere_else(make_bundle: MakeBundle) -> None:
    files = files_of(full_bundle(make_bundle, SignIn.MSCHAPV2, **authorities_of(make_bundle, 2)))
    assert files["password.txt"] == f"\ufeff{PASSWORD}\r\n".encode()
    assert [name for name in files if PASSWORD.encode() in files[name]] == ["password.txt"]
    install = files["install.ps1"].decode("utf-8-sig")
    assert "$PasswordPath = Join-Path $PSScriptRoot 'password.txt'" in install
    assert "Remove-Item -LiteralPath $PasswordPath" in install
    assert "password.txt" not in files_of(make_bundle())


def test_the_password_of_a_certificate_is_in_no_file(make_bundle: MakeBundle) -> None:
    files = files_of(full_bundle(make_bundle, SignIn.EAP_TLS))
    assert files["alice.p12"] == b"PKCS#12"
    assert not [name for name in files if CERTIFICATE_PASSWORD.encode() in files[name]]
    for name in SCRIPTS:
        assert "AsPlainText" not in files[name].decode("utf-8-sig")


def test_the_structure_of_saved_credentials_is_that_of_windows(make_bundle: MakeBundle) -> None:
    """ras.h packs RASCREDENTIALSW to 4 bytes: 1068 bytes, the password at 522."""
    text = script("install.ps1", full_bundle(make_bundle)).text
    assert "CharSet = CharSet.Unicode, Pack = 4" in text
    lines = re.findall(r"(?:SizeConst = (\d+)\)\] )?public (int|string) (\w+);", text)
    kinds = [(name, ctypes.c_uint32 if kind == "int" else ctypes.c_uint16 * int(size))
             for size, kind, name in lines]  # fmt: skip
    shape = type("Shape", (ctypes.Structure,), {"_pack_": 4, "_layout_": "ms", "_fields_": kinds})
    assert [name for name, _ in kinds] == ["Size", "Mask", "User", "Password", "Domain"]
    assert ctypes.sizeof(shape) == 1068
    assert [getattr(shape, name).offset for name, _ in kinds] == [0, 4, 8, 522, 1036]


def test_error_numbers_have_their_texts(make_bundle: MakeBundle) -> None:
    verify = script("verify.ps1", make_bundle())
    values = verify.assigned
    pairs = values["$Meanings"]
    meanings = dict(zip(pairs[::2], pairs[1::2], strict=True))
    assert meanings == {str(value): code.key for code in CODES for value in code.values}
    errors = texts.load("en").errors
    for name, part in (("$Means", "means"), ("$Helps", "helps")):
        found = dict(zip(values[name][::2], values[name][1::2], strict=True))
        assert found == {code.key: getattr(errors, f"{code.key}_{part}") for code in CODES}
    asked = set(re.findall(r"\$Helps\['(\w+)'\]", verify.text))
    assert asked
    assert asked <= {code.key for code in CODES}


def test_a_network_may_be_the_suffix_of_a_rule(make_bundle: MakeBundle) -> None:
    """Windows has made it one then, and to add it twice would be an error."""
    text = script("install.ps1", full_bundle(make_bundle)).text
    loop = text.split("function Add-OtherTriggers")[1].split("($network in")[1]
    assert 0 < loop.index("Remove-VpnConnectionTrigger") < loop.index("Add-VpnConnectionTrigger")


def test_what_verify_sends_is_a_request_of_sstp(make_bundle: MakeBundle) -> None:
    text = script("verify.ps1", make_bundle()).text
    block = text.split("$lines = @(")[1].split("\r\n    )")[0]
    lines = [read(f"{line}\n").literals for line in block.strip().splitlines()]
    assert lines[2:] == [["Host: "], ["SSTPCORRELATIONID: {", "}"], [""], [""]]
    host, guid = "vpn.example.com", "01234567-89AB-CDEF-0123-456789ABCDEF"
    lines[2:4] = [[f"Host: {host}"], [f"SSTPCORRELATIONID: {{{guid}}}"]]
    request = Preamble().feed("\r\n".join("".join(line) for line in lines).encode())
    assert request is not None
    assert request.kind is Kind.SSTP


@pytest.mark.parametrize("name", [*SCRIPTS, *LAUNCHERS, "password.txt"])
def test_lines_end_as_windows_wants(make_bundle: MakeBundle, name: str) -> None:
    content = files_of(full_bundle(make_bundle, user="Zo\u00eb"))[name]
    assert content.endswith(b"\r\n")
    assert b"\r" not in content.replace(b"\r\n", b"")
    assert b"\n" not in content.replace(b"\r\n", b"")


def test_scripts_have_a_byte_order_mark(make_bundle: MakeBundle) -> None:
    files = files_of(make_bundle())
    for name in SCRIPTS:
        assert files[name].startswith(b"\xef\xbb\xbf#")
        assert files[name].count(b"\xef\xbb\xbf") == 1


@pytest.mark.parametrize("language", texts.languages())
@pytest.mark.parametrize("name", LAUNCHERS)
def test_launchers_are_plain_ascii_without_values(
    make_bundle: MakeBundle, name: str, language: str
) -> None:
    content = files_of(make_bundle(connection="Bür&o", user="O'Hara", language=language))[name]
    assert content == files_of(make_bundle(language=language))[name]
    text = content.decode("ascii")
    target = name.replace(".cmd", ".ps1")
    assert text.startswith("@echo off\r\nsetlocal EnableExtensions DisableDelayedExpansion\r\n")
    assert f'if not exist "%~dp0{target}" goto :alone' in text
    assert f'-NoProfile -ExecutionPolicy Bypass -File "%~dp0{target}" %*' in text
    # PowerShell 7 sets it, and hides Get-FileHash and more from Windows PowerShell
    assert 'set "PSModulePath="\r\n' in text[: text.index("-NoProfile")]
    assert text.index("System32") < text.index("Sysnative") < text.index("-NoProfile")
    labels = set(re.findall(r"^:(\w+)", text, re.MULTILINE))
    assert labels == set(re.findall(r"goto :(\w+)", text))
    assert text.count("pause") == 3
    assert "exit /b %CODE%" in text
    lines = re.findall(r"^echo (.*)\r$", text, re.MULTILINE)
    assert len(lines) > 4
    assert not [line for line in lines if set(line) & set("%&|<>^!()") or len(line) > 74]


@pytest.mark.parametrize("text", ["a & b", "100 %", "a\nb", "Br\u00fccke", "", ">nul", "a^b"])
def test_a_launcher_cannot_say_what_means_something_to_cmd(text: str) -> None:
    with pytest.raises(InvalidInput):
        renderer()._scripts.from_string("echo {{ text | echo }}").render(text=text)
