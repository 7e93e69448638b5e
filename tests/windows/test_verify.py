"""verify.ps1: each check fails by itself, says so, and all others stay good."""

import contextlib
import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sstpca.access.connection_settings import ConnectionSettings, SignIn
from sstpca.authority.authority import Authority
from sstpca.bundle.content import texts
from sstpca.bundle.content.bundle import Secrets
from sstpca.names import parse_hosts
from sstpca.vpn.user_reports import read_user_report
from sstpca.x509.keys import KeyType
from tests.bundle.samples import MakeBundle, files_of
from tests.support.tls import Server, server_context
from tests.windows.conftest import PASSWORD, Authorities, MakeCertificate, Unpack, write
from tests.windows.pc import ADMIN, ALICE, Pc, Result, Step, Table, run_all

SAID: dict[str, str] = vars(texts.load("en").verify)
NAME = "Office"
CONNECTED = b"HTTP/1.1 200\r\nContent-Length: 18446744073709551615\r\n\r\n"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

Results = dict[str, Result]


def begins(key: str) -> str:
    """Return what verify.ps1 says, up to its first value."""
    return SAID[key].split("{")[0]


def problems(result: Result) -> list[str]:
    """Return what verify.ps1 calls wrong; its exit code says the same."""
    found = [line.removeprefix("[ !! ]  ") for line in result.said if line.startswith("[ !! ]")]
    assert result.code == (30 if found else 0)
    assert result.complaints == ()
    assert not [line for line in result.said if "Exception" in line or "\n" in line]
    return found


def context_for(
    authority: Authority, folder: Path, host: str = "localhost", *, age: int = 0
) -> ssl.SSLContext:
    """Return what a server has whose certificate was issued some days ago, for ``host``."""
    now = datetime.now(UTC) - timedelta(days=age)
    issued = authority.issue_server(parse_hosts([host]), KeyType.ECDSA, now)
    path = folder / f"{host}-{age}-{id(authority)}.pem"
    key = issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(key + issued.certificate.public_bytes(Encoding.PEM))
    context = server_context()
    context.load_cert_chain(path)
    return context


