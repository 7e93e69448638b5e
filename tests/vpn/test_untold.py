"""A new password that counts is never one that nobody knows."""

from collections.abc import Callable

import pytest
from click.testing import Result

from sstpca.errors import SstpcaError
from sstpca.home import Home
from sstpca.secrets import Sealer
from sstpca.store import Store, users
from sstpca.vpn import untold

Run = Callable[..., Result]


def test_it_is_in_a_file_until_it_has_been_told(home: Home) -> None:
    with untold.Kept(home, "zoë o'hara", "abcd-efgh"):
        [path] = untold.left(home)
        assert path.read_text() == "zoë o'hara\tabcd-efgh\n"
        assert path.stat().st_mode & 0o777 == 0o600
    assert untold.left(home) == []


@pytest.mark.parametrize("reason", [KeyboardInterrupt, GeneratorExit, OSError])
def test_whoever_is_not_told_finds_the_file(home: Home, reason: type[BaseException]) -> None:
    with pytest.raises(reason), untold.Kept(home, "alice", "abcd-efgh"):
        raise reason
    assert untold.left(home) == [home.root / "new-password-alice.txt"]


def test_whoever_was_interrupted_finds_the_file(home: Home) -> None:
    with untold.Kept(home, "alice", "abcd-efgh") as kept:
        kept.not_told()
    assert untold.left(home) == [home.root / "new-password-alice.txt"]


def test_one_that_does_not_count_leaves_nothing(home: Home) -> None:
    with pytest.raises(SstpcaError), untold.Kept(home, "alice", "abcd-efgh"):
        raise SstpcaError("the database is full")
    assert untold.left(home) == []


def test_what_is_told_elsewhere_needs_no_file(home: Home) -> None:
    with untold.Kept(home, "alice", None):
        assert untold.left(home) == []


def test_the_next_run_names_it(home: Home, store: Store, sealer: Sealer, run: Run) -> None:
    users.add(store, sealer, "alice", "correct horse battery")
    home.untold("alice").write_text("alice\tabcd-efgh\n")
    said = run("bundle", "alice").stderr
    assert f"without showing it: look into {home.untold('alice')}, and delete it" in said
    assert "abcd" not in said
