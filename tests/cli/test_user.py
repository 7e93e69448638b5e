"""sstpca user."""

import json
import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Address
from pathlib import Path

import pytest
from click.testing import Result

from sstpca import surroundings
from sstpca.access.profiles import AccessProfile, parse_pool
from sstpca.home import Home
from sstpca.names import check_ipv4
from sstpca.secrets import Sealer
from sstpca.store import Store, logins, profiles, users

Run = Callable[..., Result]
Refused = Callable[[Result, int], str]
Rows = Callable[[], list[object]]


@pytest.fixture
def alice(run: Run) -> str:
    result = run("user", "add", "alice", "--address", "10.99.0.20", "--generate")
    assert result.exit_code == 0
    return result.stdout.strip()


def opens(store: Store, sealer: Sealer, name: str, password: str) -> bool:
    found = logins.login(store, sealer, name)
    assert found is not None
    from sstpca.server.ppp.mschapv2 import nt_hash

    return found.nt_hash == nt_hash(password)


def test_a_generated_password_is_the_whole_output(
    home: Home, run: Run, store: Store, sealer: Sealer
) -> None:
    result = run("user", "add", "alice", "--generate")
    assert result.exit_code == 0
    password = result.stdout.removesuffix("\n")
    assert re.fullmatch(r"([a-z2-9]{4}-){3}[a-z2-9]{4}", password)
    assert password not in result.stderr
    hint = f"next: sstpca --home {home.root} bundle alice"
    assert result.stderr.splitlines() == ["user 'alice' added", hint]
    assert opens(store, sealer, "alice", password)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_password_from_standard_input(run: Run, store: Store, sealer: Sealer, end: str) -> None:
    result = run("user", "add", "alice", "--password-stdin", stdin="pass wörd 1" + end)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "pass wörd" not in result.stderr
    assert opens(store, sealer, "alice", "pass wörd 1")


def test_a_password_from_the_terminal(
    run: Run, store: Store, sealer: Sealer, terminal: None
) -> None:
    result = run("user", "add", "alice", stdin="correct horse\ncorrect horse\n")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "correct" not in result.stderr
    assert opens(store, sealer, "alice", "correct horse")


@pytest.mark.parametrize(
    ("stdin", "why"),
    [
        (b"", "shorter than 8"),
        (b"1234567\n", "shorter than 8"),
        (b"x" * 257, "longer than 256"),
        (b"x" * 9000, "longer than 256"),
        (b"first line\nsecond line\n", "second line"),
        (b"tab\tinside", "control"),
        (b"\xff12345678", "not valid UTF-8"),
        (b"\xff\xfe\x00\xd8", "not valid UTF-16"),
    ],
)
def test_bad_passwords(
    run: Run, refused: Refused, rows: Rows, alice: str, stdin: bytes, why: str
) -> None:
    before = rows()
    assert why in refused(run("user", "add", "bob", "--password-stdin", stdin=stdin), 2)
    assert why in refused(run("user", "passwd", "alice", "--password-stdin", stdin=stdin), 2)
    assert rows() == before


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["add", "bob"], 2, "there is no terminal to ask for a password"),
        (["add", "bob", "--generate", "--password-stdin"], 2, "exclude each other"),
        (["add", "ALICE", "--generate"], 2, "there is a user 'alice' already"),
        (["add", "a/b", "--generate"], 2, "cannot be a user name"),
        (["add", "", "--generate"], 2, "cannot be a user name"),
        (["add", "bob", "--generate", "--address", "10.99.0.300"], 2, "not an IPv4 address"),
        (["add", "bob", "--generate", "--address", "fd00::1"], 2, "not an IPv4 address"),
        (["add", "bob", "--generate", "--address", "10.99.0.20"], 2, "of user 'alice'"),
        (["add", "bob", "--generate", "--address", "10.99.0.1"], 2, "server's own"),
        (["add", "bob", "--generate", "--profile", "x"], 1, "no access profile 'x'"),
        (["show", "bob"], 1, "there is no user 'bob'"),
        (["passwd", "bob", "--generate"], 1, "there is no user 'bob'"),
        (["passwd", "alice"], 2, "there is no terminal"),
        (["disable", "alice", "bob"], 1, "there is no user 'bob'"),
        (["enable", "bob"], 1, "there is no user 'bob'"),
        (["remove", "alice", "bob", "--yes"], 1, "there is no user 'bob'"),
        (["remove", "alice"], 2, "there is no terminal"),
        (["set", "bob", "--no-address"], 1, "there is no user 'bob'"),
        (["set", "alice"], 2, "nothing to change"),
        (["set", "alice", "--address", "10.99.0.1"], 2, "server's own"),
        (["set", "alice", "--address", "10.99.0.9", "--no-address"], 2, "exclude each other"),
        (["set", "alice", "--profile", "x"], 1, "no access profile 'x'"),
    ],
)
def test_bad_input_changes_nothing(
    run: Run,
    refused: Refused,
    rows: Rows,
    alice: str,
    arguments: list[str],
    code: int,
    why: str,
) -> None:
    before = rows()
    assert why in refused(run("user", *arguments), code)
    assert rows() == before


