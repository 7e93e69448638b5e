"""Pairs and inventory change together: whatever is interrupted, and whoever else is at it."""

import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from sstpca.authority import issuing, pairs
from sstpca.authority.authority import Authority
from sstpca.authority.identity import load_identity
from sstpca.authority.pairs import check_pair_name
from sstpca.errors import InvalidInput, SstpcaError
from sstpca.home import SERVER, Home
from sstpca.store import Store, certificates
from sstpca.x509.certificates import digest
from sstpca.x509.keys import KeyType, key_to_pem, make_key
from tests.support.revoked import mark_revoked
from tests.support.steps import STEPS_MAX, failing_at, in_a_child, kill_me

NOW = datetime.now(UTC)

Action = Callable[[Home], None]


@contextmanager
def opened(home: Home) -> Iterator[tuple[Store, Authority]]:
    store = Store.open(home.database)
    try:
        yield store, Authority.load(home, None)
    finally:
        store.close()


def issue(home: Home, *names: str, existing: issuing.Existing = issuing.Existing.REFUSE) -> None:
    with opened(home) as (store, authority):
        wishes = [issuing.user_wish(name, f"{name}@x", KeyType.ECDSA) for name in names]
        list(issuing.issue(home, store, authority, wishes, NOW, existing=existing))


def issue_three(home: Home) -> None:
    issue(home, "bob", "carol", "dave", existing=issuing.Existing.SKIP)


def renew_two(home: Home) -> None:
    with opened(home) as (store, authority):
        list(issuing.renew(home, store, authority, [SERVER, "alice"], NOW))


def rekey_alice(home: Home) -> None:
    with opened(home) as (store, authority):
        issuing.rekey(home, store, authority, "alice", NOW)


def rekey_server(home: Home) -> None:
    with opened(home) as (store, authority):
        issuing.rekey(home, store, authority, SERVER, NOW, kind=KeyType.ECDSA)


def revoke_alice(home: Home) -> None:
    with opened(home) as (store, _):
        entry = certificates.current(store, "alice")
        if entry.revoked is None:
            mark_revoked(store, entry, "keyCompromise", NOW)


ACTIONS = [issue_three, renew_two, rekey_alice, rekey_server, revoke_alice]


@pytest.fixture
def home(quick_home: Home) -> Home:
    """Keys that take no time."""
    return quick_home


@pytest.fixture
def peopled(home: Home) -> Home:
    """A home where alice has a certificate."""
    issue(home, "alice")
    return home


Written = dict[str, bytes]


def files_of(home: Home) -> Written:
    files = [home.server_identity, *home.certificates.glob("*")]
    return {path.name: path.read_bytes() for path in files}


def assert_whole(home: Home) -> None:
    """Each pair fits, is recorded, and is the current one; each current one has its pair."""
    assert load_identity(home).own
    with opened(home) as (store, _):
        current = {one.name: one for one in certificates.list_current(store)}
        assert current.pop(certificates.AUTHORITY).issuer_sha256
        for name, entry in current.items():
            pair = pairs.load(home, name, entry.profile)
            assert digest(pair.leaf) == entry.sha256
        serials = [one.serial for one in certificates.list_all(store)]
        assert len(serials) == len(set(serials))
    assert {path.stem for path in home.certificates.iterdir()} == set(current) - {SERVER}
    assert not list(home.root.glob(".*"))


@pytest.mark.parametrize("action", ACTIONS)
def test_killed_between_any_two_writes_the_home_is_whole(peopled: Home, action: Action) -> None:
    ends = []
    for number in range(STEPS_MAX):

        def killed(number: int = number) -> None:
            with failing_at(number, kill_me):
                action(peopled)

        ends.append(in_a_child(killed))
        # the server may be started before anybody recovers anything
        assert load_identity(peopled).own
        with opened(peopled) as (store, _):
            pairs.tidy(peopled, store)
        assert_whole(peopled)
        if not ends[-1]:
            break
    assert ends[-1] == 0
    assert set(ends[:-1]) == {-signal.SIGKILL}
    assert len(ends) > (1 if action is revoke_alice else 5)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_refused_at_any_write_the_home_is_whole(
    peopled: Home, action: Action, error: BaseException
) -> None:
    def fail() -> None:
        raise error

    refusals = 0
    for number in range(STEPS_MAX):
        before = files_of(peopled)
        with failing_at(number, fail) as steps:
            try:
                action(peopled)
            except (SstpcaError, OSError, KeyboardInterrupt):
                refusals += 1
                committed = "commit" in steps[:number]
                if not committed:
                    assert files_of(peopled) == before
        with opened(peopled) as (store, _):
            pairs.tidy(peopled, store)
        assert_whole(peopled)
        if len(steps) <= number:
            break
    else:
        pytest.fail("there was no end of steps")
    assert refusals


