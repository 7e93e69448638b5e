"""``sstpca bundle``: making."""

import errno
import os
import re
import stat
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import Result
from cryptography.hazmat.primitives.serialization import pkcs12

from sstpca.access.connection_settings import SignIn
from sstpca.authority.authority import load_ca_certificate
from sstpca.bundle.content import trust
from sstpca.bundle.content.bundle import Trust
from sstpca.disk import sync
from sstpca.errors import SstpcaError
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.server.ppp.mschapv2 import nt_hash
from sstpca.store import Store, bundles, certificates, logins, users
from sstpca.x509.certificates import digest, sha256_fingerprint
from tests.bundle import authenticode
from tests.bundle.samples import add_profile, issue_for
from tests.conftest import Run
from tests.support.publisher import PASSWORD as SIGNING
from tests.support.publisher import key_file, require_osslsigncode

PASSWORD = "correct horse battery"


GENERATED = r"([a-z2-9]{4}-){3}[a-z2-9]{4}"


@pytest.fixture
def staff(store: Store, sealer: Sealer) -> list[str]:
    """Two users who sign in with certificates, which they do not have yet."""
    add_profile(store, "staff", SignIn.EAP_TLS)
    names = ["bob", "carol"]
    for name in names:
        users.add(store, sealer, name, PASSWORD, profile="staff")
    return names


def opens(store: Store, sealer: Sealer, name: str, password: str) -> bool:
    found = logins.login(store, sealer, name)
    return found is not None and found.nt_hash == nt_hash(password)