def test_many_at_once_are_all_or_none(
    run: Run, store: Store, sealer: Sealer, refused: Refused, rows: Rows, alice: str
) -> None:
    result = run("user", "add", "u01", "u02", "u03", "--generate")
    assert result.exit_code == 0
    passwords = dict(line.split("\t") for line in result.stdout.splitlines())
    assert list(passwords) == ["u01", "u02", "u03"]
    assert all(opens(store, sealer, name, passwords[name]) for name in passwords)
    before = rows()
    for names, message in [
        (("u04", "ALICE"), "there is a user 'alice' already"),
        (("u04", "a/b"), "cannot be a user name"),
        (("u04", "U04"), "'U04' is named twice"),
        (("u04", "u05", "--address", "10.99.0.30"), "--address is for one user"),
        (("u04", "u05", "--password-stdin"), "--password-stdin is for one user"),
        ((), "say whom to add"),
        (("u04", "--from", "x"), "say whom to add"),
    ]:
        assert message in refused(run("user", "add", *names, "--generate"), 2)
    assert rows() == before


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_from_a_file(run: Run, store: Store, tmp_path: Path, encoding: str) -> None:
    names = tmp_path / "names.txt"
    names.write_text("u01\r\n\r\n  jörg \r\n", encoding=encoding, newline="")
    result = run("user", "add", "--from", str(names), "--generate")
    assert result.exit_code == 0
    assert [one.name for one in users.list_all(store)] == ["jörg", "u01"]
    piped = run("user", "add", "--from", "-", "--generate", stdin="u02\nu03\n")
    assert [line.split("\t")[0] for line in piped.stdout.splitlines()] == ["u02", "u03"]


def test_a_list_with_remarks_or_columns(
    run: Run, refused: Refused, rows: Rows, store: Store
) -> None:
    before = rows()
    for table in ("u01;Ann\n", "u01\nu02\tBob\n"):
        why = refused(run("user", "add", "--from", "-", "--generate", stdin=table), 2)
        assert "is more than a name" in why
    assert rows() == before
    listed = "# the new ones\r\nu01\r\n  # and another\r\nu02\r\n"
    assert run("user", "add", "--from", "-", "--generate", stdin=listed).exit_code == 0
    assert [one.name for one in users.list_all(store)] == ["u01", "u02"]


def test_questions_come_last(run: Run, refused: Refused, alice: str, terminal: None) -> None:
    """Nobody types a password for a user who cannot be added anyway."""
    for arguments in (["alice"], ["bob", "--profile", "x"], ["bob", "--address", "10.99.0.20"]):
        refused(run("user", "add", *arguments), 2 if arguments != ["bob", "--profile", "x"] else 1)


def test_a_broken_database_key_is_told_before_the_question(
    run: Run, refused: Refused, home: Home, rows: Rows, terminal: None
) -> None:
    before = rows()
    home.database_key.write_text("nonsense")
    assert "is not a database key" in refused(run("user", "add", "bob"), 1)
    assert rows() == before


def test_a_name_beyond_ascii_is_warned_about(run: Run) -> None:
    result = run("user", "add", "Jörg M", "--generate")
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: 'Jörg M' is not plain ASCII")
    assert result.stderr.endswith(" bundle 'Jörg M'\n")


