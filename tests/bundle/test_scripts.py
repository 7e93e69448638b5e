"""The scripts of a bundle, as far as they can be judged without Windows."""

import dataclasses
import functools
import re
from collections.abc import Iterator

import jinja2
import pytest
import tree_sitter_powershell
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_sitter import Language, Node, Parser

from sstpca.bundle.context import Bundle
from sstpca.errors import InvalidInput
from tests.bundle.reader import read
from tests.bundle.samples import MakeBundle, files_of, renderer

SCRIPTS = ("install.ps1", "uninstall.ps1")
LAUNCHERS = ("install.cmd", "uninstall.cmd")
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
    "\u2028\u202e\ufeff",
]

# Each cmdlet the scripts may call; all are in Windows PowerShell 5.1.
CMDLETS = {
    *("Add-Content", "Get-ChildItem", "Get-Command", "Get-Date", "Get-FileHash"),
    *("Get-ItemProperty", "Get-Process", "Get-PSDrive", "Join-Path", "New-Item", "Remove-Item"),
    *("Select-Object", "Set-ItemProperty", "Set-StrictMode", "Split-Path", "Start-Process"),
    *("Test-Path", "Where-Object", "Write-Host", "ForEach-Object", "Import-Certificate"),
    *("Add-VpnConnection", "Add-VpnConnectionRoute", "Get-VpnConnection", "Remove-VpnConnection"),
    *("Remove-VpnConnectionRoute", "Set-VpnConnection"),
}
AUTOMATIC = {
    *("$_", "$null", "$true", "$false", "$PID", "$PSScriptRoot", "$PSCommandPath"),
    *("$PSVersionTable", "$ErrorActionPreference"),
}


@pytest.fixture(scope="session")
def parser() -> Parser:
    return Parser(Language(tree_sitter_powershell.language()))


def script_text(files: dict[str, bytes], name: str) -> str:
    return files[name].decode("utf-8-sig")


def nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from nodes(child)


def parse(parser: Parser, text: str) -> list[Node]:
    tree = parser.parse(text.encode())
    found = list(nodes(tree.root_node))
    wrong = [node for node in found if node.is_error or node.is_missing]
    assert not wrong, [(node.type, node.start_point) for node in wrong]
    return found


def text_of(node: Node | None) -> str:
    assert node is not None and node.text is not None
    return node.text.decode()


def assigned(found: list[Node]) -> dict[str, list[str]]:
    """Return, by variable, the values of the strings on the right side of its assignments."""
    values: dict[str, list[str]] = {}
    for node in found:
        if node.type == "assignment_expression":
            left, right = text_of(node.children[0]), text_of(node.children[-1])
            values.setdefault(left.strip(), read(right + "\n").literals)
    return values


def expected(bundle: Bundle) -> dict[str, list[str]]:
    certificate = bundle.authorities[0]
    return {
        "$Connection": [bundle.connection],
        "$Server": [bundle.server],
        "$CertificateFile": [certificate.file],
        "$Sha1": [certificate.sha1],
        "$Sha256": [certificate.sha256.replace(":", "")],
        "$User": [bundle.user],
        "$DnsSuffix": [bundle.dns_suffix],
        "$Routes": list(bundle.routes),
    }


def hostile_bundle(make_bundle: MakeBundle, text: str) -> Bundle:
    certificate = dataclasses.replace(make_bundle().authorities[0], file=text, name=text)
    return make_bundle(
        user=text,
        connection=text,
        server=text,
        dns_suffix=text,
        authorities=(certificate,),
        host=text,
        split_tunnel=True,
        routes=(text, text),
    )


@functools.cache
def skeleton(name: str, bundle: Bundle) -> str:
    return read(renderer().script(f"windows/{name}.j2", bundle).decode("utf-8-sig")).skeleton


def check_scripts(parser: Parser, make_bundle: MakeBundle, bundle: Bundle) -> None:
    """Both scripts parse, say the very values, and are otherwise those of a harmless bundle."""
    files = {name: renderer().script(f"windows/{name}.j2", bundle) for name in SCRIPTS}
    like = make_bundle(split_tunnel=bundle.split_tunnel, routes=("x",) * len(bundle.routes))
    for name in SCRIPTS:
        text = script_text(files, name)
        source = read(text)
        assert source.skeleton == skeleton(name, like)
        assert source.skeleton.isascii()
        values = assigned(parse(parser, text))
        wanted = expected(bundle)
        assert {key: values[key] for key in wanted if key in values} == {
            key: value for key, value in wanted.items() if name == "install.ps1" or key in values
        }
        assert {"$Connection", "$Server", "$Sha1"} <= values.keys()


def test_the_scripts_of_a_usual_bundle_parse(parser: Parser, make_bundle: MakeBundle) -> None:
    check_scripts(parser, make_bundle, make_bundle())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_values_stay_values(parser: Parser, make_bundle: MakeBundle, text: str) -> None:
    check_scripts(parser, make_bundle, hostile_bundle(make_bundle, text))


@settings(max_examples=40, deadline=None)
@given(
    text=st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40)
    | st.text(
        st.sampled_from("'\u2018\u2019\u201a\u201b\"\u201c$`;&%!#(){}<>@|^ a\u00e9"), max_size=12
    )
)
def test_any_value_stays_a_value(parser: Parser, make_bundle: MakeBundle, text: str) -> None:
    check_scripts(parser, make_bundle, hostile_bundle(make_bundle, text))


def test_a_line_break_in_a_value_makes_no_bundle(make_bundle: MakeBundle) -> None:
    with pytest.raises(InvalidInput):
        files_of(make_bundle(connection="a\r\nStart-Process calc"))


