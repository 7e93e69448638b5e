"""sstpca lockout, as an administrator types it."""

import json
import re
from collections.abc import Callable

import pytest
from click.testing import Result

from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.serving.directory import StoreDirectory
from sstpca.settings import LockoutSettings
from sstpca.store import Store, users
from tests.conftest import Run

Refused = Callable[[Result, int], str]

HERE, THERE = "203.0.113.9", "2001:db8:0:1::/64"


@pytest.fixture
def directory(home: Home) -> StoreDirectory:
    """What a worker counts by; alice is locked from one place, and has a mistake at another."""
    store, sealer = Store.open(home.database), Sealer.load(home)
    for name in ("Alice", "bob"):
        users.add(store, sealer, name, "correct horse")
    directory = StoreDirectory(home, store, sealer, LockoutSettings())
    for _ in range(12):
        directory.attempt("Alice", HERE, right=False)
    directory.attempt("Alice", THERE, right=False)
    return directory


def locked(directory: StoreDirectory) -> bool:
    return bool(directory.attempt("Alice", HERE, right=True).barred)


def test_nobody_is_locked(run: Run) -> None:
    assert run("lockout", "list").stdout == "there are no wrong passwords\n"
    assert json.loads(run("lockout", "list", "--json").stdout) == []
    assert run("lockout", "clear").stdout == "0 counts forgotten\n"


def test_the_table(run: Run, directory: StoreDirectory) -> None:
    head, *rows = run("lockout", "list").stdout.splitlines()
    assert head.split() == ["USER", "FROM", "WRONG", "LOCKED"]
    assert re.fullmatch(rf"Alice +{HERE} +10 +until \d{{4}}-\d\d-\d\d \d\d:\d\d", rows[0])
    assert [row.split() for row in rows[1:]] == [
        ["(all)", THERE, "1", "no"],
        ["(all)", HERE, "10", "no"],
        ["Alice", THERE, "1", "no"],
    ]


def test_the_json(run: Run, directory: StoreDirectory) -> None:
    first, *_ = json.loads(run("lockout", "list", "--json").stdout)
    assert (first["user"], first["source"], first["wrong"]) == ("Alice", HERE, 10)
    assert first["until"].endswith("Z")


@pytest.mark.parametrize(
    ("arguments", "count"),
    [((), 5), (("ALICE",), 3), (("--from", HERE), 2), (("alice", "--from", THERE), 4)],
)
def test_clear(run: Run, directory: StoreDirectory, arguments: tuple[str, ...], count: int) -> None:
    assert locked(directory)
    result = run("lockout", "clear", *arguments)
    assert (result.exit_code, result.stdout) == (0, f"{count} counts forgotten\n")
    assert not locked(directory)


@pytest.mark.parametrize("address", ["2001:db8:0:1:abcd::1", THERE])
def test_of_ipv6_the_network_is_meant(run: Run, directory: StoreDirectory, address: str) -> None:
    assert run("lockout", "clear", "--from", address).stdout == "2 counts forgotten\n"
    assert locked(directory)


def test_another_user_is_still_locked(run: Run, directory: StoreDirectory) -> None:
    assert run("lockout", "clear", "bob").stdout == "0 counts forgotten\n"
    assert locked(directory)


def test_who_is_locked_with_all_the_others_is_said(run: Run, directory: StoreDirectory) -> None:
    for number in range(60):
        directory.attempt(f"user{number}", HERE, right=False)
    result = run("lockout", "clear", "alice")
    assert HERE in result.stderr
    assert "lockout clear' forgets all" in result.stderr
    assert locked(directory)
    assert run("lockout", "clear", "--from", HERE).stderr == ""
    assert not locked(directory)


def test_what_is_claimed_can_be_cleared_and_what_is_nobodys_is_refused(
    run: Run, directory: StoreDirectory, refused: Refused
) -> None:
    directory.attempt("mallory", HERE, right=False)
    assert run("lockout", "clear", "mallory").stdout == "2 counts forgotten\n"
    assert "'allice'" in refused(run("lockout", "clear", "allice"), 1)


@pytest.mark.parametrize("address", ["here", "", "192.0.2.0/24", "2001:db8::/48", "1.2.3"])
def test_what_is_no_address(run: Run, refused: Refused, address: str) -> None:
    assert repr(address) in refused(run("lockout", "clear", "--from", address), 2)


def test_other_limits_are_those_of_the_settings(
    run: Run, home: Home, directory: StoreDirectory
) -> None:
    text = home.settings.read_text()
    home.settings.write_text(text.replace("\nuser = 10\n", "\nuser = 20\n"))
    assert "until" not in run("lockout", "list").stdout


def test_homes_of_an_earlier_release_have_no_such_section(run: Run, home: Home) -> None:
    text = home.settings.read_text()
    before, _, after = text.partition("[lockout]")
    home.settings.write_text(before + after[after.index("[bundle]") :])
    assert run("lockout", "list").exit_code == 0