def test_a_name_that_windows_cannot_send_is_warned_about(run: Run) -> None:
    result = run("user", "add", "Ωmega", "--generate")
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: 'Ωmega' cannot log in from Windows")


@pytest.mark.parametrize(
    "arguments", [["user", "show"], ["user", "disable"], ["bundle"], ["user", "remove", "--yes"]]
)
def test_a_name_in_another_encoding_is_nobodys(
    run: Run, refused: Refused, arguments: list[str]
) -> None:
    name = b"J\xfcrgen".decode(errors="surrogateescape")
    assert refused(run(*arguments, name), 1) == "there is no user 'J\\udcfcrgen'"


def test_a_static_prefix(run: Run, alice: str, refused: Refused) -> None:
    prefix = "2001:db8:98:a11c::/64"
    result = run("user", "set", "alice", "--prefix", prefix)
    assert "the access profile 'default' gives no IPv6" in result.stderr
    assert f"prefix          {prefix}\n" in run("user", "show", "alice").stdout
    run("profile", "set", "default", "--ipv6", "2001:db8:98::/48")
    assert "warning" not in run("user", "add", "bob", "--generate", "--prefix", "fd00::/64").stderr
    for given, said in (
        (prefix, f"{prefix} is the static prefix of user 'alice' already"),
        ("2001:db8:98::/64", "the server's own address in the tunnel is in 2001:db8:98::/64"),
        ("2001:db8:98::/56", "the prefix of a user has 64 bits, not 56"),
        ("fe80::/64", "is not of unicast addresses"),
        ("10.0.0.0/8", "is not an IPv6 prefix"),
    ):
        assert said in refused(run("user", "set", "bob", "--prefix", given), 2)
    both = run("user", "set", "bob", "--prefix", prefix, "--no-prefix")
    assert "exclude each other" in refused(both, 2)
    assert "--prefix is for one user" in refused(
        run("user", "add", "x", "y", "--prefix", prefix), 2
    )
    taken = run("profile", "set", "default", "--ipv6", "fd00::/48")
    assert "static prefix of user 'bob'" in refused(taken, 2)
    run("user", "set", "alice", "--no-prefix")
    assert "prefix" not in run("user", "show", "alice").stdout


def test_another_profile_may_need_another_bundle(run: Run, alice: str) -> None:
    result = run("user", "set", "alice", "--profile", "default")
    assert result.stderr.splitlines()[-1].endswith(" bundle alice")


def test_the_list(run: Run, alice: str) -> None:
    run("user", "add", "Bob", "--generate")
    run("user", "disable", "bob")
    lines = run("user", "list").stdout.splitlines()
    assert lines[0].split() == ["NAME", "ENABLED", "PROFILE", "ADDRESS", "CREATED"]
    assert lines[1].startswith("alice  yes      default  10.99.0.20     20")
    assert lines[2].startswith("Bob    no       default  from the pool  20")


def test_the_list_for_machines(run: Run, alice: str) -> None:
    (one,) = json.loads(run("user", "list", "--json").stdout)
    assert one == json.loads(run("user", "show", "ALICE", "--json").stdout)
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(stamp, one.pop("created"))
    assert re.fullmatch(stamp, one.pop("password_set"))
    assert one == {
        "name": "alice",
        "enabled": True,
        "profile": "default",
        "address": "10.99.0.20",
        "password_expired": False,
        "limits": {},
        "ends": None,
        "prefix": None,
        "networks": [],
    }


def test_empty_lists(run: Run) -> None:
    assert run("user", "list").stdout == "there are no users; add one with 'sstpca user add'\n"
    assert json.loads(run("user", "list", "--json").stdout) == []


def test_show(run: Run, alice: str) -> None:
    result = run("user", "show", "Alice")
    assert "address         10.99.0.20\n" in result.stdout
    assert alice not in result.output


def test_passwd(run: Run, alice: str, store: Store, sealer: Sealer) -> None:
    result = run("user", "passwd", "Alice", "--generate")
    assert result.exit_code == 0
    assert result.stdout.strip() != alice
    assert opens(store, sealer, "alice", result.stdout.strip())
    assert not opens(store, sealer, "alice", alice)


