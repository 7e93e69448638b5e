"""A changed bundle over an earlier one: the PC is then as if there had never been another."""

from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from sstpca.access.connection_settings import ConnectionSettings, NameRule, SignIn
from sstpca.bundle.content.bundle import Secrets
from tests.bundle.samples import MakeBundle, files_of
from tests.windows.conftest import PASSWORD, MakeCertificate, Unpack, write
from tests.windows.pc import ADMIN, Pc, Result, Step, Table, run_all

SPLIT: dict[str, Any] = {"split_tunnel": True, "routes": ("10.0.0.0/8", "192.168.7.0/24")}
CORP = NameRule("corp.example.com", (IPv4Address("10.0.0.53"), IPv4Address("10.0.0.54")))
OUT = NameRule("out.corp.example.com")
PROGRAMS = ("C:\\Program Files\\Ledger\\ledger.exe", "Contoso.Mail_8wekyb3d8bbwe")
EAP = ConnectionSettings(SignIn.EAP_MSCHAPV2)

CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "name": ({"connection": "Office"}, {"connection": "Office \u2013 Z\u00fcrich"}),
    "server": ({"connection": "Office"}, {"connection": "Office", "server": "new.example.com"}),
    "port": ({"server": "vpn.example.com:4443"}, {}),
    "name and port": ({"connection": "Office"}, {"server": "vpn.example.com"}),
    "routes": (SPLIT, {"split_tunnel": True, "routes": ("10.0.0.0/8", "172.16.0.0/12")}),
    "no routes": (SPLIT, {}),
    "routes added": ({}, SPLIT),
    "suffix": ({"dns_suffix": "corp.example.com"}, {"dns_suffix": "example.org"}),
    "no suffix": ({"dns_suffix": "corp.example.com"}, {}),
    "sign-in": ({}, {"client": EAP}),
    "sign-in back": ({"client": EAP}, {}),
    "revocation": ({}, {"revocation_check": False}),
    "revocation back": ({"revocation_check": False}, {}),
    "proxy": (
        {
            "client": ConnectionSettings(
                proxy="10.0.0.8:3128", proxy_bypass=("*.corp.example.com", "10.1.2.3")
            )
        },
        {"client": ConnectionSettings(proxy="http://proxy.corp.example.com/proxy.pac")},
    ),
    "no proxy": ({"client": ConnectionSettings(proxy="10.0.0.8:3128")}, {}),
    "rules": (
        SPLIT | {"client": ConnectionSettings(name_rules=(CORP, OUT))},
        SPLIT | {"client": ConnectionSettings(name_rules=(NameRule("example.org", CORP.servers),))},
    ),
    "all": (
        SPLIT
        | {
            "client": ConnectionSettings(
                SignIn.EAP_MSCHAPV2, (CORP,), "p.example.com:8080", ("*.x",), PROGRAMS, ("corp",)
            ),
            "dns_suffix": "corp.example.com",
        },
        {},
    ),
}


def steps_for(folder: Path) -> tuple[Step, Step]:
    """Return what installs a bundle, and what removes it."""
    return (
        Step(folder / "install.ps1", approves=ADMIN),
        Step(folder / "uninstall.ps1", approves=ADMIN),
    )


@pytest.fixture(scope="module")
def runs(
    make_bundle: MakeBundle, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Result]]:
    """By kind: the new bundle alone, removed; the old one, the new one, once more, and removed."""
    scenarios = []
    for changes in CHANGES.values():
        folder = tmp_path_factory.mktemp("changes")
        both = [make_bundle(**one) for one in changes]
        old, new = (write(folder / f"{n}", files_of(one)) for n, one in enumerate(both))
        install, remove = steps_for(new)
        steps = [install, remove, steps_for(old)[0], install, install, remove]
        scenarios.append((Pc(folder / "pc"), steps))
    return dict(zip(CHANGES, run_all(scenarios), strict=True))


def without_origin(view: Table) -> Table:
    """Leave out for which server a certificate was added first."""
    keys = {
        key: {} if "\\sstpca\\Certificates\\" in key else one
        for key, one in view["registry"].items()
    }
    return view | {"registry": keys}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_changed_bundle(runs: dict[str, list[Result]], tmp_path: Path, kind: str) -> None:
    results = runs[kind]
    assert [one.code for one in results] == [0] * 6
    assert [one.complaints for one in results] == [()] * 6
    alone, removed, _, changed, again, gone = results
    assert without_origin(changed.view) == without_origin(alone.view)
    assert (again.view, again.asked) == (changed.view, ())
    pristine = Pc(tmp_path / "pc").state["registry"]
    for one in (removed, gone):
        assert one.trusted == set()
        assert one.state["registry"] == pristine
        assert not any(one.connections(account) for account in one.books)
        assert one.view["triggers"] == one.view["proxies"] == {}


def test_a_certificate_instead_of_a_password(
    pc: Pc, unpack: Unpack, user_certificate: MakeCertificate
) -> None:
    made = user_certificate()
    files = unpack(client=ConnectionSettings(SignIn.EAP_TLS), secrets=Secrets(certificate=made))
    install = Step(files / "install.ps1", approves=ADMIN, answers=("wrong", PASSWORD))
    first, again, gone = pc.run(install, install, Step(files / "uninstall.ps1", approves=ADMIN))
    assert [one.code for one in (first, again, gone)] == [0, 0, 0], first.said
    assert [one.complaints for one in (first, again, gone)] == [(), (), ()]
    assert len(first.asked) == 3
    assert again.asked == ()
    assert list(first.view["certificates"]["S-1-5-21-1-2-3-1001\\My"]) == [made.sha1]
    assert gone.view["certificates"] == {}
