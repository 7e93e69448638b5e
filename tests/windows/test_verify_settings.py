"""verify.ps1: all that a bundle sets, event numbers of each kind, and servers that it took for others."""

import contextlib
import dataclasses
import ssl
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from sstpca.access.connection_settings import ConnectionSettings, NameRule, SignIn
from sstpca.bundle.content import texts
from tests.bundle.samples import MakeBundle, files_of
from tests.support.tls import Server
from tests.windows.conftest import Authorities, write
from tests.windows.pc import Pc, Result, Step, run_all
from tests.windows.test_verify import (
    CONNECTED,
    NAME,
    SAID,
    begins,
    bundle_at,
    context_for,
    environment,
    event,
    good,
    problems,
)

__all__ = ["environment", "good"]

ERRORS: dict[str, str] = vars(texts.load("en").errors)
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"
CLIENT = ConnectionSettings(
    SignIn.EAP_MSCHAPV2,
    (NameRule("corp.example.com", (IPv4Address("10.0.0.53"),)),),
    "proxy.example.com:8080",
    ("*.example.org",),
    ("C:\\app.exe",),
    ("office.example.com",),
)
ALL: dict[str, Any] = {"client": CLIENT, "dns_suffix": "corp.example.com"}
DNS = f"VpnConnectionTriggerDnsConfiguration -Force -ConnectionName {NAME} -DnsSuffix"

# What was done to the connection, and what verify.ps1 names.
HARMS = {
    "nothing": ("", ""),
    "encryption": (f"Set-VpnConnection -Name {NAME} -EncryptionLevel Optional", "Optional"),
    "suffix": (f"Set-VpnConnection -Name {NAME} -DnsSuffix old.example.com", "old.example.com"),
    "eap": (
        "$eap = (Get-VpnConnection -Name Office).EapConfigXmlStream.InnerXml -replace 'false', 'true'\n"
        f"Set-VpnConnection -Name {NAME} -AuthenticationMethod Eap -EapConfigXmlStream ([xml]$eap)",
        "EAP UseWinLogonCredentials: true",
    ),
    "eap as windows may write it": (
        "$eap = (Get-VpnConnection -Name Office).EapConfigXmlStream.InnerXml -replace '><', \">`n  <\"\n"
        f"Set-VpnConnection -Name {NAME} -AuthenticationMethod Eap -EapConfigXmlStream ([xml]$eap)",
        "",
    ),
    "rule": (f"foreach ($one in 'corp.example.com', '.corp.example.com') {{ Remove-{DNS} $one }}",
             "DNS rule: corp.example.com"),
    "rule's server": (f"foreach ($one in 'corp.example.com', '.corp.example.com') {{ Remove-{DNS} $one\n"
                      f"Add-{DNS} $one -DnsIPAddress 10.9.9.9 }}", "10.9.9.9"),
    "rule of an earlier bundle": (
        f"$note = 'HKCU:\\Software\\sstpca\\Connections\\{NAME}'\n"
        "Set-ItemProperty -LiteralPath $note -Name Suffixes -Value 'corp.example.com|old.example.com'\n"
        f"Add-{DNS} old.example.com -DnsIPAddress 10.0.0.1",
        "old.example.com",
    ),
    "rule of one's own": (f"Add-{DNS} own.example.com -DnsIPAddress 10.0.0.1", ""),
    "proxy": (f"Set-VpnConnectionProxy -ConnectionName {NAME} -ProxyServer old.example.com:1",
              "Proxy: old.example.com:1"),
    "program": (
        f"Remove-VpnConnectionTriggerApplication -ConnectionName {NAME} -Force -ApplicationID C:\\app.exe",
        "Program: C:\\app.exe",
    ),
    "network": (
        f"Remove-VpnConnectionTriggerTrustedNetwork -ConnectionName {NAME} -Force "
        "-DnsSuffix office.example.com",
        "office.example.com",
    ),
}  # fmt: skip

# The values of an event behind the connection's name, and what is said of it.
NUMBERS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "0": (("0",), "", ""),
    "none": ((), "", ""),
    "0 after it": (("691", "0"), "691", "password"),
    "signed": (("-2146762487",), "0x800B0109", "untrusted"),
    "unsigned": (("2148204809",), "0x800B0109", "untrusted"),
    "hexadecimal": (("0x800B0109",), "0x800B0109", "untrusted"),
    "WinHTTP": (("12175",), "12175", "secure"),
    "WinHTTP signed": (("-2147012721",), "0x80072F8F", "secure"),
    "WinHTTP unsigned": (("2147954575",), "0x80072F8F", "secure"),
    "unknown": (("-2147467259",), "0x80004005", ""),
}


