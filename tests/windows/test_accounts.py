"""Who starts install.ps1 and uninstall.ps1, and who gives the permission of an administrator."""

from pathlib import Path

from sstpca.bundle.content.bundle import Secrets
from tests.windows.conftest import PASSWORD, Certificates, Unpack
from tests.windows.pc import ADMIN, ALICE, ROSA, SYSTEM, Pc, Step, run_all

NAME = "VPN vpn.example.com"


def install(folder: Path, *arguments: str, **how: object) -> Step:
    return Step(folder / "install.ps1", arguments, **how)  # type: ignore[arg-type]


def uninstall(folder: Path, *arguments: str, **how: object) -> Step:
    return Step(folder / "uninstall.ps1", arguments, **how)  # type: ignore[arg-type]


def test_refused_and_then_allowed(pc: Pc, unpack: Unpack, certificates: Certificates) -> None:
    folder = unpack()
    pristine = pc.state["registry"]
    refused, allowed, kept, gone = pc.run(
        install(folder),
        install(folder, approves=ALICE),
        uninstall(folder),
        uninstall(folder, approves=ALICE),
    )
    assert [one.code for one in (refused, allowed, kept, gone)] == [12, 0, 12, 0]
    assert [one.complaints for one in (refused, allowed, kept, gone)] == [(), (), (), ()]
    assert (refused.trusted, refused.connections(ALICE)) == (set(), {})
    assert refused.state["registry"] == pristine
    # the user's part needs nobody
    assert (kept.trusted, kept.connections(ALICE)) == ({certificates[0].sha1}, {})
    assert (gone.trusted, gone.state["registry"]) == (set(), pristine)


def test_an_administrator_types_their_password(pc: Pc, unpack: Unpack) -> None:
    """Only what is the PC's comes from the other account; its code cannot always be read."""
    folder = unpack()
    first, gone = pc.run(
        install(folder, approves=ADMIN, hides_code=True),
        uninstall(folder, approves=ADMIN, hides_code=True),
    )
    assert (first.code, first.elevated, first.complaints) == (0, (0,), ())
    assert list(first.connections(ALICE)) == [NAME]
    assert not first.connections(ADMIN)
    assert not [key for key in first.notes if ADMIN in key]
    assert (gone.code, gone.notes, gone.trusted) == (0, {}, set())
    # one log, where the user finds it
    log = pc.profile(ALICE) / "AppData/Local/Temp/sstpca.log"
    assert "elevated True" in log.read_text("utf-8-sig")
    assert not list((pc.profile(ADMIN) / "AppData/Local/Temp").iterdir())


def test_as_administrator_in_the_session_of_somebody_else(pc: Pc, unpack: Unpack) -> None:
    """What is a user's own would be the administrator's."""
    folder = unpack()
    pristine = pc.state["registry"]
    other = {"account": ADMIN, "elevated": True, "desktop": ALICE}
    own = {"account": ALICE, "elevated": True}
    first, removal, good, gone = pc.run(
        install(folder, **other),
        uninstall(folder, **other),
        install(folder, **own),
        uninstall(folder, **own),
    )
    assert [one.code for one in (first, removal, good, gone)] == [17, 17, 0, 0]
    assert (first.state["registry"], first.trusted) == (pristine, set())
    assert [one.asked for one in (good, gone)] == [(), ()]
    assert list(good.connections(ALICE)) == [NAME]
    assert (gone.state["registry"], gone.trusted) == (pristine, set())


def test_for_all_users(pc: Pc, unpack: Unpack, certificates: Certificates) -> None:
    folder = unpack(split_tunnel=True, routes=("10.0.0.0/8",))
    pristine = pc.state["registry"]
    by_system = {"account": SYSTEM, "elevated": True}
    first, again, seen, gone, silent, silent_again, silently_gone = pc.run(
        install(folder, "-AllUsers", approves=ADMIN),
        install(folder, "-AllUsers", approves=ADMIN),
        Step(folder / "verify.ps1", account=ROSA),
        uninstall(folder, approves=ADMIN),
        install(folder, "-AllUsers", "-Elevated", **by_system),
        install(folder, "-AllUsers", "-Elevated", **by_system),
        uninstall(folder, "-Elevated", **by_system),
    )
    results = (first, again, gone, silent, silent_again, silently_gone)
    assert [one.code for one in results] == [0] * 6
    assert [one.complaints for one in (*results, seen)] == [()] * 7
    assert list(first.connections("*")) == list(silent.connections("*")) == [NAME]
    assert not first.connections(ALICE)
    assert again.view == first.view
    assert f'[ OK ]  The VPN connection "{NAME}" is there, and its settings are right.' in seen.said
    assert silent.asked == silent_again.asked == silently_gone.asked == ()
    assert silent_again.view == silent.view
    assert silent.trusted == {certificates[0].sha1}
    for one in (gone, silently_gone):
        assert (one.state["registry"], one.trusted, one.connections("*")) == (pristine, set(), {})