def test_a_template_cannot_forget_to_quote() -> None:
    template = renderer()._scripts.from_string("$x = {{ value }}")
    with pytest.raises(jinja2.TemplateRuntimeError, match="without quoting"):
        template.render(value="alice")
    with pytest.raises(TypeError, match="StrictUndefined"):
        renderer()._scripts.from_string("{{ nothing | ps }}").render()


def test_no_string_expands_variables(parser: Parser, make_bundle: MakeBundle) -> None:
    for name in SCRIPTS:
        kinds = {node.type for node in parse(parser, script_text(files_of(make_bundle()), name))}
        assert "string_literal" in kinds
        assert not {kind for kind in kinds if "expandable" in kind}


@pytest.mark.parametrize("name", SCRIPTS)
def test_only_known_commands_are_called(parser: Parser, make_bundle: MakeBundle, name: str) -> None:
    found = parse(parser, script_text(files_of(make_bundle()), name))
    defined = {text_of(node) for node in found if node.type == "function_name"}
    called = {text_of(node) for node in found if node.type == "command_name"}
    assert "Stop-Script" in defined
    assert "Stop-Script" in called
    assert called <= defined | CMDLETS
    assert defined <= called | {"Write-Step"}, "a function that nobody calls"


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_variable_is_set_somewhere(
    parser: Parser, make_bundle: MakeBundle, name: str
) -> None:
    text = script_text(files_of(make_bundle()), name)
    found = parse(parser, text)
    used = {text_of(node).lower() for node in found if node.type == "variable"}
    used = {variable for variable in used if not variable.startswith(("$env:", "@"))}
    set_by = {text_of(node.children[0]) for node in found if node.type == "assignment_expression"}
    given_to = {text_of(node) for node in found if node.type == "script_parameter"}
    declared = set(re.findall(r"\$\w+", " ".join(set_by | given_to)))
    loops = set(re.findall(r"foreach \((\$\w+) in", text))
    known = {variable.lower() for variable in declared | loops | AUTOMATIC}
    assert used - known == set()
    assert "$connection" in used


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_way_to_fail_has_its_text(make_bundle: MakeBundle, name: str) -> None:
    text = script_text(files_of(make_bundle()), name)
    texts = set(re.findall(r"^    (\d+) = '", text, re.MULTILINE))
    codes = set(re.findall(r"Stop-Script (\d+)", text))
    assert codes
    assert codes <= texts


def test_every_text_is_used(make_bundle: MakeBundle) -> None:
    both = "".join(script_text(files_of(make_bundle()), name) for name in SCRIPTS)
    texts = set(re.findall(r"^    (\d+) = '", both, re.MULTILINE))
    assert texts == set(re.findall(r"Stop-Script (\d+)", both))


def test_settings_suit_both_cmdlets(make_bundle: MakeBundle) -> None:
    """One table is splatted to Add- and Set-VpnConnection: names that both document."""
    text = script_text(files_of(make_bundle()), "install.ps1")
    table = text.split("$settings = @{")[1].split("}")[0]
    assert set(re.findall(r"^\s+(\w+)\s+=", table, re.MULTILINE)) == {
        *("Name", "ServerAddress", "TunnelType", "AuthenticationMethod", "EncryptionLevel"),
        *("RememberCredential", "SplitTunneling", "AllUserConnection", "ErrorAction"),
    }
    assert "TunnelType           = 'Sstp'" in table
    assert "AuthenticationMethod = 'MSChapv2'" in table


def test_what_the_profile_says_is_in_the_script(make_bundle: MakeBundle) -> None:
    full = script_text(files_of(make_bundle()), "install.ps1")
    assert "$SplitTunnel = $false\r\n$Routes = @()\r\n$DnsSuffix = ''\r\n" in full
    some = make_bundle(split_tunnel=True, routes=("10.0.0.0/8",), dns_suffix="corp.example.com")
    split = script_text(files_of(some), "install.ps1")
    assert (
        "$SplitTunnel = $true\r\n$Routes = @('10.0.0.0/8')\r\n$DnsSuffix = 'corp.example.com'\r\n"
    ) in split


@pytest.mark.parametrize("name", [*SCRIPTS, *LAUNCHERS])
def test_lines_end_as_windows_wants(make_bundle: MakeBundle, name: str) -> None:
    content = files_of(make_bundle(user="Zo\u00eb"))[name]
    assert content.endswith(b"\r\n")
    assert b"\r\n" in content
    assert b"\r" not in content.replace(b"\r\n", b"")
    assert b"\n" not in content.replace(b"\r\n", b"")


def test_scripts_have_a_byte_order_mark(make_bundle: MakeBundle) -> None:
    files = files_of(make_bundle())
    for name in SCRIPTS:
        assert files[name].startswith(b"\xef\xbb\xbf#")
        assert files[name].count(b"\xef\xbb\xbf") == 1


@pytest.mark.parametrize("name", LAUNCHERS)
def test_launchers_are_plain_ascii_without_values(make_bundle: MakeBundle, name: str) -> None:
    content = files_of(make_bundle(connection="Bür&o", user="O'Hara"))[name]
    assert content == files_of(make_bundle())[name]
    text = content.decode("ascii")
    target = name.replace(".cmd", ".ps1")
    assert text.startswith("@echo off\r\nsetlocal EnableExtensions DisableDelayedExpansion\r\n")
    assert f'if not exist "%~dp0{target}" goto :alone' in text
    assert f'-NoProfile -ExecutionPolicy Bypass -File "%~dp0{target}" %*' in text
    assert text.index("System32") < text.index("Sysnative") < text.index("-NoProfile")
    labels = set(re.findall(r"^:(\w+)", text, re.MULTILINE))
    assert labels == set(re.findall(r"goto :(\w+)", text))
    assert text.count("pause") == 3
    assert "exit /b %CODE%" in text