@pytest.fixture(scope="module")
def runs(
    make_bundle: MakeBundle,
    good: Server,
    environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Result]:
    """By name, what verify.ps1 says of a PC with one thing wrong, or with one event."""
    folder = tmp_path_factory.mktemp("settings")
    full = make_bundle(**bundle_at(good.port, **ALL))
    bundle = write(folder / "bundle", files_of(full))
    plain = write(
        folder / "plain", files_of(dataclasses.replace(full, client=ConnectionSettings()))
    )
    scenarios: dict[str, tuple[Pc, list[Step]]] = {}
    for name, (harm, _) in HARMS.items():
        path = folder / f"{len(scenarios)}.ps1"
        path.write_text(harm)
        steps = [
            Step(bundle / "install.ps1", elevated=True),
            Step(path),
            Step(bundle / "verify.ps1"),
        ]
        scenarios[name] = Pc(folder / f"pc {len(scenarios)}"), steps
    for name, (values, _, _) in NUMBERS.items():
        pc = Pc(folder / f"pc {len(scenarios)}")
        longer = event(20227, "868") | {"values": ["{1}", "PC\\alice", f"{NAME} 2", "868"]}
        pc.state["events"] = [event(20227, *values), longer]
        steps = [Step(plain / "install.ps1", elevated=True), Step(plain / "verify.ps1")]
        scenarios[name] = pc, steps
    found = [one[-1] for one in run_all(scenarios.values(), environment)]
    return dict(zip(scenarios, found, strict=True))


@pytest.mark.parametrize("name", HARMS)
def test_a_setting_is_wrong(runs: dict[str, Result], name: str) -> None:
    found, named = problems(runs[name]), HARMS[name][1]
    assert len(found) == bool(named), found
    assert all(one.startswith(begins("wrong_settings")) and named in one for one in found)


@pytest.mark.parametrize("name", NUMBERS)
def test_the_number_of_an_event(runs: dict[str, Result], name: str) -> None:
    _, shown, key = NUMBERS[name]
    found = problems(runs[name])
    if not shown:
        assert found == []
        assert any(begins("last_ended") in line for line in runs[name].said)
        return
    means = ERRORS[f"{key}_means"] if key else SAID["unknown"]
    assert found == [SAID["last_bad"].format(shown, means)]


def test_servers_that_were_taken_for_others(
    make_bundle: MakeBundle, authorities: Authorities, environment: dict[str, str], tmp_path: Path
) -> None:
    new, old = (context_for(authorities[0], tmp_path) for _ in range(2))
    new.minimum_version = ssl.TLSVersion.TLSv1_3
    # a cipher that no PC offers: both speak TLS, and have nothing in common
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.set_ciphers("ECDHE-ARIA128-GCM-SHA256:DHE-RSA-CAMELLIA128-SHA:PSK-AES128-CBC-SHA")
    kinds: dict[str, tuple[ssl.SSLContext | None, bytes, str]] = {
        "TLS 1.3": (new, CONNECTED, ""),
        "no cipher": (old, CONNECTED, ERRORS["tls_means"]),
        "no TLS": (None, b"220 mail.example.com ESMTP\r\n", SAID["no_tls"]),
        "page": (context_for(authorities[0], tmp_path), PAGE, begins("no_sstp")),
    }
    with contextlib.ExitStack() as stack:
        scenarios = []
        for kind, (context, answer, _) in kinds.items():
            port = stack.enter_context(Server(context, answer)).port
            bundle = write(tmp_path / kind, files_of(make_bundle(**bundle_at(port))))
            steps = [Step(bundle / f"{one}.ps1", elevated=True) for one in ("install", "verify")]
            scenarios.append((Pc(tmp_path / f"pc {kind}"), steps))
        results = run_all(scenarios, environment)
    for (_, one), (_, _, said) in zip(results, kinds.values(), strict=True):
        assert [line.startswith(said) for line in problems(one)] == [True] * bool(said), one.said
