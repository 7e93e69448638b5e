"""What was on the PC before stays, or comes back; and files that are not what they should be."""

import dataclasses
from pathlib import Path

from sstpca.access.connection_settings import ConnectionSettings, SignIn
from sstpca.bundle.content.bundle import Secrets
from tests.windows.conftest import PASSWORD, Authorities, MakeCertificate, Unpack
from tests.windows.pc import ADMIN, ALICE, SSTP, Pc, Step, run_all

NAME = "VPN vpn.example.com"
FOREIGN = (
    f"[{NAME}]\r\nType=2\r\nPhoneNumber=other.example.org\r\n\r\n[B\u00fcro]\r\nPhoneNumber=x\r\n"
)


def both(folder: Path, **how: str) -> tuple[Step, Step]:
    return (
        Step(folder / "install.ps1", approves=how.get("approves", ADMIN)),
        Step(folder / "uninstall.ps1", approves=ADMIN),
    )


def test_an_authority_that_somebody_else_has_added(
    pc: Pc, unpack: Unpack, authorities: Authorities
) -> None:
    pc.trust(authorities[0].certificate)
    before = pc.state["certificates"]
    first, gone = pc.run(*both(unpack()))
    assert (first.code, gone.code) == (0, 0)
    assert first.asked == gone.asked == ()
    assert gone.state["certificates"] == before
    assert gone.notes == {}


def test_the_check_for_withdrawn_certificates(tmp_path: Path, unpack: Unpack) -> None:
    steps = both(unpack(revocation_check=False))
    before: list[dict[str, int]] = [{}, {"NoCertRevocationCheck": 0}, {"NoCertRevocationCheck": 1}]
    pcs = [Pc(tmp_path / f"pc{number}") for number in range(len(before))]
    for pc, values in zip(pcs, before, strict=True):
        pc.state["registry"][SSTP] = values
    found = run_all([(pc, steps) for pc in pcs])
    for (first, gone), values in zip(found, before, strict=True):
        assert (first.code, gone.code) == (0, 0)
        assert first.state["registry"][SSTP] == {"NoCertRevocationCheck": 1}
        assert gone.state["registry"][SSTP] == values
        assert gone.notes == {}


def test_a_name_that_is_taken(pc: Pc, unpack: Unpack) -> None:
    book = pc.book(ALICE)
    book.parent.mkdir(parents=True)
    book.write_text(FOREIGN, newline="")
    first, gone = pc.run(*both(unpack()))
    assert (first.code, gone.code) == (18, 0)
    assert any("other.example.org" in line for line in first.said)
    assert first.books[ALICE] == gone.books[ALICE] == FOREIGN
    assert (gone.notes, gone.trusted) == ({}, set())


def test_connections_of_others_stay_as_they_are(pc: Pc, unpack: Unpack) -> None:
    """As does ours when somebody has given its name to another server since."""
    other = FOREIGN.split("\r\n\r\n")[1]
    book = pc.book(ALICE)
    book.parent.mkdir(parents=True)
    book.write_text(other, newline="")
    first, gone = pc.run(*both(unpack()))
    assert first.books[ALICE].startswith(other)
    assert gone.books[ALICE] == other
    pc.run(both(unpack())[0])
    book.write_text(FOREIGN, newline="")
    [gone] = pc.run(both(unpack())[1])
    assert (gone.code, gone.books[ALICE], gone.notes) == (0, FOREIGN, {})


def test_routes_of_the_users_own_stay(pc: Pc, tmp_path: Path, unpack: Unpack) -> None:
    own = tmp_path / "own.ps1"
    own.write_text(f"Add-VpnConnectionRoute '{NAME}' 172.31.0.0/16 5")
    old, new = (
        both(unpack(split_tunnel=True, routes=(route,)))[0]
        for route in ("10.0.0.0/8", "192.168.0.0/24")
    )
    *_, changed = pc.run(old, Step(own), new)
    routes = changed.connections(ALICE)[NAME]["Routes"]
    assert routes == "172.31.0.0/16@5,192.168.0.0/24@1"


FOLDERS = ("It's [1] here", "$env & `tick` (2)", "\u00dcml\u00e4ut \u540d {0}", "--% #x ;y")


def test_folders_with_any_name(
    tmp_path: Path, unpack: Unpack, user_certificate: MakeCertificate
) -> None:
    secrets = Secrets(certificate=user_certificate(legacy=True))
    scenarios = []
    for number, name in enumerate(FOLDERS):
        folder = unpack(client=ConnectionSettings(SignIn.EAP_TLS), secrets=secrets, folder=name)
        install, uninstall = both(folder)
        install = dataclasses.replace(install, answers=(PASSWORD,))
        scenarios.append((Pc(tmp_path / f"pc{number}"), [install, uninstall]))
    for first, gone in run_all(scenarios):
        assert (first.code, gone.code) == (0, 0), first.said
        assert (first.complaints, gone.complaints) == ((), ())
        assert (gone.notes, gone.view["certificates"]) == ({}, {})
