"""An install that fails: what can be wrong is seen before anybody is asked, and all is as it was."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pytest

from sstpca.access.connection_settings import ConnectionSettings, NameRule, SignIn
from sstpca.bundle.content.bundle import Bundle, Certificate, Secrets
from tests.bundle.samples import MakeBundle
from tests.windows.conftest import PASSWORD, Certificates, MakeCertificate, Unpack
from tests.windows.pc import ADMIN, ALICE, Pc, Step, Table

NAME = "VPN vpn.example.com"


def client(server: str = "10.0.0.53", **changes: Any) -> ConnectionSettings:
    """Return all that a connection can have beside itself; ``server`` may be none at all."""
    rules = (NameRule("corp.example.com", (server,)),)  # type: ignore[arg-type]
    everything: dict[str, Any] = {
        "proxy": "proxy.example.com:8080",
        "trusted_networks": ("office.example.com",),
        "trigger_apps": ("C:\\Program Files\\App\\app.exe",),
    }
    return ConnectionSettings(name_rules=rules, **(everything | changes))


FULL: Table = {
    "split_tunnel": True,
    "routes": ("10.0.0.0/8", "192.168.7.0/24"),
    "dns_suffix": "corp.example.com",
    "client": client(),
}
NO_ROUTE: Table = {"split_tunnel": True, "routes": ("10.0.0.0/64",)}
NO_RULE: Table = {"split_tunnel": True, "client": client("nowhere", proxy="")}


def look(pc: Pc) -> Step:
    """Return a step that changes nothing, to see the PC as it is."""
    path = pc.folder / "nothing.ps1"
    path.write_text("param()\nexit 0")
    return Step(path)


def no_certificate(like: Certificate) -> Certificate:
    """Return an authority whose file is as the script expects it, and no certificate."""
    der = b"no certificate"
    sums = [hashlib.new(kind, der).hexdigest().upper() for kind in ("sha1", "sha256")]
    return dataclasses.replace(like, der=der, file="no.cer", sha1=sums[0], sha256=sums[1])


@pytest.mark.parametrize("earlier", [None, FULL, {}], ids=["none", "full", "plain"])
def test_what_fails_leaves_all_as_it_was(
    pc: Pc, unpack: Unpack, certificates: Certificates, earlier: Table | None
) -> None:
    first = look(pc)
    if earlier is not None:
        first = Step(unpack(**earlier) / "install.ps1", approves=ADMIN)
    both = {"authorities": certificates}
    wrong = {"authorities": (*certificates, no_certificate(certificates[1]))}
    fails: list[tuple[int, int, Table, str]] = [
        (15, 0, both | NO_ROUTE, ADMIN),
        (20, 0, both | NO_RULE, ADMIN),
        (12, 1, both | {"dns_suffix": "other.example.com"}, ""),
        (12, 1, both | {"split_tunnel": True, "client": client("10.9.9.9")}, ""),
        (13, 1, wrong | {"revocation_check": False}, ADMIN),
        (15, 0, NO_ROUTE | {"dns_suffix": "x.example.com"}, ADMIN),
    ]
    if earlier is None:
        fails = fails[:2] + fails[3:5]
    steps = [
        Step(unpack(**changes) / "install.ps1", approves=approves)
        for _, _, changes, approves in fails
    ]
    before, *found = pc.run(first, *steps)
    assert before.code == 0
    for one, (code, asked, _, _) in zip(found, fails, strict=True):
        assert (one.code, one.asked, one.complaints) == (code, ("elevation",) * asked, ())
        assert one.view == before.view, one.said


def test_what_fails_for_all_users_leaves_all_as_it_was(
    pc: Pc, unpack: Unpack, certificates: Certificates
) -> None:
    earlier = Step(unpack() / "install.ps1", ("-AllUsers", "-Elevated"), ADMIN, elevated=True)
    both: Table = {"authorities": certificates}
    fails: list[tuple[int, Table]] = [
        (15, both | NO_ROUTE),
        (13, {"authorities": (no_certificate(certificates[0]),)}),
    ]
    steps = [
        dataclasses.replace(earlier, script=unpack(**changes) / "install.ps1")
        for _, changes in fails
    ]
    empty, first_of_all, before, *found = pc.run(look(pc), steps[0], earlier, *steps)
    assert (first_of_all.code, before.code) == (15, 0)
    assert first_of_all.view == empty.view, first_of_all.said
    for one, (code, _) in zip(found, fails, strict=True):
        assert (one.code, one.complaints) == (code, ())
        assert one.view == before.view, one.said


def test_a_name_that_is_taken_is_seen_first(pc: Pc, unpack: Unpack) -> None:
    other = f"[{NAME}]\r\nPhoneNumber=vpn.example.com.au\r\nVpnStrategy=5\r\n"
    for account in (ALICE, "*"):
        pc.book(account).parent.mkdir(parents=True)
        pc.book(account).write_text(other)
    install = Step(unpack() / "install.ps1", approves=ADMIN)
    for_all = dataclasses.replace(install, arguments=("-AllUsers",))
    at_once = dataclasses.replace(
        for_all, arguments=("-AllUsers", "-Elevated"), account=ADMIN, elevated=True
    )
    before, *found = pc.run(look(pc), install, for_all, at_once)
    for one in found:
        assert (one.code, one.asked, one.complaints) == (18, (), ())
        assert one.view == before.view
        assert "vpn.example.com.au" in " ".join(one.said)


@pytest.fixture
def by_certificate(make_bundle: MakeBundle, user_certificate: MakeCertificate) -> Bundle:
    """The bundle of somebody who signs in by certificate."""
    secrets = Secrets(certificate=user_certificate(legacy=False))
    return make_bundle(client=ConnectionSettings(SignIn.EAP_TLS), secrets=secrets)


def changed(folder: Path, name: str, content: bytes | None) -> Path:
    """Give a file of a bundle another content, or remove it, and return the folder."""
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    return folder


def test_a_file_that_is_missing_or_another_is_seen_first(
    pc: Pc, unpack: Unpack, by_certificate: Bundle, user_certificate: MakeCertificate
) -> None:
    authority = by_certificate.authorities[0].file
    another = user_certificate(legacy=False).content
    fails: list[tuple[int, str, bytes | None]] = [
        (10, authority, None),
        (11, authority, b"another"),
        (10, "alice.p12", None),
        (25, "alice.p12", another),
    ]
    steps = [
        Step(changed(unpack(by_certificate), name, content) / "install.ps1", approves=ADMIN)
        for _, name, content in fails
    ]
    before, *found = pc.run(look(pc), *steps)
    for one, (code, _, _) in zip(found, fails, strict=True):
        assert (one.code, one.asked, one.complaints) == (code, (), ())
        assert one.view == before.view


def test_a_certificate_goes_again_when_the_administrator_says_no(
    pc: Pc, unpack: Unpack, by_certificate: Bundle
) -> None:
    folder = unpack(by_certificate, "It's [1] here")
    refused = Step(folder / "install.ps1", answers=(PASSWORD,))
    wrong = dataclasses.replace(refused, answers=("no", "no", "no"), approves=ADMIN)
    done = dataclasses.replace(refused, approves=ADMIN)
    before, *failed, after = pc.run(look(pc), refused, wrong, done)
    assert [one.code for one in failed] == [12, 24]
    assert [len(one.asked) for one in failed] == [2, 3]
    assert "elevation" not in failed[1].asked
    assert all(one.view == before.view for one in failed)
    assert all("Exception" not in line for one in failed for line in one.said)
    assert after.code == 0, after.said
    assert by_certificate.secrets.certificate is not None
    assert after.state["certificates"][f"{ALICE}\\My"].keys() == {
        by_certificate.secrets.certificate.sha1
    }


def test_a_saved_password_stays_when_the_administrator_says_no(
    pc: Pc, unpack: Unpack, certificates: Certificates
) -> None:
    """A connection loses it when it is made anew, which no new bundle may do for nothing."""
    with_password = Secrets(password="correct horse battery")
    first = unpack(secrets=with_password, dns_suffix="corp.example.com")
    second = unpack(secrets=with_password, authorities=certificates)
    steps = [
        Step(first / "install.ps1", approves=ADMIN),
        Step(second / "install.ps1"),
        Step(second / "install.ps1", approves=ADMIN),
    ]
    before, refused, after = pc.run(*steps)
    assert (before.code, refused.code, after.code) == (0, 12, 0)
    assert before.state["passwords"]
    assert refused.view == before.view
    assert after.state["passwords"] == before.state["passwords"]
    assert after.connections(ALICE)[NAME].get("IpDnsSuffix", "") == ""
    assert set(after.connections(ALICE)) == {NAME}
    assert not (second / "password.txt").exists()
