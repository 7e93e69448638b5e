"""sstpca user import."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from sstpca.secrets import Sealer
from sstpca.store import Store, logins, profiles, users

Run = Callable[..., Result]
Refused = Callable[[Result, int], str]

EXPORT = """/ip pool
add name=vpn ranges=10.77.0.10-10.77.0.99
/ppp profile
add local-address=10.77.0.1 name="VPN USERS" remote-address=vpn
/ppp secret
add name=dora password=short profile="VPN USERS" remote-address=10.77.0.50
add disabled=yes name=CORP\\\\erik password="long enough" service=sstp
add name=line password=abcdefghi service=pppoe
"""


def opens(store: Store, sealer: Sealer, name: str, password: str) -> bool:
    from sstpca.server.ppp.mschapv2 import nt_hash

    found = logins.login(store, sealer, name)
    return found is not None and found.nt_hash == nt_hash(password)


@pytest.fixture
def export(tmp_path: Path) -> str:
    path = tmp_path / "router.rsc"
    path.write_text(EXPORT)
    return str(path)


def test_a_router_moves_in(run: Run, store: Store, sealer: Sealer, export: str) -> None:
    result = run("user", "import", export, "--short-passwords")
    assert result.exit_code == 0
    assert "access profile 'VPN-USERS': local 10.77.0.1" in result.stderr
    assert "2 users added" in result.stderr
    assert "the password has only 5 characters" in result.stdout
    assert "left out: it is for pppoe alone" in result.stdout
    dora, erik = users.list_all(store)
    assert (dora.profile, str(dora.static_address)) == ("VPN-USERS", "10.77.0.50")
    assert (erik.name, erik.enabled) == ("erik", False)
    assert opens(store, sealer, "dora", "short")
    assert opens(store, sealer, "erik", "long enough")


def test_a_dry_run_changes_nothing_and_says_the_same(run: Run, store: Store, export: str) -> None:
    tried = run("user", "import", export, "--short-passwords", "--dry-run")
    assert tried.exit_code == 0
    assert "2 users would be added; nothing was changed" in tried.stderr
    assert users.list_all(store) == []
    assert [one.name for one in profiles.list_all(store)] == ["default"]
    done = run("user", "import", export, "--short-passwords")
    assert done.stdout == tried.stdout.replace("would be added", "added")


def test_all_or_nothing(run: Run, refused: Refused, store: Store, export: str) -> None:
    result = run("user", "import", export)
    why = refused(result, 2)
    assert why.startswith("of 3 accounts not all can be added, so none is: line 6, 'dora': ")
    assert why.endswith("the password is shorter than 8 characters")
    assert "--short-passwords" in result.stderr
    assert users.list_all(store) == []
    assert [one.name for one in profiles.list_all(store)] == ["default"]


def test_a_dry_run_says_what_would_fail(run: Run, store: Store, export: str) -> None:
    result = run("user", "import", export, "--dry-run")
    assert result.exit_code == 2
    assert "cannot be added: the password is shorter" in result.stdout
    assert "left out" in result.stdout
    assert users.list_all(store) == []


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("alice,correct horse,\nALICE,correct horse,", "already"),
        ("alice,correct horse,10.99.0.20\nbob,correct horse,10.99.0.20", "already"),
        ("alice,correct horse,10.99.0.1", "the server's own address"),
        ("alice,correct horse,,,10.99.0.0/24", "overlaps"),
        ("a/b,correct horse,", "cannot be a user name"),
        (",correct horse,", "it is empty"),
        ("alice,,", "it has no password"),
        ("alice,correct horse,,nowhere", "no access profile 'nowhere'"),
    ],
)
def test_what_cannot_be_added(
    run: Run, refused: Refused, store: Store, lines: str, why: str
) -> None:
    table = f"name,password,address,profile,networks\n{lines}\n"
    result = run("user", "import", "-", stdin=table)
    assert why in refused(result, 2)
    assert users.list_all(store) == []


def test_one_access_profile_for_all(run: Run, store: Store, export: str) -> None:
    result = run("user", "import", export, "--short-passwords", "--profile", "default")
    assert result.exit_code == 0
    assert {one.profile for one in users.list_all(store)} == {"default"}
    assert [one.name for one in profiles.list_all(store)] == ["default"]


@pytest.mark.parametrize("stdin", [b"", b"junk", b"\xff\xfe\x00", b"name,password\n"])
def test_other_files(run: Run, refused: Refused, stdin: bytes) -> None:
    assert refused(run("user", "import", "-", stdin=stdin), 2)


def test_a_file_that_is_not_there(run: Run, refused: Refused, tmp_path: Path) -> None:
    assert "No such file" in refused(run("user", "import", str(tmp_path / "x")), 1)


def test_what_is_not_kept_of_an_access_profile_is_said(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "router.rsc"
    path.write_text(EXPORT.replace("remote-address=vpn\n/ppp", "remote-address=vpn on-up=x\n/ppp"))
    result = run("user", "import", str(path), "--short-passwords", "--dry-run")
    assert "the scripts of access profile 'VPN-USERS' is not kept" in result.stderr


def test_passwords_for_those_who_have_none(
    run: Run, refused: Refused, store: Store, sealer: Sealer
) -> None:
    table = "name,password,prefix\nalice,,2001:db8:98:7::/64\nbob,correct horse,\n"
    alone = run("user", "import", "-", stdin=table)
    assert "it has no password" in refused(alone, 2)
    assert "--generate" in alone.stderr
    tried = run("user", "import", "-", "--generate", "--dry-run", stdin=table)
    assert "PASSWORD" not in tried.stdout
    result = run("user", "import", "-", "--generate", stdin=table)
    assert result.exit_code == 0
    _, alice, bob = result.stdout.splitlines()
    assert opens(store, sealer, "alice", alice.split()[3])
    assert bob.split()[3] == "added"
    again = run("user", "import", "-", "--generate", stdin=table)
    assert "there is a user 'alice' already" in refused(again, 2)
    assert "--generate" not in again.stderr
    assert str(users.get(store, "alice").static_prefix) == "2001:db8:98:7::/64"


def test_who_signs_in_with_a_certificate_needs_no_password(run: Run, store: Store) -> None:
    pool = ("--local", "10.8.0.1", "--pool", "10.8.0.10-10.8.0.20")
    assert run("profile", "add", "cards", *pool, "--sign-in", "eap-tls").exit_code == 0
    result = run("user", "import", "-", stdin="name,profile\nalice,cards\n")
    assert result.exit_code == 0, result.stderr
    assert "has a password that nobody knows" in result.stdout
    assert "PASSWORD" not in result.stdout
