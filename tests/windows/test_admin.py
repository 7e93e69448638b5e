"""trust.ps1, phonebook.ps1 and profile.ps1: what administrators run on many PCs."""

from pathlib import Path

import pytest

from sstpca.bundle.administrators import deployment
from tests.bundle.samples import MakeBundle, renderer
from tests.windows.conftest import Authorities, Certificates, write
from tests.windows.pc import ADMIN, ALICE, ROSA, SYSTEM, Pc, Step, run_all

NAME = "VPN vpn.example.com"
# what a foreign section may have: an encoding of its own, no line end after it
OTHERS = "[B\u00fcro]\r\nEncoding=0\r\nPhoneNumber=office.example.org\r\n\r\nDEVICE=vpn".encode(
    "cp1252"
)
MANAGED = "HKEY_LOCAL_MACHINE\\Software\\sstpca-managed"


@pytest.fixture
def folder(make_bundle: MakeBundle, tmp_path: Path) -> Path:
    """What administrators get, for a connection with routes."""
    bundle = make_bundle(user="", split_tunnel=True, routes=("10.0.0.0/8", "192.168.7.0/24"))
    return write(tmp_path / "admin", deployment.files(renderer(), bundle))


def by_system(script: Path, *arguments: str) -> Step:
    return Step(script, arguments, account=SYSTEM, elevated=True)


def test_who_may(pc: Pc, folder: Path) -> None:
    scripts = [folder / f"{name}.ps1" for name in ("trust", "phonebook", "profile")]
    *users, trust, phonebook, profile = pc.run(
        *map(Step, scripts), *(Step(one, account=ADMIN, elevated=True) for one in scripts)
    )
    assert [one.code for one in users] == [12, 12, 12]
    assert users[-1].notes == {}
    # the management takes SYSTEM alone
    assert [one.code for one in (trust, phonebook, profile)] == [0, 0, 17]
    assert not any(one.complaints for one in (*users, trust, phonebook, profile))


def test_trust(pc: Pc, folder: Path, certificates: Certificates, authorities: Authorities) -> None:
    script = folder / "trust.ps1"
    pristine = pc.state["registry"]
    first, again, gone, nothing = pc.run(
        by_system(script),
        by_system(script),
        by_system(script, "-Remove"),
        by_system(script, "-Remove"),
    )
    assert [one.code for one in (first, again, gone, nothing)] == [0] * 4
    assert [one.complaints for one in (first, again, gone, nothing)] == [()] * 4
    assert first.trusted == {certificates[0].sha1}
    assert again.view == first.view
    for one in (gone, nothing):
        assert (one.trusted, one.state["registry"]) == (set(), pristine)
    pc.trust(authorities[0].certificate)
    _, kept = pc.run(by_system(script), by_system(script, "-Remove"))
    assert (kept.code, kept.trusted) == (0, {certificates[0].sha1})


def test_trust_with_a_file_that_is_not_the_one(
    pc: Pc, folder: Path, certificates: Certificates
) -> None:
    path = folder / certificates[0].file
    path.write_bytes(path.read_bytes() + b"\0")
    [changed] = pc.run(by_system(folder / "trust.ps1"))
    path.unlink()
    [missing] = pc.run(by_system(folder / "trust.ps1"))
    assert [one.code for one in (changed, missing)] == [11, 10]
    assert changed.notes == missing.notes == {}
    assert changed.trusted == missing.trusted == set()


def test_the_phone_book(tmp_path: Path, folder: Path) -> None:
    """Byte for byte, what others have in it stays."""
    script = folder / "phonebook.ps1"
    steps = [by_system(script, *more) for more in ((), (), ("-Remove",), ("-Remove",))]
    pcs = [Pc(tmp_path / "empty"), Pc(tmp_path / "used")]
    pristine = pcs[0].state["registry"]
    pcs[1].book("*").parent.mkdir(parents=True)
    pcs[1].book("*").write_bytes(OTHERS)
    for first, again, gone, nothing in run_all([(pc, steps) for pc in pcs]):
        assert [one.code for one in (first, again, gone, nothing)] == [0] * 4, first.said
        assert [one.complaints for one in (first, again, gone, nothing)] == [()] * 4
        assert again.view == first.view
        entry = first.connections("*")[NAME]
        assert (entry["PhoneNumber"], entry["VpnStrategy"]) == ("vpn.example.com", "5")
        assert entry["Routes"] == "10.0.0.0/8@1,192.168.7.0/24@1"
        assert gone.state["registry"] == nothing.state["registry"] == pristine
    assert [pc.book("*").read_bytes() for pc in pcs] == [b"", OTHERS + b"\r\n"]


