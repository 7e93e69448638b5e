"""sstpca bundle list and verify, what a terminal sees, and bundles made with the user."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from sstpca.access.connection_settings import SignIn
from sstpca.bundle import archive, workshop
from sstpca.bundle.platforms.systems import PLATFORMS
from sstpca.errors import SstpcaError
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.server.ppp.mschapv2 import nt_hash
from sstpca.serving import server
from sstpca.store import Store, bundles, certificates, logins, users
from tests.bundle.samples import add_profile, issue_for
from tests.conftest import Run

Refused = Callable[[Result, int], str]
Rows = Callable[[], list[object]]

PASSWORD = "correct horse battery"
GENERATED = r"([a-z2-9]{4}-){3}[a-z2-9]{4}"
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def opens(store: Store, sealer: Sealer, name: str, password: str) -> bool:
    found = logins.login(store, sealer, name)
    return found is not None and found.nt_hash == nt_hash(password)


@pytest.fixture
def alice(store: Store, sealer: Sealer) -> str:
    users.add(store, sealer, "alice", PASSWORD)
    return "alice"


def test_the_list_says_who_has_which(run: Run, alice: str, store: Store, sealer: Sealer) -> None:
    users.add(store, sealer, "bob", PASSWORD)
    run("bundle", alice, "--for", "windows,linux")
    users.change(store, "alice", profile="default")
    heading, first, second = run("bundle", "list").stdout.splitlines()
    assert heading.split() == ["USER", "PROFILE", "MADE", "BY", "FOR", "STATE"]
    assert first.startswith("alice  default  20")
    assert first.endswith("  windows,linux  current")
    assert second.split() == ["bob", "default", "-", "-", "-", "none"]
    add_profile(store, "office", SignIn.MSCHAPV2)
    users.change(store, "alice", profile="office")
    line = run("bundle", "list").stdout.splitlines()[1]
    assert line.endswith("outdated: the access profile is 'office' now")


def test_a_route_of_the_server_outdates_no_bundle_for_windows(
    run: Run, alice: str, store: Store, sealer: Sealer
) -> None:
    users.add(store, sealer, "bob", PASSWORD)
    run(
        "profile", "set", "default", "--split-tunnel", "--route", "10.1.0.0/16", "--routes-at-login"
    )
    run("bundle", alice)
    run("bundle", "bob", "--for", "windows,linux")
    run("profile", "set", "default", "--route", "10.2.0.0/16")
    _, first, second = run("bundle", "list").stdout.splitlines()
    assert first.split()[-2:] == ["windows", "current"]
    assert second.endswith("outdated: the access profile or the settings have changed")
    run("profile", "set", "default", "--routes-in-bundle")
    assert "outdated" in run("bundle", "list").stdout.splitlines()[1]


def test_the_list_for_machines(run: Run, home: Home, alice: str, store: Store) -> None:
    assert json.loads(run("bundle", "list", "--json").stdout) == [
        {"user": "alice", "profile": "default", "state": "none", "why": []}
    ]
    run("bundle", alice)
    [said] = json.loads(run("bundle", "list", "--json").stdout)
    assert json.loads(run("bundle", "list", "ALICE", "--json").stdout) == [said]
    [made] = bundles.latest(store)
    assert re.fullmatch(STAMP, said.pop("made"))
    assert said == {
        "user": "alice",
        "profile": "default",
        "state": "current",
        "why": [],
        "made_by": made.made_by,
        "platforms": ["windows"],
        "language": "en",
        "server": "vpn.example.com",
        "connection": "VPN vpn.example.com",
        "authorities": list(made.authorities),
        "certificate": None,
        "sha256": made.sha256,
        "path": str(home.bundles / "alice.zip"),
    }


def test_the_list_of_nobody(run: Run, refused: Refused) -> None:
    assert run("bundle", "list").stdout == "there are no users and no bundles\n"
    assert refused(run("bundle", "list", "mallory"), 1) == "there is no user 'mallory'"
    name = b"J\xfcrgen".decode(errors="surrogateescape")
    assert refused(run("bundle", "list", name), 1) == "there is no user 'J\\udcfcrgen'"


@pytest.mark.parametrize("command", [("bundle", "make"), ("user", "add")])
def test_the_help_says_what_bundles_can_be_for(run: Run, command: tuple[str, ...]) -> None:
    shown = " ".join(run(*command, "--help").stdout.split())
    assert f"What it is for: {', '.join(PLATFORMS)}, with commas between." in shown


def test_verify_says_what_was_looked_at(run: Run, home: Home, alice: str, tmp_path: Path) -> None:
    made = run("bundle", alice).stdout.strip()
    result = run("bundle", "verify", made)
    assert result.exit_code == 0
    heading, *findings = result.stdout.splitlines()
    assert heading == f"{made} (of alice): fits"
    assert findings
    assert all(line.startswith("  ok    ") for line in findings)
    assert result.stderr == ""


def test_verify_of_several_fails_if_one_does(run: Run, home: Home, alice: str) -> None:
    made = run("bundle", alice).stdout.strip()
    text = home.settings.read_text()
    run("bundle", alice, "--output", str(home.root / "kept"))
    home.settings.write_text(text.replace("port = 443", "port = 4443"))
    run("bundle", alice)
    old = str(home.root / "kept" / "alice.zip")
    result = run("bundle", "verify", made, old)
    assert result.exit_code == 1
    assert f"{made} (of alice): fits\n" in result.stdout
    assert f"{old} (of alice): DOES NOT FIT\n" in result.stdout
    assert "  FAIL  it connects to vpn.example.com, not to vpn.example.com:4443\n" in result.stdout
    assert result.stderr == f"for new ones: sstpca --home {home.root} bundle make alice\n"
    first, second = json.loads(run("bundle", "verify", made, old, "--json").stdout)
    assert (first["file"], first["user"], first["fits"]) == (made, "alice", True)
    assert (second["file"], second["user"], second["fits"]) == (old, "alice", False)
    assert {
        "check": "server",
        "ok": False,
        "text": "it connects to vpn.example.com, not to vpn.example.com:4443",
    } in second["findings"]


def test_verify_names_a_command_once_and_only_for_whom_it_is_of_use(
    run: Run, home: Home, alice: str, store: Store, sealer: Sealer
) -> None:
    for name in ("bob", "carol", "list"):
        users.add(store, sealer, name, PASSWORD)
    made = run("bundle", "--all").stdout.splitlines()
    run("profile", "set", "default", "--dns-suffix", "corp.example.com")
    run("user", "disable", "bob")
    run("user", "remove", "carol", "--yes")
    result = run("bundle", "verify", *made, made[0].removesuffix(".zip"))
    assert result.stdout.count("DOES NOT FIT") == 5
    assert result.stderr == f"for new ones: sstpca --home {home.root} bundle make alice list\n"


def test_verify_of_what_is_none(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"photographs")
    result = run("bundle", "verify", str(tmp_path / "x.zip"), str(tmp_path / "missing"))
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert result.stdout.count("DOES NOT FIT") == 2
    found = json.loads(run("bundle", "verify", str(tmp_path / "x.zip"), "--json").stdout)
    assert found[0]["user"] is None


def test_a_user_and_the_bundle_in_one_go(
    run: Run, home: Home, store: Store, sealer: Sealer
) -> None:
    result = run("user", "add", "zoe", "--generate", "--bundle", "--address", "10.99.0.20")
    path, password = result.stdout.rstrip("\n").split("\t")
    assert path == str(home.bundles / "zoe.zip")
    assert re.fullmatch(GENERATED, password)
    assert password not in result.stderr
    assert opens(store, sealer, "zoe", password)
    assert str(users.get(store, "zoe").static_address) == "10.99.0.20"
    [made] = bundles.latest(store)
    assert (made.user, made.path) == ("zoe", path)


def test_a_typed_password_is_not_shown(run: Run, home: Home, store: Store, sealer: Sealer) -> None:
    result = run("user", "add", "zoe", "--password-stdin", "--bundle", stdin=PASSWORD)
    assert result.stdout == f"{home.bundles / 'zoe.zip'}\n"
    assert PASSWORD not in result.output
    assert opens(store, sealer, "zoe", PASSWORD)


def test_a_password_that_goes_into_the_bundle(
    run: Run, home: Home, store: Store, sealer: Sealer
) -> None:
    arguments = ["--bundle", "--with-password", "--for", "windows,linux", "--password-stdin"]
    result = run("user", "add", "zoe", *arguments, stdin=PASSWORD)
    assert result.stdout == f"{home.bundles / 'zoe.zip'}\n"
    assert PASSWORD in (home.bundles / "zoe" / "password.txt").read_text("utf-8-sig")
    assert (home.bundles / "zoe" / "linux" / "password").read_text() == f"{PASSWORD}\n"


def test_a_new_user_on_a_sheet(run: Run, home: Home, tmp_path: Path) -> None:
    arguments = ["--bundle", "--sheets", str(tmp_path / "s"), "--generate"]
    result = run("user", "add", "zoe", *arguments)
    assert result.stdout == f"{home.bundles / 'zoe.zip'}\n"
    assert re.search(rf">{GENERATED}<", (tmp_path / "s" / "zoe.html").read_text())


def test_many_new_users_have_their_sheets_in_one_file_to_print(
    run: Run, home: Home, tmp_path: Path, store: Store, sealer: Sealer, refused: Refused, rows: Rows
) -> None:
    folder = tmp_path / "s"
    arguments = ["--bundle", "--sheets", str(folder), "--generate"]
    result = run("user", "add", "u01", "u02", "u03", *arguments)
    assert result.stdout.splitlines() == [str(home.bundles / f"u0{i}.zip") for i in (1, 2, 3)]
    assert len(re.findall(r"(?:[0-9A-F]{2}:){31}", result.stderr)) == 1  # one fingerprint
    printed = (folder / "all-sheets.htm").read_text()
    found = [one[1] for one in re.finditer(rf">({GENERATED})<", printed)]
    assert [opens(store, sealer, f"u0{i}", one) for i, one in enumerate(found, 1)] == [True] * 3
    assert printed.count('<div style="break-after: page">') == 2
    assert printed.count("</html>") == printed.count("</style>") == 1
    assert run("bundle", "u01", "u03", "--new-password", "--yes", *arguments[1:3]).exit_code == 0
    assert len(re.findall(rf">{GENERATED}<", (folder / "all-sheets.htm").read_text())) == 2
    (folder / "all-sheets.htm").write_text("mine")
    before = rows()
    said = refused(run("user", "add", "u04", "u05", *arguments), 1)
    assert "all-sheets.htm is there, and is not a sheet made by sstpca" in said
    assert rows() == before


def test_where_one_bundle_fails_nobody_is_added(
    run: Run, home: Home, refused: Refused, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, real = rows(), users.insert

    def insert(connection: object, sealer: object, name: str, *more: object, **how: object) -> None:
        if name == "u02":
            raise SstpcaError("no room")
        real(connection, sealer, name, *more, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(users, "insert", insert)
    said = refused(run("user", "add", "u01", "u02", "u03", "--bundle", "--generate"), 1)
    assert said == "no room; nobody was added"
    assert rows() == before
    assert list(home.bundles.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["--with-password"], 2, "go with --bundle"),
        (["--sheets", "x"], 2, "go with --bundle"),
        (["--issue"], 2, "go with --bundle"),
        (["--passphrase-file", "x"], 2, "go with --bundle"),
        (["--bundle", "--for", "amiga"], 2, "no bundles for 'amiga'"),
        (["--bundle", "--profile", "staff"], 1, "'zoe' has no valid certificate"),
        (["--bundle", "--profile", "nobody"], 1, "no access profile 'nobody'"),
    ],
)
def test_what_cannot_be_made_adds_nobody(
    run: Run,
    home: Home,
    refused: Refused,
    rows: Rows,
    store: Store,
    arguments: list[str],
    code: int,
    why: str,
) -> None:
    add_profile(store, "staff", SignIn.EAP_TLS)
    before = rows()
    assert why in refused(run("user", "add", "zoe", "--generate", *arguments), code)
    assert rows() == before
    assert not home.bundles.exists()


def test_a_bundle_that_cannot_be_written_adds_nobody(
    run: Run, home: Home, refused: Refused, rows: Rows
) -> None:
    home.bundles.mkdir()
    (home.bundles / "zoe.zip").write_bytes(b"photographs")
    before = rows()
    result = run("user", "add", "zoe", "--generate", "--bundle")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "is not a bundle" in result.stderr
    assert rows() == before


def test_a_new_user_with_a_certificate(run: Run, home: Home, store: Store) -> None:
    add_profile(store, "staff", SignIn.EAP_TLS)
    issue_for(home, store, "zoe")
    result = run("user", "add", "zoe", "--generate", "--bundle", "--profile", "staff")
    assert result.exit_code == 0, result.output
    _path, password, secret = result.stdout.rstrip("\n").split("\t")
    assert re.fullmatch(GENERATED, password)
    assert re.fullmatch(GENERATED, secret)
    assert (
        "After the path: the user's password, then the password of the .p12 file in it."
        in result.stderr
    )


def test_quickstart_records_its_bundle(
    run: Run, home: Home, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "serve", lambda *_arguments, **_options: None)
    result = run("quickstart", "--user", "zoe")
    assert result.exit_code == 0, result.output
    assert f"Hand zoe the file {home.bundles / 'zoe.zip'} and" in result.stdout
    assert [one.user for one in bundles.latest(store)] == ["zoe"]


def test_quickstart_shows_the_password_of_a_certificate(
    run: Run,
    home: Home,
    store: Store,
    sealer: Sealer,
    refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "serve", lambda *_arguments, **_options: None)
    add_profile(store, "staff", SignIn.EAP_TLS)
    users.add(store, sealer, "zoe", PASSWORD, profile="staff")
    result = run("quickstart", "--user", "zoe")
    assert result.exit_code == 1
    assert "cert issue user zoe" in result.stderr
    issue_for(home, store, "zoe")
    result = run("quickstart", "--user", "zoe")
    assert re.search(rf"(?m)^    {GENERATED}$", result.stdout)


def on_terminal(home: Home, *arguments: str) -> str:
    """Return what a terminal shows of a command that has it for output and errors."""
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "sstpca", "--home", str(home.root), *arguments]
    with subprocess.Popen(command, stdout=child, stderr=child, stdin=subprocess.DEVNULL):
        os.close(child)
        shown = b""
        try:
            while piece := os.read(parent, 65536):
                shown += piece
        except OSError:
            pass  # the other end is closed: Linux says EIO
    os.close(parent)
    return shown.decode()


def test_a_terminal_gets_a_bar_and_no_noise(home: Home, store: Store, sealer: Sealer) -> None:
    for number in range(12):
        users.add(store, sealer, f"user{number}", PASSWORD)
    few = on_terminal(home, "bundle", "user1", "user2")
    assert few.count(".zip\r\n") == 2
    many = on_terminal(home, "bundle", "--all")
    assert "12/12" in many
    assert f"12 bundles are in {home.bundles}" in many
    assert ".zip" not in many
    secret = on_terminal(home, "bundle", "--all", "--new-password", "--yes")
    assert len(re.findall(rf"\.zip\t{GENERATED}\r\n", secret)) == 12
    assert "12/12" not in secret


@pytest.mark.parametrize("lines", [1, 25, 61])
def test_a_run_that_is_killed_leaves_no_password_that_nobody_knows(
    home: Home, store: Store, sealer: Sealer, lines: int
) -> None:
    with store.writing() as connection:
        for number in range(100):
            users.insert(connection, sealer, f"user{number:02}", PASSWORD)
    arguments = ["--home", str(home.root), "bundle", "--all", "--new-password", "--yes"]
    with subprocess.Popen(
        [sys.executable, "-m", "sstpca", *arguments, "--for", "linux"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        shown = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        shown += process.stdout.readlines()
    printed = dict(line.rstrip("\n").split("\t") for line in shown if line.endswith("\n"))
    passwords = {Path(path).stem: password for path, password in printed.items()}
    assert len(passwords) >= lines
    for path in home.root.glob("new-password-*.txt"):
        name, password = path.read_text().rstrip("\n").split("\t")
        assert passwords.setdefault(name, password) == password
        assert path.stat().st_mode & 0o777 == 0o600
    recorded = {one.user for one in bundles.latest(store)}
    for user in users.list_all(store):
        if user.name in recorded:
            assert opens(store, sealer, user.name, passwords[user.name])
        else:
            assert opens(store, sealer, user.name, PASSWORD)


def test_the_list_says_who_is_disabled(run: Run, alice: str, store: Store, sealer: Sealer) -> None:
    users.add(store, sealer, "bob", PASSWORD)
    run("bundle", alice)
    run("user", "disable", "alice", "bob")
    first, second = run("bundle", "list").stdout.splitlines()[1:]
    assert first.endswith("  windows  disabled")
    assert second.endswith("  disabled")
    run("profile", "set", "default", "--dns-suffix", "corp.example.com")
    [said] = json.loads(run("bundle", "list", "alice", "--json").stdout)
    assert (said["state"], len(said["why"])) == ("disabled", 1)
    [said] = json.loads(run("bundle", "list", "bob", "--json").stdout)
    assert said["state"] == "disabled"


@pytest.mark.parametrize("more", [["--generate"], ["--generate", "--with-password"],
    ["--generate", "--sheets", "sheets"], ["--profile", "staff", "--issue"]])  # fmt: skip
def test_a_database_that_is_full_adds_nobody_and_leaves_nothing(
    run: Run,
    home: Home,
    refused: Refused,
    rows: Rows,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: list[str],
) -> None:
    def full(*_arguments: object) -> None:
        raise SstpcaError("database x: database or disk is full")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bundles, "add", full)
    add_profile(store, "staff", SignIn.EAP_TLS)
    before = rows()
    result = run("user", "add", "zoe", "--bundle", *more)
    assert (result.exit_code, result.stdout) == (1, "")
    why = "error: database x: database or disk is full; user 'zoe' was not added\n"
    assert result.stderr.endswith(why)
    assert not re.search(GENERATED, result.output)
    assert rows() == before
    assert list(home.bundles.iterdir()) == []
    assert not list(tmp_path.glob("sheets/*"))


def test_a_bundle_that_cannot_be_taken_back_is_named(
    run: Run, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise SstpcaError("no")

    monkeypatch.setattr(bundles, "add", refuse)
    monkeypatch.setattr(archive, "discard", refuse)
    said = run("user", "add", "zoe", "--generate", "--bundle")
    path = home.bundles / "zoe.zip"
    assert said.stderr == f"error: no; user 'zoe' was not added; delete the bundle {path}\n"


def test_a_sheet_that_cannot_be_written_is_told_with_the_bundle(
    run: Run,
    home: Home,
    refused: Refused,
    rows: Rows,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_arguments: object) -> None:
        raise SstpcaError("cannot write")

    monkeypatch.setattr(workshop, "write_file", full)
    before = rows()
    arguments = ["--generate", "--bundle", "--sheets", str(tmp_path / "s")]
    said = refused(run("user", "add", "zoe", *arguments), 1)
    path = home.bundles / "zoe.zip"
    assert said == f"cannot write; the bundle is there: {path}; user 'zoe' was not added"
    assert rows() == before


def test_who_signs_in_with_a_certificate_is_added_by_one_command(
    run: Run, home: Home, store: Store, sealer: Sealer, tmp_path: Path
) -> None:
    add_profile(store, "staff", SignIn.EAP_TLS)
    (tmp_path / "passphrase").write_text("not needed: the key has none\n")
    options = ["--issue", "--passphrase-file", str(tmp_path / "passphrase")]
    result = run("user", "add", "zoe", "--profile", "staff", "--bundle", *options)
    assert result.exit_code == 0, result.output
    path, secret = result.stdout.rstrip("\n").split("\t")
    assert path == str(home.bundles / "zoe.zip")
    assert re.fullmatch(GENERATED, secret)
    assert "'zoe' signs in with a certificate" in result.stderr
    assert not opens(store, sealer, "zoe", secret)
    assert run("bundle", "verify", path).exit_code == 0


def test_who_signs_in_with_a_certificate_needs_no_password(
    run: Run, home: Home, store: Store, sealer: Sealer
) -> None:
    add_profile(store, "staff", SignIn.EAP_TLS)
    result = run("user", "add", "zoe", "--profile", "staff")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "a password that nobody knows" in result.stderr.splitlines()[0]
    assert result.stderr.endswith(f"next: sstpca --home {home.root} bundle zoe --issue\n")
    assert run("bundle", "zoe", "--issue").exit_code == 0
    given = run("user", "add", "yan", "--profile", "staff", "--password-stdin", stdin=PASSWORD)
    assert given.exit_code == 0
    assert opens(store, sealer, "yan", PASSWORD)
    assert "nobody knows" not in given.stderr


def test_a_password_that_nobody_needs_is_on_no_sheet(
    run: Run, store: Store, tmp_path: Path
) -> None:
    add_profile(store, "staff", SignIn.EAP_TLS)
    options = ["--profile", "staff", "--bundle", "--issue", "--sheets", str(tmp_path / "s")]
    assert run("user", "add", "zoe", *options).exit_code == 0
    page = (tmp_path / "s" / "zoe.html").read_text()
    assert len(re.findall(rf">{GENERATED}<", page)) == 1


@pytest.mark.parametrize(
    ("name", "sign_in", "system", "complaint"),
    [
        ("siteb", SignIn.EAP_TLS, "routeros", "a RouterOS router signs in with MS-CHAPv2 only"),
        ("siteb", SignIn.EAP_MSCHAPV2, "windows,routeros", "sign in with EAP-MSCHAPv2"),
        ("siteb", SignIn.EAP_TLS, "android", "cannot sign in with a certificate"),
        ("j\u00fcrgen", SignIn.MSCHAPV2, "windows,android", "sends names in ASCII only"),
    ],
)
def test_what_a_client_cannot_do_is_said_and_nothing_is_made(
    run: Run,
    home: Home,
    refused: Refused,
    store: Store,
    sealer: Sealer,
    name: str,
    sign_in: SignIn,
    system: str,
    complaint: str,
) -> None:
    add_profile(store, "staff", sign_in)
    users.add(store, sealer, name, PASSWORD, profile="staff")
    before = certificates.list_current(store)
    issue = ["--issue"] if sign_in is SignIn.EAP_TLS else []
    result = run("bundle", name, "--for", system, *issue)
    assert complaint in refused(result, 1)
    assert f"leave {system.split(',')[-1]} out of --for" in result.stderr
    assert "Hand over" not in result.output
    assert not home.bundles.exists() or not list(home.bundles.iterdir())
    assert bundles.latest(store) == []
    assert certificates.list_current(store) == before
    result = run("user", "add", f"{name}2", "--generate", "--bundle", "--profile", "staff",
                 "--for", system, *issue)  # fmt: skip
    assert result.exit_code == 1
    assert [one.name for one in users.list_all(store)] == [name]


def test_clients_without_tls_1_3_are_named_where_it_is_asked_for(home: Home, run: Run) -> None:
    text = home.settings.read_text()
    assert run("user", "add", "bob", "--generate").exit_code == 0
    said = run("bundle", "bob", "--for", "windows,routeros").stderr
    assert "no TLS 1.3" not in said
    home.settings.write_text(text.replace('minimum_version = "1.2"', 'minimum_version = "1.3"'))
    said = run("bundle", "bob", "--for", "windows,routeros").stderr
    assert "Windows 10 and earlier have no TLS 1.3" in said
    assert "RouterOS has no TLS 1.3" in said
    assert "no TLS 1.3" not in run("bundle", "bob", "--for", "linux").stderr


def test_a_router_that_may_not_know_the_servers_key_is_a_warning(home: Home, run: Run) -> None:
    """MikroTik's manual names ECDHE-RSA and DHE-RSA alone; the key of this home is ECDSA."""
    run("user", "add", "siteb", "--generate")
    assert "not RSA" not in run("bundle", "siteb").stderr
    made = run("bundle", "siteb", "--for", "windows,routeros")
    assert made.exit_code == 0
    assert f"sstpca --home {home.root} cert rekey server --key-type rsa" in made.stderr
    assert run("cert", "rekey", "server", "--key-type", "rsa").exit_code == 0
    assert "not RSA" not in run("bundle", "siteb", "--for", "routeros").stderr