@pytest.fixture(scope="module")
def environment(
    authorities: Authorities, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """.NET trusts the VPN's authority, and nobody else."""
    folder = tmp_path_factory.mktemp("roots")
    (folder / "none").mkdir()
    pem = authorities[0].certificate.public_bytes(Encoding.PEM)
    (folder / "roots.pem").write_bytes(pem)
    return {"SSL_CERT_FILE": str(folder / "roots.pem"), "SSL_CERT_DIR": str(folder / "none")}


@pytest.fixture(scope="module")
def good(authorities: Authorities, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that begins as one for SSTP does."""
    context = context_for(authorities[0], tmp_path_factory.mktemp("good"))
    with Server(context, CONNECTED) as server:
        yield server


def bundle_at(port: int, **changes: Any) -> dict[str, Any]:
    """Return the values of a bundle whose server is on this machine's loopback."""
    own = {"connection": NAME, "host": "localhost", "port": port, "server": f"localhost:{port}"}
    return own | {"split_tunnel": True, "routes": ("10.0.0.0/8",)} | changes


def event(number: int, *values: str) -> Table:
    """Return one of RasClient's events."""
    return {
        "id": number,
        "log": "Application",
        "provider": "RasClient",
        "level": 2,
        "time": "2026-11-01T10:00:00",
        "message": f"The user PC\\alice has dialed {NAME}.",
        "values": ["{3F2504E0-4F89-11D3-9A0C-0305E82C3301}", "PC\\alice", NAME, *values],
    }


# What is done to the PC after the install, and what verify.ps1 says then.
HARMS = {
    "nothing": ("", []),
    "authority": (
        "Remove-Item -LiteralPath (Get-ChildItem Cert:\\LocalMachine\\Root).PSPath",
        ["not_trusted"],
    ),
    "connection": (f"Remove-VpnConnection -Name {NAME} -Force", ["no_connection"]),
    "address": (
        f"Set-VpnConnection -Name {NAME} -ServerAddress other.example.org",
        ["wrong_settings"],
    ),
    "tunnel": (f"Set-VpnConnection -Name {NAME} -TunnelType Automatic", ["wrong_settings"]),
    "sign-in": (f"Set-VpnConnection -Name {NAME} -AuthenticationMethod Pap", ["wrong_settings"]),
    "full": (f"Set-VpnConnection -Name {NAME} -SplitTunneling $false", ["wrong_settings"]),
    "route": (
        f"Remove-VpnConnectionRoute -ConnectionName {NAME} -DestinationPrefix 10.0.0.0/8",
        ["wrong_settings"],
    ),
}

# What is so on the PC from the start.
STATES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "service off": ({"services": {"RasMan": "Disabled Stopped", "SstpSvc": "Manual Stopped"}},
                    ["service_off"]),
    "service gone": ({"services": {"RasMan": "Automatic Running"}}, ["service_off"]),
    "proxy": ({"proxy": "proxy.example.org:3128"}, []),
    "connected once": ({"events": [event(20227, "691"), event(20225)]}, []),
    "wrong password": ({"events": [event(20225), event(20227, "691")]}, ["last_bad"]),
    "untrusted": ({"events": [event(20227, "-2146762487")]}, ["last_bad"]),
    "others' events": ({"events": [event(20227, "691") | {"values": ["x", "Other", "691"]}]}, []),
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(
    make_bundle: MakeBundle,
    good: Server,
    environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Results:
    """By name, what verify.ps1 says of a PC with one thing wrong."""
    folder = tmp_path_factory.mktemp("verify")
    bundle = write(folder / "bundle", files_of(make_bundle(**bundle_at(good.port))))
    install = Step(bundle / "install.ps1", account=ALICE, elevated=True)
    scenarios: dict[str, tuple[Pc, list[Step]]] = {}
    for name, (harm, _) in HARMS.items():
        (folder / f"{name}.ps1").write_text(harm)
        harmful = Step(folder / f"{name}.ps1", elevated=True)
        pc = Pc(folder / f"pc {name}")
        scenarios[name] = pc, [install, harmful, Step(bundle / "verify.ps1")]
    for name, (state, _) in STATES.items():
        pc = Pc(folder / f"pc {name}")
        pc.state |= state
        scenarios[name] = pc, [install, Step(bundle / "verify.ps1")]
    german = write(folder / "german", files_of(make_bundle(**bundle_at(good.port, language="de"))))
    pc = Pc(folder / "pc german")
    pc.state |= STATES["wrong password"][0]
    scenarios["german"] = (
        pc,
        [
            Step(german / "install.ps1", account=ALICE, elevated=True),
            Step(german / "verify.ps1"),
        ],
    )
    for code in (0, 691, 868):
        pc = Pc(folder / f"pc {code}")
        scenarios[str(code)] = pc, [install, Step(bundle / "verify.ps1", ("-Connect",), dial=code)]
    found = [one[-1] for one in run_all(scenarios.values(), environment)]
    return dict(zip(scenarios, found, strict=True))


@pytest.mark.parametrize("name", [*HARMS, *STATES])
def test_one_thing_is_wrong(runs: Results, name: str) -> None:
    wanted = (HARMS | STATES)[name][1]
    found = problems(runs[name])
    assert len(found) == len(wanted), found
    assert all(one.startswith(begins(key)) for one, key in zip(found, wanted, strict=True)), found


def test_what_is_wrong_is_named(runs: Results) -> None:
    for name, text in (
        ("address", "other.example.org"),
        ("tunnel", "Automatic"),
        ("sign-in", "Pap"),
        ("full", "SplitTunneling"),
        ("route", "10.0.0.0/8"),
        ("service off", "RasMan"),
        ("service gone", "SstpSvc"),
        ("wrong password", "691"),
        ("untrusted", "0x800B0109"),
    ):
        assert text in problems(runs[name])[0]
    assert any("proxy.example.org:3128" in line for line in runs["proxy"].said)


def test_connecting(runs: Results) -> None:
    assert problems(runs["0"]) == []
    assert SAID["dialed"] in "\n".join(runs["0"].said)
    assert not runs["0"].state["connected"], "a connection made to try is ended"
    for code in (691, 868):
        dialed, noted = problems(runs[str(code)])
        assert dialed.startswith(begins("not_dialed"))
        assert str(code) in dialed
        assert noted.startswith(begins("last_bad"))


def test_the_report(runs: Results, tmp_path_factory: pytest.TempPathFactory) -> None:
    [line] = [one for one in runs["authority"].said if one.startswith(begins("report"))]
    path = Path(line.removeprefix(begins("report")))
    assert path.parent.name == "Desktop"
    report = path.read_text("utf-8-sig")
    for text in (NAME, "Windows 11", "alice", "== ", "[ !! ]", "Direct access"):
        assert text in report
    assert "Exception" not in report
    facts, found = read_user_report(path.parent, path)
    assert facts["Connection"] == NAME
    assert (found[0].check, found[0].forms[0]) == ("not_trusted", "0x800B0109")


def test_every_line_of_a_report_has_its_name(runs: Results) -> None:
    """In German as well: what "sstpca doctor --read" knows it by, and what it is to the user."""
    [line] = [one for one in runs["german"].said if "vpn-report.txt" in one]
    path = Path("/" + line.partition("/")[2])
    lines = [one for one in path.read_text("utf-8-sig").splitlines() if one.startswith("[ ")]
    assert len(lines) > 5
    names = [re.fullmatch(r"\[ .. \]  .*  \(([a-z_]+)\)", one) for one in lines]
    assert {one[1] for one in names if one} <= SAID.keys()
    assert all(names)
    assert not [one for one in runs["german"].said if re.search(r"  \([a-z_]+\)$", one)]
    _, (first, *_) = read_user_report(path.parent, path)
    assert (first.check, first.forms) == ("last_bad", ("691",))
    assert first.found.startswith("Der letzte Versuch")


@pytest.fixture(scope="module")
def servers(
    make_bundle: MakeBundle,
    authorities: Authorities,
    environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Results:
    """By its kind, what verify.ps1 says of a server."""
    folder = tmp_path_factory.mktemp("servers")
    own, other = authorities
    contexts: dict[str, tuple[ssl.SSLContext | None, bytes]] = {
        "good": (context_for(own, folder), CONNECTED),
        "expired": (context_for(own, folder, age=900), CONNECTED),
        "other name": (context_for(own, folder, "vpn.example.com"), CONNECTED),
        "other authority": (context_for(other, folder), CONNECTED),
        "web server": (context_for(own, folder), NOT_FOUND),
        "silent": (context_for(own, folder), b""),
    }
    with contextlib.ExitStack() as stack:
        ports = {
            kind: stack.enter_context(Server(context, answer)).port
            for kind, (context, answer) in contexts.items()
        }
        with Server(None) as closed:
            ports["closed"] = closed.port
        bundles = {kind: bundle_at(port) for kind, port in ports.items()}
        bundles["unknown"] = bundle_at(443) | {"host": "vpn.invalid"}
        scenarios = []
        for kind, values in bundles.items():
            bundle = write(folder / kind, files_of(make_bundle(**values)))
            steps = [
                Step(bundle / "install.ps1", elevated=True),
                Step(bundle / "verify.ps1"),
            ]
            scenarios.append((Pc(folder / f"pc {kind}"), steps))
        found = [one[-1] for one in run_all(scenarios, environment)]
    return dict(zip(bundles, found, strict=True))


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("good", []),
        ("expired", ["dates"]),
        ("other name", ["other_name"]),
        ("other authority", ["other_authority"]),
        ("web server", ["no_sstp"]),
        ("silent", ["no_sstp"]),
        ("closed", ["no_port"]),
        ("unknown", ["no_name"]),
    ],
)
def test_servers(servers: Results, kind: str, wanted: list[str]) -> None:
    found = problems(servers[kind])
    assert len(found) == len(wanted), found
    assert all(one.startswith(begins(key)) for one, key in zip(found, wanted, strict=True)), found


def test_the_users_certificate(
    pc: Pc,
    unpack: Unpack,
    user_certificate: MakeCertificate,
    good: Server,
    environment: dict[str, str],
) -> None:
    made = user_certificate()
    eap = {"client": ConnectionSettings(SignIn.EAP_TLS), "secrets": Secrets(certificate=made)}
    folder = unpack(**bundle_at(good.port, **eap))
    (folder / "harm.ps1").write_text(f"Remove-Item -Path Cert:\\CurrentUser\\My\\{made.sha1}")
    well, _, wrong = pc.run(
        Step(folder / "install.ps1", approves=ADMIN, answers=(PASSWORD,)),
        Step(folder / "harm.ps1"),
        Step(folder / "verify.ps1"),
        environment=environment,
    )
    assert well.code == 0
    assert [one.startswith(SAID["no_user_certificate"]) for one in problems(wrong)] == [True]


@pytest.mark.parametrize("language", texts.languages())
def test_in_each_language(
    pc: Pc, unpack: Unpack, good: Server, environment: dict[str, str], language: str
) -> None:
    """Every value finds its place in the text."""
    folder = unpack(**bundle_at(good.port, language=language))
    names = ("install", "install", "verify", "uninstall", "verify")
    results = pc.run(
        *(Step(folder / f"{name}.ps1", approves=ADMIN) for name in names), environment=environment
    )
    assert [one.code for one in results] == [0, 0, 0, 0, 30]
    for one in results:
        assert one.complaints == ()
        assert not [line for line in one.said if "{" in line]
