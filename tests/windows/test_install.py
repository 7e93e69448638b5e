"""install.ps1 and uninstall.ps1: what they do to a PC, and what they leave of it."""

from tests.windows.conftest import Certificates, Unpack
from tests.windows.pc import ADMIN, ALICE, Pc, Step

NAME = "VPN vpn.example.com"


def test_there_and_back(pc: Pc, unpack: Unpack, certificates: Certificates) -> None:
    folder = unpack(split_tunnel=True, routes=("10.0.0.0/8", "192.168.7.0/24"))
    before = pc.state
    install = Step(folder / "install.ps1", approves=ADMIN)
    removal = Step(folder / "uninstall.ps1", approves=ADMIN)
    first, again, gone, nothing = pc.run(install, install, removal, removal)
    assert [one.code for one in (first, again, gone, nothing)] == [0, 0, 0, 0]
    assert [one.complaints for one in (first, again, gone, nothing)] == [(), (), (), ()]
    assert first.asked == ("elevation",)
    assert first.trusted == {certificates[0].sha1}
    entry = first.connections(ALICE)[NAME]
    assert entry["PhoneNumber"] == "vpn.example.com"
    assert entry["VpnStrategy"] == "5"
    assert entry["Routes"] == "10.0.0.0/8@1,192.168.7.0/24@1"
    assert again.asked == ()
    assert (again.notes, again.trusted) == (first.notes, first.trusted)
    assert again.connections(ALICE) == first.connections(ALICE)
    assert gone.asked == ("elevation",)
    assert (gone.notes, gone.trusted, gone.connections(ALICE)) == ({}, set(), {})
    assert nothing.asked == ()
    assert nothing.state["registry"] == before["registry"]