def test_a_name_in_the_phone_book_that_is_taken(pc: Pc, folder: Path) -> None:
    book = pc.book("*")
    book.parent.mkdir(parents=True)
    book.write_text(f"[{NAME}]\r\nPhoneNumber=other.example.org\r\n", newline="")
    before = book.read_bytes()
    first, removal = pc.run(
        by_system(folder / "phonebook.ps1"), by_system(folder / "phonebook.ps1", "-Remove")
    )
    assert (first.code, book.read_bytes(), first.notes) == (18, before, {})
    assert removal.complaints == ()


def test_the_profile_of_each_who_is_signed_in(pc: Pc, folder: Path) -> None:
    script = folder / "profile.ps1"
    pristine = pc.state["registry"]
    first, again, gone = pc.run(by_system(script), by_system(script), by_system(script, "-Remove"))
    assert [one.code for one in (first, again, gone)] == [0, 0, 0], first.said
    assert [one.complaints for one in (first, again, gone)] == [()] * 3
    made = first.view["vpnv2"]
    assert set(made) == {f"{sid}\\VPN%20vpn.example.com" for sid in (ALICE, ROSA)}
    assert all("<NativeProtocolType>SSTP<" in xml for xml in made.values())
    assert again.view == first.view
    assert (gone.view["vpnv2"], gone.state["registry"]) == ({}, pristine)


def test_the_profile_of_the_pc_and_of_one_user(pc: Pc, folder: Path) -> None:
    script = folder / "profile.ps1"
    pristine = pc.state["registry"]
    of_pc, of_rosa, rest, gone, nobody = pc.run(
        by_system(script, "-AllUsers"),
        by_system(script, "-Sid", ROSA),
        by_system(script, "-AllUsers", "-Remove"),
        by_system(script, "-Remove"),
        by_system(script, "-Sid", ADMIN),
    )
    assert [one.code for one in (of_pc, of_rosa, rest, gone, nobody)] == [0, 0, 0, 0, 19]
    assert set(of_pc.view["vpnv2"]) == {"*\\VPN%20vpn.example.com"}
    assert len(of_rosa.view["vpnv2"]) == 2
    assert set(rest.view["vpnv2"]) == {f"{ROSA}\\VPN%20vpn.example.com"}
    assert (gone.view["vpnv2"], gone.state["registry"]) == ({}, pristine)
    assert nobody.view["vpnv2"] == {}


def test_the_profile_of_somebody_who_is_away(pc: Pc, folder: Path) -> None:
    """It stays, and stays noted, for the next run."""
    script = folder / "profile.ps1"
    pc.run(by_system(script))
    pc.state["accounts"][ROSA]["signed_in"] = False
    [later] = pc.run(by_system(script, "-Remove"))
    assert (later.code, set(later.view["vpnv2"])) == (0, {f"{ROSA}\\VPN%20vpn.example.com"})
    assert list(later.notes[f"{MANAGED}\\{NAME}"]) == [f"Profile {ROSA}"]
    pc.state["accounts"][ROSA]["signed_in"] = True
    [gone] = pc.run(by_system(script, "-Remove"))
    assert (gone.view["vpnv2"], gone.notes) == ({}, {})


def test_somebodys_own_profile_of_that_name_is_in_nobody_elses_way(pc: Pc, folder: Path) -> None:
    script = folder / "profile.ps1"
    own = f"{ALICE}\\VPN%20vpn.example.com"
    pc.state["vpnv2"] = {own: "<VPNProfile/>"}
    first, gone = pc.run(by_system(script), by_system(script, "-Remove"))
    assert (first.code, gone.code) == (18, 0)
    assert (first.complaints, gone.complaints) == ((), ())
    assert set(first.view["vpnv2"]) == {f"{one}\\VPN%20vpn.example.com" for one in (ALICE, ROSA)}
    assert list(first.notes[f"{MANAGED}\\{NAME}"]) == [f"Profile {ROSA}"]
    assert ALICE in first.said[-1] and ROSA not in first.said[-1]
    assert gone.view["vpnv2"] == {own: "<VPNProfile/>"}


def test_windows_10_and_then_11(pc: Pc, folder: Path) -> None:
    """Windows 10 knows no profile by SSTP alone; the PC gets the new one when it has become one."""
    script = folder / "profile.ps1"
    pc.state["build"] = 19045
    [first] = pc.run(by_system(script, "-AllUsers"))
    pc.state["build"] = 22631
    [then] = pc.run(by_system(script, "-AllUsers"))
    [old], [new] = first.view["vpnv2"].values(), then.view["vpnv2"].values()
    assert "<NativeProtocolType>Automatic<" in old
    assert "<NativeProtocolType>SSTP<" in new
