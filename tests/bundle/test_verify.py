"""Proving that a bundle still fits, and the list of who has which."""

import random
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from sstpca import settings
from sstpca.access.connection_settings import ConnectionSettings, NameRule, SignIn
from sstpca.authority.authority import Authority
from sstpca.bundle import archive, pool
from sstpca.bundle.content.sums import SUMS, with_sums
from sstpca.bundle.ledger import listing
from sstpca.bundle.ledger.verify import Verdict, Verifier
from sstpca.bundle.platforms.systems import PLATFORMS
from sstpca.bundle.workshop import BundleWish, Workshop
from sstpca.disk.writing import PUBLIC, SECRET, write_file
from sstpca.home import Home
from sstpca.names import parse_hosts
from sstpca.secrets import Sealer
from sstpca.store import Store, bundles, certificates, profiles, users
from sstpca.vpn.making import Known
from sstpca.vpn.opened import Opened
from sstpca.x509.certificates import certificate_to_pem
from sstpca.x509.keys import KeyType
from sstpca.x509.pair import identity_to_pem
from tests.bundle.samples import add_profile, issue_for
from tests.support.revoked import mark_revoked

PASSWORD = "correct horse battery"

Make = Callable[..., Path]


@pytest.fixture
def alice(store: Store, sealer: Sealer) -> str:
    users.add(store, sealer, "alice", PASSWORD)
    return "alice"


@pytest.fixture
def make(home: Home, store: Store) -> Make:
    """Make and record a bundle, as the command does; return its zip."""

    def maker(name: str, wish: BundleWish | None = None, password: str | None = None) -> Path:
        opened = Opened(home.root)
        known = Known.load(opened)
        opened.close()
        workshop = Workshop(home, settings.load(home.settings), wish or BundleWish())
        order = known.order(users.get(store, name), password)
        [[(_, result)]] = pool.make(workshop, [order])
        assert isinstance(result, archive.Written)
        bundles.record(store, [workshop.record(order, result, "root")])
        return result.path

    return maker


@pytest.fixture
def verify(home: Home, store: Store, sealer: Sealer) -> Callable[[Path], Verdict]:
    """Look at a bundle with what the home says in that moment."""

    def verifier(path: Path) -> Verdict:
        return Verifier(home, store, sealer, settings.load(home.settings)).verify(path)

    return verifier


@pytest.fixture
def state(home: Home, store: Store) -> Callable[[], dict[str, tuple[str, ...]]]:
    """What the list says of each user: the state and why."""

    def read() -> dict[str, tuple[str, ...]]:
        found = listing.latest(home, store, settings.load(home.settings))
        return {one.user: (one.state, *one.faults) for one in found}

    return read


State = Callable[[], dict[str, tuple[str, ...]]]
Verify = Callable[[Path], Verdict]


def bad(verdict: Verdict) -> dict[str, str]:
    """Return what does not fit, by check."""
    assert verdict.fits is not any(not finding.ok for finding in verdict.findings)
    return {finding.check: finding.text for finding in verdict.findings if not finding.ok}


def change_settings(home: Home, pattern: str, text: str) -> None:
    content, count = re.subn(pattern, text, home.settings.read_text())
    assert count == 1
    home.settings.write_text(content)


def next_authority(home: Home, name: str) -> None:
    """Put the certificate of another authority where the next one is."""
    made = Authority.make(parse_hosts([name]), datetime.now(UTC))
    write_file(home.next_ca_certificate, certificate_to_pem(made.certificate), PUBLIC)