def test_a_full_disk_is_one_line_and_changes_nothing(peopled: Home) -> None:
    before = files_of(peopled)

    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with (
        failing_at(0, full) as steps,
        pytest.raises(SstpcaError, match=r"alice\.pem.*: No space left on device"),
    ):
        rekey_alice(peopled)
    assert steps[0] == "fsync"
    assert files_of(peopled) == before
    assert_whole(peopled)


def test_a_pair_that_was_never_recorded_is_dropped(peopled: Home, store: Store) -> None:
    before = files_of(peopled)
    other = (peopled.certificates / "alice.pem").read_bytes()
    (peopled.certificates / ".bob.pem.new").write_bytes(b"nonsense")
    (peopled.certificates / "..bob.pem.new.x1y2").write_bytes(other)
    (peopled.root / ".server.pem.abcd").write_bytes(other)
    (peopled.root / ".gitignore").write_text("*")
    pairs.tidy(peopled, store)
    assert files_of(peopled) == before
    assert (peopled.root / ".gitignore").exists()
    (peopled.root / ".gitignore").unlink()
    assert_whole(peopled)


def test_while_another_changes_pairs_nobody_tidies(peopled: Home, store: Store) -> None:
    half_done = peopled.certificates / ".bob.pem.new"
    half_done.write_bytes(b"")
    with peopled.changing_certificates() as held:
        assert held
        pairs.tidy(peopled, store)
        assert half_done.exists()
    pairs.tidy(peopled, store)
    assert not half_done.exists()


def test_many_at_once_lose_and_double_nothing(home: Home) -> None:
    """Eight processes: two each want the same name, and one of them gets it."""
    children = []
    for number in range(8):
        child = os.fork()
        if child == 0:
            code = 99
            try:
                issue(home, f"user{number // 2}", f"own{number}")
                code = 0
            except InvalidInput:
                code = 7
            finally:
                os._exit(code)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert sorted(codes) == [0] * 4 + [7] * 4
    assert_whole(home)
    with opened(home) as (store, _):
        names = [one.name for one in certificates.list_all(store) if one.profile == "user"]
    won = [number for number, code in enumerate(codes) if not code]
    assert sorted(names) == sorted(
        [*(f"user{number}" for number in range(4)), *(f"own{number}" for number in won)]
    )


def test_many_in_a_row_are_written_in_batches(home: Home) -> None:
    names = [f"user{number:03}" for number in range(230)]
    with failing_at(-1, lambda: None) as steps:
        issue(home, *names)
    commits = [step for step in steps if step == "commit"]
    assert len(commits) == 3
    assert_whole(home)
    with opened(home) as (store, _):
        assert len(certificates.list_all(store)) == 232


def test_a_pair_whose_key_does_not_fit_is_refused(peopled: Home) -> None:
    path = peopled.pair("alice")
    certificate = path.read_bytes().partition(b"-----BEGIN CERT")
    path.write_bytes(key_to_pem(make_key(KeyType.ECDSA)) + b"".join(certificate[1:]))
    with pytest.raises(SstpcaError, match="does not fit its certificate"):
        pairs.load(peopled, "alice", "user")


@pytest.mark.parametrize(
    "name", ["server", "SERVER", "authority", "", "../x", "a/b", "-x", ".x", "\U0001f600" * 60]
)
def test_names_a_pair_cannot_have(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_pair_name(name)


def test_pairs_are_secret(peopled: Home) -> None:
    assert peopled.certificates.stat().st_mode & 0o777 == 0o700
    assert peopled.pair("alice").stat().st_mode & 0o777 == 0o600
    with opened(peopled) as (store, _):
        entry = certificates.current(store, "alice")
    assert "PRIVATE" not in repr(pairs.load(peopled, "alice", "user"))
    assert str(entry.der) not in repr(entry)
