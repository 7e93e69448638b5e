"""sstpca user export: what another home takes in again."""

from collections.abc import Callable

import pytest
from click.testing import Result

from sstpca.store import Store, users
from sstpca.store.users import User

Run = Callable[..., Result]
Refused = Callable[[Result, int], str]

HEAD = "name,password,profile,address,prefix,networks,ends,enabled"


@pytest.fixture
def people(run: Run) -> None:
    pool = ("--local", "10.8.0.1", "--pool", "10.8.0.10-10.8.0.20")
    run("profile", "add", "staff", *pool)
    run("user", "add", "alice", "--generate", "--address", "10.99.0.20")
    run("user", "add", "=1+1", "bob", "--generate", "--profile", "staff")
    run("user", "set", "bob", "--prefix", "2001:db8:98:b0b::/64")
    run("user", "set", "alice", "--network", "192.168.50.0/24", "--network", "192.168.60.0/24")
    run("user", "set", "alice", "--ends", "2030-12-31")
    run("user", "disable", "bob")


@pytest.mark.usefixtures("people")
def test_what_is_written(run: Run) -> None:
    result = run("user", "export")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        HEAD,
        "'=1+1,,staff,,,,,yes",
        "alice,,default,10.99.0.20,,192.168.50.0/24 192.168.60.0/24,2030-12-31,yes",
        "bob,,staff,,2001:db8:98:b0b::/64,,,no",
    ]
    assert result.stderr == "3 users written; there is no password in it\n"


@pytest.mark.usefixtures("people")
def test_it_comes_in_again(run: Run, store: Store) -> None:
    def kept(one: User) -> tuple[object, ...]:
        return (
            one.name,
            one.profile,
            one.static_address,
            one.static_prefix,
            one.networks,
            one.enabled,
        )

    before = [kept(one) for one in users.list_all(store)]
    text = run("user", "export").stdout
    assert run("user", "remove", "alice", "bob", "=1+1", "--yes").exit_code == 0
    assert run("user", "import", "-", "--generate", stdin=text).exit_code == 0
    assert [kept(one) for one in users.list_all(store)] == before
    assert run("user", "export").stdout == text


@pytest.mark.usefixtures("people")
def test_some_of_them(run: Run, refused: Refused) -> None:
    def names(*arguments: str) -> list[str]:
        return [
            line.split(",")[0] for line in run("user", "export", *arguments).stdout.splitlines()
        ]

    assert names("--profile", "staff") == ["name", "'=1+1", "bob"]
    assert names("BOB", "alice", "bob") == ["name", "bob", "alice"]
    assert names("alice", "--profile", "staff") == ["name"]
    assert "no user 'eve'" in refused(run("user", "export", "eve"), 1)
    assert "no access profile 'x'" in refused(run("user", "export", "--profile", "x"), 1)


def test_nobody(run: Run) -> None:
    result = run("user", "export")
    assert (result.stdout, result.exit_code) == (f"{HEAD}\n", 0)
    assert "0 users written" in result.stderr