@pytest.mark.parametrize(
    "wish", [BundleWish(), BundleWish(PLATFORMS), BundleWish(("linux",)), BundleWish(language="de")]
)
def test_what_was_just_made_fits(alice: str, make: Make, verify: Verify, wish: BundleWish) -> None:
    made = make(alice, wish)
    for path in (made, made.with_suffix("")):
        verdict = verify(path)
        assert bad(verdict) == {}
        assert verdict.user == "alice"
        assert {"sums", "server", "user", "record", "authority", "files"} == {
            finding.check for finding in verdict.findings
        }


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_password_in_it_is_left_aside(
    alice: str, make: Make, verify: Verify, platform: str
) -> None:
    made = make(alice, BundleWish((platform,), save_password=True), PASSWORD)
    verdict = verify(made)
    assert bad(verdict) == {}
    found = [one.read_bytes() for one in made.with_suffix("").rglob("*") if one.is_file()]
    in_it = any(PASSWORD.encode() in content for content in found)
    assert ("but for the secret in" in verdict.findings[-1].text) is in_it
    assert PASSWORD not in repr(verdict)


@pytest.mark.parametrize("saved", [False, True])
def test_a_saved_password_that_is_not_the_users_any_more(
    alice: str, make: Make, verify: Verify, store: Store, sealer: Sealer, saved: bool
) -> None:
    made = make(alice, BundleWish(save_password=saved), PASSWORD)
    users.set_password(store, sealer, alice, "another horse battery")
    why = {"password": "the user got another password after it was made"}
    assert bad(verify(made)) == (why if saved else {})


def test_dns_servers_matter_only_to_rules_for_names(
    alice: str, make: Make, verify: Verify, state: State, store: Store
) -> None:
    """The server tells its clients which DNS servers there are; rules for names leave those out."""
    made = make(alice, BundleWish(PLATFORMS))
    profiles.change(store, "default", dns=(IPv4Address("10.1.0.53"),))
    assert (bad(verify(made)), state()["alice"]) == ({}, ("current",))
    rule = NameRule("corp.example.com", (IPv4Address("10.1.0.54"),))
    profiles.change(
        store, "default", full_tunnel=False, client=ConnectionSettings(name_rules=(rule,))
    )
    made = make(alice, BundleWish(PLATFORMS))
    profiles.change(store, "default", dns=(IPv4Address("10.1.0.54"),))
    assert bad(verify(made)).keys() == {"profile", "files"}
    assert state()["alice"][0] == "outdated"


def test_the_authority_of_another_home(
    alice: str, make: Make, verify: Verify, state: State, home: Home, tmp_path: Path
) -> None:
    made = make(alice)
    shutil.move(home.root / "bundles", tmp_path / "kept")
    authority = Authority.make(parse_hosts(["vpn.example.com"]), datetime.now(UTC))
    issued = authority.issue_server(
        parse_hosts(["vpn.example.com"]), KeyType.ECDSA, datetime.now(UTC)
    )
    write_file(home.ca_certificate, certificate_to_pem(authority.certificate), PUBLIC)
    write_file(home.server_identity, identity_to_pem(issued.key, (issued.certificate,)), SECRET)
    found = bad(verify(tmp_path / "kept" / made.name))
    assert found["authority"] == "it is from another authority"
    assert "would be different now" in found["files"] or "would not be there" in found["files"]
    assert state()["alice"] == ("outdated", "it is from another authority")


def test_the_next_authority_is_missing_in_it(
    alice: str, make: Make, verify: Verify, state: State, home: Home
) -> None:
    made = make(alice)
    next_authority(home, "vpn.example.com")
    assert bad(verify(made))["authority"] == "the next authority is not in it yet"
    assert state()["alice"] == ("outdated", "the next authority is not in it yet")
    made = make(alice)
    verdict = verify(made)
    assert bad(verdict) == {}
    assert "the 2 authorities in it are trusted now" in [one.text for one in verdict.findings]
    home.next_ca_certificate.unlink()
    assert "a former authority" in bad(verify(made))["authority"]
    assert state()["alice"] == ("outdated", "it works, but has a former authority in it as well")


def test_another_port(alice: str, make: Make, verify: Verify, state: State, home: Home) -> None:
    made = make(alice)
    change_settings(home, r"(?m)^port = .*$", "port = 4443")
    why = "it connects to vpn.example.com, not to vpn.example.com:4443"
    assert bad(verify(made))["server"] == why
    assert state()["alice"] == ("outdated", why)


