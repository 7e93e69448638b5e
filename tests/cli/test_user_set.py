"""sstpca user set, for many users at once."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from click.testing import Result

from sstpca.access.limits import OwnLimits
from sstpca.store import Store, users
from sstpca.store.users import User
from sstpca.vpn.users import Users

Run = Callable[..., Result]
Refused = Callable[[Result, int], str]


@pytest.fixture(autouse=True)
def people(run: Run) -> None:
    run("profile", "add", "staff", "--local", "10.8.0.1", "--pool", "10.8.0.10-10.8.0.99")
    run("user", "add", "alice", "bob", "carol", "--generate")
    run("user", "set", "carol", "--profile", "staff", "--address", "10.8.0.7")


def having(store: Store) -> dict[str, str]:
    return {one.name: one.profile for one in users.list_all(store)}


def test_several_names(run: Run, store: Store) -> None:
    result = run("user", "set", "ALICE", "bob", "alice", "--profile", "staff")
    assert result.exit_code == 0
    assert result.stderr.splitlines()[:2] == ["user 'alice' changed", "user 'bob' changed"]
    assert "bundle alice bob" in result.stderr
    assert having(store) == dict.fromkeys(("alice", "bob", "carol"), "staff")


@pytest.mark.parametrize(("whom", "changed"), [(("--of-profile", "default"), 2), (("--all",), 3)])
def test_those_of_an_access_profile_or_all(
    run: Run, store: Store, whom: tuple[str, ...], changed: int
) -> None:
    result = run("user", "set", *whom, "--profile", "staff")
    assert result.stderr.count("changed") == changed
    assert set(having(store).values()) == {"staff"}


def test_many_are_counted(run: Run, store: Store) -> None:
    run("user", "add", *(f"u{number:02}" for number in range(20)), "--generate")
    result = run("user", "set", "--all", "--profile", "staff", "--no-address")
    assert result.stderr.splitlines()[0] == "23 users changed"
    assert "bundle --profile staff" in result.stderr
    assert {one.static_address for one in users.list_all(store)} == {None}


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        (["--profile", "staff"], 2, "say whom to change"),
        (["alice", "--all", "--profile", "staff"], 2, "say whom to change"),
        (["alice", "bob"], 2, "nothing to change"),
        (["alice", "eve", "--profile", "staff"], 1, "no user 'eve'"),
        (["alice", "bob", "--profile", "x"], 1, "no access profile 'x'"),
        (["--of-profile", "x", "--profile", "staff"], 1, "no access profile 'x'"),
        (["alice", "bob", "--address", "10.99.0.9"], 2, "--address is for one user"),
        (["--all", "--prefix", "2001:db8::/64"], 2, "--prefix is for one user"),
        (["--all", "--network", "192.168.50.0/24"], 2, "--network is for one user"),
    ],
)
def test_all_or_nothing(
    run: Run, refused: Refused, store: Store, arguments: list[str], status: int, why: str
) -> None:
    before = having(store)
    assert why in refused(run("user", "set", *arguments), status)
    assert having(store) == before


def test_nobody_has_the_profile(run: Run, refused: Refused) -> None:
    run("profile", "add", "empty", "--local", "10.9.0.1", "--pool", "10.9.0.10-10.9.0.99")
    result = run("user", "set", "--of-profile", "empty", "--profile", "staff")
    assert "nobody to change" in refused(result, 1)


def test_what_another_changes_meanwhile_stays(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit that is not given is as it is when the others are written, not when they were read."""
    run("user", "set", "alice", "bob", "--idle-timeout", "10m")
    change_each = Users.change_each

    def late(one: Users, changes: Mapping[str, Mapping[str, Any]]) -> list[User]:
        users.change(store, "alice", limits=OwnLimits.of({"volume_day": 1000}))
        return change_each(one, changes)

    monkeypatch.setattr(Users, "change_each", late)
    assert run("user", "set", "alice", "bob", "--rate-down", "5M").exit_code == 0
    alice, bob = users.get(store, "alice").limits, users.get(store, "bob").limits
    assert alice.values() == {"rate_down": 5_000_000, "volume_day": 1000}
    assert bob.values() == {"rate_down": 5_000_000, "idle_timeout": 600}


def test_a_limit_that_cannot_be_read_changes_nobody(
    run: Run, refused: Refused, store: Store
) -> None:
    said = refused(run("user", "set", "alice", "--rate-down", "fast", "--profile", "staff"), 2)
    assert "--rate-down" in said
    assert having(store)["alice"] == "default"