def test_disable_and_enable(run: Run, alice: str, store: Store) -> None:
    disabled = run("user", "disable", "ALICE").stderr
    assert disabled.startswith("user 'alice' disabled\n")
    assert not users.get(store, "alice").enabled
    enabled = run("user", "enable", "alice").stderr
    assert enabled.startswith("user 'alice' enabled\n")
    assert users.get(store, "alice").enabled
    # who was disabled because of a stolen device is let in from there as well
    for said in (disabled, enabled):
        assert "the password saved on a device gets in as before" in said
        assert said.endswith(" user passwd alice\n")
    run("profile", "set", "default", "--sign-in", "eap-tls", "--yes")
    said = run("user", "enable", "alice").stderr
    assert "the certificate saved on a device" in said
    assert said.endswith(" cert revoke alice\n")


@pytest.mark.parametrize(("answer", "left"), [("y\n", []), ("n\n", ["alice"]), ("\n", ["alice"])])
def test_remove_asks(
    run: Run, alice: str, store: Store, terminal: None, answer: str, left: list[str]
) -> None:
    result = run("user", "remove", "ALICE", stdin=answer)
    assert result.exit_code == 0
    assert result.stderr.startswith("Remove alice? [y/N]: ")
    assert [user.name for user in users.list_all(store)] == left


def test_ctrl_d_at_the_question_changes_nothing(
    run: Run, alice: str, rows: Rows, terminal: None
) -> None:
    before = rows()
    result = run("user", "remove", "alice", stdin="")
    assert result.exit_code == 130
    assert result.stderr.endswith("interrupted\n")
    assert rows() == before


def test_remove_twice_named_removes_once(run: Run, alice: str, store: Store) -> None:
    assert run("user", "remove", "alice", "Alice", "--yes").stderr == "user 'alice' removed\n"
    assert users.list_all(store) == []


def test_set(run: Run, alice: str, store: Store) -> None:
    office = AccessProfile(
        "office", check_ipv4("10.98.0.1"), (parse_pool("10.98.0.10-10.98.0.20"),)
    )
    profiles.add(store, office)
    result = run("user", "set", "Alice", "--profile", "office", "--address", "10.98.0.15")
    assert result.stderr.startswith("user 'alice' changed\n")
    assert users.get(store, "alice").profile == "office"
    assert str(users.get(store, "alice").static_address) == "10.98.0.15"
    assert run("user", "set", "alice", "--no-address").exit_code == 0
    assert users.get(store, "alice").static_address is None


def test_expire_asks_for_another_password_at_the_next_login(run: Run, alice: str) -> None:
    result = run("user", "expire", "ALICE")
    assert result.exit_code == 0
    told = "user 'alice' has to choose another password at the next login"
    assert result.stderr.splitlines()[0] == told
    assert "user passwd alice" in result.stderr
    assert "it has to be changed at the next login" in run("user", "show", "alice").stdout
    assert json.loads(run("user", "show", "alice", "--json").stdout)["password_expired"] is True
    assert run("user", "passwd", "alice", "--generate").exit_code == 0
    assert json.loads(run("user", "show", "alice", "--json").stdout)["password_expired"] is False


def test_expire_warns_of_who_has_a_certificate(run: Run, alice: str) -> None:
    assert run("profile", "set", "default", "--sign-in", "eap-tls", "--yes").exit_code == 0
    result = run("user", "expire", "alice")
    assert result.exit_code == 0
    assert "'alice' signs in with a certificate" in result.stderr


def test_expire_knows_all_or_changes_none(run: Run, refused: Refused, alice: str) -> None:
    assert "no user 'nobody'" in refused(run("user", "expire", "alice", "nobody"), 1)
    assert json.loads(run("user", "show", "alice", "--json").stdout)["password_expired"] is False


def lines(result: Result) -> str:
    """Return what was said, without the ends of lines."""
    return " ".join(result.stderr.split())