def test_another_connection(
    alice: str, make: Make, verify: Verify, state: State, home: Home
) -> None:
    made = make(alice)
    change_settings(home, r"(?m)^connection = .*$", 'connection = "Office"')
    assert bad(verify(made))["connection"] == "the connection is called 'Office' now"
    assert state()["alice"] == ("outdated", "the connection is called 'Office' now")


def test_a_name_that_the_server_lacks(alice: str, make: Make, verify: Verify, home: Home) -> None:
    made = make(alice)
    change_settings(home, r'"vpn\.example\.com"\]', '"other.example.com"]')
    assert "0x800B010F" in bad(verify(made))["server"]


def test_other_routes(alice: str, make: Make, verify: Verify, state: State, store: Store) -> None:
    made = make(alice)
    profiles.change(store, "default", dns_suffix="corp.example.com")
    found = bad(verify(made))
    assert found["profile"] == "the access profile or the settings have changed"
    assert "'install.ps1'" in found["files"]
    assert state()["alice"] == ("outdated", found["profile"])


def test_another_access_profile(
    alice: str, make: Make, verify: Verify, state: State, store: Store
) -> None:
    made = make(alice)
    add_profile(store, "office", SignIn.MSCHAPV2)
    users.change(store, alice, profile="office")
    assert bad(verify(made))["profile"] == "the access profile is 'office' now"
    assert state()["alice"] == ("outdated", "the access profile is 'office' now")


def test_a_user_who_is_disabled_or_gone(
    home: Home, alice: str, make: Make, verify: Verify, state: State, store: Store
) -> None:
    made = make(alice)
    users.set_enabled(store, [alice], False)
    assert bad(verify(made)) == {"user": "the user 'alice' is disabled"}
    users.remove(store, [alice])
    assert bad(verify(made)) == {"user": "there is no user 'alice'"}
    # the list is of users; what one had who is gone is told when asked for
    assert state() == {}
    [gone] = listing.history(home, store, settings.load(home.settings), alice)
    assert gone.faults == ("there is no such user any more",)


def test_a_file_that_was_changed_with_its_sum(
    alice: str, make: Make, verify: Verify, tmp_path: Path
) -> None:
    """The list proves that nothing was damaged; only the comparison shows an attacker."""
    files = {p.name: p.read_bytes() for p in make(alice).with_suffix("").iterdir()}
    files["install.ps1"] += b"Remove-Item C:\\ -Recurse\r\n"
    forged = tmp_path / "alice.zip"
    files = with_sums(files)
    forged.write_bytes(archive.zipped(files))
    verdict = verify(forged)
    assert bad(verdict) == {"files": "'install.ps1' would be different now"}
    assert "it is not recorded here" in [one.text for one in verdict.findings][3]
    files["more.cmd"] = b""
    forged.write_bytes(archive.zipped(files))
    assert bad(verify(forged))["sums"] == "'more.cmd' does not belong to it"


def unpacked(made: Path) -> dict[str, bytes]:
    folder = made.with_suffix("")
    files = (one for one in folder.rglob("*") if one.is_file())
    return {one.relative_to(folder).as_posix(): one.read_bytes() for one in files}


def packed(path: Path, files: dict[str, bytes], *, sums: bool = True) -> Path:
    path.write_bytes(archive.zipped(with_sums(files) if sums else files))
    return path


def test_what_was_slipped_beside_a_password(
    alice: str, make: Make, verify: Verify, tmp_path: Path
) -> None:
    """A router would get one more administrator; the file has a secret in it as well."""
    made = make(alice, BundleWish(("routeros",), save_password=True), PASSWORD)
    files = unpacked(made)
    files["routeros/client.rsc"] += b"/user add name=support group=full password=x\n"
    found = bad(verify(packed(tmp_path / "alice.zip", files)))
    assert found == {"files": "'routeros/client.rsc' would be different now"}


