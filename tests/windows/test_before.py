"""What was on the PC before stays, or comes back; and files that are not what they should be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sstpca.bundle.context import Secrets
from sstpca.clients import Client, SignIn
from tests.windows.conftest import PASSWORD, Authorities, Certificates, MakeCertificate, Unpack
from tests.windows.pc import ADMIN, ALICE, SSTP, Pc, Step

Harm = Callable[[Path], object]

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


@pytest.mark.parametrize("before", [None, 0, 1])
def test_the_check_for_withdrawn_certificates(pc: Pc, unpack: Unpack, before: int | None) -> None:
    values = {} if before is None else {"NoCertRevocationCheck": before}
    pc.state["registry"][SSTP] = values
    first, gone = pc.run(*both(unpack(revocation_check=False)))
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


def test_routes_of_the_users_own_stay(pc: Pc, unpack: Unpack) -> None:
    pc.run(both(unpack(split_tunnel=True, routes=("10.0.0.0/8",)))[0])
    book = pc.book(ALICE)
    book.write_text(book.read_text().replace("Routes=", "Routes=172.31.0.0/16@5,"))
    [changed] = pc.run(both(unpack(split_tunnel=True, routes=("192.168.0.0/24",)))[0])
    routes = changed.connections(ALICE)[NAME]["Routes"]
    assert routes == "172.31.0.0/16@5,192.168.0.0/24@1"


@pytest.mark.parametrize(
    ("code", "harm"),
    [
        (11, lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\0")),
        (10, lambda path: path.unlink()),
    ],
)
def test_a_certificate_file_that_is_not_the_one(
    pc: Pc, unpack: Unpack, certificates: Certificates, code: int, harm: Harm
) -> None:
    folder = unpack()
    harm(folder / certificates[0].file)
    pristine = pc.state["registry"]
    [done] = pc.run(both(folder)[0])
    assert (done.code, done.asked, done.complaints) == (code, (), ())
    assert (done.state["registry"], done.trusted, done.connections(ALICE)) == (pristine, set(), {})


@pytest.mark.parametrize(
    "name", ["It's [1] here", "$env & `tick` (2)", "\u00dcml\u00e4ut \u540d {0}", "--% #x ;y"]
)
def test_folders_with_any_name(
    pc: Pc, unpack: Unpack, user_certificate: MakeCertificate, name: str
) -> None:
    secrets = Secrets(certificate=user_certificate(legacy=True))
    folder = unpack(client=Client(SignIn.EAP_TLS), secrets=secrets, folder=name)
    install, uninstall = both(folder)
    first, gone = pc.run(Step(install.script, approves=ADMIN, answers=(PASSWORD,)), uninstall)
    assert (first.code, gone.code) == (0, 0), first.said
    assert (first.complaints, gone.complaints) == ((), ())
    assert (gone.notes, gone.view["certificates"]) == ({}, {})


def test_the_file_of_a_certificate(
    pc: Pc, unpack: Unpack, user_certificate: MakeCertificate
) -> None:
    """A wrong password three times, another's file, and none: nothing of the user's is changed."""
    secrets = Secrets(certificate=user_certificate())
    folder = unpack(client=Client(SignIn.EAP_TLS), secrets=secrets)
    install = Step(folder / "install.ps1", approves=ADMIN, answers=("a", "b", "c"))
    [wrong] = pc.run(install)
    (folder / "alice.p12").write_bytes(user_certificate().content)
    [other] = pc.run(Step(install.script, approves=ADMIN, answers=(PASSWORD,)))
    (folder / "alice.p12").unlink()
    [missing] = pc.run(Step(install.script, approves=ADMIN))
    assert [one.code for one in (wrong, other, missing)] == [24, 25, 10]
    for one in (wrong, other, missing):
        assert one.complaints == ()
        assert not one.connections(ALICE)
        assert f"{ALICE}\\My" not in one.view["certificates"]
    assert not any(PASSWORD in line for one in (wrong, other, missing) for line in one.said)
