"""sstpca user export: what another home takes in again."""

from collections.abc import Callable
from dataclasses import fields

import pytest
from click.testing import Result

from sstpca.access.hours import parse_hours
from sstpca.access.limits import NOTHING_OWN, Limits, OwnLimits, WhenFull
from sstpca.imports.limit_cells import limits_text, parse_limits
from sstpca.store import Store, users
from sstpca.store.users import User

Run = Callable[..., Result]
Refused = Callable[[Result, int], str]

HEAD = "name,password,profile,address,prefix,networks,ends,limits,enabled"


@pytest.fixture
def people(run: Run) -> None:
    pool = ("--local", "10.8.0.1", "--pool", "10.8.0.10-10.8.0.20")
    run("profile", "add", "staff", *pool)
    run("user", "add", "alice", "--generate", "--address", "10.99.0.20")
    run("user", "add", "=1+1", "bob", "--generate", "--profile", "staff")
    run("user", "set", "bob", "--prefix", "2001:db8:98:b0b::/64")
    run("user", "set", "alice", "--network", "192.168.50.0/24", "--network", "192.168.60.0/24")
    run("user", "set", "alice", "--ends", "2030-12-31")
    run("user", "set", "alice", "--rate-down", "5M", "--volume-per-day", "none")
    run("user", "disable", "bob")


@pytest.mark.usefixtures("people")
def test_what_is_written(run: Run) -> None:
    result = run("user", "export")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        HEAD,
        "'=1+1,,staff,,,,,,yes",
        "alice,,default,10.99.0.20,,192.168.50.0/24 192.168.60.0/24,2030-12-31,rate-down=5000000; volume-per-day=none,yes",
        "bob,,staff,,2001:db8:98:b0b::/64,,,,no",
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
            one.ends,
            one.limits,
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


def test_every_limit_comes_in_again() -> None:
    limits = {
        "rate_down": 5_000_000,
        "rate_up": None,
        "session_timeout": 3600,
        "idle_timeout": 600,
        "sessions": 3,
        "when_full": WhenFull.REFUSE,
        "hours": parse_hours("mon-fri 8-18, sat 9:00-12:00"),
        "volume_day": 1000,
        "volume_month": 2_000_000,
        "slow_to": 64_000,
    }
    assert limits.keys() == {one.name for one in fields(Limits)}
    for own in (OwnLimits.of(limits), OwnLimits.of(dict.fromkeys(limits)), NOTHING_OWN):
        assert parse_limits(limits_text(own)) == own


@pytest.mark.parametrize(
    ("cell", "why"),
    [("rate-down=fast", "'fast'"), ("speed=5M", "'speed' is none of the limits"), ("5M", "'5M'")],
)
def test_limits_that_cannot_be_read_are_named(run: Run, cell: str, why: str) -> None:
    text = f"name,limits\ncarol,{cell}\n"
    result = run("user", "import", "-", "--generate", stdin=text)
    assert result.exit_code != 0
    assert why in result.output
    assert run("user", "show", "carol").exit_code != 0