def test_a_password_of_somebody_else(
    alice: str, make: Make, verify: Verify, tmp_path: Path
) -> None:
    """All is as it would be with that password, but it is no bundle of ours."""
    made = make(alice, BundleWish(PLATFORMS, save_password=True), PASSWORD)
    other = {
        name: content.replace(PASSWORD.encode(), b"another password")
        for name, content in unpacked(made).items()
    }
    found = bad(verify(packed(tmp_path / "alice.zip", other)))
    assert found.keys() == {"record"}


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(
    "password", ["O\"B\\r$n?'s [x] `;#", " \u00fc\u20ac\U0001f511\u2019 long ", "x" * 256]
)
def test_any_password_is_found_in_any_spelling(
    alice: str, make: Make, verify: Verify, platform: str, password: str
) -> None:
    verdict = verify(make(alice, BundleWish((platform,), save_password=True), password))
    assert bad(verdict) == {}
    assert verdict.findings[-1].text.startswith("a bundle made now would be the same")


def tampered(
    files: dict[str, bytes], name: str, chance: random.Random
) -> Iterator[dict[str, bytes]]:
    """Yield ``files`` with one of them changed in each way that anybody could."""
    content = files[name]
    where = chance.randrange(len(content))
    flipped = bytes([content[where] ^ (1 << chance.randrange(8))])
    yield {**files, name: content[:where] + flipped + content[where + 1 :]}
    yield {**files, name: content[:where]}
    yield {**files, name: content + chance.choice([b"\n", b" ", b"\0", b"\r\n# x\r\n"])}
    yield {other: content for other, content in files.items() if other != name}


@pytest.mark.parametrize(
    ("sign_in", "saved"),
    [
        (SignIn.MSCHAPV2, False),
        (SignIn.MSCHAPV2, True),
        (SignIn.EAP_MSCHAPV2, True),
        (SignIn.EAP_TLS, False),
    ],
)
def test_no_file_of_a_bundle_can_be_changed(
    home: Home,
    store: Store,
    sealer: Sealer,
    make: Make,
    verify: Verify,
    tmp_path: Path,
    sign_in: SignIn,
    saved: bool,
) -> None:
    add_profile(store, "staff", sign_in)
    users.add(store, sealer, "bob", PASSWORD, profile="staff")
    issue_for(home, store, "bob")
    # not all clients can do every sign-in
    unable = {SignIn.EAP_MSCHAPV2: {"routeros"}, SignIn.EAP_TLS: {"android", "routeros"}}
    able = tuple(one for one in PLATFORMS if one not in unable.get(sign_in, ()))
    made = make("bob", BundleWish(able, save_password=saved), PASSWORD if saved else None)
    files = unpacked(made)
    assert bad(verify(packed(tmp_path / "bob.zip", files, sums=False))) == {}
    chance = random.Random(f"{sign_in} {saved}")
    for name in files:
        ways = list(tampered(files, name, chance))
        # all ways for what has a secret in it and for the list; of the others, one
        thorough = name == SUMS or name.endswith((".rsc", ".json", ".p12", "password"))
        for forged in ways if thorough else [chance.choice(ways)]:
            # the attacker makes the list anew, unless that is what was changed
            path = packed(tmp_path / "bob.zip", forged, sums=name != SUMS)
            assert not verify(path).fits, name
    for more in ("autorun.inf", "linux/more.sh", "password.txt"):
        if more not in files:
            forged = {**files, more: b"x"}
            assert not verify(packed(tmp_path / "bob.zip", forged)).fits, more


def test_a_certificate_that_cannot_be_read(
    alice: str, make: Make, verify: Verify, tmp_path: Path
) -> None:
    files = {p.name: p.read_bytes() for p in make(alice).with_suffix("").iterdir()}
    [(name, der)] = ((name, der) for name, der in files.items() if name.endswith(".cer"))
    files[name] = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x3f")
    forged = tmp_path / "alice.zip"
    forged.write_bytes(archive.zipped(with_sums(files)))
    assert bad(verify(forged))["files"] == f"'{name}' would be different now"