def test_two_users_of_one_pc(pc: Pc, unpack: Unpack, certificates: Certificates) -> None:
    folder = unpack()
    pristine = pc.state["registry"]
    _, second, first_gone, gone = pc.run(
        install(folder, approves=ADMIN),
        install(folder, account=ROSA),
        uninstall(folder, approves=ADMIN),
        uninstall(folder, account=ROSA, approves=ADMIN),
    )
    assert [one.code for one in (second, first_gone, gone)] == [0, 0, 0]
    assert second.asked == ()
    assert first_gone.trusted == {certificates[0].sha1}
    assert list(first_gone.connections(ROSA)) == [NAME]
    assert not first_gone.connections(ALICE)
    assert (gone.state["registry"], gone.trusted) == (pristine, set())


def test_somebody_who_is_not_signed_in_keeps_the_authority(
    pc: Pc, unpack: Unpack, certificates: Certificates
) -> None:
    folder = unpack()
    pc.run(install(folder, approves=ADMIN), install(folder, account=ROSA))
    pc.state["accounts"][ROSA]["signed_in"] = False
    [removed] = pc.run(uninstall(folder, approves=ADMIN))
    assert (removed.code, removed.trusted) == (0, {certificates[0].sha1})
    pc.state["accounts"][ROSA]["signed_in"] = True
    [gone] = pc.run(uninstall(folder, account=ROSA, approves=ADMIN))
    assert (gone.code, gone.trusted, gone.notes) == (0, set(), {})


def test_in_the_constrained_language_mode(pc: Pc, unpack: Unpack) -> None:
    folder = unpack(split_tunnel=True, routes=("10.0.0.0/8",), revocation_check=False)
    language = "ConstrainedLanguage"
    first, again, seen, gone = pc.run(
        install(folder, approves=ADMIN, language=language),
        install(folder, approves=ADMIN, language=language),
        Step(folder / "verify.ps1", language=language),
        uninstall(folder, approves=ADMIN, language=language),
    )
    assert [one.code for one in (first, again, seen, gone)] == [0, 0, 0, 0], seen.said
    assert [one.complaints for one in (first, again, seen, gone)] == [(), (), (), ()]
    assert any("does not let scripts" in line or "rules" in line for line in seen.said)
    assert (gone.notes, gone.trusted) == ({}, set())


def test_a_password_is_saved_where_scripts_may(tmp_path: Path, unpack: Unpack) -> None:
    modes = ("FullLanguage", "ConstrainedLanguage")
    folders = [unpack(secrets=Secrets(password=PASSWORD)) for _ in modes]
    pcs = [Pc(tmp_path / mode) for mode in modes]
    found = run_all(
        (pc, [install(folder, approves=ADMIN, language=mode)])
        for pc, folder, mode in zip(pcs, folders, modes, strict=True)
    )
    [free], [bound] = found
    assert [(one.code, one.complaints) for one in (free, bound)] == [(0, ())] * 2
    saved = {"user": "alice", "password": PASSWORD, "domain": ""}
    assert free.view["passwords"] == {f"{ALICE}\\{NAME}": saved}
    assert bound.view["passwords"] == {}
    assert [(folder / "password.txt").exists() for folder in folders] == [False, True]
    for pc, one in zip(pcs, (free, bound), strict=True):
        log = pc.profile(ALICE) / "AppData/Local/Temp/sstpca.log"
        assert PASSWORD not in log.read_text("utf-8-sig") + "".join(one.said)