def test_add_names_what_a_platform_cannot_send(run: Run) -> None:
    """Names and passwords, each for its platform; the password itself is not shown."""
    result = run("user", "add", "J\u00f6rg", "--password-stdin", stdin="gr\u00fcner Tee")
    assert result.exit_code == 0
    said = lines(result)
    for line in (
        "'J\u00f6rg' is not plain ASCII: Windows sends it in the code page",
        "'J\u00f6rg' cannot log in from Android: Open SSTP Client sends names in ASCII only",
        "'J\u00f6rg' is not plain ASCII, and RouterOS is not known",
        "the password of 'J\u00f6rg' does not work on Linux: pppd takes each byte",
        "the password of 'J\u00f6rg' is not plain ASCII, and RouterOS",
    ):
        assert line in said
    assert "Tee" not in said


def test_add_says_nothing_of_what_all_can_send(run: Run) -> None:
    result = run("user", "add", "alice", "--password-stdin", stdin="plain and long")
    assert "warning" not in result.stderr


def test_several_are_named_in_one_line(run: Run) -> None:
    result = run(
        "user", "add", "\u0438\u0432\u0430\u043d", "\u043e\u043b\u044c\u0433\u0430", "--generate"
    )
    said = lines(result)
    names = "'\u0438\u0432\u0430\u043d', '\u043e\u043b\u044c\u0433\u0430'"
    assert said.count(f"{names} cannot log in from Windows, which sends names in an old") == 1
    assert "password of" not in said, "made ones are ASCII"


def test_passwd_names_what_a_platform_cannot_send(run: Run, alice: str) -> None:
    result = run("user", "passwd", "alice", "--password-stdin", stdin="gr\u00fcner Tee")
    assert "the password of 'alice' does not work on Linux" in lines(result)


def test_a_bundle_names_what_its_platforms_cannot_send(run: Run) -> None:
    assert run("user", "add", "J\u00f6rg", "--generate").exit_code == 0
    said = lines(run("bundle", "J\u00f6rg", "--for", "windows,linux"))
    assert "'J\u00f6rg' is not plain ASCII: Windows sends it in the code page" in said
    assert "Android" not in said
    added = run(
        *("user", "add", "J\u00fcrgen", "--bundle", "--for", "linux", "--password-stdin"),
        stdin="gr\u00fcner Tee",
    )
    assert added.exit_code == 0
    said = lines(added)
    assert "the password of 'J\u00fcrgen' does not work on Linux" in said
    assert "Windows" not in said


def test_the_networks_behind_a_client(
    run: Run, alice: str, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "networks", lambda: [IPv4Network("192.168.50.0/24")])
    monkeypatch.setattr(surroundings, "addresses_ipv6", lambda: [IPv6Address("2001:db8:50::1")])
    result = run("user", "set", "alice", "--network", "10.20.0.0/16", "--network", "10.30.0.0/16")
    assert (result.exit_code, result.stderr) == (0, "user 'alice' changed\n")
    assert "10.20.0.0/16, 10.30.0.0/16\n" in run("user", "show", "alice").stdout
    shown = json.loads(run("user", "show", "alice", "--json").stdout)
    assert shown["networks"] == ["10.20.0.0/16", "10.30.0.0/16"]
    # what may not be meant
    options = ["--network", "192.168.0.0/16", "--network", "2001:db8:50::/48"]
    said = run("user", "set", "alice", *options).stderr.splitlines()
    assert [line.partition(" of this machine")[0] for line in said[:2]] == [
        "warning: the network 192.168.0.0/16 overlaps with 192.168.50.0/24",
        "warning: the network 2001:db8:50::/48 overlaps with 2001:db8:50::1",
    ]
    assert said[2].endswith("gives no IPv6, so that networks of IPv6 are not reached either")
    # what cannot be
    assert "exclude each other" in refused(
        run("user", "set", "alice", "--network", "10.20.0.0/16", "--no-networks"), 2
    )
    assert "is a default route" in refused(run("user", "set", "alice", "--network", "::/0"), 2)
    assert "not a network" in refused(run("user", "set", "alice", "--network", "office"), 2)
    for taken_away in (["--network", ""], ["--no-networks"]):
        run("user", "set", "alice", "--network", "10.20.0.0/16")
        assert run("user", "set", "alice", *taken_away).exit_code == 0
        assert json.loads(run("user", "show", "alice", "--json").stdout)["networks"] == []
    assert "networks" not in run("user", "show", "alice").stdout