@pytest.mark.parametrize(
    ("name", "block", "fits"),
    [
        ("install.ps1", b"# MIIb\r\n# SIG # End signature block\r\n", True),
        ("install.ps1", b"# MIIb\r\nRemove-Item x\r\n# SIG # End signature block\r\n", False),
        ("install.cmd", b"# MIIb\r\n# SIG # End signature block\r\n", False),
    ],
)
def test_only_a_signature_may_be_added(
    alice: str, make: Make, verify: Verify, tmp_path: Path, name: str, block: bytes, fits: bool
) -> None:
    files = {p.name: p.read_bytes() for p in make(alice).with_suffix("").iterdir()}
    files[name] += b"\r\n# SIG # Begin signature block\r\n" + block
    path = tmp_path / "alice.zip"
    path.write_bytes(archive.zipped(with_sums(files)))
    assert verify(path).fits is fits


def test_one_with_another_name_is_known_by_its_content(
    alice: str, make: Make, verify: Verify, tmp_path: Path
) -> None:
    verdict = verify(make(alice).rename(tmp_path / "download (1).zip"))
    assert (verdict.user, bad(verdict)) == ("alice", {})


def test_what_is_no_bundle(verify: Verify, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"photographs")
    assert "is not a bundle" in bad(verify(tmp_path / "x.zip"))["file"]


def test_own_templates_are_remembered(
    alice: str, make: Make, verify: Verify, tmp_path: Path
) -> None:
    own = tmp_path / "templates"
    own.mkdir()
    (own / "index.html.j2").write_text("<p>{{ bundle.user }}</p>")
    made = make(alice, BundleWish(templates=own))
    assert (made.with_suffix("") / "index.html").read_text() == "<p>alice</p>"
    assert bad(verify(made)) == {}
    (own / "index.html.j2").write_text("<p>Hello {{ bundle.user }}</p>")
    assert bad(verify(made)) == {"files": "'index.html' would be different now"}
    shutil.rmtree(own)
    assert "there is no folder" in bad(verify(made))["files"]


@pytest.fixture
def staff(home: Home, store: Store, sealer: Sealer) -> str:
    add_profile(store, "staff", SignIn.EAP_TLS)
    users.add(store, sealer, "bob", PASSWORD, profile="staff")
    issue_for(home, store, "bob")
    return "bob"


def test_a_certificate(
    staff: str, make: Make, verify: Verify, state: State, home: Home, store: Store
) -> None:
    systems = ("windows", "linux", "apple")  # the others cannot sign in so
    assert bad(verify(make(staff, BundleWish(systems)))) == {}
    made = make(staff)
    verdict = verify(made)
    assert bad(verdict) == {}
    assert verdict.findings[-1].text.endswith("but for the secret in 'bob.p12'")
    entry = certificates.current(store, staff)
    mark_revoked(store, entry, "keyCompromise", datetime.now(UTC))
    assert bad(verify(made))["certificate"]
    assert state()["bob"] == ("outdated", "the user's certificate is revoked")
    issue_for(home, store, staff)
    found = bad(verify(made))
    assert found["certificate"] == "the user's certificate was replaced"
    assert state()["bob"] == ("outdated", "the user's certificate was replaced")


def test_users_without_any_are_listed(alice: str, state: State, make: Make) -> None:
    assert state() == {"alice": ("none",)}
    make(alice)
    assert state() == {"alice": ("current",)}


def test_the_history_of_one(home: Home, store: Store, alice: str, make: Make) -> None:
    own = settings.load(home.settings)
    assert [one.state for one in listing.history(home, store, own, alice)] == ["none"]
    make(alice)
    make(alice, BundleWish(("linux",)))
    found = listing.history(home, store, own, "ALICE")
    assert [one.made.platforms for one in found if one.made] == [("linux",), ("windows",)]
    assert [one.state for one in found] == ["current", "current"]
