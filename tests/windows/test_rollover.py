"""From one authority to the next: what a bundle had put there goes, when nobody needs it any more."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sstpca.authority.authority import Authority
from sstpca.bundle.administrators import deployment
from sstpca.names import parse_hosts
from sstpca.x509.keys import KeyType
from tests.bundle.samples import MakeBundle, files_of, renderer
from tests.windows.conftest import Authorities, Certificates, plain_bundle, write
from tests.windows.pc import ADMIN, ALICE, ROSA, SYSTEM, Pc, Result, Step, run_all

NAME = "VPN vpn.example.com"
OTHER_SERVER = "vpn.example.com.au"


@pytest.fixture(scope="session")
def authorities() -> Authorities:
    """The old authority, and the one that was made a month later."""
    hosts = parse_hosts(["vpn.example.com"])
    begin = datetime.now(UTC) - timedelta(days=60)
    old, new = (
        Authority.make(hosts, begin + timedelta(days=days), KeyType.ECDSA) for days in (0, 30)
    )
    return old, new


@pytest.fixture(scope="session")
def certificates(
    authorities: Authorities,
) -> Certificates:
    """Both, as bundles carry them."""
    old, new = (plain_bundle(one.certificate).authorities[0] for one in authorities)
    return old, dataclasses.replace(new, file="ca-2.cer")


@dataclasses.dataclass(frozen=True)
class Bundles:
    """The scripts of bundles from before, in and after the rollover, and one of another server."""

    before: Path
    both: Path
    after: Path
    other: Path


@pytest.fixture(scope="module")
def bundles(
    make_bundle: MakeBundle,
    certificates: Certificates,
    tmp_path_factory: pytest.TempPathFactory,
) -> Bundles:
    folder = tmp_path_factory.mktemp("bundles")
    old, new = certificates
    made = {
        "before": make_bundle(authorities=(old,)),
        "both": make_bundle(authorities=(old, new)),
        "after": make_bundle(authorities=(new,)),
        "other": make_bundle(authorities=(old,), server=OTHER_SERVER, connection="Other"),
    }
    return Bundles(**{name: write(folder / name, files_of(one)) for name, one in made.items()})


def install(folder: Path, account: str = ALICE, approves: str = ADMIN) -> Step:
    return Step(folder / "install.ps1", account=account, approves=approves)


def for_all(folder: Path, name: str = "install") -> Step:
    arguments = ("-AllUsers", "-Elevated") if name == "install" else ("-Elevated",)
    return Step(folder / f"{name}.ps1", arguments, account=SYSTEM, elevated=True)


@pytest.fixture(scope="module")
def runs(
    bundles: Bundles,
    authorities: Authorities,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, list[Result]]:
    """By what happens, the results."""
    folder = tmp_path_factory.mktemp("pcs")
    remove = Step(bundles.after / "uninstall.ps1", approves=ADMIN)
    before, both, after = map(install, (bundles.before, bundles.both, bundles.after))
    scenarios = {
        "all": [before, both, after, after, remove],
        "no": [both, install(bundles.after, approves=""), after],
        "trusted": [before, after, remove],
        "early": [both, install(bundles.before, ROSA), before, install(bundles.before, ROSA)],
        "other": [before, install(bundles.other, ROSA), after, after],
        "everybody": [
            *map(for_all, (bundles.both, bundles.after)),
            for_all(bundles.after, "uninstall"),
        ],
    }
    pcs = {name: Pc(folder / name) for name in scenarios}
    pcs["trusted"].trust(authorities[0].certificate)
    found = run_all([(pcs[name], steps) for name, steps in scenarios.items()])
    for results in found:
        assert [one.complaints for one in results] == [()] * len(results)
    return dict(zip(scenarios, found, strict=True))


def test_the_old_authority_goes(runs: dict[str, list[Result]], certificates: Certificates) -> None:
    old, new = (one.sha1 for one in certificates)
    results = runs["all"]
    assert [one.code for one in results] == [0] * 5
    assert [one.trusted for one in results] == [{old}, {old, new}, {new}, {new}, set()]
    assert [one.asked for one in results] == [("elevation",)] * 3 + [(), ("elevation",)]
    assert results[-1].notes == {}
    everybody = runs["everybody"]
    assert [one.code for one in everybody] == [0] * 3
    assert [one.trusted for one in everybody] == [{old, new}, {new}, set()]


def test_the_administrator_says_no(
    runs: dict[str, list[Result]], certificates: Certificates
) -> None:
    both, refused, after = runs["no"]
    assert (refused.code, refused.view) == (12, both.view)
    assert (after.code, after.trusted) == (0, {certificates[1].sha1})


def test_what_somebody_else_trusts_stays(
    runs: dict[str, list[Result]], certificates: Certificates
) -> None:
    old, new = (one.sha1 for one in certificates)
    assert [one.trusted for one in runs["trusted"]] == [{old}, {old, new}, {old}]
    # another server's connection rests on it; it is asked once
    before, _, after, again = runs["other"]
    assert (before.trusted, after.trusted) == ({old}, {old, new})
    assert (after.asked, again.asked) == (("elevation",), ())


def test_a_bundle_of_before_takes_no_next_authority_away(
    runs: dict[str, list[Result]], certificates: Certificates
) -> None:
    """Rosa's had come before the rollover; then it was cancelled, and alice's bundle says so."""
    old, new = (one.sha1 for one in certificates)
    both, rosas, cancelled, again = runs["early"]
    assert (rosas.code, rosas.asked, rosas.trusted) == (0, (), both.trusted)
    assert (cancelled.trusted, again.trusted) == ({old}, {old})
    assert new in both.trusted


def test_what_an_earlier_installer_left(
    bundles: Bundles, certificates: Certificates, tmp_path: Path
) -> None:
    """It had forgotten the old authority, but for the note that it had put it there."""
    pc = Pc(tmp_path / "pc")
    pc.run(install(bundles.both))
    notes = pc.state["registry"][f"HKEY_USERS\\{ALICE}\\Software\\sstpca\\Connections\\{NAME}"]
    notes["Certificates"] = certificates[1].sha1
    [after] = pc.run(install(bundles.after))
    assert (after.code, after.trusted) == (0, {certificates[1].sha1})


def test_another_users_server_may_have_a_name_that_begins_alike(
    bundles: Bundles, tmp_path: Path
) -> None:
    scenarios = []
    for server in (OTHER_SERVER, "vpn.example.com:4443", "vpn.example.com"):
        pc = Pc(tmp_path / server.replace(":", " "))
        pc.book(ROSA).parent.mkdir(parents=True)
        pc.book(ROSA).write_bytes(f"[Hers]\r\nPhoneNumber={server} \r\n".encode())
        remove = Step(bundles.before / "uninstall.ps1", approves=ADMIN)
        scenarios.append((pc, [install(bundles.before), remove]))
    found = [one[-1] for one in run_all(scenarios)]
    assert [(one.code, bool(one.trusted)) for one in found] == [(0, False), (0, False), (0, True)]


def test_trust_follows_a_rollover(
    make_bundle: MakeBundle, certificates: Certificates, tmp_path: Path
) -> None:
    old, new = certificates
    scripts = []
    for name, listed in (("1", (old,)), ("2", (old, new)), ("3", (new,))):
        bundle = make_bundle(user="", authorities=listed)
        scripts.append(
            write(tmp_path / f"[{name}]", deployment.files(renderer(), bundle)) / "trust.ps1"
        )
    steps = [Step(one, account=SYSTEM, elevated=True) for one in scripts]
    broken = tmp_path / "broken"
    files = deployment.files(renderer(), make_bundle(user="", authorities=certificates))
    write(broken, files | {new.file: b"another"})
    half = Step(broken / "trust.ps1", account=SYSTEM, elevated=True)
    wrong, *found = Pc(tmp_path / "pc").run(half, *steps)
    assert (wrong.code, wrong.trusted, wrong.notes) == (11, set(), {})
    assert [one.code for one in found] == [0] * 3, found[0].said
    assert [one.trusted for one in found] == [{old.sha1}, {old.sha1, new.sha1}, {new.sha1}]
    assert [one.complaints for one in found] == [()] * 3