def error(result: Result, code: int) -> str:
    """Return the error and what to do, as one text; nothing was printed as a result."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr


@pytest.fixture
def alice(store: Store, sealer: Sealer) -> str:
    users.add(store, sealer, "alice", PASSWORD)
    return "alice"


def test_the_zip_is_the_result_and_the_rest_is_talk(run: Run, home: Home, alice: str) -> None:
    result = run("bundle", alice)
    assert result.exit_code == 0
    assert result.stdout == f"{home.bundles / 'alice.zip'}\n"
    assert sha256_fingerprint(load_ca_certificate(home)) in result.stderr
    assert "password" in result.stderr
    assert (home.bundles / "alice" / "install.cmd").is_file()


def test_the_name_is_the_one_of_the_database(run: Run, home: Home, alice: str) -> None:
    assert run("bundle", alice.upper()).stdout == f"{home.bundles / 'alice.zip'}\n"


def test_no_password_and_no_key_is_in_a_bundle(run: Run, home: Home, alice: str) -> None:
    run("bundle", alice)
    for path in (home.bundles / "alice").iterdir():
        content = path.read_bytes()
        assert PASSWORD.encode() not in content
        assert b"PRIVATE KEY" not in content


def test_several_users_and_another_folder(
    run: Run, home: Home, alice: str, store: Store, sealer: Sealer, tmp_path: Path
) -> None:
    users.add(store, sealer, "bob", PASSWORD)
    result = run("bundle", alice, "bob", "--output", str(tmp_path / "there"))
    assert result.stdout.splitlines() == [
        str(tmp_path / "there" / "alice.zip"),
        str(tmp_path / "there" / "bob.zip"),
    ]
    assert not home.bundles.exists()


def test_an_unknown_user_is_an_error_before_anything_is_made(
    run: Run, home: Home, alice: str
) -> None:
    result = run("bundle", alice, "mallory")
    assert result.exit_code == 1
    assert re.match(r"error: .*'mallory'", result.stderr)
    assert result.stdout == ""
    assert not home.bundles.exists()


def test_a_host_that_the_certificate_lacks_is_an_error(run: Run, home: Home, alice: str) -> None:
    text = home.settings.read_text()
    home.settings.write_text(text.replace('"vpn.example.com"', '"other.example.com"', 1))
    result = run("bundle", alice)
    assert result.exit_code == 1
    assert "0x800B010F" in result.stderr
    assert not home.bundles.exists()


def test_a_connection_that_windows_refuses_is_an_error(run: Run, home: Home, alice: str) -> None:
    text = re.sub(r"(?m)^connection = .*$", 'connection = "a/b"', home.settings.read_text())
    home.settings.write_text(text)
    result = run("bundle", alice)
    assert result.exit_code == 2
    assert "cannot be the name of a connection" in result.stderr


def test_a_disabled_user_is_mentioned(run: Run, alice: str, store: Store) -> None:
    users.set_enabled(store, [alice], False)
    result = run("bundle", alice)
    assert result.exit_code == 0
    assert "warning: 'alice' is disabled" in result.stderr


def test_a_user_called_like_a_command(run: Run, home: Home, store: Store, sealer: Sealer) -> None:
    users.add(store, sealer, "list", PASSWORD)
    assert run("bundle", "make", "list").stdout == f"{home.bundles / 'list.zip'}\n"
    assert run("bundle", "list").stdout.startswith("USER")


def test_a_user_named_twice_gets_one(run: Run, home: Home, alice: str) -> None:
    assert run("bundle", "alice", "ALICE").stdout == f"{home.bundles / 'alice.zip'}\n"


def test_all_who_are_enabled(
    run: Run, home: Home, staff: list[str], alice: str, store: Store
) -> None:
    issue_for(home, store, *staff)
    users.set_enabled(store, ["bob"], False)
    result = run("bundle", "--all")
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert [Path(line[0]).name for line in lines] == ["alice.zip", "carol.zip"]
    assert "1 disabled user left out" in result.stderr


def test_those_of_an_access_profile(run: Run, alice: str, store: Store, sealer: Sealer) -> None:
    add_profile(store, "office", SignIn.MSCHAPV2)
    users.add(store, sealer, "dave", PASSWORD, profile="office")
    made = run("bundle", "--profile", "office").stdout.splitlines()
    assert [Path(line).name for line in made] == ["dave.zip"]


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["--all", "alice"], 2, "say whose bundles to make"),
        (["--yes"], 2, "say whose bundles to make"),
        (["--profile", "default", "--all"], 2, "say whose bundles to make"),
        (["--profile", "nobody"], 1, "no access profile 'nobody'"),
        (["alice", "--for", "amiga"], 2, "no bundles for 'amiga'"),
        (["alice", "--language", "xx"], 2, "no texts in the language 'xx'"),
        (["alice", "--templates", "/nowhere"], 1, "there is no folder /nowhere"),
        (["alice", "--with-password"], 2, "say --new-password as well"),
        (["alice", "--sheets", "sheets"], 2, "say --new-password as well"),
        (["alice", "--legacy-p12"], 2, "sign in with a certificate"),
        (["bob", "--new-password", "--yes"], 2, "'bob' signs in with a certificate"),
        (["bob"], 1, "bundle bob --issue"),
        (["--profile", "staff"], 1, "bundle --profile staff --issue"),
        (["--all"], 1, "2 users have no valid certificate to sign in with: 'bob', 'carol'"),
        (["alice", "--new-password"], 2, "there is no terminal to ask"),
    ],
)
def test_what_cannot_be_changes_nothing(
    run: Run,
    home: Home,
    alice: str,
    staff: list[str],
    store: Store,
    sealer: Sealer,
    arguments: list[str],
    code: int,
    why: str,
) -> None:
    said = error(run("bundle", *arguments), code)
    assert why in said
    assert [line[:7] == "error: " for line in said.splitlines()] == [True, False]
    assert not home.bundles.exists()
    assert opens(store, sealer, alice, PASSWORD)


def test_a_broken_template_is_found_before_anything_is_written(
    run: Run, home: Home, alice: str, tmp_path: Path
) -> None:
    (tmp_path / "index.html.j2").write_text("{{ bundle.nothing }}")
    said = error(run("bundle", alice, "--templates", str(tmp_path)), 1)
    assert "index.html.j2" in said
    assert not home.bundles.exists()


def test_one_that_fails_is_named_and_the_others_are_made(
    run: Run, home: Home, alice: str, store: Store, sealer: Sealer
) -> None:
    users.add(store, sealer, "bob", PASSWORD)
    home.bundles.mkdir()
    (home.bundles / "alice.zip").write_bytes(b"photographs")
    result = run("bundle", "--all", "--new-password", "--yes")
    assert result.exit_code == 1
    [line] = result.stdout.splitlines()
    path, password = line.split("\t")
    assert path == str(home.bundles / "bob.zip")
    assert "warning: no bundle for 'alice': " in result.stderr
    assert result.stderr.splitlines()[-2] == "error: 1 of 2 bundles were not made: that of 'alice'"
    assert opens(store, sealer, "bob", password)
    assert opens(store, sealer, alice, PASSWORD)
    assert [one.user for one in bundles.latest(store)] == ["bob"]


def test_what_was_made_is_recorded(
    run: Run, home: Home, alice: str, store: Store, sealer: Sealer
) -> None:
    run("bundle", alice, "--language", "de", "--for", "linux,windows")
    [made] = bundles.latest(store)
    assert (made.user, made.profile, made.language) == ("alice", "default", "de")
    assert made.platforms == ("windows", "linux")
    assert (made.server, made.connection) == ("vpn.example.com", "VPN vpn.example.com")
    assert made.authorities == (digest(load_ca_certificate(home)),)
    assert made.path == str(home.bundles / "alice.zip")
    assert made.made_by == certificates.login()
    assert made.sha256 == sha256(Path(made.path).read_bytes()).hexdigest()
    assert bundles.find(store, sealer, made.sha256) == made
    assert bundles.find(store, sealer, "0" * 64) is None


def test_new_passwords_are_shown_once(
    run: Run, home: Home, alice: str, store: Store, sealer: Sealer
) -> None:
    result = run("bundle", alice, "--new-password", "--yes")
    _path, password = result.stdout.rstrip("\n").split("\t")
    assert re.fullmatch(GENERATED, password)
    assert opens(store, sealer, alice, password)
    assert password not in result.stderr
    assert "Shown this once" in result.stderr
    for file in (home.bundles / "alice").iterdir():
        assert password.encode() not in file.read_bytes()


def test_new_passwords_are_asked_about(
    run: Run, alice: str, store: Store, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sstpca.cli.ask.interactive", lambda: True)
    result = run("bundle", alice, "--new-password", stdin="n\n")
    assert result.exit_code == 0
    assert "The password of 'alice' stops working" in result.stderr
    assert result.stderr.endswith("nothing was changed\n")
    assert opens(store, sealer, alice, PASSWORD)
    result = run("bundle", alice, "--new-password", stdin="y\n")
    assert opens(store, sealer, alice, result.stdout.rstrip("\n").split("\t")[1])


def test_a_password_in_the_bundle_is_not_shown(
    run: Run, home: Home, alice: str, store: Store, sealer: Sealer
) -> None:
    result = run("bundle", alice, "--new-password", "--with-password", "--yes")
    assert result.stdout == f"{home.bundles / 'alice.zip'}\n"
    password = (home.bundles / "alice" / "password.txt").read_text("utf-8-sig").strip()
    assert re.fullmatch(GENERATED, password)
    assert opens(store, sealer, alice, password)
    assert "The password is in it" in result.stderr


def test_a_disk_that_is_full_costs_no_password(
    run: Run, alice: str, store: Store, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_folder: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sync, "everything", full)
    said = error(run("bundle", alice, "--new-password", "--yes"), 1)
    assert said.count("No space left on device") == 1
    assert opens(store, sealer, alice, PASSWORD)
    assert bundles.latest(store) == []


def test_a_terminal_that_is_gone_costs_no_password(
    run: Run, home: Home, alice: str, store: Store, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody could read is in a file that the next run names."""

    def gone(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sstpca.cli.handing_out._Shown.line", gone)
        assert run("bundle", alice, "--new-password", "--yes").exit_code == 130
    [kept] = home.root.glob("new-password-*.txt")
    assert str(kept) in run("bundle", alice).stderr
    name, password = kept.read_text().rstrip("\n").split("\t")
    assert name == alice
    assert opens(store, sealer, alice, password)


def test_a_database_that_fails_says_whose_password_is_as_it_was(
    run: Run, alice: str, store: Store, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_arguments: object) -> None:
        raise SstpcaError("database x: disk I/O error")

    monkeypatch.setattr(bundles, "add", failing)
    result = run("bundle", alice, "--new-password", "--yes")
    assert result.exit_code == 1
    assert "error: database x: disk I/O error; no new passwords for: alice\n" in result.stderr
    assert opens(store, sealer, alice, PASSWORD)


def test_sheets_have_the_passwords_and_nobody_else_reads_them(
    run: Run, home: Home, alice: str, store: Store, sealer: Sealer, tmp_path: Path
) -> None:
    sheets = tmp_path / "sheets"
    arguments = ["bundle", alice, "--new-password", "--yes", "--sheets", str(sheets)]
    result = run(*arguments)
    assert result.stdout == f"{home.bundles / 'alice.zip'}\n"
    sheet = sheets / "alice.html"
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    assert stat.S_IMODE(sheets.stat().st_mode) == 0o700
    found = re.search(rf">({GENERATED})<", sheet.read_text())
    assert found is not None
    assert opens(store, sealer, alice, found[1])
    assert found[1] not in result.output
    assert run(*arguments).exit_code == 0  # its own sheets are replaced
    assert found[1] not in sheet.read_text()


def test_a_file_that_is_no_sheet_stays(
    run: Run, home: Home, alice: str, store: Store, sealer: Sealer, tmp_path: Path
) -> None:
    (tmp_path / "alice.html").write_text("<p>my page")
    arguments = ["bundle", alice, "--new-password", "--yes", "--sheets"]
    assert "is not a sheet made by sstpca" in error(run(*arguments, str(tmp_path)), 1)
    assert "do not go into the folder" in error(run(*arguments, str(home.bundles)), 2)
    assert (tmp_path / "alice.html").read_text() == "<p>my page"
    assert opens(store, sealer, alice, PASSWORD)
    assert not home.bundles.exists()


def test_missing_certificates_are_issued_in_the_same_go(
    run: Run, home: Home, staff: list[str], store: Store
) -> None:
    issue_for(home, store, "bob")
    before = certificates.current(store, "bob")
    result = run("bundle", "--profile", "staff", "--issue")
    assert result.exit_code == 0, result.output
    assert "1 certificate issued" in result.stderr
    assert certificates.current(store, "bob") == before
    for line, name in zip(result.stdout.splitlines(), staff, strict=True):
        path, password = line.split("\t")
        with zipfile.ZipFile(path) as opened:
            content = opened.read(f"{name}.p12")
            assert not any(password.encode() in opened.read(file) for file in opened.namelist())
        key, leaf, _more = pkcs12.load_key_and_certificates(content, password.encode())
        assert key is not None
        assert leaf is not None
        assert leaf == certificates.current(store, name).certificate
    assert bundles.latest(store)[0].certificate == before.sha256


def test_a_certificate_password_on_the_sheet(
    run: Run, home: Home, staff: list[str], store: Store, tmp_path: Path
) -> None:
    issue_for(home, store, "bob")
    result = run("bundle", "bob", "--sheets", str(tmp_path / "s"), "--legacy-p12")
    assert result.stdout == f"{home.bundles / 'bob.zip'}\n"
    found = re.search(rf">({GENERATED})<", (tmp_path / "s" / "bob.html").read_text())
    assert found is not None
    content = (home.bundles / "bob" / "bob.p12").read_bytes()
    assert pkcs12.load_key_and_certificates(content, found[1].encode())[1] is not None


def test_a_revoked_certificate_is_none(
    run: Run, home: Home, staff: list[str], store: Store
) -> None:
    issue_for(home, store, "bob")
    run("cert", "revoke", "bob", "--yes")
    assert "'bob' has no valid certificate" in error(run("bundle", "bob"), 1)
    assert run("bundle", "bob", "--issue").exit_code == 0


def test_the_logo_lies_beside_the_settings(run: Run, home: Home, alice: str) -> None:
    text = re.sub(r"(?m)^#? ?logo = .*$", 'logo = "us.svg"', home.settings.read_text())
    home.settings.write_text(text)
    assert "us.svg" in error(run("bundle", alice), 1)
    (home.root / "us.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    assert run("bundle", alice).exit_code == 0
    assert "data:image/svg+xml;base64," in (home.bundles / "alice" / "index.html").read_text()


def test_scripts_are_signed_where_there_is_a_key(
    run: Run, home: Home, alice: str, tmp_path: Path
) -> None:
    require_osslsigncode()
    (tmp_path / "password").write_text(SIGNING)
    key = str(key_file(tmp_path, "rsa"))
    signing = ["--sign-with", key, "--sign-password-file", str(tmp_path / "password")]
    assert run("bundle", alice, *signing).exit_code == 0
    for script in (home.bundles / "alice").glob("*.ps1"):
        authenticode.check(script.read_bytes())
    assert run("bundle", "verify", str(home.bundles / "alice.zip")).exit_code == 0


def test_a_misspelt_template_is_warned_about_once(
    run: Run, alice: str, store: Store, sealer: Sealer, tmp_path: Path
) -> None:
    users.add(store, sealer, "bob", PASSWORD)
    own = tmp_path / "own"
    own.mkdir()
    (own / "idnex.html.j2").write_text("mine")
    result = run("bundle", "--all", "--templates", str(own))
    assert result.exit_code == 0
    assert result.stderr.count("warning: ") == 1
    assert "nothing uses it: 'idnex.html.j2'\n" in result.stderr


@pytest.mark.parametrize("more", [["bundle", "bob"], ["bundle", "bob", "--issue"],
    ["user", "add", "dan", "--profile", "staff", "--bundle", "--issue"]])  # fmt: skip
def test_the_root_is_looked_for_before_anything_is_issued(
    run: Run, staff: list[str], store: Store, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    monkeypatch.setattr(trust, "load", lambda _home: Trust((), ()))
    said = error(run(*more), 1)
    assert "needs the root of the server's certificate" in said
    assert "cp root.crt /usr/local/share/ca-certificates/ && update-ca-certificates" in said
    assert [one.name for one in certificates.list_current(store)] == ["authority", "server"]
    assert [one.name for one in users.list_all(store)] == staff
